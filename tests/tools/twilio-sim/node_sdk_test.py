"""Twilio's official Node SDK against the simulator (Q2): create, fetch, paged lists, errors as exceptions,
and its validation of the simulator's webhooks. Collected only with TOCSIN_NODE_MODULES: see conftest.py."""

import json
import os
import pathlib
import subprocess

from sim import ACCOUNT, FROM, TO, TOKEN

HERE = pathlib.Path(__file__).parent
RUN_LIMIT = 120  # seconds


def node(*arguments, text=""):
    environment = {**os.environ, "NODE_PATH": os.environ["TOCSIN_NODE_MODULES"], "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(["node", str(HERE / "node_sdk.js"), *arguments], input=text, env=environment,
                          capture_output=True, text=True, timeout=RUN_LIMIT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_node_sdk_creates_fetches_lists_and_gets_errors(simulator):
    seen = json.loads(node(simulator.base, ACCOUNT, TOKEN, FROM, TO))
    assert seen["listed"] == seen["sids"][::-1]
    assert seen["calls"] == [seen["callSid"]]
    assert seen["dateSentIsDate"] and int(seen["callDuration"]) >= 1
    refused = {"noBody": (400, 21602), "optedOut": (400, 21610), "unreachable": (400, 21214),
               "wrongToken": (401, 20003), "unknownSid": (404, 20404)}
    for name, (status, code) in refused.items():
        assert seen[name] == {"name": "RestException", "status": status, "code": code}, name


def test_the_node_sdk_validates_the_webhooks(simulator, receiver):
    url = receiver.url("/cb?x=%2F&y=a+b")
    client = simulator.client()
    client.messages.create(to=TO, from_=FROM, body="x", status_callback=url)
    client.calls.create(to=TO, from_=FROM, twiml="<Response/>", status_callback=url)
    seen = [receiver.next() for _ in range(3)]
    cases = []
    for path, headers, fields in seen:
        case = {"token": TOKEN, "signature": headers["X-Twilio-Signature"], "url": receiver.url(path),
                "fields": fields}
        cases += [case, {**case, "token": "x"}, {**case, "fields": {**fields, "To": "+1"}}]
    results = node("validate", text="\n".join(map(json.dumps, cases)) + "\n").split()
    assert results == ["true", "false", "false"] * 3
