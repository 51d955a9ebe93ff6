"""Unit tests of the alert rules by promtool: each has a case in which it fires and one in which it does not. O1."""

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
TWO_HOURS, A_DAY, TWO_DAYS = 120, 1440, 48  # steps of a case: of a minute, or of an hour for slow burn rates

INGRESS = 'job="tocsin-ingress",instance="i-1"'
WORKER = 'job="tocsin-sms-worker",instance="w-1"'
VOICE_WORKER = 'job="tocsin-voice-worker",instance="v-1"'
AUDIT = 'job="tocsin-audit",instance="a-1"'
SERVICES = {INGRESS, WORKER, VOICE_WORKER, AUDIT}
IN_DOUBT_SINCE = "tocsin_attempts_in_doubt_oldest_timestamp_seconds"
DEAD_LETTER_SINCE = "tocsin_dead_letters_oldest_timestamp_seconds"


def constant(value, steps):
    return f"{value}x{steps}"


def rising(step, steps):
    return f"0+{step}x{steps}"


def posts(accepted, other, outcome, steps=30):
    return {f'tocsin_twilio_posts_total{{{WORKER},channel="sms",outcome="accepted"}}': rising(accepted, steps),
            f'tocsin_twilio_posts_total{{{WORKER},channel="sms",outcome="{outcome}"}}': rising(other, steps)}


def enqueues(good, bad, steps):
    requests = f'grpc_server_requests_total{{{INGRESS},service="AlertService",method="Enqueue",'
    return {requests + 'code="OK",reason=""}': rising(good, steps),
            requests + 'code="UNAVAILABLE",reason="KAFKA_UNAVAILABLE"}': rising(bad, steps)}


def webhooks(good, bad, result, steps):
    return {f'tocsin_webhooks_total{{{INGRESS},kind="sms_status",result="published"}}': rising(good, steps),
            f'tocsin_webhooks_total{{{INGRESS},kind="sms_status",result="{result}"}}': rising(bad, steps)}


def timed(name, labels, edge, quick, slow, steps):
    return {f'{name}_bucket{{{labels},le="{edge}"}}': rising(quick, steps),
            f'{name}_count{{{labels}}}': rising(quick + slow, steps)}


def webhook_latency(quick, slow, steps):
    return timed("tocsin_webhook_seconds", f'{INGRESS},code="2xx"', "0.1", quick, slow, steps)


def sms_latency(quick, slow, steps, priority="high"):
    return timed("tocsin_submit_latency_seconds", f'{WORKER},channel="sms",priority="{priority}"', "3", quick, slow, steps)


def call_latency(quick, slow, steps):
    return timed("tocsin_submit_latency_seconds", f'{VOICE_WORKER},channel="voice",priority="high"', "5", quick, slow,
                 steps)


def gauge(name, labels, value, steps=30):
    return {f"{name}{{{labels}}}": constant(value, steps)}


def lag(group, records, labels=WORKER):
    return gauge("tocsin_consumer_lag_records", f'{labels},group="{group}"', records)


def deliveries(step, result="sent"):
    return {f'tocsin_deliveries_total{{{WORKER},channel="sms",result="{result}"}}': rising(step, 30)}


def calls(step, result="sent"):
    return {f'tocsin_deliveries_total{{{VOICE_WORKER},channel="voice",result="{result}"}}': rising(step, 30)}


def replicas(*instances, value=1):
    """`up` of each."""
    return {f"up{{{labels}}}": constant(value, 30) for labels in instances}


def in_flight(count):
    return gauge("tocsin_enqueue_in_flight", INGRESS, count) | gauge("tocsin_enqueue_in_flight_limit", INGRESS, 20000)


def open_files(labels, count):
    return gauge("process_open_fds", labels, count) | gauge("process_max_fds", labels, 1000)


def delay_queue(lateness, moved):
    return (gauge("tocsin_delay_queue_lateness_seconds", WORKER, lateness)
            | {f"tocsin_delay_queue_moved_total{{{WORKER}}}": rising(moved, 30)})


def processed(step):
    return {f'tocsin_audit_records_total{{{AUDIT},topic_kind="events"}}': rising(step, 30)}


