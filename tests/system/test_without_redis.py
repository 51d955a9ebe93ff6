"""Redis stopped and back: emergencies go out once, by the log; all else waits. R6, R1, R4."""

import grpc
import pytest

import api
import ledger
import poll
import stack as stacks

EMERGENCIES = 10
SETTLE_SECONDS = 60


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack({"TOCSIN_TWILIO_POST_LIMIT": "2s", "TOCSIN_LEASE": "7s"}) as started:
        yield started


def reason_of(call):
    with pytest.raises(grpc.RpcError) as refused:
        call()
    return api.Details.of(refused.value).reason


def test_emergencies_go_out_once_while_redis_is_away(stack, client, simulator):
    client.until_state(client.send("+15145550101"), "DELIVERED")
    stack.kill("redis-1")
    poll.until("others are refused", lambda: reason_of(lambda: client.send("+15145550102")) == "REDIS_UNAVAILABLE")
    urgent = [client.send(f"+1514556{number:04}", alert_class="EMERGENCY") for number in range(EMERGENCIES)]
    for answer in urgent:
        alert = client.until_state(answer, "DELIVERED")
        assert any("the log decided who sends it" in entry.what for entry in alert.timeline)
        assert len(alert.tries) == 1
    stack.kill("sms-worker-1")
    stack.start("redis-1")
    stack.start("sms-worker-1")
    client.until_state(poll.until("others are accepted again", lambda: accepted(client)), "DELIVERED")
    poll.until("every alert has its end", lambda: ledger.settled(stack), SETTLE_SECONDS)
    posts = [request["to"] for request in simulator.requests() if request["accepted"]]
    assert len(posts) == len(set(posts)) == EMERGENCIES + 2


def accepted(client):
    try:
        return client.send("+15145550103", idempotency_key="after")
    except grpc.RpcError:
        return None
