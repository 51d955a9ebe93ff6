"""Validates requests and responses against Twilio's OpenAPI description: Prism is a proxy before the simulator and
turns every violation of severity Error, either way, into an error of its own (Q2).

Collected only with TOCSIN_TWILIO_OPENAPI and TOCSIN_NODE_MODULES: see conftest.py.
"""

import datetime
import http.server
import json
import threading

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient

from prism import Prism
from sim import FROM, SERVICE, TO, wait_for_status

HELLO = "<Response><Say>Hello.</Say></Response>"


class Watching(TwilioHttpClient):
    """Stores the violations of each request, including warnings."""

    def __init__(self):
        super().__init__(timeout=30)
        self.session.trust_env = False
        self.session.hooks["response"].append(self.record)
        self.violations, self.exchanges = [], 0

    def record(self, response, *_, **__):
        self.exchanges += 1
        violations = json.loads(response.headers.get("sl-violations", "[]"))
        self.violations += [(response.request.method, response.request.path_url, v) for v in violations]


@pytest.fixture(scope="module")
def base(simulator, tmp_path_factory):
    with Prism(simulator.base, tmp_path_factory.mktemp("prism")) as prism:
        yield prism.base


@pytest.fixture
def client(simulator, base):
    simulator.control("/sim/reset", {})
    made = simulator.client(base=base)
    made.http_client = Watching()
    yield made
    assert made.http_client.exchanges > 0
    errors = [v for v in made.http_client.violations if v[2].get("severity") == "Error"]
    assert errors == []


class Liar(http.server.BaseHTTPRequestHandler):
    """Returns a message with an invalid Sid."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"sid": "SM1", "status": "queued"}'
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_prism_detects_an_invalid_response(simulator, tmp_path):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Liar) as liar:
        threading.Thread(target=liar.serve_forever, daemon=True).start()
        with Prism(f"http://127.0.0.1:{liar.server_port}", tmp_path) as prism:
            with pytest.raises(TwilioRestException) as refused:
                simulator.client(base=prism.base).messages.create(to=TO, from_=FROM, body="x")
            assert refused.value.status == 500 and prism.errors()
        liar.shutdown()


def test_prism_detects_an_invalid_request(simulator, base):
    client = simulator.client(account="AC" + "x" * 32, base=base)
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=TO, from_=FROM, body="x")
    assert refused.value.status == 422


def test_messages_from_create_to_delete(client):
    sid = client.messages.create(to=TO, from_=FROM, body="caf\u00e9", validity_period=600,
                                 status_callback="http://127.0.0.1:9/cb").sid
    wait_for_status(client.messages(sid), "delivered")
    client.messages.create(to=TO, messaging_service_sid=SERVICE, body="x")
    client.messages.create(to=TO, from_=FROM, body="x", media_url=["https://a.example/1", "https://a.example/2"])
    client.messages.create(to="+15005553003", from_=FROM, body="x")
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    scheduled = client.messages.create(to=TO, messaging_service_sid=SERVICE, body="x", send_at=at,
                                       schedule_type="fixed").sid
    assert client.messages(scheduled).update(status="canceled").status == "canceled"
    assert len(client.messages.list(to=TO, page_size=2)) == 4
    client.messages.list(date_sent=at.date(), from_=FROM, limit=5)
    assert client.messages(sid).update(body="").body == ""
    assert client.messages(sid).delete()


def test_errors_of_messages_are_valid(client):
    for fields, code in (({"to": "+15005550001"}, 21211), ({"to": "+15005550004"}, 21610),
                         ({"to": TO, "body": "x" * 1601}, 21617)):
        with pytest.raises(TwilioRestException) as refused:
            client.messages.create(**{"from_": FROM, "body": "x", **fields})
        assert (refused.value.status, refused.value.code) == (400, code)
    with pytest.raises(TwilioRestException) as missing:
        client.messages("SM" + "0" * 32).fetch()
    assert (missing.value.status, missing.value.code) == (404, 20404)


def test_calls_from_create_to_delete(client):
    events = ["initiated", "ringing", "answered", "completed"]
    sid = client.calls.create(to=TO, from_=FROM, twiml=HELLO, status_callback="http://127.0.0.1:9/cb",
                              status_callback_event=events, machine_detection="Enable").sid
    ended = wait_for_status(client.calls(sid), "completed")
    assert ended.answered_by == "human"
    one = client.calls.create(to="+15005556486", from_=FROM, twiml=HELLO,
                              status_callback_event=["completed"]).sid
    wait_for_status(client.calls(one), "busy")
    ringing = client.calls.create(to="+15005556300", from_=FROM, url="http://127.0.0.1:9/t", timeout=600).sid
    wait_for_status(client.calls(ringing), "ringing")
    assert client.calls(ringing).update(status="canceled").status == "canceled"
    assert [call.sid for call in client.calls.list(page_size=2)] == [ringing, one, sid]
    assert client.calls.list(status="busy", start_time_after=ended.start_time.date())
    assert client.calls(sid).delete()


def test_errors_of_calls_are_valid(client):
    for number, code in (("+15005550001", 21217), ("+15005550003", 21215)):
        with pytest.raises(TwilioRestException) as refused:
            client.calls.create(to=number, from_=FROM, twiml=HELLO)
        assert (refused.value.status, refused.value.code) == (400, code)