# alert, severity, series in which it fires, series in which it does not, steps
CASES = [
    ("TocsinWatchdog", "none", {}, None, 1),
    ("TocsinReplicaDown", "ticket", gauge("up", WORKER, 0), gauge("up", WORKER, 1), 5),
    ("TocsinServiceDown", "page", replicas(INGRESS, VOICE_WORKER, AUDIT) | replicas(WORKER, value=0),
     replicas(INGRESS, VOICE_WORKER, AUDIT, WORKER.replace("w-1", "w-2")) | replicas(WORKER, value=0), 5),
    *(("TocsinServiceDown", "page", replicas(*(SERVICES - {without})), replicas(*SERVICES), 5)
      for without in sorted(SERVICES)),
    ("TocsinNotReady", "ticket", gauge("tocsin_ready", INGRESS, 0), gauge("tocsin_ready", INGRESS, 1), 5),
    ("TocsinDependencyDown", "page",
     gauge("tocsin_dependency_up", f'{AUDIT},dependency="postgres",role="required"', 0),
     gauge("tocsin_dependency_up", f'{WORKER},dependency="twilio",role="informative"', 0), 5),
    ("TocsinProcessLimits", "ticket", open_files(AUDIT, 900), open_files(AUDIT, 700) | open_files('job="other"', 900), 15),
    ("TocsinLogLinesLost", "ticket", {f"tocsin_log_lines_lost_total{{{AUDIT}}}": rising(1, 30)},
     {f"tocsin_log_lines_lost_total{{{AUDIT}}}": constant(7, 30)}, 20),
    ("TocsinRegistryReloadFailed", "page", gauge("tocsin_registry_last_reload_successful", INGRESS, 0),
     gauge("tocsin_registry_last_reload_successful", INGRESS, 1), 1),
    ("TocsinEmergencyQueueStalled", "page", gauge("tocsin_lane_waiting_records", f'{WORKER},lane="emergency"', 3),
     gauge("tocsin_lane_waiting_records", f'{WORKER},lane="bulk"', 900), 5),
    ("TocsinNoProgress", "page", lag("sms.other", 50) | deliveries(0), lag("sms.other", 50) | deliveries(60), 15),
    ("TocsinNoProgress", "page", lag("voice.other", 50, VOICE_WORKER) | calls(0) | deliveries(60),
     lag("voice.other", 50, VOICE_WORKER) | calls(60) | deliveries(0), 15),
    ("TocsinNoProgress", "page", lag("sms.other", 50) | deliveries(0) | deliveries(60, "callback_handled"),
     lag("sms.other", 50) | deliveries(1) | deliveries(60, "callback_handled"), 15),
    ("TocsinNoProgress", "page", lag("voice.other", 50, VOICE_WORKER) | calls(0) | calls(60, "callback_handled"),
     lag("voice.other", 50, VOICE_WORKER) | calls(1) | calls(60, "callback_handled"), 15),
    ("TocsinAuditNoProgress", "page", lag("audit", 50, AUDIT) | processed(0), lag("audit", 50, AUDIT) | processed(60), 15),
    ("TocsinLagHigh", "ticket", lag("sms.other", 20000), lag("sms.other", 2000) | lag("delay_queue", 90000), 20),
    ("TocsinOldestRecordTooOld", "ticket",
     gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds", f'{WORKER},group="sms.other"', 1),
     gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds", f'{WORKER},group="delay_queue"', 1)
     | gauge("tocsin_consumer_oldest_unfinished_timestamp_seconds", f'{WORKER},group="sms.other"', 0), 25),
    ("TocsinSendersBlocked", "page", gauge("tocsin_senders_blocked", WORKER, 1), gauge("tocsin_senders_blocked", WORKER, 0), 5),
    ("TocsinSendersSaturated", "ticket", gauge("tocsin_senders_busy", WORKER, 90) | gauge("tocsin_senders", WORKER, 100),
     gauge("tocsin_senders_busy", WORKER, 50) | gauge("tocsin_senders", WORKER, 100), 20),
    ("TocsinTwilioInDoubt", "page", posts(60, 2, "in_doubt"), posts(6000, 2, "in_doubt"), 25),
    ("TocsinTwilioUnreachable", "page",
     gauge("tocsin_dependency_up", f'{WORKER},dependency="twilio",role="informative"', 0),
     gauge("tocsin_dependency_up", f'{WORKER},dependency="twilio",role="informative"', 1), 5),
    ("TocsinTwilioAccountError", "page",
     {f'tocsin_twilio_errors_total{{{WORKER},channel="sms",error_class="account"}}': rising(1, 30)},
     {f'tocsin_twilio_errors_total{{{WORKER},channel="sms",error_class="permanent_number"}}': rising(9, 30)}, 15),
    ("TocsinTwilioRateLimited", "ticket", posts(60, 30, "rate_limited"), posts(60, 1, "rate_limited"), 25),
    ("TocsinWebhooksInvalidSignature", "ticket", webhooks(60, 600, "invalid_signature", 30), webhooks(60, 6, "invalid_signature", 30), 20),
    ("TocsinWebhookServerRejections", "ticket", {f'tocsin_http_rejections_total{{{INGRESS},reason="overloaded"}}': rising(1, 30)},
     {f'tocsin_http_rejections_total{{{INGRESS},reason="malformed"}}': rising(1, 30)}, 20),
    # Bulk is refused from 14 000 on.
    ("TocsinEnqueueSaturated", "ticket", in_flight(13999), in_flight(11000), 10),
    ("TocsinKafkaPublishErrors", "page",
     {f'tocsin_kafka_publishes_total{{{INGRESS},client="producer",outcome="not_persisted"}}': rising(6, 30)},
     {f'tocsin_kafka_publishes_total{{{INGRESS},client="producer",outcome="persisted"}}': rising(6, 30)}, 10),
    ("TocsinRecordsUnparsable", "ticket", {f"tocsin_audit_unparsed_total{{{AUDIT}}}": rising(1, 30)},
     {f"tocsin_audit_unparsed_total{{{AUDIT}}}": constant(4, 30)}, 20),
    ("TocsinAlertsOverdue", "page", gauge("tocsin_alerts_overdue", AUDIT, 1), gauge("tocsin_alerts_overdue", AUDIT, 0), 10),
    ("TocsinAlertCountMismatch", "page", gauge("tocsin_alert_count_mismatch", AUDIT, 2), gauge("tocsin_alert_count_mismatch", AUDIT, 0),
     15),
    ("TocsinGoalMissed", "page", deliveries(1, "goal_missed"), deliveries(1, "goal_reached"), 5),
    ("TocsinInDoubtTooLong", "page", gauge(IN_DOUBT_SINCE, AUDIT, 1, 40),
     gauge(IN_DOUBT_SINCE, AUDIT, 0, 40), 35),
    ("TocsinDeadLettersMany", "ticket", gauge("tocsin_dead_letters_open", f'{AUDIT},channel="sms"', 101),
     gauge("tocsin_dead_letters_open", f'{AUDIT},channel="sms"', 100), 10),
    ("TocsinDeadLetterOld", "ticket", gauge(DEAD_LETTER_SINCE, AUDIT, 1, A_DAY + 10), gauge(DEAD_LETTER_SINCE, AUDIT, 0, A_DAY + 10)
     | gauge(DEAD_LETTER_SINCE, AUDIT.replace("a-1", "a-2"), 86400, A_DAY + 10), A_DAY + 10),
    ("TocsinRecordsUnparsable", "ticket", deliveries(1, "unparsable"), deliveries(60), 20),
    ("TocsinRecordsUnparsable", "ticket", calls(1, "unparsable"), calls(60), 20),
    ("TocsinRecordsUnparsable", "ticket", {f"tocsin_delay_queue_dropped_total{{{WORKER}}}": rising(1, 30)},
     {f"tocsin_delay_queue_dropped_total{{{WORKER}}}": constant(4, 30)}, 20),
    ("TocsinDelayQueueLate", "ticket", delay_queue(9, moved=60), delay_queue(0.1, moved=60), 20),
    ("TocsinDelayQueueLate", "ticket", delay_queue(9, moved=60), delay_queue(9, moved=0), 20),
    ("TocsinEnqueueErrorBudgetBurn", "page", enqueues(60, 2, TWO_HOURS), enqueues(6000, 2, TWO_HOURS), TWO_HOURS),
    ("TocsinEnqueueErrorBudgetBurn", "ticket", enqueues(1000, 4, TWO_DAYS), enqueues(10000, 4, TWO_DAYS), TWO_DAYS),
    ("TocsinWebhookErrorBudgetBurn", "page", webhooks(60, 2, "unavailable", TWO_HOURS),
     webhooks(60, 60, "invalid_signature", TWO_HOURS), TWO_HOURS),
    ("TocsinWebhookErrorBudgetBurn", "ticket", webhooks(1000, 4, "unavailable", TWO_DAYS),
     webhooks(10000, 4, "unavailable", TWO_DAYS), TWO_DAYS),
    ("TocsinWebhookLatencyHigh", "page", webhook_latency(60, 20, TWO_HOURS), webhook_latency(60, 1, TWO_HOURS),
     TWO_HOURS),
    ("TocsinWebhookLatencyHigh", "ticket", webhook_latency(1000, 40, TWO_DAYS), webhook_latency(1000, 4, TWO_DAYS), TWO_DAYS),
    ("TocsinSubmitLatencyHigh", "page", sms_latency(60, 20, TWO_HOURS), sms_latency(60, 20, TWO_HOURS, "bulk"), TWO_HOURS),
    ("TocsinSubmitLatencyHigh", "page", sms_latency(60, 0, TWO_HOURS) | call_latency(60, 20, TWO_HOURS),
     sms_latency(60, 0, TWO_HOURS) | call_latency(60, 0, TWO_HOURS), TWO_HOURS),
    ("TocsinSubmitLatencyHigh", "ticket", sms_latency(1000, 40, TWO_DAYS), sms_latency(1000, 4, TWO_DAYS), TWO_DAYS),
]


