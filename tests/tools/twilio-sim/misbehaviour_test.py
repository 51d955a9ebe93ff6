"""Injected faults, as seen by a client and by a receiver of webhooks (Q2)."""

import base64
import http.client
import json
import pathlib
import socket
import time
import urllib.parse

import pytest
from twilio.base.exceptions import TwilioRestException

from sim import ACCOUNT, FROM, TO, TOKEN, Simulator, free_port, wait_for_status, wait_until

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
FORM = urllib.parse.urlencode({"To": TO, "From": FROM, "Body": "x"})
HEADERS = {"Authorization": "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode(),
           "Content-Type": "application/x-www-form-urlencoded"}
HELLO = "<Response><Say>Hello.</Say></Response>"
CODES = pathlib.Path(__file__).parents[2] / "data/twilio-error-codes.txt"
LATE_MS = 300
pytestmark = pytest.mark.usefixtures("clean")


class Kept:
    """One connection for all requests until it is closed."""

    def __init__(self, simulator):
        self.connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=30)

    def post(self):
        """Status and body of the response, or the name of the failure."""
        try:
            self.connection.request("POST", MESSAGES, FORM, HEADERS)
            response = self.connection.getresponse()
            return response.status, response.read().decode()
        except (http.client.RemoteDisconnected, ConnectionResetError) as fault:
            return type(fault).__name__, ""


@pytest.mark.parametrize("kind, seen, accepted", [
    ("429", 429, False), ("500", 500, False), ("500_after", 500, True), ("503_html", 503, False),
    ("502_html_after", 502, True), ("reset_before", "ConnectionResetError", False),
    ("reset_after", "ConnectionResetError", True), ("timeout_before", "ConnectionResetError", False),
    ("timeout_after", "ConnectionResetError", True), ("close_reused", "RemoteDisconnected", False),
    ("close_reused_after", "RemoteDisconnected", True), ("slow", 201, True), ("slow_bytes", 201, True),
    ("early", 201, True)])
def test_each_create_fault_has_its_effect(simulator, kind, seen, accepted):
    client = Kept(simulator)
    assert client.post()[0] == 201
    simulator.control("/sim/faults", {"create": {"hold_ms": 50, "slow_ms": 50, "early_ms": 50},
                                      "next": [{"kind": kind}]})
    status, text = client.post()
    assert status == seen
    assert ("<html>" in text) == ("html" in kind)
    book = simulator.lines("/sim/requests")[-1]
    assert (book["fault"], book["accepted"]) == (kind, accepted)
    assert len(simulator.lines("/sim/messages")) == 1 + accepted
    assert Kept(simulator).post()[0] == 201


def test_a_rate_limit_can_have_retry_after(simulator):
    simulator.control("/sim/faults", {"next": [{"kind": "429", "retry_after": 3}]})
    with pytest.raises(TwilioRestException) as refused:
        simulator.client().messages.create(to=TO, from_=FROM, body="x")
    assert (refused.value.status, refused.value.code) == (429, 20429)
    simulator.control("/sim/faults", {"next": [{"kind": "429", "retry_after": 3}]})
    client = Kept(simulator).connection
    client.request("POST", MESSAGES, FORM, HEADERS)
    assert client.getresponse().headers["Retry-After"] == "3"


def test_a_new_connection_is_not_closed(simulator):
    simulator.control("/sim/faults", {"create": {"rate_close_reused": 1}})
    client = Kept(simulator)
    assert client.post()[0] == 201
    assert client.post()[0] == "RemoteDisconnected"
    assert client.post()[0] == 201


def test_slow_bytes_arrive_in_pieces_and_are_complete(simulator):
    simulator.control("/sim/faults", {"create": {"slow_ms": 1000}, "next": [{"kind": "slow_bytes"}]})
    lines = [f"POST {MESSAGES} HTTP/1.1", "Host: x", f"Content-Length: {len(FORM)}",
             *(f"{name}: {value}" for name, value in HEADERS.items()), "", FORM]
    with socket.create_connection(("127.0.0.1", simulator.port), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode())
        pieces = [connection.recv(65536)]
        while not pieces[-1].endswith(b"}"):
            pieces.append(connection.recv(65536))
    assert len(pieces) > 1
    assert json.loads(b"".join(pieces).partition(b"\r\n\r\n")[2])["status"] == "queued"


def test_delayed_callbacks_arrive_later(simulator, receiver):
    simulator.control("/sim/faults", {"callback": {"delay_ms": LATE_MS}})
    simulator.client().messages.create(to=TO, from_=FROM, body="x", status_callback=receiver.url("/cb"))
    for status in ("sent", "delivered"):
        assert receiver.next()[2]["MessageStatus"] == status
        arrived_us = time.time() * 1e6
        history = {step["status"]: step["at_us"] for step in simulator.lines("/sim/messages")[-1]["history"]}
        assert arrived_us - history[status] >= LATE_MS * 1000


