"""Rows of the ingress, and of what limits it: broker, simulator, admission script."""

import contextlib
import csv
import io
import shlex
import subprocess

from bench import LoadError, free_port, listens, wait_until
from results import Measurement, number

SCRIPT_CONNECTIONS, SCRIPT_PIPELINE = 2, 32  # as the ingress: two connections, requests in batches


def creates(bench):
    bench.only()
    bench.control("reset", {"faults_only": True})
    for _ in range(bench.rounds):
        bench.add("tocsin", bench.measure("creates", "--connections", 64, "--count", bench.count(60_000)))


def kafka(bench):
    bench.only()
    for _ in range(bench.rounds):
        bench.add("tocsin", bench.measure("kafka", "--in-flight", 64, "--count", bench.count(80_000)))


def kafka_pipelined(bench):
    bench.only()
    for _ in range(bench.rounds):
        bench.add("tocsin", bench.measure("kafka", "--pipelined", "--count", bench.count(500_000)))


@contextlib.contextmanager
def peer_server(bench, command, *flags, **options):
    address = f"127.0.0.1:{free_port()}"
    with bench.peer(command, "--address", address, *flags, ready=lambda: listens(address), **options):
        yield address


def beside_peer(bench, command, arguments, *flags):
    """Tocsin and the peer in turn, each warmed by a tenth of the load."""
    count = bench.count(20_000)
    bench.only("ingress")
    bench.load(*arguments, "--count", count // 10)
    with contextlib.ExitStack() as running:
        address = running.enter_context(peer_server(bench, command, *flags)) if bench.peers else None
        if address:
            bench.load(*arguments, "--address", address, "--count", count // 10)
        for _ in range(bench.rounds):
            bench.add("tocsin", bench.measure(*arguments, "--count", count))
            if address:
                bench.add("peer", bench.measure(*arguments, "--address", address, "--count", count))


def unary(bench):
    beside_peer(bench, "enqueue", ["enqueue-unary", "--in-flight", 64])


def keyed(bench):
    beside_peer(bench, "enqueue", ["enqueue-unary", "--in-flight", 64, "--keyed"], "--keys")
    call = captured_admission(bench)
    for _ in range(bench.rounds):
        bench.add("limit", script_alone(bench, call))


def captured_admission(bench):
    """The EVALSHA of an admission, as the ingress sends it; keys and ids are random, in the syntax of redis-benchmark."""
    url = bench.stack.env["TOCSIN_REDIS_URL"]
    with subprocess.Popen(["redis-cli", "-u", url, "monitor"], stdout=subprocess.PIPE, text=True) as monitor:
        try:
            wait_until("start of MONITOR", lambda: monitor.stdout.readline().startswith("OK"))
            bench.load("enqueue-unary", "--in-flight", 1, "--keyed", "--count", 1)
            for line in monitor.stdout:
                words = shlex.split(line.split("] ", 1)[-1])
                if words[0].upper() == "EVALSHA" and words[2] == "5":  # the only script of the ingress with five keys
                    break
            else:
                raise LoadError("the ingress called no admission script")
        finally:
            monitor.terminate()
    call = with_random_ids(words)
    # A refusal would be quicker than an admission.
    reply = subprocess.run(["redis-cli", "-u", url, *call], capture_output=True, text=True, check=True).stdout
    if not reply.startswith("new"):
        raise LoadError(f"the admission script does not admit: {reply.strip()}")
    return call


def with_random_ids(words):
    """Replaces the end of the idempotency digest and of the alert's id wherever they occur."""
    digest, alert = words[5].rsplit(":", 1)[-1], words[3 + 5 + 2]
    random = {value: value[:-12] + "__rand_int__" for value in (digest, alert)}
    for value, pattern in random.items():
        words = [word.replace(value, pattern) for word in words]
    return words


def script_alone(bench, call):
    """The admission script without the ingress."""
    port = bench.stack.env["TOCSIN_REDIS_URL"].rsplit(":", 1)[1].split("/")[0]
    result = subprocess.run(["redis-benchmark", "-p", port, "-c", str(SCRIPT_CONNECTIONS), "-P", str(SCRIPT_PIPELINE),
                             "-n", str(bench.count(60_000)), "-r", "1000000000", "--csv", *call],
                            capture_output=True, text=True, check=True)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    return Measurement(per_second=float(rows[0]["rps"]))


def script_limit(medians):
    limit = medians.get("keyed", {}).get("limit")
    return f"the script alone: {number(limit.per_second)}/s" if limit else "-"


def records_limit(row, title):
    def limit(medians):
        found = medians.get(row, {}).get("tocsin")
        return f"{title}: {number(found.per_second)}/s" if found else title
    return limit


def stream(bench):
    count = bench.count(100_000)
    arguments = ["enqueue-stream", "--alerts-per-request", 64]
    bench.only("ingress")
    bench.load(*arguments, "--count", count // 10)
    for _ in range(bench.rounds):
        bench.add("tocsin", bench.measure(*arguments, "--count", count))


def webhooks(bench):
    beside_peer(bench, "webhooks", ["webhooks", "--connections", 64])


def webhooks_open(bench):
    beside_peer(bench, "webhooks", ["webhooks", "--connections", 128, "--rate", 2000])
