"""Many alerts while Twilio loses, refuses and delays some: the records of all parts are consistent. R1, R4, R7, W5."""

import os

import pytest

import api
import consistency_check
import poll
import stack as stacks

ALERTS = int(os.environ.get("TOCSIN_SYSTEM_ALERTS", "3000"))
ALERTS_PER_SECOND = 20  # the least that a busy machine with two cores delivers
QUIESCENT_SECONDS = 180
FAST = 1000  # segments per second of the sender: the test is not about pacing

FAULTS = {
    "create": {"latency_ms": 20, "slow_ms": 1000, "hold_ms": 4000, "rate_429": 0.01, "rate_500": 0.003,
               "rate_500_after": 0.002, "rate_503_html": 0.002, "rate_502_html_after": 0.002,
               "rate_reset_before": 0.005, "rate_reset_after": 0.005, "rate_timeout_before": 0.001,
               "rate_timeout_after": 0.001, "rate_slow": 0.01, "rate_early": 0.01},
    "callback": {"rate_missing": 0.002, "rate_double": 0.02, "rate_reorder": 0.02, "reorder_ms": 500},
}


def recipient(number):
    """Mostly ordinary numbers; some whose carrier fails, and some that Twilio refuses."""
    if number % 97 == 0:
        return "+15005553005"
    if number % 101 == 0:
        return "+15005550009"
    return f"+1514{2_000_000 + number}"


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack({"TOCSIN_TWILIO_POST_TIMEOUT": "3s", "TOCSIN_LEASE": "8s", "TOCSIN_IN_DOUBT_TIMEOUT": "6s",
                       "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "10s"}) as started:
        started.change_registry(lambda text: text.replace("segments_per_second: 100", f"segments_per_second: {FAST}"))
        yield started


def test_client_kafka_twilio_and_postgresql_agree_on_every_alert(stack, client, simulator):
    simulator.faults(**FAULTS)
    accepted = api.enqueue_all(client, [api.request(recipient(number), f"Notice {number}.", idempotency_key=f"n-{number}")
                                        for number in range(ALERTS)])
    ids = set(accepted.values())
    assert len(ids) == ALERTS
    try:
        poll.until("every alert is final", lambda: consistency_check.is_quiescent(stack),
                   QUIESCENT_SECONDS + ALERTS / ALERTS_PER_SECOND)
    finally:
        comparison = consistency_check.Comparison.read(stack.env, ids)
        print(comparison.report())
    assert not comparison.differences()
    assert sum(comparison.twilio.faults.values()) > 0, "the run had no fault"