def alerts():
    """(name, rule) of every alert that ships."""
    return [(rule["alert"], rule) for file in RULES for group in yaml.safe_load(file.read_text())["groups"]
            for rule in group["rules"] if "alert" in rule]


def step_of(alert, severity):
    """Slow burn rates use windows of days."""
    slow = severity == "ticket" and f"- alert: {alert}\n" in (FOLDER / "slo-rules.yaml").read_text()
    return "1h" if slow else "1m"


def promtool(*arguments):
    assert shutil.which("promtool"), "Debian's package prometheus is missing"
    checked = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def unit_test(alert, severity, series, steps, step, fires):
    query = f'count(ALERTS{{alertname="{alert}",severity="{severity}",alertstate="firing"}})'
    return {"interval": step, "name": f"{alert} {severity} {'fires' if fires else 'is silent'}",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [{"expr": query, "eval_time": f"{steps}{step[-1]}",
                                  "exp_samples": [{"value": 1}] if fires else []}]}


@pytest.mark.parametrize("file", RULES, ids=lambda path: path.name)
def test_promtool_accepts_the_rules(file):
    promtool("check", "rules", file)


@pytest.mark.parametrize("file", RULES, ids=lambda path: path.name)
@pytest.mark.parametrize("step", ["1m", "1h"])
def test_each_rule_fires_in_its_first_case_and_not_in_the_second(tmp_path, file, step):
    tests = [unit_test(alert, severity, series, steps, step, fires) for alert, severity, firing, silent, steps in CASES
             for series, fires in ((firing, True), (silent, False))
             if series is not None and alert in file.read_text() and step == step_of(alert, severity)]
    spec = tmp_path / "rules_test.yaml"
    spec.write_text(yaml.safe_dump({"rule_files": [str(file)], "evaluation_interval": step, "tests": tests}))
    promtool("test", "rules", spec)


