"""Plans under random faults of all parts: no step early, nobody contacted again, every plan ends. R1, R4, V6.

TOCSIN_SYSTEM_PLANS sets how many plans are sent, TOCSIN_SYSTEM_SEED which plans and which faults. A failed run shows
its seed.
"""

import os
import random

import pytest

import consistency_check
import poll
import stack as stacks
from chaos import faults, plans

COUNT = int(os.environ.get("TOCSIN_SYSTEM_PLANS", "150"))
SEED = int(os.environ.get("TOCSIN_SYSTEM_SEED", random.randrange(1, 1_000_000)))
MAX_PER_SECOND = 15
SECONDS = max(75, COUNT / MAX_PER_SECOND)
CALM_SECONDS = 10  # plans are sent for so long after the last fault
QUIESCENT_SECONDS = 150
BETWEEN_FAULTS, BETWEEN_FAULTS_SECONDS = (3, 8), 5
# Each target is called twice. A second of a call takes 20 ms, so a phone rings for 8 s.
SETTINGS = faults.SETTINGS | {"TOCSIN_VOICE_MAX_CALLS": "2", "TOCSIN_VOICE_RING_TIMEOUT": "400s"}
NUMBERS_AT_ONCE = 2000
SHOWN, HISTORIES = 30, 30


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack(SETTINGS, replicas=str(faults.REPLICAS)) as started:
        for script, numbers in zip((started.simulator().phones, lambda made: started.simulator().faults(outcomes=made)),
                                   plans.persons_of(SEED, COUNT)):
            items = list(numbers.items())
            for begin in range(0, len(items), NUMBERS_AT_ONCE):
                script(dict(items[begin:begin + NUMBERS_AT_ONCE]))
        yield started


@pytest.fixture(scope="module")
def client(stack):
    connected = stack.client_of_replicas(faults.REPLICAS)
    yield connected
    connected.close()


def report(load, caused, compared, comparison):
    """What a run prints."""
    lines = [f"sent {len(load.sent)} plans, accepted {len(compared.known_to_client())}, refused {dict(load.refused)}, "
             f"cancelled {dict(load.cancels())}, replies {dict(load.reply_results)}",
             *(f"fault {plans.clock(step.begin)} to {plans.clock(step.end)} {step}" for step in caused.steps),
             f"restarted: {caused.restarted}", compared.table(),
             f"most work records of one attempt: {compared.most_records()}"]
    for description, items in compared.noted.items():
        lines += [f"only reported: {description}: {len(items)}", *(f"  {item}" for item in items[:SHOWN])]
    differences = compared.differences()
    for description, items in differences.items():
        lines += [f"DIFFERENCE {description}: {len(items)}", *(f"  {item}" for item in items)]
    found = [item for items in (*differences.values(), *comparison.differences().values()) for item in items]
    concerned = [alert_id for alert_id in compared.checks if any(alert_id in item for item in found)]
    lines += [compared.history(alert_id) for alert_id in concerned[:HISTORIES]]
    return "\n".join([*lines, comparison.report()])


def test_plans_are_followed_while_all_parts_fail(stack, client):
    print(f"seed {SEED}, {COUNT} plans in {SECONDS:.0f} s; the same again: TOCSIN_SYSTEM_SEED={SEED}")
    caused = faults.Faults(stack, SEED, BETWEEN_FAULTS, BETWEEN_FAULTS_SECONDS)
    load = plans.PlanWorkload(client, SEED, stack.simulator(),
                              stack.env["TOCSIN_PUBLIC_BASE_URL"] + "/twilio/sms/inbound",
                              per_second=COUNT / (SECONDS + CALM_SECONDS), count=COUNT)
    try:
        with load:
            caused.run(SECONDS, lambda: load.accepted, at_least=caused.kind_count)
            poll.within(CALM_SECONDS, lambda: False)
        poll.until("every alert is final", lambda: consistency_check.is_final(stack), QUIESCENT_SECONDS)
    finally:  # also if a process did not become ready again
        compared = plans.Plans(load.sent, plans.read_alerts(client), plans.read_facts(stack),
                               [(step.begin, step.end) for step in caused.steps])
        comparison = consistency_check.Comparison.read(stack.env, compared.known_to_client())
        print(report(load, caused, compared, comparison),
              *(f"left to do: {text}" for text in consistency_check.unfinished(stack)), sep="\n")
    assert not compared.differences()
    assert not comparison.differences()
