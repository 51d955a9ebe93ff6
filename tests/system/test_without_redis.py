"""Redis down and up again: emergencies are sent once, decided by the log; other alerts wait. R6, R1, R4."""

import subprocess

import grpc
import pytest

import api
import consistency_check
import poll
import stack as stacks

EMERGENCIES = 10
QUIESCENT_SECONDS = 60


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack({"TOCSIN_TWILIO_POST_TIMEOUT": "2s", "TOCSIN_LEASE": "7s"}) as started:
        yield started


def reason_of(send):
    with pytest.raises(grpc.RpcError) as refused:
        send()
    return api.Details.of(refused.value).reason


def test_emergencies_are_sent_once_while_redis_is_down(stack, client, simulator):
    client.until_state(client.send("+15145550101"), "DELIVERED")
    stack.kill("redis-1")
    poll.until("alerts with a key are refused",
               lambda: reason_of(lambda: client.send("+15145550102", idempotency_key="refused")) == "REDIS_UNAVAILABLE")
    waiting = client.send("+15145550104")
    urgent = [client.send(f"+1514556{number:04}", priority="EMERGENCY") for number in range(EMERGENCIES)]
    for accepted in urgent:
        client.until_state(accepted, "DELIVERED")
        # The callback may be projected before the event of the attempt.
        poll.until("the timeline shows that Redis was unavailable", lambda: shows_outage(client, accepted))
        assert len(client.get(accepted.alert_id).attempts) == 1
    assert not [request for request in simulator.requests() if request["to"] == "+15145550104"]
    stack.kill("sms-worker-1")
    stack.start("redis-1")
    stack.start("sms-worker-1")
    client.until_state(poll.until("others are accepted again", lambda: send_if_available(client)), "DELIVERED")
    client.until_state(waiting, "DELIVERED")
    poll.until("every alert is final", lambda: consistency_check.is_quiescent(stack), QUIESCENT_SECONDS)
    posts = [request["to"] for request in simulator.requests() if request["accepted"]]
    assert len(posts) == len(set(posts)) == EMERGENCIES + 3


def test_an_emergency_is_sent_while_redis_refuses_writes(stack, client):
    client.until_state(client.send("+15145550105"), "DELIVERED")
    set_memory_limit(stack, "1")  # it responds, and answers reads
    try:
        urgent = client.send("+15145550106", priority="EMERGENCY")
        client.until_state(urgent, "DELIVERED")
        poll.until("the timeline shows that Redis was unavailable", lambda: shows_outage(client, urgent))
    finally:
        set_memory_limit(stack, "0")
    client.until_state(client.send("+15145550107"), "DELIVERED")


def set_memory_limit(stack, limit):
    subprocess.run(["redis-cli", "-u", stack.env["TOCSIN_REDIS_URL"], "config", "set", "maxmemory", limit],
                   check=True, capture_output=True, timeout=60)


def shows_outage(client, accepted):
    return any("Redis was unavailable" in text for text in api.descriptions(client.get(accepted.alert_id)))


def send_if_available(client):
    try:
        return client.send("+15145550103", idempotency_key="after")
    except grpc.RpcError:
        return None
