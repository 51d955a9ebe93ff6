"""docs/simulator-coverage.md lists the source and the test of each documented item. Compares it with the sources, the
tests, and the responses and webhooks of a running simulator."""

import json
import pathlib
import re
import urllib.error
import urllib.request

import pytest

from sim import ACCOUNT, FROM, SERVICE, TO, TOKEN, wait_for_status

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[2]
SOURCES = ROOT / "tools/twilio-sim"
CODES = ROOT / "tests/data/twilio-error-codes.txt"
SIMULATOR_FLAGS = ("--call-second", "10")
GATHER = '<Response><Gather action="/gather" timeout="5"><Say>Press.</Say></Gather></Response>'


def sections():
    """Title -> rows of three cells."""
    found = {}
    for part in (ROOT / "docs/simulator-coverage.md").read_text().split("\n## ")[1:]:
        lines = [line for line in part.splitlines() if line.startswith("| ")]
        found[part.splitlines()[0]] = [line.strip("| ").split(" | ") for line in lines[2:]]
    return found


def rows():
    return [row for section in sections().values() for row in section]


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def documented(title):
    return {name for row in sections()[title] for name in names(row[0])}


def contains(text, name):
    """As a word, or, for a name that the source composes, as each of its words."""
    return re.search(rf"(?<!\w){re.escape(name.rstrip('<>'))}(?!\w)", text) or all(
        f'"{word}"' in text for word in re.findall("[A-Z][a-z]+", name) or [name])


def codes(text):
    return set(map(int, re.findall(r"\b\d{5}\b", text)))


def test_every_test_of_the_tables_exists():
    assert len(rows()) > 90
    for what, _, seen_by in rows():
        assert names(seen_by), what
        for test in names(seen_by):
            file, name = test.split("::")
            assert re.search(rf"\b{name}\b", (HERE / file).read_text()), test


def test_the_sources_of_the_tables_contain_the_names():
    for what, produced_in, _ in rows():
        text = "".join((SOURCES / file).read_text() for file in names(produced_in))
        for name in names(what):
            assert contains(text, name), (name, produced_in)
        assert codes(what) <= codes(text), produced_in


@pytest.mark.parametrize("title, source, array", [
    ("Statuses of a message", "messages/message_status.h", "kStatusNames"), ("Statuses of a call", "voice/call.h", "kCallStatusNames")])
def test_every_status_of_the_sources_is_in_the_tables(title, source, array):
    listed = re.search(rf"{array} = \{{(.*?)\}};", (SOURCES / source).read_text(), re.DOTALL)[1]
    assert set(re.findall(r'"([\w-]+)"', listed)) == documented(title)


def test_every_code_is_in_the_tables():
    known = codes("".join(line for line in CODES.read_text().splitlines(True) if not line.startswith("#")))
    used = codes(re.sub(r"//.*", "", (SOURCES / "api/api_errors.cpp").read_text()))
    in_tables = codes(" ".join(row[0] for row in sections()["Codes"]))
    assert known <= in_tables
    assert used <= in_tables


def fetched(simulator, path):
    """The members of the JSON that a GET returns."""
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, simulator.base, ACCOUNT, TOKEN, is_authenticated=True)
    opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(passwords))
    try:
        with opener.open(f"{simulator.base}/2010-04-01/Accounts/{ACCOUNT}/{path}") as response:
            return set(json.load(response))
    except urllib.error.HTTPError as refused:
        return set(json.load(refused))


def received(receiver, count):
    """The parameters of `count` webhooks: path -> names."""
    seen = {}
    for _ in range(count):
        path, _, fields = receiver.next()
        seen.setdefault(path, set()).update(fields)
    return seen


def posted_of_messages(simulator, receiver):
    client = simulator.client()
    simulator.control("/sim/services", {"sid": SERVICE, "numbers": ["+15145550111"], "advanced_opt_out": True})
    for to in (TO, "+15005553003"):
        client.messages.create(to=to, messaging_service_sid=SERVICE, body="x", status_callback=receiver.url("/status"))
    simulator.control("/sim/inbound", {"from": TO, "to": "+15145550111", "body": "HELP", "url": receiver.url("/in")})
    return received(receiver, 7)


def posted_of_calls(simulator, receiver):
    client = simulator.client()
    receiver.documents |= {"/twiml": GATHER, "/gather": "nonsense", "/fallback": "<Response/>"}
    simulator.control("/sim/phones", {TO: {"keys": ["42#"]}})
    create = {"to": TO, "from_": FROM, "url": receiver.url("/twiml"), "machine_detection": "Enable"}
    client.calls.create(**create, async_amd="true", async_amd_status_callback=receiver.url("/amd"))
    seen = received(receiver, 3)
    client.calls.create(**create, fallback_url=receiver.url("/fallback"), status_callback=receiver.url("/status"),
                        status_callback_event=["initiated", "ringing", "answered", "completed"])
    return seen | received(receiver, 7)


def test_the_fields_are_exactly_these(simulator, receiver):
    client = simulator.client()
    message = client.messages.create(to=TO, from_=FROM, body="x").sid
    call = client.calls.create(to=TO, from_=FROM, twiml="<Response/>").sid
    wait_for_status(client.calls(call), "completed")
    assert fetched(simulator, f"Messages/{message}.json") == documented("Fields of a message")
    assert fetched(simulator, f"Calls/{call}.json") == documented("Fields of a call")
    lists = fetched(simulator, "Messages.json") | fetched(simulator, "Calls.json")
    assert lists == documented("Fields of a list")
    assert fetched(simulator, "Calls/none.json") == documented("Fields of an error")

    posted = posted_of_messages(simulator, receiver)
    assert posted["/status"] == documented("Fields of a message's status callback")
    assert posted["/in"] == documented("Fields of an inbound message")

    posted = posted_of_calls(simulator, receiver)
    assert posted["/status"] == documented("Fields of a call's status callback")
    further = (posted["/gather"] | posted["/fallback"]) - posted["/twiml"]
    assert further == documented("Further parameters of requests for TwiML")
    assert posted["/amd"] == documented("Fields of asynchronous machine detection")
