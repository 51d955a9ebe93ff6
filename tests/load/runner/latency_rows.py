"""Rows of the time from the response of Enqueue to the POST at Twilio."""

import concurrent.futures
import contextlib
import time

from bench import Window, free_port, listens, wait_until
from ingress_rows import peer_server
from results import Measurement, number
from worker_rows import in_full_flow, peer_worker, simulate, tocsin_queue, tocsin_worker

RATE = 100
EMERGENCY_RATE = 20
TRUSTED_SECONDS = 12  # before that a new worker reads the log for each emergency (kStoreTrustedAfter)


def quantile(ordered, share):
    return ordered[int((len(ordered) - 1) * share)]


def send_and_match(bench, *arguments, text, accepted_before=None):
    """Enqueues by an open loop; the measurement has the times from each response to its POST. A POST can be earlier
    than the response is received. The texts have the numbers of the alerts, which match requests with messages.
    `accepted_before` returns the time until which alerts count."""
    last = bench.health()["messages"]
    log, window = bench.work / "responses", Window(bench)
    report = bench.load("enqueue-unary", "--in-flight", 256, "--text", text, "--log", log, *arguments)
    end = accepted_before() if accepted_before else float("inf")
    lines = [map(int, line.split()) for line in log.read_text().splitlines()]
    sent = {f"{text} {number}": (request, response) for number, request, response in lines}
    posted = {}

    def all_posted():
        nonlocal last
        page, last = bench.messages_after(last)
        posted.update(page)
        return sent.keys() <= posted.keys()

    wait_until("POST of every alert", all_posted)
    window.end()
    counted = [(posted[body], *times) for body, times in sent.items() if times[1] < end]
    if not counted:
        return Measurement(failed=1, error="no alert was accepted in time")
    after_response = sorted((post - response) / 1000 for post, _, response in counted)
    after_request = sorted((post - request) / 1000 for post, request, _ in counted)
    # Per alert of this load, so not for a load beside another.
    beside_bulk = "emergency" in arguments
    cpu = {} if beside_bulk else window.per_item(len(sent)) | {"client": report["cpu_us"]}
    return Measurement(p50_ms=quantile(after_response, 0.5), p99_ms=quantile(after_response, 0.99),
                       notes={"from the request p50 {}": quantile(after_request, 0.5),
                              "p99 {} ms": quantile(after_request, 0.99)},
                       cpu=cpu, failed=report["failed"], error=report.get("error", ""))


def submit(bench):
    """Tocsin first, with all services; then the peers, with theirs."""
    arguments = ["--rate", RATE]
    warm, count = bench.count(500), bench.count(1_000)
    bench.start("audit", "sms-worker", "voice-worker", "ingress")
    send_and_match(bench, *arguments, "--count", warm, text="warm")
    for _ in range(bench.rounds):
        bench.add("tocsin", send_and_match(bench, *arguments, "--count", count, text="load"))
    if not bench.peers:
        return
    bench.only()
    with contextlib.ExitStack() as running:
        callbacks = f"127.0.0.1:{free_port()}"
        running.enter_context(bench.peer("webhooks", "--address", callbacks, "--public-url", f"http://{callbacks}",
                                         ready=lambda: listens(callbacks)))
        address = running.enter_context(peer_server(bench, "enqueue"))
        arguments += ["--address", address]
        for side, flags in (("peer", []), ("limit", ["--claims"])):
            with bench.peer("worker", "--callback", f"http://{callbacks}/twilio/sms/status", *flags):
                send_and_match(bench, *arguments, "--count", warm, text="warm")
                for _ in range(bench.rounds):
                    bench.add(side, send_and_match(bench, *arguments, "--count", count, text="load"))


def claiming_peer_limit(medians):
    """The times of the peer that claims each alert and awaits its first event."""
    found = medians.get("submit-latency", {}).get("limit")
    return f"peer with claims: p50 {number(found.p50_ms)}, p99 {number(found.p99_ms)} ms" if found else "-"


def first_alert(bench):
    """One alert after ingress and worker have started."""
    for _ in range(max(bench.rounds, 2)):
        bench.stop("sms-worker", "ingress")
        bench.start("sms-worker", "ingress")
        before, log = bench.health()["messages"], bench.work / "first"
        bench.load("enqueue-unary", "--in-flight", 1, "--count", 1, "--connections", 1, "--log", log)
        _, request, response = map(int, log.read_text().split())
        (_, post), *_ = wait_until("POST of the first alert", lambda number=before: bench.messages_after(number)[0])
        bench.add("tocsin", Measurement(notes={"response after {} ms": (response - request) / 1000,
                                               "POST after {} ms": (post - request) / 1000}))


# --- Emergencies --------------------------------------------------------------------------------------


def emergencies(bench, number, count, **options):
    return send_and_match(bench, "--rate", EMERGENCY_RATE, "--priority", "emergency", "--count", count,
                          text=f"urgent {number}", **options)


def emergency_queued(bench):
    in_flight, bulk = 256, bench.count(100_000)
    bench.only("ingress")
    simulate(bench, 100)
    queue, worker = tocsin_queue(bench), tocsin_worker(bench, in_flight)
    with in_full_flow(queue, worker, in_flight, bulk + in_flight * 10 * TRUSTED_SECONDS):
        time.sleep(TRUSTED_SECONDS)
        for number in range(bench.rounds):
            bench.add("tocsin", emergencies(bench, number, bench.count(100, 20)))


def emergency_admission(bench):
    """Only emergencies that are accepted while bulk alerts are admitted count."""
    in_flight, bulk = 256, bench.count(100_000)
    bench.only("ingress")
    simulate(bench, 100)
    queue, worker = tocsin_queue(bench), tocsin_worker(bench, in_flight)

    def enqueue_bulk():
        queue.top_up(queue.remaining(0) + bulk)
        return time.time_ns() // 1000

    with (in_full_flow(queue, worker, in_flight, in_flight * 10 * TRUSTED_SECONDS),
          concurrent.futures.ThreadPoolExecutor(1) as pool):
        time.sleep(TRUSTED_SECONDS)
        for number in range(bench.rounds):
            end = pool.submit(enqueue_bulk)
            measured = emergencies(bench, f"at admission {number}", bench.count(100, 20), accepted_before=end.result)
            bench.add("tocsin", measured)
