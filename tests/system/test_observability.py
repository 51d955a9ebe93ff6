"""Metrics, dashboards, alerts that reach a receiver, traces, health. O1, O2, O3."""

import collections
import json
import re
import secrets
import socket
import subprocess

import pytest
import requests
import yaml

import api
import consistency_check
import poll
import receiver
import stack as stacks

FOLDER = stacks.ROOT / "deploy/observability"
TO = "+15145550141"
SERVICES = ("ingress", "sms-worker", "voice-worker", "audit")
# Every label has a few fixed values. None identifies a recipient, an alert or a client.
LABELS = {"channel", "client", "code", "compiler", "dependency", "error_class", "group", "kind", "lane", "le", "method",
          "outcome", "priority", "reason", "result", "role", "service", "state", "topic_kind", "version", "writer"}
MAX_SERIES = 250  # of one metric in one process


@pytest.fixture(scope="module")
def collector():
    with receiver.Receiver() as started:
        yield started


@pytest.fixture(scope="module")
def stack(collector):
    with stacks.Stack({"TOCSIN_OTLP_ENDPOINT": collector.url("/v1/traces"), "TOCSIN_LOG_LEVEL": "debug"}) as started:
        yield started


def ops(stack, service, path):
    address = stack.env["TOCSIN_OPS_" + service.upper().replace("-", "_")]
    return requests.get(f"http://{address}{path}", timeout=stacks.HTTP_SECONDS)


def dependency(stack, service, name):
    (found,) = [one for one in ops(stack, service, "/health").json()["dependencies"] if one["name"] == name]
    return found


# --- Metrics ------------------------------------------------------------------------------------------

