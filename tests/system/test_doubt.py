"""Tries that Twilio may have taken: each doubt is settled, by callback, list or policy; none is sent twice unsaid.

R1, R4, V7. TOCSIN_SYSTEM_DOUBTS sets how many alerts meet resets.
"""

import collections
import contextlib
import itertools
import os

import pytest
import redis

import api
import ledger
import poll
import replica
import stack as stacks

ALERTS = int(os.environ.get("TOCSIN_SYSTEM_DOUBTS", "300"))
RESETS = 0.1  # of all POSTs, after Twilio accepted them
SETTLE_SECONDS = 60
numbers = itertools.count(5_000_000)  # of people: nobody gets two alerts


@pytest.fixture(scope="module")
def stack():
    settings = {"TOCSIN_TWILIO_POST_LIMIT": "2s", "TOCSIN_LEASE": "4s", "TOCSIN_DOUBT_FIRST_LOOK": "300ms",
                "TOCSIN_DOUBT_LIMIT": "5s", "TOCSIN_DOUBT_EMERGENCY_LIMIT": "2s"}
    with stacks.Stack(settings) as started, contextlib.ExitStack() as replicas:
        started.replicas = replicas  # what runs beside the stack to its end
        started.change_registry(lambda text: text.replace("segments_per_second: 100", "segments_per_second: 1000"))
        yield started


@pytest.fixture(scope="module")
def accepted():
    """Ids of all alerts of this file: the books are compared whole."""
    return set()


def send_at_once(client, accepted, count):
    """All in one call, so that their POSTs are in flight together; those that are refused, for Redis was just lost,
    are sent again."""
    left = [api.request(f"+1514{number}", idempotency_key=f"k-{number}")
            for number in itertools.islice(numbers, count)]
    sent = []

    def all_accepted():
        nonlocal left
        results = client.batch(left).results
        sent.extend(result.accepted for result in results if result.HasField("accepted"))
        left = [request for request, result in zip(left, results) if not result.HasField("accepted")]
        return not left

    poll.until("all are accepted", all_accepted)
    accepted |= {answer.alert_id for answer in sent}
    return sent


def send(client, accepted, count, **fields):
    sent = [client.send_keyed(f"+1514{number}", f"k-{number}", **fields) for number in itertools.islice(numbers, count)]
    accepted |= {answer.alert_id for answer in sent}
    return sent


def settle(stack, accepted):
    """The books, once all is at rest and they agree."""
    try:
        poll.until("every alert has its end", lambda: ledger.settled(stack), SETTLE_SECONDS)
    finally:
        books = ledger.Ledger.read(stack.env, accepted)
        print(books.report())
    assert not books.differences()
    return books


def ways(books, alerts):
    """How the doubts of these alerts were settled: way -> count."""
    ids = {answer.alert_id for answer in alerts}
    return collections.Counter(way for name in books.kafka.doubted if name[0] in ids
                               for way in books.kafka.settled_by[name])


def posts(books, answer):
    return sum(count for name, count in books.simulator.accepted.items() if name[0] == answer.alert_id)


def test_resets_after_acceptance_send_nobody_twice(stack, client, simulator, accepted):
    simulator.faults(seed=1, create={"rate_reset_after": RESETS})
    alerts = send(client, accepted, ALERTS)
    books = settle(stack, accepted)
    assert all(posts(books, answer) == 1 for answer in alerts)
    found = ways(books, alerts)
    assert found.total() > ALERTS * RESETS / 3
    assert not found["policy"]


def test_a_doubt_is_settled_by_the_list_when_no_callback_comes(stack, client, simulator, accepted):
    simulator.faults(create={"rate_reset_after": 1.0}, callback={"rate_missing": 1.0}, list={"lag_ms": 1000})
    alerts = send(client, accepted, 20)
    books = settle(stack, accepted)
    assert ways(books, alerts) == {"list": 20}
    assert all(posts(books, answer) == 1 for answer in alerts)


def test_what_nothing_proves_ends_by_the_policy_of_its_class(stack, client, simulator, accepted):
    simulator.faults(next=[{"kind": "reset_before"}])
    normal = send(client, accepted, 1)[0]
    assert client.until_state(normal, "FAILED").reason == "IN_DOUBT"
    simulator.faults(next=[{"kind": "reset_before"}])
    emergency = send(client, accepted, 1, alert_class="EMERGENCY")[0]
    alert = client.until_state(emergency, "DELIVERED")
    assert [attempt.doubted for attempt in alert.tries] == [True, False]
    assert any("sent again although" in entry.what for entry in alert.timeline)
    books = settle(stack, accepted)
    assert ways(books, [normal, emergency]) == {"policy": 2}


def test_a_worker_killed_between_acceptance_and_receipt_leaves_no_second_message(stack, client, simulator, accepted):
    simulator.faults(create={"hold_ms": 60_000}, callback={"rate_missing": 1.0}, next=[{"kind": "timeout_after"}])
    answer = send(client, accepted, 1)[0]
    poll.until("Twilio has it", lambda: any(request["accepted"] and request["fault"] == "timeout_after"
                                            for request in simulator.requests()))
    stack.kill("sms-worker-1")
    stack.start("sms-worker-1")
    client.until_state(answer, "SENT")
    books = settle(stack, accepted)
    assert ways(books, [answer]) == {"list": 1}
    assert posts(books, answer) == 1


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
    """To a replica that missed every claim of the alerts in between."""
    second = stack.replicas.enter_context(replica.Replica(stack))
    second.cut_off()
    yield
    stack.kill("redis-1")
    second.take_over()


@pytest.mark.parametrize("lost", [redis_flushed, redis_killed, redis_failed_over])
def test_redis_lost_while_a_worker_is_killed_loses_and_doubles_nothing(stack, client, simulator, accepted, lost):
    simulator.faults(create={"latency_ms": 1500})
    with lost(stack):
        alerts = send_until_posts_are_in_flight(stack, client, accepted)
        stack.kill("sms-worker-1")
    stack.start("sms-worker-1")
    alerts += send(client, accepted, 20)
    books = settle(stack, accepted)
    # What was begun and not posted when the worker died cannot be told from what was, and is not sent again.
    assert {(posts(books, answer), books.tables.states[answer.alert_id]) for answer in alerts} <= {
        (1, "DELIVERED"), (0, "FAILED")}


def test_redis_flushed_under_a_running_worker_needs_no_restart(stack, client, simulator, accepted):
    simulator.faults(create={"latency_ms": 1500})
    alerts = send_until_posts_are_in_flight(stack, client, accepted)
    redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"]).flushall()
    alerts += send(client, accepted, 20)
    books = settle(stack, accepted)
    assert all(posts(books, answer) == 1 for answer in alerts)
    assert api.ENDS >= {books.tables.states[answer.alert_id] for answer in alerts}
