"""Measures the rows and prints the table; tests/load/run has the usage."""

import argparse
import contextlib
import itertools
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

import ingress_rows
import latency_rows
import store_rows
import worker_rows
from bench import LOAD, ROOT, Bench, stacks
from results import Row, table

QUICK_SCALE, QUICK_ROUNDS = 0.15, 1
ROUNDS = 3
EXIT_FAILED = 1
RECORDS = "bare records, 64 in flight"

# In the order in which they are measured: first those that need empty queues.
ROWS = [
    Row("first-alert", "first alert after ingress and worker have started", "tests/load/run first-alert", "-",
        latency_rows.first_alert),
    Row("submit-latency", "accepted to POST, 100/s, all services", "tests/load/run submit-latency",
        latency_rows.claiming_peer_limit, latency_rows.submit),
    Row("worker-0", "SMS worker, Twilio responds at once, 256 in flight", "tests/load/run worker-0",
        worker_rows.claiming_peer_limit("worker-0"), worker_rows.sms(0, 256)),
    Row("worker-switches", "the same: per alert", "tests/load/run worker-switches", "-", worker_rows.switches),
    Row("worker-tls", "the same over TLS", "tests/load/run worker-tls", "-", worker_rows.sms_over_tls),
    Row("worker-0-two", "two SMS workers, 128 in flight each", "tests/load/run worker-0-two", "-",
        worker_rows.sms_by_replicas(2)),
    Row("worker-100", "SMS worker, Twilio takes 100 ms, 256 in flight", "tests/load/run worker-100",
        "2 560/s (Little's law)", worker_rows.sms(100, 256)),
    Row("worker-100-2000", "the same, 2 000 in flight", "tests/load/run worker-100-2000", "20 000/s (Little's law)",
        worker_rows.sms(100, 2000)),
    Row("voice-worker", "voice worker, Twilio responds at once, 256 in flight", "tests/load/run voice-worker", "-",
        worker_rows.voice),
    Row("emergency-queued", "emergency behind 100 000 queued bulk alerts, Twilio takes 100 ms: accepted to POST",
        "tests/load/run emergency-queued", "-", latency_rows.emergency_queued),
    Row("emergency-admission", "emergency while 100 000 bulk alerts are admitted: accepted to POST",
        "tests/load/run emergency-admission", "-", latency_rows.emergency_admission),
    Row("audit", "audit, replay", "tests/load/run audit", "-", store_rows.audit),
    Row("audit-growth", "audit, growth of cost", "tests/load/run audit-growth", "no growth", store_rows.audit_growth),
    Row("creates", "the simulator: messages created, 64 connections", "tocsin-load creates --connections 64", "-",
        ingress_rows.creates),
    Row("kafka", RECORDS, "tocsin-load kafka --in-flight 64", "is the limit", ingress_rows.kafka),
    Row("kafka-pipelined", "bare records, pipelined", "tocsin-load kafka --pipelined", "is the limit",
        ingress_rows.kafka_pipelined),
    Row("unary", "enqueue, unary, 64 in flight, no key", "tocsin-load enqueue-unary --in-flight 64",
        ingress_rows.records_limit("kafka", RECORDS), ingress_rows.unary),
    Row("keyed", "the same with a key (admission script)", "tocsin-load enqueue-unary --in-flight 64 --keyed",
        ingress_rows.script_limit, ingress_rows.keyed),
    Row("stream", "enqueue by stream, requests of 64 alerts, no key",
        "tocsin-load enqueue-stream --alerts-per-request 64",
        ingress_rows.records_limit("kafka-pipelined", "bare records, pipelined"), ingress_rows.stream),
    Row("webhooks", "signed webhook to 204, 64 connections", "tocsin-load webhooks --connections 64",
        ingress_rows.records_limit("kafka", RECORDS), ingress_rows.webhooks),
    Row("webhooks-open", "the same, open loop 2 000/s", "tocsin-load webhooks --connections 128 --rate 2000", "-",
        ingress_rows.webhooks_open),
    Row("memory", "memory (VmRSS) after a load of all services, MB", "tests/load/run memory", "-", store_rows.memory,
        own_stack=True),
    Row("three-unary", "three brokers: enqueue, unary, 64 in flight, no key", "tests/load/run three-unary", "-",
        ingress_rows.unary, brokers=3),
    Row("three-webhooks", "three brokers: signed webhook to 204, 64 connections", "tests/load/run three-webhooks", "-",
        ingress_rows.webhooks, brokers=3),
    Row("three-worker-0", "three brokers: SMS worker, Twilio responds at once, 256 in flight",
        "tests/load/run three-worker-0", "-", worker_rows.sms(0, 256), brokers=3),
    Row("three-worker-0-two", "three brokers: two SMS workers, 128 in flight each",
        "tests/load/run three-worker-0-two", "-", worker_rows.sms_by_replicas(2), brokers=3),
]


