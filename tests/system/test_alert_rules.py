"""The alert rules by promtool: each has a case in which it fires and one in which it stays silent. O1."""

import re
import shutil
import subprocess

import pytest
import yaml

import stack as stacks

FOLDER = stacks.ROOT / "deploy/observability"
RUNBOOKS = stacks.ROOT / "docs/runbooks"
RULES = sorted(FOLDER.glob("*rules.yaml"))
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
TWO_HOURS, A_DAY, TWO_DAYS = 120, 1440, 48  # steps of a case: of a minute, and of an hour for what burns slowly

INGRESS = 'job="tocsin-ingress",instance="i-1"'
WORKER = 'job="tocsin-sms-worker",instance="w-1"'
CALLER = 'job="tocsin-voice-worker",instance="v-1"'
AUDIT = 'job="tocsin-audit",instance="a-1"'
DOUBT_SINCE = "tocsin_ledger_in_doubt_oldest_timestamp_seconds"
DEAD_SINCE = "tocsin_dead_letters_oldest_timestamp_seconds"


def constant(value, steps):
    return f"{value}x{steps}"


def rising(step, steps):
    return f"0+{step}x{steps}"


def posts(accepted, other, outcome, steps=30):
    return {f'tocsin_twilio_posts_total{{{WORKER},channel="sms",outcome="accepted"}}': rising(accepted, steps),
            f'tocsin_twilio_posts_total{{{WORKER},channel="sms",outcome="{outcome}"}}': rising(other, steps)}


def enqueues(good, bad, steps):
    return {f'tocsin_enqueue_answers_total{{{INGRESS},method="Enqueue",reason="OK"}}': rising(good, steps),
            f'tocsin_enqueue_answers_total{{{INGRESS},method="Enqueue",reason="KAFKA_UNAVAILABLE"}}': rising(bad, steps)}


def webhooks(good, bad, verdict, steps):
    return {f'tocsin_webhooks_total{{{INGRESS},kind="sms_status",verdict="published"}}': rising(good, steps),
            f'tocsin_webhooks_total{{{INGRESS},kind="sms_status",verdict="{verdict}"}}': rising(bad, steps)}


def timed(name, labels, edge, quick, slow, steps):
    return {f'{name}_bucket{{{labels},le="{edge}"}}': rising(quick, steps),
            f'{name}_count{{{labels}}}': rising(quick + slow, steps)}


def answers(quick, slow, steps):
    return timed("tocsin_webhook_seconds", f'{INGRESS},code="2xx"', "0.1", quick, slow, steps)


def handovers(quick, slow, steps, alert_class="high"):
    return timed("tocsin_handover_seconds", f'{WORKER},channel="sms",class="{alert_class}"', "3", quick, slow, steps)


def placements(quick, slow, steps):
    return timed("tocsin_handover_seconds", f'{CALLER},channel="voice",class="high"', "5", quick, slow, steps)


def gauge(name, labels, value, steps=30):
    return {f"{name}{{{labels}}}": constant(value, steps)}


def lag(group, records, labels=WORKER):
    return gauge("tocsin_consumer_lag_records", f'{labels},group="{group}"', records)


def passages(step):
    return {f'tocsin_sms_passages_total{{{WORKER},passage="sent"}}': rising(step, 30)}


def calls(step, passage="sent"):
    return {f'tocsin_voice_passages_total{{{CALLER},passage="{passage}"}}': rising(step, 30)}


def folded(step):
    return {f'tocsin_audit_records_total{{{AUDIT},topic_kind="events"}}': rising(step, 30)}


