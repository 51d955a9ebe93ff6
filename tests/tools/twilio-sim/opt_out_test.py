"""STOP, START and HELP; queues and rates of senders and accounts; rotation of tokens; access to /sim/ (Q2)."""

import json
import urllib.error
import urllib.request

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from sim import ACCOUNT, FROM, SERVICE, TO, TOKEN, Simulator, wait_for_status

POOLED = "+15145550111"
TOLL_FREE = "+18885550111"
SUBACCOUNT = "AC" + "9" * 32
OWN = {"to": TO, "from_": FROM, "body": "x"}
HELLO = "<Response><Say>Hello.</Say></Response>"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):  # with a token file for a second account
    folder = tmp_path_factory.mktemp("sim")
    (folder / "other").write_text("other-token\n")
    running = Simulator(folder, "--number", TOLL_FREE, "--account", SUBACCOUNT, "--auth-token-file",
                        str(folder / "other"), "--number", f"{SUBACCOUNT}:+15145550177")
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def clean(simulator):
    simulator.control("/sim/reset", {})
    simulator.control("/sim/services", {"sid": SERVICE, "numbers": [POOLED]})


def inbound(simulator, receiver, body, to=FROM):
    result = json.loads(simulator.control("/sim/inbound", {"from": TO, "to": to, "body": body,
                                                         "url": receiver.url("/in")}))
    return result, receiver.next()[2]


def refusal(create):
    with pytest.raises(TwilioRestException) as refused:
        create()
    return refused.value.status, refused.value.code


def test_stop_start_and_help_get_replies_and_webhooks_without_a_type(simulator, receiver):
    for body, reply in (("stop", "START"), (" Help ", "STOP"), ("UNSTOP", "re-subscribed")):
        result, fields = inbound(simulator, receiver, body)
        assert reply in result["twilio_answer"] and "OptOutType" not in fields
        assert fields["Body"] == body
    result, _ = inbound(simulator, receiver, "stop it")
    assert result["twilio_answer"] is None


def test_stop_to_one_number_does_not_affect_others(simulator, receiver):
    inbound(simulator, receiver, "STOP")
    client = simulator.client()
    assert refusal(lambda: client.messages.create(to=TO, from_=FROM, body="x")) == (400, 21610)
    assert client.messages.create(to=TO, from_=POOLED, body="x").status == "queued"


def test_stop_to_a_number_of_a_service_blocks_the_service(simulator, receiver):
    _, fields = inbound(simulator, receiver, "STOP", to=POOLED)
    assert fields["MessagingServiceSid"] == SERVICE and "OptOutType" not in fields
    client = simulator.client()
    create = {"to": TO, "messaging_service_sid": SERVICE, "body": "x"}
    assert refusal(lambda: client.messages.create(**create)) == (400, 21610)
    inbound(simulator, receiver, "START", to=POOLED)
    assert client.messages.create(**create).status == "accepted"


def test_advanced_opt_out_sends_the_type_and_fails_later(simulator, receiver):
    simulator.control("/sim/services", {"sid": SERVICE, "numbers": [POOLED], "advanced_opt_out": True})
    for body, kind in (("help", "HELP"), ("quit", "STOP")):
        assert inbound(simulator, receiver, body, to=POOLED)[1]["OptOutType"] == kind
    client = simulator.client()
    message = client.messages.create(to=TO, messaging_service_sid=SERVICE, body="x",
                                     status_callback=receiver.url("/cb"))
    assert message.status == "accepted" and message.error_code is None
    assert receiver.next()[2]["MessageStatus"] == "queued"
    fields = receiver.next()[2]
    assert (fields["MessageStatus"], fields["ErrorCode"]) == ("failed", "21610")
    assert inbound(simulator, receiver, "START", to=POOLED)[1]["OptOutType"] == "START"
    sid = client.messages.create(to=TO, messaging_service_sid=SERVICE, body="x").sid
    wait_for_status(client.messages(sid), "delivered")


def test_stop_to_a_toll_free_number_is_managed_by_the_carrier(simulator, receiver):
    inbound(simulator, receiver, "STOP", to=TOLL_FREE)
    client = simulator.client()
    sid = client.messages.create(to=TO, from_=TOLL_FREE, body="x").sid
    assert wait_for_status(client.messages(sid), "undelivered").error_code == 30004
    inbound(simulator, receiver, "YES", to=TOLL_FREE)
    sid = client.messages.create(to=TO, from_=TOLL_FREE, body="x").sid
    assert wait_for_status(client.messages(sid), "undelivered").error_code == 30004
    inbound(simulator, receiver, "UNSTOP", to=TOLL_FREE)
    sid = client.messages.create(to=TO, from_=TOLL_FREE, body="x").sid
    wait_for_status(client.messages(sid), "delivered")


def test_an_inbound_message_is_posted_to_the_url_of_its_number(simulator, receiver):
    simulator.control("/sim/numbers", {"numbers": [FROM], "sms_url": receiver.url("/mine")})
    simulator.control("/sim/inbound", {"from": TO, "to": FROM, "body": "ACK 1234"})
    assert receiver.next()[0] == "/mine"
    with pytest.raises(urllib.error.HTTPError) as refused:
        simulator.control("/sim/inbound", {"from": TO, "to": POOLED, "body": "ACK"})
    assert refused.value.code == 400