def expressions():
    """(where, PromQL) of every rule and every panel."""
    for path in sorted(FOLDER.glob("*rules.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield f"{path.name} {rule.get('alert', rule.get('record'))}", rule["expr"]
    for path in sorted((FOLDER / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield f"{path.name} {panel['title']}", target["expr"]


def names_in(expression):
    """The metrics in an expression."""
    bare = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:tocsin|grpc_server|process)_[a-z0-9_]+\b", bare))


def recorded():
    return {rule["record"] for path in FOLDER.glob("*rules.yaml")
            for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"] if "record" in rule}


def test_every_metric_of_a_rule_or_a_dashboard_is_exported(stack):
    exported = set()
    for service in SERVICES:
        exported |= set(re.findall(r"^([a-z_0-9]+)(?:\{| )", stack.metrics(service), re.MULTILINE))
    missing = {(where, name) for where, expression in expressions() for name in names_in(expression) - exported}
    assert not missing
    used = {name for _, expression in expressions() for name in re.findall(r"tocsin:[a-z_0-9:]+", expression)}
    assert used <= recorded()


def test_prometheus_can_parse_every_panel(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": expression} for number, (_, expression) in enumerate(expressions())]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    subprocess.run(["promtool", "check", "rules", file], check=True, capture_output=True)


def test_a_dashboard_has_a_fixed_uid_units_and_a_data_source_variable():
    for path in (FOLDER / "dashboards").glob("*.json"):
        dashboard = json.loads(path.read_text())
        assert dashboard["uid"] == path.stem
        assert [variable["name"] for variable in dashboard["templating"]["list"]] == ["datasource"]
        for panel in dashboard["panels"]:
            if panel["type"] != "row":
                assert panel["datasource"]["uid"] == "${datasource}" and panel["fieldConfig"]["defaults"]["unit"]


def test_labels_have_few_values_and_contain_no_personal_data(stack, client):  # P3
    accepted = client.send(TO, text="In no label.")
    client.until_state(accepted, "DELIVERED")
    for service in SERVICES:
        text = stack.metrics(service)
        series = collections.Counter()
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            name, labels = re.match(r"([a-zA-Z_0-9]+)(?:\{(.*)\})? ", line).groups()
            series[name] += 1
            assert set(re.findall(r'(\w+)="', labels or "")) <= LABELS, line
            assert TO[-7:] not in (labels or ""), line  # a sample value may contain any digits
        assert accepted.alert_id not in text and TO[-10:] not in text
        name, most = series.most_common(1)[0]
        assert most <= MAX_SERIES, f"{service}: {name} has {most} series"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_exports_metrics_of_its_process(stack, service):
    text = stack.metrics(service)
    for name in ("tocsin_build_info", "tocsin_ready", "tocsin_dependency_up", "process_cpu_seconds_total",
                 "process_resident_memory_bytes", "tocsin_dependency_errors_total"):
        assert re.search(rf"^{name}[{{ ]", text, re.MULTILINE), name
    assert stack.gauge(service, "tocsin_ready") == 1


@pytest.mark.parametrize("service", SERVICES)
def test_the_start_log_has_the_source_of_each_setting_and_no_value(stack, service):  # O4
    lines = (stack.state / "log" / f"{service}-1.log").read_text().splitlines()
    logged = [line for line in lines if '"event.name":"config.source"' in line]
    sources = {line["setting"]: (line["source"], line["place"]) for line in map(json.loads, logged)}
    usage = subprocess.run([stacks.BIN / f"tocsin-{service}", "--help"], capture_output=True, text=True, check=True).stdout
    assert set(sources) == set(re.findall(r"^  (TOCSIN_\w+)", usage, re.MULTILINE))
    assert sources["TOCSIN_LOG_LEVEL"] == ("environment", "TOCSIN_LOG_LEVEL")
    assert sources["TOCSIN_KAFKA_REPLICATION"][0] == "default"
    assert not [line for line in logged if stack.env["TOCSIN_KAFKA_BOOTSTRAP"] in line or str(stack.state) in line]


# --- Alerts -------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def alerting(stack, tmp_path):
    """Debian's Prometheus with the shipped configuration, scraping this stack, and Debian's Alertmanager."""
    with receiver.Receiver() as webhook:
        manager = f"127.0.0.1:{free_port()}"
        (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump({
            "route": {"receiver": "webhook", "group_by": ["alertname"], "group_wait": "100ms", "group_interval": "1s"},
            "receivers": [{"name": "webhook", "webhook_configs": [{"url": webhook.url(), "send_resolved": True}]}]}))
        config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
        config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(FOLDER / name) for name in config["rule_files"]]
        config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [manager]}]}]
        for job in config["scrape_configs"]:
            name = job["job_name"].removeprefix("tocsin-").upper().replace("-", "_")
            job["static_configs"] = [{"targets": [stack.env["TOCSIN_OPS_" + name]]}]
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
        started = []
        try:
            for command in (["prometheus-alertmanager", f"--config.file={tmp_path}/alertmanager.yml",
                             f"--storage.path={tmp_path}/am", f"--web.listen-address={manager}",
                             "--cluster.listen-address="],
                            ["prometheus", f"--config.file={tmp_path}/prometheus.yml",
                             f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address=127.0.0.1:{free_port()}"]):
                with open(tmp_path / f"{command[0]}.log", "wb") as log:
                    started.append(subprocess.Popen(command, stdout=log, stderr=log))
            yield webhook
        finally:
            for process in started:
                process.terminate()
                process.wait(stacks.HTTP_SECONDS)


def received(webhook, status, alert):
    return [one for _, body in webhook.posts for one in body["alerts"]
            if (one["status"], one["labels"]["alertname"]) == (status, alert)]


def test_promtool_accepts_the_shipped_configuration():
    subprocess.run(["promtool", "check", "config", FOLDER / "prometheus.yml"], check=True, capture_output=True)


def test_a_firing_rule_reaches_a_receiver_and_so_does_its_resolution(stack, alerting):
    good = (stack.state / "registry.yaml").read_text()
    poll.until("the watchdog is received", lambda: received(alerting, "firing", "TocsinWatchdog"))
    assert not received(alerting, "firing", "TocsinRegistryReloadFailed")
    stack.change_registry(lambda text: text + "\nunknown_key: 1\n")
    (one, *_) = poll.until("the failed reload is received", lambda: received(alerting, "firing", "TocsinRegistryReloadFailed"))
    print("received:", one["labels"], one["annotations"]["summary"])
    assert one["labels"]["severity"] == "page"
    assert (stacks.ROOT / one["annotations"]["runbook_url"]).exists()
    stack.change_registry(lambda _: good)
    poll.until("its resolution is received", lambda: received(alerting, "resolved", "TocsinRegistryReloadFailed"))


# --- Traces -------------------------------------------------------------------------------------------

def spans_of(collector, trace_id):
    """name -> (id, parent) of the trace's spans that have arrived."""
    return {span["name"]: (span["spanId"], span["parentSpanId"]) for _, body in collector.posts
            for resource in body["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]
            if span["traceId"] == trace_id}


def test_one_trace_covers_client_kafka_twilio_and_callback(stack, collector):  # O3
    trace_id, client_span = secrets.token_hex(16), secrets.token_hex(8)
    client = stack.client()
    client.metadata += (("traceparent", f"00-{trace_id}-{client_span}-01"),)
    accepted = client.send(TO, text="Text of a traced alert.")
    client.until_state(accepted, "DELIVERED")
    client.close()
    seen = collections.defaultdict(set)
    events, webhooks = consistency_check.EVENTS, consistency_check.WEBHOOKS
    for topic, headers, key, _ in consistency_check.read_topics(stack.env["TOCSIN_KAFKA_BOOTSTRAP"],
                                                                [*consistency_check.LANES, events, webhooks]):
        if key == accepted.alert_id.encode():
            seen[topic].add(headers["traceparent"].decode().split("-")[1])
    assert dict(seen) == {"tocsin.sms.normal": {trace_id}, events: {trace_id}, webhooks: {trace_id}}
    (message,) = [one for one in stack.simulator().messages() if one["to"] == TO and trace_id in one["status_callback"]]
    wanted = {"AlertService/Enqueue", "POST sms", "webhook"}
    spans = poll.until("its spans are exported", lambda: wanted <= set(spans_of(collector, trace_id))
                       and spans_of(collector, trace_id))
    print(f"trace {trace_id}: {sorted(seen)}, callback of {message['sid']}, spans {spans}")
    assert spans["AlertService/Enqueue"][1] == client_span
    assert spans["POST sms"][1] == spans["AlertService/Enqueue"][0]
    assert spans["webhook"][1] == spans["POST sms"][0]
    for service in ("ingress", "sms-worker"):
        lines = (stack.state / "log" / f"{service}-1.log").read_text().splitlines()
        traced = [json.loads(line) for line in lines if trace_id in line]
        assert traced and all(line["trace_id"] == trace_id for line in traced), service
    assert "traced alert" not in json.dumps(collector.posts) and TO not in json.dumps(collector.posts)  # P3


# --- Health -------------------------------------------------------------------------------------------

def test_each_service_is_alive_ready_and_healthy(stack):  # O2
    for service in SERVICES:
        for path in ("/healthz", "/readyz", "/health"):
            assert ops(stack, service, path).status_code == 200, (service, path)
    for setting in ("TOCSIN_INGRESS_GRPC", "TOCSIN_AUDIT_GRPC"):
        for name in ("", "liveness", "readiness"):
            assert api.health(stack.env[setting], name), (setting, name)


def test_a_worker_reports_that_twilio_is_down_and_stays_ready(stack):  # O2
    poll.until("Twilio is reachable", lambda: dependency(stack, "sms-worker", "twilio")["ok"])
    stack.kill("twilio-sim-1")
    down = poll.until("Twilio is reported as down", lambda: (found := dependency(stack, "sms-worker", "twilio"))
                      and not found["ok"] and found)
    print("reported:", down)
    assert down["role"] == "informative"
    assert ops(stack, "sms-worker", "/readyz").status_code == 200
    assert ops(stack, "sms-worker", "/health").json()["status"] == "degraded"
    stack.start("twilio-sim-1")


def test_audit_without_its_database_is_alive_but_not_ready_and_other_services_are_unaffected(stack):  # O2, R6
    address = stack.env["TOCSIN_AUDIT_GRPC"]
    stack.kill("postgres-1")
    poll.until("audit is not ready", lambda: ops(stack, "audit", "/readyz").status_code == 503)
    poll.until("clients are sent to other replicas", lambda: not api.health(address, "readiness"))
    assert ops(stack, "audit", "/healthz").status_code == 200 and api.health(address, "liveness")
    assert not dependency(stack, "audit", "postgres")["ok"]
    for service in ("ingress", "sms-worker", "voice-worker"):
        assert ops(stack, service, "/readyz").status_code == 200
    stack.start("postgres-1")
    poll.until("audit is ready again", lambda: api.health(address, "readiness"))
