"""What no callback tells is read from Twilio's books: ends, prices, and that nobody knows. S3, L3, R1."""

import pytest
import redis

import api
import poll
import stack as stacks

FIRST_LOOK = "1s"
GRACE = "1s"
EXPIRES_SECONDS = 8
VOICE = 2  # CHANNEL_VOICE
NO_RECEIPT = "+15005555001"  # sent, and no receipt ever


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack({"TOCSIN_RECONCILE_FIRST_LOOK": FIRST_LOOK, "TOCSIN_RECONCILE_GRACE": GRACE}) as started:
        yield started


@pytest.fixture(autouse=True)
def no_callback_comes(simulator):
    simulator.faults(callback={"rate_missing": 1.0})


def priced(client, answer):
    alert = client.get(answer.alert_id, answer.position)
    return alert if all(attempt.HasField("price") for attempt in alert.tries) else None


def test_an_end_and_a_price_that_no_callback_told_come_from_twilios_books(stack, client):
    answer = client.send("+15145550101")
    alert = client.until_state(answer, "DELIVERED")
    assert any("found in Twilio's books" in entry.what for entry in alert.timeline)
    alert = poll.until("its price is known", lambda: priced(client, answer))
    assert alert.tries[0].price.micros > 0 and alert.tries[0].price.currency == "USD"
    assert b"found in Twilio's books" in stack.tocsin("status", answer.alert_id).stdout
    poll.until("nothing is open", lambda: stack.gauge("sms-worker", "tocsin_open_tries") == 0)
    assert 'result="end"} 1' in stack.metrics("sms-worker")


def test_a_call_without_callbacks_gets_its_end_too(stack, client):
    alert = client.until_state(client.send("+15145550102", channel=VOICE), "DELIVERED")
    assert any("found in Twilio's books" in entry.what for entry in alert.timeline)


def test_what_nobody_tells_ends_unconfirmed_when_its_time_is_over(client):
    answer = client.send(NO_RECEIPT, expires_at=api.in_seconds(EXPIRES_SECONDS))
    alert = client.until_state(answer, "SENT_UNCONFIRMED")
    assert len(alert.tries) == 1
    assert alert.end_time.ToMicroseconds() >= alert.accept_time.ToMicroseconds() + EXPIRES_SECONDS * 1_000_000


def test_tries_stay_open_when_redis_loses_its_memory(stack, client, simulator):
    simulator.faults(callback={"rate_missing": 1.0},
                     outcomes={"+15145550103": {"status": "delivered", "delivery_ms": 6000}})
    answer = client.send("+15145550103")
    client.until_state(answer, "SENT")
    redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"]).flushall()
    client.until_state(answer, "DELIVERED")