def test_every_rule_has_cases():
    shipped = {(name, rule["labels"]["severity"]) for name, rule in alerts()}
    assert {(alert, severity) for alert, severity, *_ in CASES} == shipped


def test_every_rule_has_a_runbook_and_every_runbook_a_rule():
    for name, rule in alerts():
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
        page = (RUNBOOKS / f"{name}.md").read_text()
        assert re.findall(r"^## (.+)$", page, re.MULTILINE) == HEADINGS, name
    pages = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {name for name, _ in alerts()}


def test_every_link_in_a_runbook_resolves():
    for path in RUNBOOKS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
            assert (RUNBOOKS / target).exists(), f"{path.name}: {target}"


def test_the_dashboard_of_every_alert_exists():
    dashboards = {path.stem for path in (FOLDER / "dashboards").glob("*.json")}
    for name, rule in alerts():
        assert rule["annotations"]["dashboard"] in dashboards, name


def test_the_burn_rate_rules_are_up_to_date():
    made = subprocess.run(["/usr/bin/python3", stacks.ROOT / "scripts/lib/make_slo_rules.py", "--print"],
                          capture_output=True, text=True, check=True).stdout
    assert made == (FOLDER / "slo-rules.yaml").read_text(), "run scripts/lib/make_slo_rules.py"
