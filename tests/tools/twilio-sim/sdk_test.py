"""The simulator through Twilio's official Python SDK (Q2).

Needs the package `twilio` and the program; TOCSIN_BIN_DIR names the folder of the latter.
"""

import json
import urllib.error

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from sim import ACCOUNT, FROM, SERVICE, TO, TOKEN, wait_for_status

pytestmark = pytest.mark.usefixtures("clean")


def test_a_created_message_has_the_documented_types(simulator):
    message = simulator.client().messages.create(to=TO, from_=FROM, body="caf\u00e9 \U0001f514")
    assert message.sid.startswith("SM") and len(message.sid) == 34
    assert message.account_sid == ACCOUNT
    assert (message.status, message.direction) == ("queued", "outbound-api")
    assert (message.num_segments, message.num_media) == ("1", "0")
    assert message.body == "caf\u00e9 \U0001f514"
    assert message.date_created.tzinfo is not None and message.date_sent is None
    assert message.price is None and message.price_unit == "USD"
    assert message.error_code is None and message.messaging_service_sid is None
    assert message.uri == f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{message.sid}.json"
    assert set(message.subresource_uris) == {"media", "feedback"}


def test_a_message_is_delivered_fetched_redacted_and_deleted(simulator):
    client = simulator.client()
    sid = client.messages.create(to=TO, from_=FROM, body="secret").sid
    delivered = wait_for_status(client.messages(sid), "delivered")
    assert delivered.date_sent is not None and delivered.body == "secret"
    assert client.messages(sid).update(body="").body == ""
    assert client.messages(sid).fetch().body == ""
    assert client.messages(sid).delete()
    with pytest.raises(TwilioRestException) as gone:
        client.messages(sid).fetch()
    assert (gone.value.status, gone.value.code) == (404, 20404)


def test_a_message_in_progress_cannot_be_deleted(simulator):
    simulator.control("/sim/faults", {"outcomes": {TO: {"queue_ms": 60000}}})
    client = simulator.client()
    sid = client.messages.create(to=TO, from_=FROM, body="x").sid
    with pytest.raises(TwilioRestException) as refused:
        client.messages(sid).delete()
    assert (refused.value.status, refused.value.code) == (409, 20009)


def test_only_a_scheduled_message_can_be_canceled(simulator):
    client = simulator.client()
    sid = client.messages.create(to=TO, from_=FROM, body="x").sid
    with pytest.raises(TwilioRestException) as refused:
        client.messages(sid).update(status="canceled")
    assert refused.value.code == 30409


def test_the_list_pages_newest_first(simulator):
    client = simulator.client()
    sids = [client.messages.create(to=TO, from_=FROM, body=str(i)).sid for i in range(7)]
    client.messages.create(to="+15145550199", from_=FROM, body="other")
    listed = client.messages.list(to=TO, page_size=3)
    assert [message.sid for message in listed] == sids[::-1]
    page = client.messages.page(to=TO, page_size=3)
    pages = [[m.sid for m in page]]
    while (page := page.next_page()) is not None:
        pages.append([m.sid for m in page])
    assert [len(p) for p in pages] == [3, 3, 1]
    assert len(client.messages.list(limit=5)) == 5


@pytest.mark.parametrize("fields, status, code", [
    ({"to": "+15005550001", "from_": FROM, "body": "x"}, 400, 21211),
    ({"to": "+15005550002", "from_": FROM, "body": "x"}, 400, 21612),
    ({"to": "+15005550003", "from_": FROM, "body": "x"}, 400, 21408),
    ({"to": "+15005550004", "from_": FROM, "body": "x"}, 400, 21610),
    ({"to": "+15005550009", "from_": FROM, "body": "x"}, 400, 21614),
    ({"to": "nonsense", "from_": FROM, "body": "x"}, 400, 21211),
    ({"to": TO, "from_": FROM}, 400, 21602),
    ({"to": TO, "body": "x"}, 400, 21603),
    ({"to": TO, "from_": FROM, "body": "x" * 1601}, 400, 21617),
    ({"to": TO, "from_": "+15145559999", "body": "x"}, 400, 21659),
    ({"to": TO, "from_": FROM, "body": "x", "status_callback": "http://a_b/"}, 400, 21609),
    ({"to": TO, "messaging_service_sid": "MG" + "f" * 32, "body": "x"}, 400, 21701),
])
def test_errors_have_twilios_codes(simulator, fields, status, code):
    with pytest.raises(TwilioRestException) as refused:
        simulator.client().messages.create(**fields)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert simulator.lines("/sim/requests")[-1]["code"] == code


