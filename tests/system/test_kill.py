"""kill -9 of each service under load: no alert is lost, none is sent twice. R1, R4, A3."""

import os
import random
import time

import pytest

import api
import consistency_check
import poll
import stack as stacks
import steady_caller

KILLS = int(os.environ.get("TOCSIN_SYSTEM_KILLS", "2"))  # of each process
SEED = int(os.environ.get("TOCSIN_SYSTEM_SEED", "1"))
VICTIMS = ["ingress-1", "sms-worker-1", "audit-1"]
TWILIO_MS = int(os.environ.get("TOCSIN_SYSTEM_TWILIO_MS", "800"))  # at 100 alerts/s: about 80 POSTs in flight
BACKLOG = int(os.environ.get("TOCSIN_SYSTEM_BACKLOG", "0"))  # alerts that keep the senders busy when Twilio is fast
IN_FLIGHT = 50
BETWEEN_KILLS = (50, 300)  # alerts accepted between a restart and the next kill
QUIESCENT_SECONDS = 400 + BACKLOG / 20


@pytest.fixture(scope="module")
def stack():
    # A short lease: the attempts of a killed worker are taken over soon.
    with stacks.Stack({"TOCSIN_TWILIO_POST_TIMEOUT": "3s", "TOCSIN_LEASE": "8s", "TOCSIN_IN_DOUBT_TIMEOUT": "6s",
                       "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "10s"}) as started:
        started.change_registry(lambda text: text.replace("segments_per_second: 100", "segments_per_second: 1000"))
        yield started


def test_kill_9_of_any_service_loses_no_alert_and_sends_none_twice(stack, client, simulator):
    simulator.faults(create={"latency_ms": TWILIO_MS, "max_in_flight": 1000})
    dice = random.Random(SEED)
    victims = VICTIMS * KILLS
    dice.shuffle(victims)
    print(f"seed {SEED}, kills {victims}")
    backlog = api.enqueue_all(client, [
        api.request(f"+1604{2_000_000 + number}", f"Bulk {number}.", priority="BULK", idempotency_key=f"b-{number}")
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
        poll.until("every alert is final", lambda: consistency_check.is_quiescent(stack), QUIESCENT_SECONDS)
    finally:
        comparison = consistency_check.Comparison.read(stack.env, {*backlog.values(), *caller.accepted.values()})
        print(f"requests repeated {caller.retries}, alerts sent twice {len(comparison.repeats())}, longest time without "
              f"a POST {comparison.twilio.longest_gap(begin * 1e6, end * 1e6):.1f} s\n{comparison.report()}")
    assert not comparison.differences() and not comparison.repeats()