def test_a_full_queue_of_a_service_is_reported_later(simulator, receiver):
    simulator.control("/sim/faults", {"senders": {POOLED: {"queue_segments": 0}}})
    client = simulator.client()
    sid = client.messages.create(to=TO, messaging_service_sid=SERVICE, body="x").sid
    assert wait_for_status(client.messages(sid), "failed").error_code == 30001


def test_with_twilios_limits_a_long_code_sends_one_segment_per_second(simulator):
    simulator.control("/sim/faults", {"limits": "twilio"})
    client = simulator.client()
    sids = [client.messages.create(to=TO, from_=FROM, body="x" * 1600).sid for _ in range(2)]
    wait_for_status(client.messages(sids[0]), "delivered")
    assert client.messages(sids[1]).fetch().status == "queued"
    short = client.messages.create(to=TO, from_=FROM, body="x", validity_period=1).sid
    assert wait_for_status(client.messages(short), "failed").error_code == 30036


def test_a_call_is_refused_if_the_call_queue_is_longer_than_a_day(simulator):
    simulator.control("/sim/faults", {"senders": {ACCOUNT: {"segments_per_second": 0.001,
                                                            "queue_segments": 2.5}}})
    client = simulator.client()
    calls = [client.calls.create(to=TO, from_=FROM, twiml=HELLO) for _ in range(2)]
    assert refusal(lambda: client.calls.create(to=TO, from_=FROM, twiml=HELLO)) == (429, 22005)
    wait_for_status(client.calls(calls[0].sid), "completed")
    assert client.calls(calls[1].sid).fetch().status == "queued"
    other = simulator.client(account=SUBACCOUNT, token="other-token")
    assert other.calls.create(to=TO, from_="+15145550177", twiml=HELLO).status == "queued"


def rotate(simulator, path, token, method="POST"):
    from base64 import b64encode
    credentials = b64encode(f"{ACCOUNT}:{token}".encode()).decode()
    request = urllib.request.Request(simulator.base + path, method=method, data=b"",
                                     headers={"Authorization": f"Basic {credentials}"})
    with urllib.request.urlopen(request) as response:
        return json.loads(response.read() or "null")


def test_tokens_rotate_without_a_gap(tmp_path, receiver):
    simulator = Simulator(tmp_path)
    create = {"to": TO, "from_": FROM, "body": "x", "status_callback": receiver.url("/cb")}

    def signed_by():
        path, headers, fields = receiver.next()
        receiver.next()
        return [token for token in (TOKEN, second) if RequestValidator(token).validate(
            receiver.url(path), fields, headers["X-Twilio-Signature"])]

    second = rotate(simulator, "/v1/AuthTokens/Secondary", TOKEN)["secondary_auth_token"]
    assert len(second) == 32
    for token in (TOKEN, second):
        simulator.client(token=token).messages.create(**create)
        assert signed_by() == [TOKEN]
    assert rotate(simulator, "/v1/AuthTokens/Promote", second)["auth_token"] == second
    assert refusal(lambda: simulator.client().messages.create(**create)) == (401, 20003)
    simulator.client(token=second).messages.create(**create)
    assert signed_by() == [second]
    rotate(simulator, "/v1/AuthTokens/Secondary", second)
    assert rotate(simulator, "/v1/AuthTokens/Secondary", second, "DELETE") is None
    with pytest.raises(urllib.error.HTTPError) as missing:
        rotate(simulator, "/v1/AuthTokens/Promote", second)
    assert missing.value.code == 404
    simulator.stop()


def test_accounts_are_isolated(simulator):
    client, other = simulator.client(), simulator.client(account=SUBACCOUNT, token="other-token")
    sid = client.messages.create(to=TO, from_=FROM, body="x").sid
    assert refusal(lambda: other.messages(sid).fetch()) == (404, 20404)
    assert refusal(lambda: client.messages.create(to=TO, from_="+15145550177", body="x")) == (400, 21660)
    assert refusal(lambda: simulator.client(account=SUBACCOUNT).messages.create(**OWN)) == (401, 20003)


def fetched(simulator, path, **headers):
    with urllib.request.urlopen(urllib.request.Request(simulator.base + path, headers=headers)) as response:
        return response.headers, response.read().decode()


def test_the_page_allows_only_its_own_script(simulator):
    headers, html = fetched(simulator, "/sim/")
    assert headers["Content-Type"].startswith("text/html")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self'" in policy and "unsafe" not in policy
    assert "<script>" not in html and " onclick" not in html
    _, script = fetched(simulator, "/sim/page.js")
    for maker_of_html in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert maker_of_html not in script


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Origin": "null"},
                                     {"Host": "evil.example"}])
def test_requests_of_other_sites_are_refused(simulator, headers):
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetched(simulator, "/sim/messages", **headers)
    assert refused.value.code == 403