def test_invalid_credentials_and_other_accounts_are_refused(simulator):
    with pytest.raises(TwilioRestException) as refused:
        simulator.client(token="wrong").messages.create(to=TO, from_=FROM, body="x")
    assert (refused.value.status, refused.value.code) == (401, 20003)
    client = simulator.client()
    with pytest.raises(TwilioRestException) as missing:
        client.api.v2010.accounts("AC" + "f" * 32).messages.create(to=TO, from_=FROM, body="x")
    assert (missing.value.status, missing.value.code) == (404, 20404)


def form_of(entry):
    path, headers, fields = entry
    return path, headers["X-Twilio-Signature"], fields


def test_callbacks_are_signed_and_in_order(simulator, receiver):
    url = receiver.url("/cb/token-1?x=%2F&y=a+b")
    sent = simulator.client().messages.create(to=TO, from_=FROM, body="x",
                                              status_callback=url + "#rc=2&rp=all")
    for status in ("sent", "delivered"):
        path, headers, fields = receiver.next()
        assert receiver.url(path) == url
        assert RequestValidator(TOKEN).validate(url, fields, headers["X-Twilio-Signature"])
        assert not RequestValidator("x").validate(url, fields, headers["X-Twilio-Signature"])
        assert headers["User-Agent"] == "TwilioProxy/1.1"
        assert headers["I-Twilio-Idempotency-Token"]
        assert headers["Content-Type"].startswith("application/x-www-form-urlencoded")
        assert fields["MessageSid"] == fields["SmsSid"] == sent.sid
        assert fields["MessageStatus"] == fields["SmsStatus"] == status
        assert (fields["To"], fields["From"], fields["AccountSid"]) == (TO, FROM, ACCOUNT)
        assert fields["ApiVersion"] == "2010-04-01" and "ErrorCode" not in fields
        assert ("RawDlrDoneDate" in fields) == (status == "delivered")


def test_a_failure_has_its_code(simulator, receiver):
    client = simulator.client()
    sid = client.messages.create(to="+15005553003", from_=FROM, body="x",
                                 status_callback=receiver.url("/cb")).sid
    assert receiver.next()[2]["MessageStatus"] == "sent"
    fields = receiver.next()[2]
    assert (fields["MessageStatus"], fields["ErrorCode"]) == ("undelivered", "30003")
    fetched = client.messages(sid).fetch()
    assert (fetched.error_code, fetched.status) == (30003, "undelivered")


def test_a_service_starts_with_accepted_and_has_a_callback_for_queued(simulator, receiver):
    message = simulator.client().messages.create(to=TO, messaging_service_sid=SERVICE, body="x",
                                                 status_callback=receiver.url("/cb"))
    assert (message.status, message.from_, message.num_segments) == ("accepted", None, "0")
    callbacks = [receiver.next()[2] for _ in range(3)]
    assert [f["MessageStatus"] for f in callbacks] == ["queued", "sent", "delivered"]
    assert {f["MessagingServiceSid"] for f in callbacks} == {SERVICE}
    assert {f["From"] for f in callbacks} == {"+15145550111"}


def test_retries_keep_the_idempotency_token(simulator, receiver):
    for _ in range(2):
        receiver.statuses.put(503)
    simulator.client().messages.create(to="+15005555000", from_=FROM, body="x",
                                       status_callback=receiver.url("/cb#rc=3&rp=5xx"))
    tries = [receiver.next() for _ in range(3)]
    assert {t[2]["MessageStatus"] for t in tries} == {"sent"}
    assert len({t[1]["I-Twilio-Idempotency-Token"] for t in tries}) == 1


def test_callbacks_can_be_duplicated_missing_and_early(simulator, receiver):
    simulator.control("/sim/faults", {"callback": {"rate_double": 1}})
    client = simulator.client()
    client.messages.create(to=TO, from_=FROM, body="x", status_callback=receiver.url("/cb"))
    callbacks = [receiver.next()[2]["MessageStatus"] for _ in range(4)]
    assert callbacks == ["sent", "sent", "delivered", "delivered"]
    simulator.control("/sim/faults", {"callback": {"rate_missing": 1}})
    sid = client.messages.create(to=TO, from_=FROM, body="x",
                                 status_callback=receiver.url("/cb")).sid
    wait_for_status(client.messages(sid), "delivered")
    assert receiver.seen.empty()
    simulator.control("/sim/faults", {"callback": {}, "next": [{"kind": "early"}]})
    client.messages.create(to=TO, from_=FROM, body="x", status_callback=receiver.url("/cb"))
    assert not receiver.seen.empty()


