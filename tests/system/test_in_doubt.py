"""Attempts that Twilio may have accepted are resolved by callback, list, proof of absence or policy; a resend is always
recorded.

R1, R4, V7. TOCSIN_SYSTEM_IN_DOUBT sets how many alerts are sent while connections are reset.
"""

import collections
import contextlib
import itertools
import os

import pytest
import redis

import api
import consistency_check
import poll
import replica
import stack as stacks

ALERTS = int(os.environ.get("TOCSIN_SYSTEM_IN_DOUBT", "300"))
RESETS = 0.1  # of all POSTs, after Twilio accepted them
QUIESCENT_SECONDS = 60
numbers = itertools.count(5_000_000)  # of recipients: nobody is sent two alerts


@pytest.fixture(scope="module")
def stack():
    settings = {"TOCSIN_TWILIO_POST_TIMEOUT": "2s", "TOCSIN_LEASE": "4s", "TOCSIN_IN_DOUBT_INITIAL_DELAY": "300ms",
                "TOCSIN_IN_DOUBT_TIMEOUT": "5s", "TOCSIN_IN_DOUBT_EMERGENCY_TIMEOUT": "2s",
                "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "8s"}
    with stacks.Stack(settings) as started, contextlib.ExitStack() as replicas:
        started.replicas = replicas  # Redis replicas that run until the stack stops
        started.change_registry(lambda text: text.replace("segments_per_second: 100", "segments_per_second: 1000"))
        yield started


@pytest.fixture(scope="module")
def accepted():
    """Ids of all alerts of this file: a comparison covers all of them."""
    return set()


def send_at_once(client, accepted, count):
    """All in one request, so that their POSTs are in flight together. Alerts that are refused because Redis was just
    lost are sent again."""
    remaining = [api.request(f"+1514{number}", idempotency_key=f"k-{number}")
            for number in itertools.islice(numbers, count)]
    sent = []

    def all_accepted():
        nonlocal remaining
        results = client.batch(remaining).results
        sent.extend(result.accepted for result in results if result.HasField("accepted"))
        remaining = [request for request, result in zip(remaining, results) if not result.HasField("accepted")]
        return not remaining

    poll.until("all are accepted", all_accepted)
    accepted |= {response.alert_id for response in sent}
    return sent


def send(client, accepted, count, **fields):
    sent = [client.send_keyed(f"+1514{number}", f"k-{number}", **fields) for number in itertools.islice(numbers, count)]
    accepted |= {response.alert_id for response in sent}
    return sent


def compare(stack, accepted):
    """The comparison, once nothing is left to do. It must have no differences."""
    try:
        poll.until("every alert is final", lambda: consistency_check.is_quiescent(stack), QUIESCENT_SECONDS)
    finally:
        comparison = consistency_check.Comparison.read(stack.env, accepted)
        print(comparison.report())
    assert not comparison.differences()
    return comparison


def resolutions(comparison, alerts):
    """How the attempts in doubt of these alerts were resolved: name -> count."""
    ids = {response.alert_id for response in alerts}
    return collections.Counter(name for attempt in comparison.kafka.in_doubt if attempt[0] in ids
                               for name in comparison.kafka.resolved_by[attempt])


def posts(comparison, accepted):
    """Accepted POSTs of the alert of an EnqueueResponse."""
    return sum(count for attempt, count in comparison.twilio.accepted.items() if attempt[0] == accepted.alert_id)


def test_resets_after_acceptance_lead_to_no_second_message(stack, client, simulator, accepted):
    simulator.faults(seed=1, create={"rate_reset_after": RESETS})
    alerts = send(client, accepted, ALERTS)
    comparison = compare(stack, accepted)
    assert all(posts(comparison, response) == 1 for response in alerts)
    found = resolutions(comparison, alerts)
    assert found.total() > ALERTS * RESETS / 3
    assert not found["POLICY"]


def test_an_attempt_in_doubt_is_resolved_by_the_list_without_callbacks(stack, client, simulator, accepted):
    simulator.faults(create={"rate_reset_after": 1.0}, callback={"rate_missing": 1.0}, list={"lag_ms": 1000})
    alerts = send(client, accepted, 20)
    comparison = compare(stack, accepted)
    assert resolutions(comparison, alerts) == {"LIST": 20}
    assert all(posts(comparison, response) == 1 for response in alerts)


def test_an_attempt_without_proof_ends_by_its_policy(stack, client, simulator, accepted):
    simulator.faults(next=[{"kind": "reset_before"}])
    normal = send(client, accepted, 1, in_doubt_policy=api.IN_DOUBT_FAIL)[0]
    assert client.until_state(normal, "FAILED").reason == "IN_DOUBT"
    simulator.faults(next=[{"kind": "reset_before"}])
    emergency = send(client, accepted, 1, priority="EMERGENCY")[0]
    alert = client.until_state(emergency, "DELIVERED")
    assert [attempt.was_in_doubt for attempt in alert.attempts] == [True, False]
    assert any("resent although" in description for description in api.descriptions(alert))
    comparison = compare(stack, accepted)
    assert resolutions(comparison, [normal, emergency]) == {"POLICY": 2}


def test_a_worker_killed_before_it_reads_the_response_leads_to_no_second_message(stack, client, simulator, accepted):
    simulator.faults(create={"hold_ms": 60_000}, callback={"rate_missing": 1.0}, next=[{"kind": "timeout_after"}])
    alert = send(client, accepted, 1)[0]
    poll.until("Twilio has accepted it", lambda: any(request["accepted"] and request["fault"] == "timeout_after"
                                                     for request in simulator.requests()))
    stack.kill("sms-worker-1")
    stack.start("sms-worker-1")
    client.until_state(alert, "SENT")
    comparison = compare(stack, accepted)
    assert resolutions(comparison, [alert]) == {"LIST": 1}
    assert posts(comparison, alert) == 1


def test_a_worker_killed_before_its_post_leads_to_one_message(stack, client, simulator, accepted):
    """The start is on record, but Twilio never gets the message: its list proves it, and the alert is sent again."""
    simulator.faults(create={"hold_ms": 60_000}, list={"lag_ms": 1000}, next=[{"kind": "timeout_before"}])
    alert = send(client, accepted, 1)[0]
    poll.until("its POST is held", lambda: any(request["fault"] == "timeout_before" for request in simulator.requests()))
    stack.kill("sms-worker-1")
    stack.start("sms-worker-1")
    delivered = client.until_state(alert, "DELIVERED")
    assert [attempt.was_in_doubt for attempt in delivered.attempts] == [True, False]
    assert any(description.startswith("Twilio has no such message; it was not sent") and "sending again" in description
               for description in api.descriptions(delivered))
    assert b"Twilio has no such message; it was not sent" in stack.tocsin("get", alert.alert_id).stdout
    comparison = compare(stack, accepted)
    assert resolutions(comparison, [alert]) == {"LIST_ABSENCE": 1}
    assert posts(comparison, alert) == 1


def test_a_message_that_the_list_shows_late_is_not_sent_again(stack, client, simulator, accepted):
    simulator.faults(create={"rate_reset_after": 1.0}, callback={"rate_missing": 1.0}, list={"lag_ms": 6000})
    alert = send(client, accepted, 1)[0]
    client.until_state(alert, "SENT")
    comparison = compare(stack, accepted)
    assert resolutions(comparison, [alert]) == {"LIST": 1}
    assert posts(comparison, alert) == 1


def send_until_posts_are_in_flight(stack, client, accepted):
    alerts = send_at_once(client, accepted, 60)
    poll.until("POSTs are in flight", lambda: stack.gauge("sms-worker", "tocsin_senders_busy") >= 20)
    return alerts


@contextlib.contextmanager
def redis_flushed(stack):
    yield
    redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"]).flushall()


@contextlib.contextmanager
def redis_killed(stack):
    yield
    stack.kill("redis-1")
    stack.start("redis-1")


@contextlib.contextmanager
def redis_failed_over(stack):
    """To a replica that lacks every claim of the alerts in between."""
    second = stack.replicas.enter_context(replica.Replica(stack))
    second.stop_replication()
    yield
    stack.kill("redis-1")
    second.take_over()


@pytest.mark.parametrize("lost", [redis_flushed, redis_killed, redis_failed_over])
def test_losing_redis_and_a_worker_loses_no_alert_and_sends_none_twice(stack, client, simulator, accepted, lost):
    simulator.faults(create={"latency_ms": 1500})
    with lost(stack):
        alerts = send_until_posts_are_in_flight(stack, client, accepted)
        stack.kill("sms-worker-1")
    stack.start("sms-worker-1")
    alerts += send(client, accepted, 20)
    comparison = compare(stack, accepted)
    # Attempts that were started but not POSTed when the worker died are sent again, because Twilio's list lacks them.
    assert {(posts(comparison, response), comparison.database.states[response.alert_id]) for response in alerts} == {
        (1, "DELIVERED")}


def test_a_running_worker_continues_after_redis_is_flushed(stack, client, simulator, accepted):
    simulator.faults(create={"latency_ms": 1500})
    alerts = send_until_posts_are_in_flight(stack, client, accepted)
    redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"]).flushall()
    alerts += send(client, accepted, 20)
    comparison = compare(stack, accepted)
    assert all(posts(comparison, response) == 1 for response in alerts)
    assert api.FINAL_STATES >= {comparison.database.states[response.alert_id] for response in alerts}
