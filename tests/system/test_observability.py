"""What people watch Tocsin by: metrics, dashboards, alerts that arrive, traces, health. O1, O2, O3."""

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
import ledger
import poll
import receiver
import stack as stacks

FOLDER = stacks.ROOT / "deploy/observability"
TO = "+15145550141"
SERVICES = ("ingress", "sms-worker", "voice-worker", "audit")
# Every label of ours has few values, none of which is a person, an alert or a client.
LABELS = {"channel", "class", "client", "code", "compiler", "dependency", "fate", "group", "kind", "lane", "le",
          "method", "outcome", "passage", "reason", "result", "role", "service",
          "state", "topic_kind", "verdict", "version"}
MAX_SERIES = 200  # of one metric in one process


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
    """The metrics an expression asks for: words of ours, without strings, labels and functions."""
    bare = re.sub(r'"[^"]*"', "", expression)
    return set(re.findall(r"\b(?:tocsin|process)_[a-z0-9_]+\b", bare))


def recorded():
    return {rule["record"] for path in FOLDER.glob("*rules.yaml")
            for group in yaml.safe_load(path.read_text())["groups"] for rule in group["rules"] if "record" in rule}


def test_every_metric_of_a_rule_or_a_dashboard_is_exported(stack):
    exported = set()
    for service in SERVICES:
        exported |= set(re.findall(r"^([a-z_0-9]+)(?:\{| )", stack.metrics(service), re.MULTILINE))
    missing = {(where, name) for where, expression in expressions() for name in names_in(expression) - exported}
    assert not missing
    asked = {name for _, expression in expressions() for name in re.findall(r"tocsin:[a-z_0-9:]+", expression)}
    assert asked <= recorded()


def test_prometheus_can_read_every_panel(tmp_path):
    rules = [{"record": f"panel:{number}", "expr": expression} for number, (_, expression) in enumerate(expressions())]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    subprocess.run(["promtool", "check", "rules", file], check=True, capture_output=True)