# alert, severity, series in which it fires, series in which it does not, steps
CASES = [
    ("Watchdog", "none", {}, None, 1),
    ("TocsinReplicaDown", "ticket", gauge("up", WORKER, 0), gauge("up", WORKER, 1), 5),
    ("TocsinServiceDown", "page", gauge("up", WORKER, 0),
     gauge("up", WORKER, 0) | gauge("up", WORKER.replace("w-1", "w-2"), 1), 5),
    ("TocsinNotReady", "ticket", gauge("tocsin_ready", INGRESS, 0), gauge("tocsin_ready", INGRESS, 1), 5),
    ("TocsinDependencyDown", "page",
     gauge("tocsin_dependency_up", f'{AUDIT},dependency="postgres",role="required"', 0),
     gauge("tocsin_dependency_up", f'{WORKER},dependency="twilio",role="informative"', 0), 5),
    ("TocsinProcessLimits", "ticket", gauge("process_open_fds", AUDIT, 900) | gauge("process_max_fds", AUDIT, 1000),
     gauge("process_open_fds", AUDIT, 700) | gauge("process_max_fds", AUDIT, 1000), 15),
    ("TocsinLogLinesLost", "ticket", {f"tocsin_log_lines_lost_total{{{AUDIT}}}": rising(1, 30)},
     {f"tocsin_log_lines_lost_total{{{AUDIT}}}": constant(7, 30)}, 20),
    ("TocsinRegistryRefused", "page", gauge("tocsin_registry_last_reload_successful", INGRESS, 0),
     gauge("tocsin_registry_last_reload_successful", INGRESS, 1), 1),
    ("EmergencyWaits", "page", gauge("tocsin_lane_waiting_records", f'{WORKER},lane="emergency"', 3),
     gauge("tocsin_lane_waiting_records", f'{WORKER},lane="bulk"', 900), 5),
    ("TocsinNoProgress", "page", lag("sms.other", 50) | passages(0), lag("sms.other", 50) | passages(60), 15),
    ("TocsinNoProgress", "page", lag("voice.other", 50, CALLER) | calls(0) | passages(60),
     lag("voice.other", 50, CALLER) | calls(60) | passages(0), 15),
    ("TocsinAuditNoProgress", "page", lag("audit", 50, AUDIT) | folded(0), lag("audit", 50, AUDIT) | folded(60), 15),
    ("TocsinLagHigh", "ticket", lag("sms.other", 20000), lag("sms.other", 2000) | lag("relay", 90000), 20),
    ("TocsinOldestTooOld", "ticket",
     gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds", f'{WORKER},group="sms.other"', 1),
     gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds", f'{WORKER},group="relay"', 1)
     | gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds", f'{WORKER},group="sms.other"', 0), 25),
    ("TocsinSendersHeld", "page", gauge("tocsin_senders_held", WORKER, 1), gauge("tocsin_senders_held", WORKER, 0), 5),
    ("TocsinSendersSaturated", "ticket", gauge("tocsin_senders_busy", WORKER, 90) | gauge("tocsin_senders", WORKER, 100),
     gauge("tocsin_senders_busy", WORKER, 50) | gauge("tocsin_senders", WORKER, 100), 20),
    ("TwilioInDoubt", "page", posts(60, 2, "in_doubt"), posts(6000, 2, "in_doubt"), 25),
    ("TwilioUnreachable", "page",
     gauge("tocsin_dependency_up", f'{WORKER},dependency="twilio",role="informative"', 0),
     gauge("tocsin_dependency_up", f'{WORKER},dependency="twilio",role="informative"', 1), 5),
    ("TwilioAccountTrouble", "page",
     {f'tocsin_twilio_errors_total{{{WORKER},channel="sms",class="account"}}': rising(1, 30)},
     {f'tocsin_twilio_errors_total{{{WORKER},channel="sms",class="permanent_number"}}': rising(9, 30)}, 15),
    ("TwilioRateLimits", "ticket", posts(60, 30, "rate_limited"), posts(60, 1, "rate_limited"), 25),
    ("WebhooksForged", "ticket", webhooks(60, 600, "forged", 30), webhooks(60, 6, "forged", 30), 20),
    ("WebhookServerRejects", "ticket", {f'tocsin_http_rejections_total{{{INGRESS},reason="busy"}}': rising(1, 30)},
     {f'tocsin_http_rejections_total{{{INGRESS},reason="malformed"}}': rising(1, 30)}, 20),
    ("EnqueueSaturated", "ticket", gauge("tocsin_enqueue_in_flight", INGRESS, 19000)
     | gauge("tocsin_enqueue_in_flight_limit", INGRESS, 20000),
     gauge("tocsin_enqueue_in_flight", INGRESS, 100) | gauge("tocsin_enqueue_in_flight_limit", INGRESS, 20000), 10),
    ("KafkaPublishesFail", "page",
     {f'tocsin_kafka_publishes_total{{{INGRESS},client="producer",outcome="not_persisted"}}': rising(6, 30)},
     {f'tocsin_kafka_publishes_total{{{INGRESS},client="producer",outcome="persisted"}}': rising(6, 30)}, 10),
    ("RecordsUnreadable", "ticket", {f"tocsin_audit_unparsed_total{{{AUDIT}}}": rising(1, 30)},
     {f"tocsin_audit_unparsed_total{{{AUDIT}}}": constant(4, 30)}, 20),
    ("LedgerOverdue", "page", gauge("tocsin_ledger_overdue", AUDIT, 1), gauge("tocsin_ledger_overdue", AUDIT, 0), 10),
    ("LedgerDiffers", "page", gauge("tocsin_ledger_difference", AUDIT, 2), gauge("tocsin_ledger_difference", AUDIT, 0),
     15),
    ("InDoubtTooLong", "page", gauge(DOUBT_SINCE, AUDIT, 1), gauge(DOUBT_SINCE, AUDIT, 0), 15),
    ("DeadLettersMany", "ticket", gauge("tocsin_dead_letters_open", f'{AUDIT},channel="sms"', 101),
     gauge("tocsin_dead_letters_open", f'{AUDIT},channel="sms"', 100), 10),
    ("DeadLetterOld", "ticket", gauge(DEAD_SINCE, AUDIT, 1, A_DAY + 10), gauge(DEAD_SINCE, AUDIT, 0, A_DAY + 10)
     | gauge(DEAD_SINCE, AUDIT.replace("a-1", "a-2"), 86400, A_DAY + 10), A_DAY + 10),
    ("RecordsUnreadable", "ticket", calls(1, "unreadable"), calls(60), 20),
    ("RelayLate", "ticket", gauge("tocsin_relay_lateness_seconds", WORKER, 9),
     gauge("tocsin_relay_lateness_seconds", WORKER, 0.1), 20),
    ("EnqueueErrorBudgetBurn", "page", enqueues(60, 2, TWO_HOURS), enqueues(6000, 2, TWO_HOURS), TWO_HOURS),
    ("EnqueueErrorBudgetBurn", "ticket", enqueues(1000, 4, TWO_DAYS), enqueues(10000, 4, TWO_DAYS), TWO_DAYS),
    ("WebhookErrorBudgetBurn", "page", webhooks(60, 2, "unavailable", TWO_HOURS),
     webhooks(60, 60, "forged", TWO_HOURS), TWO_HOURS),
    ("WebhookErrorBudgetBurn", "ticket", webhooks(1000, 4, "unavailable", TWO_DAYS),
     webhooks(10000, 4, "unavailable", TWO_DAYS), TWO_DAYS),
    ("WebhookTooSlow", "page", answers(60, 20, TWO_HOURS), answers(60, 1, TWO_HOURS), TWO_HOURS),
    ("WebhookTooSlow", "ticket", answers(1000, 40, TWO_DAYS), answers(1000, 4, TWO_DAYS), TWO_DAYS),
    ("HandoverTooSlow", "page", handovers(60, 20, TWO_HOURS), handovers(60, 20, TWO_HOURS, "bulk"), TWO_HOURS),
    ("HandoverTooSlow", "page", handovers(60, 0, TWO_HOURS) | placements(60, 20, TWO_HOURS),
     handovers(60, 0, TWO_HOURS) | placements(60, 0, TWO_HOURS), TWO_HOURS),
    ("HandoverTooSlow", "ticket", handovers(1000, 40, TWO_DAYS), handovers(1000, 4, TWO_DAYS), TWO_DAYS),
]


def alerts():
    """(name, rule) of every alert that ships."""
    return [(rule["alert"], rule) for file in RULES for group in yaml.safe_load(file.read_text())["groups"]
            for rule in group["rules"] if "alert" in rule]


def step_of(alert, severity):
    """Budgets that burn slowly are watched over days."""
    slow = severity == "ticket" and f"- alert: {alert}\n" in (FOLDER / "slo-rules.yaml").read_text()
    return "1h" if slow else "1m"


def promtool(*arguments):
    assert shutil.which("promtool"), "Debian's package prometheus is missing"
    ended = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def unit_test(alert, severity, series, steps, step, fires):
    query = f'count(ALERTS{{alertname="{alert}",severity="{severity}",alertstate="firing"}})'
    return {"interval": step, "name": f"{alert} {severity} {'fires' if fires else 'is silent'}",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [{"expr": query, "eval_time": f"{steps}{step[-1]}",
                                  "exp_samples": [{"value": 1}] if fires else []}]}


@pytest.mark.parametrize("file", RULES, ids=lambda path: path.name)
def test_promtool_reads_the_rules(file):
    promtool("check", "rules", file)


@pytest.mark.parametrize("file", RULES, ids=lambda path: path.name)
@pytest.mark.parametrize("step", ["1m", "1h"])
def test_each_rule_fires_when_it_should_and_else_is_silent(tmp_path, file, step):
    tests = [unit_test(alert, severity, series, steps, step, fires) for alert, severity, firing, silent, steps in CASES
             for series, fires in ((firing, True), (silent, False))
             if series is not None and alert in file.read_text() and step == step_of(alert, severity)]
    spec = tmp_path / "rules_test.yaml"
    spec.write_text(yaml.safe_dump({"rule_files": [str(file)], "evaluation_interval": step, "tests": tests}))
    promtool("test", "rules", spec)


def test_every_rule_has_its_cases():
    shipped = {(name, rule["labels"]["severity"]) for name, rule in alerts()}
    assert {(alert, severity) for alert, severity, *_ in CASES} == shipped


def test_every_rule_has_its_runbook_and_every_runbook_its_rule():
    for name, rule in alerts():
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
        page = (RUNBOOKS / f"{name}.md").read_text()
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS, name
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {name for name, _ in alerts()}


def test_every_link_of_a_runbook_leads_somewhere():
    for path in RUNBOOKS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
            assert (RUNBOOKS / target).exists(), f"{path.name}: {target}"


def test_every_alert_names_a_dashboard_that_ships():
    dashboards = {path.stem for path in (FOLDER / "dashboards").glob("*.json")}
    for name, rule in alerts():
        assert rule["annotations"]["dashboard"] in dashboards, name


def test_the_burn_rates_are_made_of_the_promises():
    made = subprocess.run(["/usr/bin/python3", stacks.ROOT / "scripts/lib/make_slo_rules.py", "--print"],
                          capture_output=True, text=True, check=True).stdout
    assert made == (FOLDER / "slo-rules.yaml").read_text(), "run scripts/lib/make_slo_rules.py"
