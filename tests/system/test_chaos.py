"""Random faults of all parts under load: no accepted alert is lost, none is sent twice without a record. R1, R4, A3.

TOCSIN_SYSTEM_CHAOS_SECONDS sets how long faults are caused, TOCSIN_SYSTEM_SEED which ones. A failed run shows its seed.
"""

import os
import random

import pytest

import consistency_check
import poll
import stack as stacks
from chaos import faults, report, views, workload

SECONDS = int(os.environ.get("TOCSIN_SYSTEM_CHAOS_SECONDS", "120"))
SEED = int(os.environ.get("TOCSIN_SYSTEM_SEED", random.randrange(1, 1_000_000)))
QUIESCENT_SECONDS = 300


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack(faults.SETTINGS, replicas=str(faults.REPLICAS)) as started:
        started.simulator().phones(workload.busy_phones(SEED, workload.PER_SECOND * (SECONDS + QUIESCENT_SECONDS)))
        yield started


@pytest.fixture(scope="module")
def client(stack):
    connected = stack.client_of_replicas(faults.REPLICAS)
    yield connected
    connected.close()


def test_faults_of_all_parts_lose_no_alert_and_send_none_twice(stack, client):
    print(f"seed {SEED}, {SECONDS} s; the same faults again: TOCSIN_SYSTEM_SEED={SEED}")
    caused, load = faults.Faults(stack, SEED), workload.Workload(client, SEED)
    try:
        with load:
            caused.run(SECONDS, lambda: load.accepted)
        poll.until("every alert is final", lambda: consistency_check.is_final(stack), QUIESCENT_SECONDS)
    finally:  # also if a process did not become ready again
        alerts, listed_differently = views.read_status(client)
        compared = views.Views(load.sent, views.read_simulator(stack.simulator()), alerts, listed_differently)
        comparison = consistency_check.Comparison.read(stack.env, compared.known_to_client())
        print(report.of(load, caused, compared, comparison), report.histories(client, compared, comparison),
              *(f"left to do: {text}" for text in consistency_check.unfinished(stack)), sep="\n")
    assert not compared.differences()
    assert not comparison.differences()