def test_a_dashboard_has_a_fixed_name_units_and_a_choice_of_its_source():
    for path in (FOLDER / "dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        assert board["uid"] == path.stem
        assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource"]
        for panel in board["panels"]:
            if panel["type"] != "row":
                assert panel["datasource"]["uid"] == "${datasource}" and panel["fieldConfig"]["defaults"]["unit"]


def test_labels_are_few_and_name_nobody(stack, client):  # P3
    accepted = client.send(TO, text="Seen by nobody.")
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
            assert TO[-7:] not in (labels or ""), line  # a value may hold any digits
        assert accepted.alert_id not in text and TO[-10:] not in text
        name, most = series.most_common(1)[0]
        assert most <= MAX_SERIES, f"{service}: {name} has {most} series"


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_tells_of_itself(stack, service):
    text = stack.metrics(service)
    for name in ("tocsin_build_info", "tocsin_ready", "tocsin_dependency_up", "process_cpu_seconds_total",
                 "process_resident_memory_bytes", "tocsin_neighbour_failures_total"):
        assert re.search(rf"^{name}[{{ ]", text, re.MULTILINE), name
    assert stack.gauge(service, "tocsin_ready") == 1


@pytest.mark.parametrize("service", SERVICES)
def test_the_start_log_names_where_each_setting_came_from_and_no_value(stack, service):  # O4
    lines = (stack.state / "log" / f"{service}-1.log").read_text().splitlines()
    told = [line for line in lines if '"event.name":"setting.source"' in line]
    sources = {line["setting"]: (line["source"], line["place"]) for line in map(json.loads, told)}
    known = subprocess.run([stacks.BIN / f"tocsin-{service}", "--help"], capture_output=True, text=True, check=True).stdout
    assert set(sources) == set(re.findall(r"^  (TOCSIN_\w+)", known, re.MULTILINE))
    assert sources["TOCSIN_LOG_LEVEL"] == ("environment", "TOCSIN_LOG_LEVEL")
    assert sources["TOCSIN_KAFKA_REPLICATION"][0] == "default"
    assert not [line for line in told if stack.env["TOCSIN_KAFKA_BOOTSTRAP"] in line or str(stack.state) in line]


# --- Alerts -------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


@pytest.fixture
def alerting(stack, tmp_path):
    """Debian's Prometheus with the configuration that ships, reading this stack, and Debian's Alertmanager."""
    with receiver.Receiver() as people:
        manager = f"127.0.0.1:{free_port()}"
        (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump({
            "route": {"receiver": "people", "group_by": ["alertname"], "group_wait": "100ms", "group_interval": "1s"},
            "receivers": [{"name": "people", "webhook_configs": [{"url": people.url(), "send_resolved": True}]}]}))
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
            yield people
        finally:
            for process in started:
                process.terminate()
                process.wait(stacks.HTTP_SECONDS)


def told(people, status, alert):
    return [one for _, body in people.posts for one in body["alerts"]
            if (one["status"], one["labels"]["alertname"]) == (status, alert)]


def test_promtool_reads_the_configuration_that_ships():
    subprocess.run(["promtool", "check", "config", FOLDER / "prometheus.yml"], check=True, capture_output=True)


def test_a_rule_that_fires_reaches_a_receiver_and_so_does_its_end(stack, alerting):
    good = (stack.state / "registry.yaml").read_text()
    poll.until("the watchdog arrived", lambda: told(alerting, "firing", "Watchdog"))
    assert not told(alerting, "firing", "TocsinRegistryRefused")
    stack.change_registry(lambda text: text + "\nnobody: knows this\n")
    (one, *_) = poll.until("the refused registry arrived", lambda: told(alerting, "firing", "TocsinRegistryRefused"))
    print("received:", one["labels"], one["annotations"]["summary"])
    assert one["labels"]["severity"] == "page"
    assert (stacks.ROOT / one["annotations"]["runbook_url"]).exists()
    stack.change_registry(lambda _: good)
    poll.until("its end arrived", lambda: told(alerting, "resolved", "TocsinRegistryRefused"))


# --- Traces -------------------------------------------------------------------------------------------

def spans_of(collector, trace_id):
    """name -> (id, parent) of the trace's spans that have arrived."""
    return {span["name"]: (span["spanId"], span["parentSpanId"]) for _, body in collector.posts
            for resource in body["resourceSpans"] for scope in resource["scopeSpans"] for span in scope["spans"]
            if span["traceId"] == trace_id}


def test_one_trace_leads_from_the_caller_through_kafka_to_twilio_and_back(stack, collector):  # O3
    trace_id, caller_span = secrets.token_hex(16), secrets.token_hex(8)
    caller = stack.client()
    caller.metadata += (("traceparent", f"00-{trace_id}-{caller_span}-01"),)
    accepted = caller.send(TO, text="Followed all the way.")
    caller.until_state(accepted, "DELIVERED")
    caller.close()
    seen = collections.defaultdict(set)
    for topic, headers, key, _ in ledger.read_topics(stack.env["TOCSIN_KAFKA_BOOTSTRAP"],
                                                     [*ledger.LANES, ledger.EVENTS, ledger.WEBHOOKS]):
        if key == accepted.alert_id.encode():
            seen[topic].add(headers["traceparent"].decode().split("-")[1])
    assert dict(seen) == {"tocsin.sms.normal": {trace_id}, ledger.EVENTS: {trace_id}, ledger.WEBHOOKS: {trace_id}}
    (message,) = [one for one in stack.simulator().messages() if one["to"] == TO and trace_id in one["status_callback"]]
    wanted = {"AlertService/Enqueue", "POST sms", "webhook"}
    spans = poll.until("its spans arrived", lambda: wanted <= set(spans_of(collector, trace_id))
                       and spans_of(collector, trace_id))
    print(f"trace {trace_id}: {sorted(seen)}, callback of {message['sid']}, spans {spans}")
    assert spans["AlertService/Enqueue"][1] == caller_span
    assert spans["POST sms"][1] == spans["AlertService/Enqueue"][0]
    assert spans["webhook"][1] == spans["POST sms"][0]
    for service in ("ingress", "sms-worker"):
        lines = (stack.state / "log" / f"{service}-1.log").read_text().splitlines()
        told_of = [json.loads(line) for line in lines if trace_id in line]
        assert told_of and all(line["trace_id"] == trace_id for line in told_of), service
    assert "Followed all" not in json.dumps(collector.posts) and TO not in json.dumps(collector.posts)  # P3


# --- Health -------------------------------------------------------------------------------------------

def test_each_service_is_alive_ready_and_well(stack):  # O2
    for service in SERVICES:
        for path in ("/healthz", "/readyz", "/health"):
            assert ops(stack, service, path).status_code == 200, (service, path)
    for setting in ("TOCSIN_INGRESS_GRPC", "TOCSIN_AUDIT_GRPC"):
        for name in ("", "liveness", "readiness"):
            assert api.health(stack.env[setting], name), (setting, name)


def test_a_worker_without_twilio_says_so_and_stays_ready(stack):  # O2
    poll.until("Twilio is seen", lambda: dependency(stack, "sms-worker", "twilio")["ok"])
    stack.kill("twilio-sim-1")
    lost = poll.until("its loss is seen", lambda: (found := dependency(stack, "sms-worker", "twilio"))
                      and not found["ok"] and found)
    print("told:", lost)
    assert lost["role"] == "informative"
    assert ops(stack, "sms-worker", "/readyz").status_code == 200
    assert ops(stack, "sms-worker", "/health").json()["status"] == "degraded"
    stack.start("twilio-sim-1")


def test_audit_without_its_database_is_alive_and_not_ready_and_the_others_do_not_mind(stack):  # O2, R6
    address = stack.env["TOCSIN_AUDIT_GRPC"]
    stack.kill("postgres-1")
    poll.until("audit is not ready", lambda: ops(stack, "audit", "/readyz").status_code == 503)
    poll.until("callers are led elsewhere", lambda: not api.health(address, "readiness"))
    assert ops(stack, "audit", "/healthz").status_code == 200 and api.health(address, "liveness")
    assert not dependency(stack, "audit", "postgres")["ok"]
    for service in ("ingress", "sms-worker", "voice-worker"):
        assert ops(stack, service, "/readyz").status_code == 200
    stack.start("postgres-1")
    poll.until("audit is ready again", lambda: api.health(address, "readiness"))
