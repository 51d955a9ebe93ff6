"""Redis loses its data: accepted alerts can be cancelled, and idempotency keys are remembered. A2, A3, R1."""

import grpc
import pytest
import redis

import api
import poll

DELAY_SECONDS = 20  # longer than the restoration


def unless_unavailable(send):
    """The result of send(), or the grpc.RpcError; None while the service is unavailable."""
    try:
        return send()
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:
            return error
        assert api.Details.of(error).retry_seconds
        return None


@pytest.fixture
def flush(stack):
    with redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"]) as connection:
        yield connection.flushall


def test_an_alert_that_waits_is_cancelled(stack, client, simulator, flush):
    accepted = client.send_keyed("+15145560001", "waits", send_time=api.in_seconds(DELAY_SECONDS))
    flush()
    outcome = poll.until("the cancellation is decided",
                         lambda: unless_unavailable(lambda: client.cancel(accepted.alert_id)))
    assert outcome == "CANCELLED"
    client.until_state(accepted, "CANCELLED")
    assert not [request for request in simulator.requests() if request["to"] == "+15145560001"]


def test_an_alert_that_was_sent_is_known(client, flush):
    accepted = client.send("+15145560002")
    client.until_state(accepted, "DELIVERED")
    flush()
    outcome = poll.until("the cancellation is decided",
                         lambda: unless_unavailable(lambda: client.cancel(accepted.alert_id)))
    assert outcome == "ALREADY_ENDED"


def test_a_key_is_not_used_for_another_request(client, flush):
    accepted = client.send_keyed("+15145560003", "boiler", text="Boiler 3 is too hot.")
    client.until_state(accepted, "DELIVERED")
    flush()
    error = poll.until("the request is decided", lambda: unless_unavailable(
        lambda: client.send("+15145560003", text="Boiler 4 is too hot.", idempotency_key="boiler")))
    assert isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.ALREADY_EXISTS
    assert api.Details.of(error).reason == "IDEMPOTENCY_CONFLICT"
    replay = client.send("+15145560003", text="Boiler 3 is too hot.", idempotency_key="boiler")
    assert replay.replayed and replay.alert_id == accepted.alert_id


def test_a_loss_is_noticed_without_requests(stack, flush):
    log = stack.state / "log" / "ingress-1.log"
    losses = log.read_text().count("redis.data_loss")
    restored = log.read_text().count("acceptances.restored")
    flush()
    poll.until("the ingress reports the loss", lambda: log.read_text().count("redis.data_loss") > losses)
    poll.until("acceptances are restored", lambda: log.read_text().count("acceptances.restored") > restored)