def parse(arguments):
    parser = argparse.ArgumentParser(prog="tests/load/run", add_help=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("rows", nargs="*")
    options = parser.parse_args(arguments)
    names = [row.name for row in ROWS]
    if unknown := set(options.rows) - set(names):
        parser.error(f"unknown row '{min(unknown)}'; rows: {' '.join(names)}")
    if options.rounds is not None and not 1 <= options.rounds <= 100:
        parser.error("--rounds must be from 1 to 100")
    options.rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    options.rows = [row for row in ROWS if not options.rows or row.name in options.rows]
    return options


def build_peers():
    folder = ROOT / "build/peers"
    print("building the peers", flush=True)
    subprocess.run([ROOT / "tests/load/peers/build", folder], check=True)
    return folder / "peers"


def without_rate_limits(registry):
    """Otherwise the rates of the senders would be measured."""
    return (registry.replace("segments_per_second: 100000", "segments_per_second: 1000000")
            .replace("calls_per_second: 1000", "calls_per_second: 100000"))


def warm_up(bench):
    """The broker compiles what it executes often."""
    bench.load("kafka", "--in-flight", 64, "--count", bench.count(60_000, 20_000))


def measure(bench, rows):
    """Returns whether every row was measured."""
    complete = True
    for row in rows:
        print(f"== {row.name}", flush=True)
        bench.row = row.name
        try:
            row.run(bench)
        except Exception:  # the other rows can still be measured
            complete = False
            traceback.print_exc()
    measurements = (m for sides in bench.results.values() for rounds in sides.values() for m in rounds)
    return complete and not any(m.failed for m in measurements)


def measure_stack(rows, rounds, scale, peers, results, memory):
    """Starts a stack for the rows and adds their measurements to `results`, and the largest memory of the processes to
    `memory`; returns whether every row was measured."""
    with contextlib.ExitStack() as running:
        work = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-load."))
        running.callback(shutil.rmtree, work, ignore_errors=True)
        stack = running.enter_context(stacks.Stack(flags=("--brokers", str(rows[0].brokers))))
        bench = Bench(stack, peers, rounds, scale, work, results, memory)
        stack.change_registry(without_rate_limits)
        warm_up(bench)
        complete = measure(bench, rows)
        if not complete:
            print(stack.log_excerpt(), file=sys.stderr)
        return complete


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_FAILED))  # unwinds, which stops every process
    options = parse(sys.argv[1:])
    scale = float(os.environ.get("TOCSIN_LOAD_SCALE", QUICK_SCALE if options.quick else 1))
    if not LOAD.exists():
        sys.exit(f"tests/load/run: {LOAD} not found; see --help")
    peers = build_peers() if options.peers else None
    complete, results, memory = True, {}, {}
    try:
        for _, rows in itertools.groupby(options.rows, lambda row: (row.brokers, row.own_stack)):
            complete = measure_stack(list(rows), options.rounds, scale, peers, results, memory) and complete
    finally:  # also after an interruption
        if results:
            print("", *table(options.rows, results, options.peers), sep="\n")
    return 0 if complete else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
