"""kill -9 of each service while alerts flow: none is lost, none is sent twice. R1, R4, A3."""

import os
import random
import time

import pytest

import api
import ledger
import poll
import stack as stacks
import steady_caller

KILLS = int(os.environ.get("TOCSIN_SYSTEM_KILLS", "2"))  # of each process
SEED = int(os.environ.get("TOCSIN_SYSTEM_SEED", "1"))
VICTIMS = ["ingress-1", "sms-worker-1", "audit-1"]
TWILIO_MS = int(os.environ.get("TOCSIN_SYSTEM_TWILIO_MS", "800"))  # with the rate above: about 80 POSTs in flight
BACKLOG = int(os.environ.get("TOCSIN_SYSTEM_BACKLOG", "0"))  # alerts that keep the senders busy when Twilio is quick
IN_FLIGHT = 50
BETWEEN_KILLS = (50, 300)  # alerts accepted between a return and the next kill
SETTLE_SECONDS = 400 + BACKLOG / 20


@pytest.fixture(scope="module")
def stack():
    # A short lease: what a killed worker held comes back soon.
    with stacks.Stack({"TOCSIN_TWILIO_POST_LIMIT": "3s", "TOCSIN_LEASE": "8s", "TOCSIN_DOUBT_LIMIT": "6s"}) as started:
        started.change_registry(lambda text: text.replace("segments_per_second: 100", "segments_per_second: 1000"))
        yield started


def test_kill_9_of_any_service_loses_no_alert_and_sends_none_twice(stack, client, simulator):
    simulator.faults(create={"latency_ms": TWILIO_MS, "max_in_flight": 1000})
    dice = random.Random(SEED)
    victims = VICTIMS * KILLS
    dice.shuffle(victims)
    print(f"seed {SEED}, kills {victims}")
    backlog = api.enqueue_all(client, [
        api.request(f"+1604{2_000_000 + number}", f"Bulk {number}.", alert_class="BULK", idempotency_key=f"b-{number}")
        for number in range(BACKLOG)])
    begin = time.time()
    with steady_caller.SteadyCaller(client, f"k-{SEED}") as caller:
        for victim in victims:
            enough = len(caller.accepted) + dice.randint(*BETWEEN_KILLS)
            poll.until(f"{enough} alerts are accepted", lambda: len(caller.accepted) >= enough)
            poll.until(f"{IN_FLIGHT} POSTs are in flight",
                       lambda: stack.gauge("sms-worker", "tocsin_senders_busy") >= IN_FLIGHT)
            stack.kill(victim)
            stack.start(victim)
    end = time.time()
    assert not caller.refused
    try:
        poll.until("every alert has its end", lambda: ledger.settled(stack), SETTLE_SECONDS)
    finally:
        books = ledger.Ledger.read(stack.env, {*backlog.values(), *caller.accepted.values()})
        print(f"calls repeated {caller.repeated}, alerts sent twice {len(books.doubles())}, longest time without a POST "
              f"{books.simulator.longest_silence(begin * 1e6, end * 1e6):.1f} s\n{books.report()}")
    assert not books.differences() and not books.doubles()
