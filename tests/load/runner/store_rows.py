"""Rows of the audit service, and of memory."""

import re
import time
import urllib.request

import usage
from bench import Window, wait_until
from results import Measurement
from worker_rows import simulate, window_seconds

FASTEST = 10_000  # records per second: what is published lasts for the windows of a projection as fast as this
RECORDS = re.compile(r"^tocsin_audit_records_total(?:{[^}]*})? (\S+)$", re.MULTILINE)
LAG = re.compile(r"^tocsin_consumer_lag_records(?:{[^}]*})? (\S+)$", re.MULTILINE)
FEW_RECORDS = 100  # those of delays that are not due may remain
SETTLED_SECONDS = 6  # longer than the services take to release what only their start needed
BACKLOG_SECONDS = 300
IN_FLIGHT, IN_FLIGHT_LATENCY_MS = 1_000, 5_000


def metrics(bench, service):
    address = bench.stack.env["TOCSIN_OPS_" + service.upper().replace("-", "_")]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=2) as response:
        return response.read().decode()


def projected(bench):
    """Records since the start of tocsin-audit."""
    try:
        return sum(map(float, RECORDS.findall(metrics(bench, "audit"))))
    except OSError:
        return 0


def lag(bench, services):
    """Records that the services have not finished."""
    return sum(sum(map(float, LAG.findall(metrics(bench, service)))) for service in services)


def audit(bench):
    """The service starts late and projects what the other rows have published. The CPU time of a record in the first
    and in the last window shows how its cost grows with the tables."""
    rounds, windows = max(bench.rounds, 2), []
    bench.only("ingress")
    bench.load("enqueue-stream", "--alerts-per-request", 64, "--count", int(FASTEST * rounds * window_seconds(bench)))
    bench.only()
    bench.start("audit")
    wait_until("records in the projection", lambda: projected(bench))
    for _ in range(rounds):
        window, first = Window(bench), projected(bench)
        wait_until("the end of the window", lambda begin=window: begin.age() >= window_seconds(bench))
        window.end()
        last = projected(bench)
        measurement = Measurement((last - first) / window.seconds, cpu=window.per_item(last - first))
        windows.append((last, sum(measurement.cpu.get(name, 0) for name in ("audit", "postgres"))))
        bench.add("tocsin", measurement)
    bench.row = "audit-growth"
    bench.add("tocsin", Measurement(notes={"{} us of CPU per record" + f" after {count:.0f} records": us
                                           for count, us in (windows[0], windows[-1])}))


def audit_growth(bench):
    if "audit-growth" not in bench.results:
        audit(bench)


def gauge(bench, name):
    return float(re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", metrics(bench, "sms-worker"), re.MULTILINE)[1])


def rss_of(bench, service):
    return usage.rss_mb(bench.services()[service][0])


def settled_memory(bench, services):
    """VmRSS and its private part of each service, when the load is over: it does not fall any more."""
    found, since = {}, time.monotonic()

    def settled():
        nonlocal found, since
        now = {service: rss_of(bench, service) for service in services}
        if not found or any(now[service][0] < found[service][0] - 0.5 for service in services):
            found, since = now, time.monotonic()
        return time.monotonic() - since > SETTLED_SECONDS

    wait_until("memory that does not fall", settled, BACKLOG_SECONDS)
    return {service: rss_of(bench, service) for service in services}


def deliver_everywhere(bench):
    """All services work: alerts of both channels, and callbacks."""
    bench.control("faults", {"create": {"latency_ms": 0}, "callback": {"rate_missing": 0}})
    for channel, kind in (("sms", "messages"), ("voice", "calls")):
        count, before = bench.count(20_000), bench.health()[kind]
        bench.load("enqueue-stream", "--alerts-per-request", 64, "--channel", channel, "--count", count)
        wait_until(f"POST of every alert by {channel}",
                   lambda kind=kind, end=before + count: bench.health()[kind] >= end, BACKLOG_SECONDS)
    bench.load("enqueue-unary", "--in-flight", 64, "--count", bench.count(20_000))
    wait_until("the end of the callbacks", lambda: bench.health()["callbacks_waiting"] == 0, BACKLOG_SECONDS)


def memory_in_flight(bench):
    """What 1 000 POSTs in flight add to the SMS worker."""
    before = rss_of(bench, "sms-worker")[0]
    messages = bench.health()["messages"]
    simulate(bench, IN_FLIGHT_LATENCY_MS)
    bench.load("enqueue-stream", "--alerts-per-request", 64, "--count", IN_FLIGHT)
    wait_until("deliveries in flight", lambda: gauge(bench, "tocsin_senders_busy") >= IN_FLIGHT)
    added = rss_of(bench, "sms-worker")[0] - before
    wait_until("their end", lambda: bench.health()["messages"] >= messages + IN_FLIGHT)
    simulate(bench, 0)
    return added


def memory(bench):
    """After a load of all services, and with 1 000 POSTs in flight."""
    services = ("ingress", "sms-worker", "voice-worker", "audit")
    bench.start(*services)
    deliver_everywhere(bench)
    wait_until("the end of the backlog", lambda: lag(bench, services[1:]) < FEW_RECORDS, BACKLOG_SECONDS)
    after = settled_memory(bench, services)
    added = memory_in_flight(bench)
    bench.note_memory()
    for label, (total, private) in after.items():
        bench.add("tocsin", Measurement(notes={label + " {}": total, label + " private {}": private}))
    bench.add("tocsin", Measurement(notes={"1 000 POSTs in flight add {}": added}))
    for label in services:
        bench.add("tocsin", Measurement(notes={label + " at most {}": bench.memory[label][0]}))
    for label in sorted(bench.memory):
        if label.startswith("peer "):
            (total, private), name = bench.memory[label], label.removeprefix("peer ")
            bench.add("peer", Measurement(notes={name + " {}": total, name + " private {}": private}))