def test_callbacks_can_be_reordered(simulator, receiver):
    simulator.control("/sim/faults", {"callback": {"rate_reorder": 0.5}, "seed": 3})
    client = simulator.client()
    orders = set()
    for _ in range(10):
        client.messages.create(to=TO, from_=FROM, body="x", status_callback=receiver.url("/cb"))
        orders.add(tuple(receiver.next()[2]["MessageStatus"] for _ in range(2)))
    assert ("delivered", "sent") in orders


def test_stop_blocks_and_start_unblocks(simulator, receiver):
    client = simulator.client()
    inbound = {"from": TO, "to": FROM, "url": receiver.url("/in")}
    said = json.loads(simulator.control("/sim/inbound", {**inbound, "body": " stop "}))
    assert said["status"] == 204
    path, headers, fields = receiver.next()
    assert RequestValidator(TOKEN).validate(receiver.url(path), fields,
                                            headers["X-Twilio-Signature"])
    assert fields["Body"] == " stop " and fields["SmsStatus"] == "received"
    assert fields["MessageSid"] == fields["SmsMessageSid"] == said["sid"]
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=TO, from_=FROM, body="x")
    assert refused.value.code == 21610
    simulator.control("/sim/inbound", {**inbound, "body": "START"})
    assert client.messages.create(to=TO, from_=FROM, body="x").status == "queued"


def test_a_full_queue_is_refused_with_21611(simulator):
    simulator.control("/sim/faults", {"senders": {FROM: {"queue_segments": 0}}})
    with pytest.raises(TwilioRestException) as refused:
        simulator.client().messages.create(to=TO, from_=FROM, body="x")
    assert refused.value.code == 21611


def test_control_requests_with_unknown_members_are_refused(simulator):
    with pytest.raises(urllib.error.HTTPError) as refused:
        simulator.control("/sim/faults", {"creates": {}})
    assert refused.value.code == 400
    assert "creates" in json.loads(refused.value.read())["error"]


@pytest.mark.parametrize("query, parameter", [("after=x", "after"), ("after=1x", "after"), ("after=-1", "after"),
                                             ("after=", "after"), ("limit=many", "limit")])
@pytest.mark.parametrize("records", ["messages", "calls", "requests", "call-requests"])
def test_a_parameter_that_is_not_a_number_is_refused(simulator, records, query, parameter):
    with pytest.raises(urllib.error.HTTPError) as refused:
        simulator.control(f"/sim/{records}?{query}")
    assert refused.value.code == 400
    assert json.loads(refused.value.read())["error"].startswith(f"{parameter} must be a number")


def test_the_duration_of_a_call_second_can_be_changed_until_a_reset(simulator):
    def call_second():
        return json.loads(simulator.control("/sim/health"))["call_second_ms"]

    assert call_second() == 20
    simulator.control("/sim/timing", {"call_second_ms": 1000})
    assert call_second() == 1000
    simulator.control("/sim/reset", {})
    assert call_second() == 20
    for body in ({}, {"call_second_ms": 0}, {"call_second_ms": 1000, "other": 1}):
        with pytest.raises(urllib.error.HTTPError) as refused:
            simulator.control("/sim/timing", body)
        assert refused.value.code == 400


def test_the_same_seed_gives_the_same_sids(simulator):
    client = simulator.client()
    runs = []
    for _ in range(2):
        simulator.control("/sim/reset", {"seed": 99})
        runs.append([client.messages.create(to=TO, from_=FROM, body="x").sid for _ in range(5)])
    assert runs[0] == runs[1]


def test_callbacks_go_beyond_loopback_only_with_the_flag(simulator):
    client = simulator.client()
    before = json.loads(simulator.control("/sim/health"))["callbacks_withheld"]
    sid = client.messages.create(to=TO, from_=FROM, body="x",
                                 status_callback="http://192.0.2.1/cb").sid
    wait_for_status(client.messages(sid), "delivered")
    health = json.loads(simulator.control("/sim/health"))
    assert health["callbacks_withheld"] == before + 2 and health["callbacks_waiting"] == 0
