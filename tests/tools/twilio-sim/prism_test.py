"""Twilio's OpenAPI description judges requests and answers: Prism stands between client and simulator and
turns every violation of severity Error, either way, into an error of its own (Q2).

Collected only with TOCSIN_TWILIO_OPENAPI and TOCSIN_NODE_MODULES: see conftest.py.
"""

import datetime
import json
import os
import pathlib
import socket
import subprocess
import sys
import time

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from sim import FROM, SERVICE, TO, Simulator, wait_for_status

READY_LIMIT = 120  # seconds; Prism alone takes ten of them
HELLO = "<Response><Say>Hello.</Say></Response>"


def patched(description):
    """Mends three faults of the description that make correct traffic look wrong: repeated parameters without
    their encoding, filters by date typed as date-times, relative page addresses typed as absolute ones."""
    def walk(node):
        if isinstance(node, dict):
            if node.get("format") in ("uri", "date-time") and node.get("type") == "string":
                del node["format"]
            for kind, content in list(node.items()):
                if kind == "application/x-www-form-urlencoded" and "schema" in content:
                    for name, schema in content["schema"].get("properties", {}).items():
                        if schema.get("type") == "array":
                            content.setdefault("encoding", {})[name] = {"style": "form", "explode": True}
                walk(content)
        elif isinstance(node, list):
            for item in node:
                walk(item)
    walk(description)
    return description


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Watching(TwilioHttpClient):
    """Keeps what Prism says of each exchange, warnings included."""

    def __init__(self):
        super().__init__(timeout=30)
        self.session.trust_env = False
        self.session.hooks["response"].append(self.note)
        self.violations, self.exchanges = [], 0

    def note(self, answer, *_, **__):
        self.exchanges += 1
        told = json.loads(answer.headers.get("sl-violations", "[]"))
        self.violations += [(answer.request.method, answer.request.path_url, v) for v in told]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    running = Simulator(tmp_path_factory.mktemp("sim"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def base(simulator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prism")
    description = patched(json.loads(pathlib.Path(os.environ["TOCSIN_TWILIO_OPENAPI"]).read_text()))
    (folder / "twilio.json").write_text(json.dumps(description))
    port = free_port()
    log = (folder / "log").open("w")
    prism = subprocess.Popen(
        [os.environ["TOCSIN_NODE_MODULES"] + "/.bin/prism", "proxy", "-h", "127.0.0.1", "-p", str(port),
         "--errors", str(folder / "twilio.json"), simulator.base], stdout=log, stderr=log)
    until = time.monotonic() + READY_LIMIT
    while True:
        assert prism.poll() is None and time.monotonic() < until, (folder / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}"
    prism.terminate()
    prism.wait(timeout=30)


@pytest.fixture
def client(simulator, base):
    simulator.control("/sim/reset", {})
    made = simulator.client(base=base)
    made.http_client = Watching()
    yield made
    assert made.http_client.exchanges > 0
    errors = [v for v in made.http_client.violations if v[2].get("severity") == "Error"]
    assert errors == []


def test_prism_sees_what_is_wrong(simulator, base):
    """The judge is awake: a resource without its Sid's shape is an error to it."""
    client = simulator.client(account="AC" + "x" * 32, base=base)
    with pytest.raises(TwilioRestException) as refused:
        client.messages.create(to=TO, from_=FROM, body="x")
    assert refused.value.status in (422, 500)


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


def test_refused_messages_are_twilios_errors_through_prism(client):
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


def test_refused_calls_are_twilios_errors_through_prism(client):
    for number, code in (("+15005550001", 21217), ("+15005550003", 21215)):
        with pytest.raises(TwilioRestException) as refused:
            client.calls.create(to=number, from_=FROM, twiml=HELLO)
        assert (refused.value.status, refused.value.code) == (400, code)
