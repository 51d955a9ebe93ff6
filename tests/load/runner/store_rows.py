"""Rows of the audit service, and of memory."""

import re
import urllib.request

from bench import Window, wait_until
from results import Measurement
from worker_rows import window_seconds

FASTEST = 10_000  # records per second: what is published lasts for the windows of a projection as fast as this
RECORDS = re.compile(r"^tocsin_audit_records_total(?:{[^}]*})? (\S+)$", re.MULTILINE)


def projected(bench):
    """Records since the start of tocsin-audit."""
    try:
        with urllib.request.urlopen(f"http://{bench.stack.env['TOCSIN_OPS_AUDIT']}/metrics", timeout=2) as response:
            return sum(map(float, RECORDS.findall(response.read().decode())))
    except OSError:
        return 0


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


def memory(bench):
    bench.start("audit", "sms-worker", "voice-worker", "ingress")
    bench.note_memory()
    for label in ("ingress", "sms-worker", "voice-worker", "audit"):
        total, private = bench.memory[label]
        bench.add("tocsin", Measurement(notes={label + " {}": total, label + " private {}": private}))
    for label in sorted(bench.memory):
        if label.startswith("peer "):
            (total, private), name = bench.memory[label], label.removeprefix("peer ")
            bench.add("peer", Measurement(notes={name + " {}": total, name + " private {}": private}))
