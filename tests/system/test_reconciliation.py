"""Final statuses and prices are fetched from Twilio when no callback arrives. S3, L3, R1."""

import re

import pytest
import redis

import api
import poll
import stack as stacks

INITIAL_DELAY = "1s"
GRACE_PERIOD = "1s"
EXPIRE_SECONDS = 8
RECONCILED = "found in Twilio's records"  # in the description of the timeline entry
NO_REPORT = "+15005555001"  # sent, but there is never a delivery report


@pytest.fixture(scope="module")
def stack():
    settings = {"TOCSIN_RECONCILE_INITIAL_DELAY": INITIAL_DELAY, "TOCSIN_RECONCILE_GRACE_PERIOD": GRACE_PERIOD,
                "TOCSIN_RECONCILE_RATE": "1"}
    with stacks.Stack(settings) as started:
        yield started


@pytest.fixture(autouse=True)
def no_callbacks(simulator):
    simulator.faults(callback={"rate_missing": 1.0})


def with_price(client, accepted):
    alert = client.get(accepted.alert_id, accepted.consistency_token)
    return alert if all(attempt.HasField("price") for attempt in alert.attempts) else None


def reconciled(alert):
    return any(RECONCILED in description for description in api.descriptions(alert))


def test_a_final_status_and_a_price_without_callbacks_are_fetched_from_twilio(stack, client):
    accepted = client.send("+15145550101")
    assert reconciled(client.until_state(accepted, "DELIVERED"))
    alert = poll.until("its price is known", lambda: with_price(client, accepted))
    price = alert.attempts[0].price
    assert price.currency_code == "USD" and (price.units, price.nanos) > (0, 0)
    assert RECONCILED.encode() in stack.tocsin("get", accepted.alert_id).stdout
    poll.until("every attempt is reconciled", lambda: stack.gauge("sms-worker", "tocsin_unreconciled_attempts") == 0)
    assert re.search(r'^tocsin_reconciliations_total\{.*result="end"\} 1$', stack.metrics("sms-worker"), re.MULTILINE)


def ends_reconciled(stack):
    found = re.search(r'^tocsin_reconciliations_total\{.*result="end"\} (\S+)$', stack.metrics("sms-worker"), re.MULTILINE)
    return int(float(found[1])) if found else 0


def test_many_attempts_are_reconciled_by_a_few_lists(stack, client):
    """One request per second is allowed: as many fetches would take longer than the test waits."""
    before = ends_reconciled(stack)
    alerts = [client.send(f"+1514556{number:04}") for number in range(3 * int(poll.PATIENCE_SECONDS))]
    poll.until("all are reconciled", lambda: ends_reconciled(stack) - before >= len(alerts))
    assert all(reconciled(client.until_state(alert, "DELIVERED")) for alert in alerts)


def test_the_final_status_of_a_call_without_callbacks_is_fetched_too(stack, client):
    assert reconciled(client.until_state(client.send("+15145550102", channel="VOICE"), "DELIVERED"))


def test_an_alert_without_a_delivery_report_becomes_sent_unconfirmed_after_its_expire_time(client):
    accepted = client.send(NO_REPORT, expire_time=api.in_seconds(EXPIRE_SECONDS))
    alert = client.until_state(accepted, "SENT_UNCONFIRMED")
    assert len(alert.attempts) == 1
    assert alert.end_time.ToMicroseconds() >= alert.create_time.ToMicroseconds() + EXPIRE_SECONDS * 1_000_000


def test_attempts_are_still_reconciled_after_redis_lost_its_data(stack, client, simulator):
    simulator.faults(callback={"rate_missing": 1.0},
                     outcomes={"+15145550103": {"status": "delivered", "delivery_ms": 6000}})
    accepted = client.send("+15145550103")
    client.until_state(accepted, "SENT")
    redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"]).flushall()
    client.until_state(accepted, "DELIVERED")