def test_a_lagging_list_omits_what_can_be_fetched(simulator):
    simulator.control("/sim/faults", {"list": {"lag_ms": 3_600_000}})
    client = simulator.client()
    message = client.messages.create(to=TO, from_=FROM, body="x").sid
    call = client.calls.create(to=TO, from_=FROM, twiml=HELLO).sid
    assert client.messages.list(to=TO) == [] and client.calls.list(to=TO) == []
    assert client.messages(message).fetch().sid == message and client.calls(call).fetch().sid == call
    simulator.control("/sim/faults", {"list": {"lag_ms": 1}})
    assert [seen.sid for seen in wait_until(lambda: client.messages.list(to=TO))] == [message]
    assert [seen.sid for seen in wait_until(lambda: client.calls.list(to=TO))] == [call]


def test_the_price_is_available_after_the_end(simulator):
    client = simulator.client()
    made = client.messages.create(to=TO, from_=FROM, body="x" * 200)
    assert made.price is None
    assert wait_until(lambda: client.messages(made.sid).fetch().price) == "-0.01660"
    unsent = client.messages.create(to="+15005554003", from_=FROM, body="x").sid
    assert wait_for_status(client.messages(unsent), "failed").price is None


@pytest.mark.parametrize("overrides, attempts", [("", 2), ("#rc=3", 4), ("#rc=0", 1), ("#rc=2&rp=5xx", 1)])
def test_a_refused_connection_is_retried_by_the_overrides(simulator, overrides, attempts):
    before = json.loads(simulator.control("/sim/health"))["callback_attempts"]
    simulator.client().messages.create(to="+15005555000", from_=FROM, body="x",
                                       status_callback=f"http://127.0.0.1:{free_port()}/cb{overrides}")
    wait_until(lambda: simulator.lines("/sim/messages")[-1]["status"] == "sent")
    wait_until(lambda: json.loads(simulator.control("/sim/health"))["callbacks_waiting"] == 0)
    assert json.loads(simulator.control("/sim/health"))["callback_attempts"] - before == attempts


@pytest.mark.parametrize("overrides, attempts", [("", 1), ("#rp=4xx", 2), ("#rp=5xx", 1), ("#rc=2&rp=all", 3)])
def test_an_error_response_is_retried_only_by_the_overrides(simulator, receiver, overrides, attempts):
    for _ in range(attempts):
        receiver.statuses.put(404)
    simulator.client().messages.create(to="+15005555000", from_=FROM, body="x",
                                       status_callback=receiver.url("/cb" + overrides))
    callbacks = [receiver.next() for _ in range(attempts)]
    assert len({headers["I-Twilio-Idempotency-Token"] for _, headers, _ in callbacks}) == 1
    wait_until(lambda: json.loads(simulator.control("/sim/health"))["callbacks_waiting"] == 0)
    assert receiver.seen.empty()


def known_codes():
    return [int(line.split()[0]) for line in CODES.read_text().splitlines() if not line.startswith("#")]


def test_every_code_can_refuse_a_create(simulator):
    client = simulator.client()
    for code in known_codes():
        simulator.control("/sim/faults", {"next": [{"kind": "refuse", "code": code}]})
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(to=TO, from_=FROM, body="x")
        assert refused.value.code == code and refused.value.status >= 400
        assert "The request was refused" not in refused.value.msg, f"{code} has no text of its own"


def test_every_code_can_end_a_message(simulator):
    client, sids = simulator.client(), {}
    for code in known_codes():
        number = f"+15145{code:06}"
        simulator.control("/sim/faults", {"outcomes": {number: {"status": "undelivered", "code": code}}})
        sids[code] = client.messages.create(to=number, from_=FROM, body="x").sid
    for code, sid in sids.items():
        ended = wait_for_status(client.messages(sid), "undelivered")
        assert ended.error_code == code and ended.error_message


def test_the_number_of_kept_messages_and_calls_is_limited(tmp_path):
    simulator = Simulator(tmp_path, "--keep", "3", "--keep-calls", "2")
    client = simulator.client()
    messages = [client.messages.create(to=TO, from_=FROM, body="x").sid for _ in range(5)]
    calls = [client.calls.create(to=TO, from_=FROM, twiml=HELLO).sid for _ in range(5)]
    assert [message.sid for message in client.messages.list()] == messages[:1:-1]
    assert [call.sid for call in client.calls.list()] == calls[:2:-1]
    for fetch in (client.messages(messages[0]).fetch, client.calls(calls[0]).fetch):
        with pytest.raises(TwilioRestException) as gone:
            fetch()
        assert gone.value.status == 404
    health = json.loads(simulator.control("/sim/health"))
    assert (health["messages_dropped"], health["calls_dropped"]) == (2, 3)
    wait_for_status(client.calls(calls[-1]), "completed")
    simulator.stop()
