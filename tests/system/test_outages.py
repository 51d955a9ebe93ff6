"""kill -9 of the broker, of PostgreSQL and of the voice worker, while alerts are sent: none is lost, none is sent twice.
R1, R6."""

import grpc
import pytest

import api
import consistency_check
import poll
import stack as stacks
import steady_caller

TWILIO_MS = 800
IN_FLIGHT = 20
AFTER_OUTAGE = 100  # alerts accepted after the broker is back
CALLS, SMS = 60, 20
QUIESCENT_SECONDS = 240


@pytest.fixture(scope="module")
def stack():
    # A short lease: the attempts of a killed worker are taken over soon. So few POSTs at a time that calls are left when
    # a worker is killed during the first ones.
    with stacks.Stack({"TOCSIN_SENDERS": str(IN_FLIGHT), "TOCSIN_SENDERS_RESERVED": "1",
                       "TOCSIN_TWILIO_POST_TIMEOUT": "3s", "TOCSIN_LEASE": "8s", "TOCSIN_IN_DOUBT_TIMEOUT": "6s",
                       "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "10s"}) as started:
        yield started


@pytest.fixture(scope="module")
def accepted():
    """Ids of all alerts of this file: a comparison covers all of them."""
    return set()


def assert_consistent(stack, accepted):
    """Once every alert is final."""
    poll.until("every alert is final", lambda: consistency_check.is_quiescent(stack), QUIESCENT_SECONDS)
    comparison = consistency_check.Comparison.read(stack.env, accepted)
    print(comparison.report())
    assert not comparison.differences() and not comparison.repeats()


def test_a_broker_that_is_killed_under_load_loses_no_alert(stack, client, accepted, simulator):
    simulator.faults(create={"latency_ms": TWILIO_MS, "max_in_flight": 1000})
    with steady_caller.SteadyCaller(client, "broker") as caller:
        poll.until(f"{IN_FLIGHT} POSTs are in flight",
                   lambda: stack.gauge("sms-worker", "tocsin_senders_busy") >= IN_FLIGHT)
        stack.kill("kafka-1")
        retries = caller.retries
        poll.until("requests are refused or time out", lambda: caller.retries > retries)
        stack.start("kafka-1")
        enough = len(caller.accepted) + AFTER_OUTAGE
        poll.until("alerts are accepted again", lambda: len(caller.accepted) >= enough)
    assert not caller.refused
    accepted |= set(caller.accepted.values())
    assert_consistent(stack, accepted)


# An emergency that Twilio did not receive is resent by its policy, which is the only way for a call.
def test_calls_of_a_voice_worker_that_is_killed_are_placed_once(stack, client, accepted, simulator):
    simulator.faults(create={"latency_ms": TWILIO_MS, "max_in_flight": 1000})
    simulator.phones({"*": {"answer": "human", "keys": ["1"]}})
    recipients = [f"+1514{5_000_000 + number}" for number in range(CALLS)]
    results = client.batch([api.request(recipient, channel="VOICE", priority="EMERGENCY")
                            for recipient in recipients]).results
    accepted |= {result.accepted.alert_id for result in results}
    poll.until("a POST is in flight", lambda: stack.gauge("voice-worker", "tocsin_senders_busy") >= 1)
    stack.kill("voice-worker-1")
    placed = sum(len(simulator.calls(recipient)) for recipient in recipients)
    assert placed < CALLS, "every call was placed before the worker was killed"
    stack.start("voice-worker-1")
    for result in results:
        client.until_state(result.accepted, "ACKNOWLEDGED")
    assert_consistent(stack, accepted)
    assert {len(simulator.calls(recipient)) for recipient in recipients} == {1}


def status_is_served(client):
    try:
        return client.list_alerts() is not None
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return False


def test_alerts_are_accepted_and_sent_while_postgresql_is_down(stack, client, accepted, simulator):
    stack.kill("postgres-1")
    recipients = {f"+1514{6_000_000 + number}" for number in range(SMS)}
    sent = [client.send_keyed(recipient, f"postgres-{number}") for number, recipient in enumerate(sorted(recipients))]
    accepted |= {response.alert_id for response in sent}
    poll.until("every message is delivered", lambda: recipients == {
        message["to"] for message in simulator.messages() if message["to"] in recipients
        and "delivered" in message["acknowledged"]})
    stack.start("postgres-1")
    poll.until("the status is served again", lambda: status_is_served(client))
    for response in sent:
        client.until_state(response, "DELIVERED")
    assert_consistent(stack, accepted)
