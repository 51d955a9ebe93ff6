"""Twilio's signature guards every route: the official vectors, the official SDK, and what is tampered with. W1, W4."""

import hashlib
import json
import os
import pathlib
import secrets
import socket
import subprocess
import urllib.parse
import uuid

import pytest

import api
import ledger
import poll
import stack as stacks

VECTORS = json.loads((stacks.ROOT / "tests/data/twilio-signature-vectors.json").read_text())
VENV = pathlib.Path(os.environ.get("TOCSIN_TEST_VENV", stacks.ROOT / "build/venv"))
STATUS, INBOUND, ALIAS = "/twilio/sms/status", "/twilio/sms/inbound", "/relay/twilio/webhook"
FORM = "application/x-www-form-urlencoded"
OTHER_ACCOUNT, OTHER_TOKEN = "AC" + secrets.token_hex(16), secrets.token_hex(16)
ANSWER_BYTES = 65536
# Runs in the Python of the folder that has Twilio's SDK: a line with token, URL and pairs, a line with the signature.
SIGN = """
import json, sys
from twilio.request_validator import RequestValidator

class Pairs(list):  # as Flask gives a form: names may be repeated
    def __iter__(self):
        return iter([name for name, _ in self[:]])
    def getall(self, wanted):
        return [value for name, value in self[:] if name == wanted]

for line in sys.stdin:
    token, url, pairs = json.loads(line)
    print(RequestValidator(token).compute_signature(url, Pairs(map(tuple, pairs))), flush=True)
"""


class Sdk:
    """Twilio's own signer, in a process of its own for as long as the tests of this file run."""

    def __init__(self):
        python = VENV / "bin/python"
        assert python.exists(), f"{python} is missing: scripts/test makes it, TOCSIN_TEST_VENV names another"
        self._process = subprocess.Popen([python, "-c", SIGN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def sign(self, token, url, pairs):
        print(json.dumps([token, url, pairs]), file=self._process.stdin, flush=True)
        signature = self._process.stdout.readline().strip()
        assert signature, "Twilio's SDK gave no signature"
        return signature

    def close(self):
        self._process.communicate()


def encoded(pairs):
    return urllib.parse.urlencode([tuple(pair) for pair in pairs]).encode()


def status_pairs(account):
    return [["AccountSid", account], ["MessageSid", "SM" + uuid.uuid4().hex], ["MessageStatus", "delivered"],
            ["To", "+15145550123"], ["From", stacks.MAIN_NUMBER]]


class Door:
    """The ingress as Twilio meets it."""

    def __init__(self, stack, sdk):
        self._sdk = sdk
        self.base = stack.env["TOCSIN_PUBLIC_BASE_URL"]
        self.address = stack.env["TOCSIN_INGRESS_HTTP"].rsplit(":", 1)
        self.account = stack.env["TOCSIN_TWILIO_ACCOUNT_SID"]
        self.token = pathlib.Path(stack.env["TOCSIN_TWILIO_AUTH_TOKEN_FILE"]).read_text()

    def sign(self, target, pairs, token=None):
        return self._sdk.sign(token or self.token, self.base + target, pairs)

    # By hand, for the target must arrive as it was signed, byte for byte.
    def ask(self, target, body=b"", signature=None, method="POST", content_type=FORM):
        """The status of one request."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {':'.join(self.address)}", f"Content-Type: {content_type}",
                 f"Content-Length: {len(body)}", "Connection: close"]
        lines += [] if signature is None else [f"X-Twilio-Signature: {signature}"]
        with socket.create_connection((self.address[0], int(self.address[1])), stacks.HTTP_SECONDS) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            answer = connection.recv(ANSWER_BYTES)
        return int(answer.split(b" ", 2)[1])

    def post(self, target, pairs, **more):
        """Signs and sends what is signed."""
        more.setdefault("signature", self.sign(target, pairs))
        return self.ask(target, encoded(pairs), **more)


@pytest.fixture(scope="module")
def door(stack):
    token_file = stack.state / "secrets" / "other-token"
    token_file.write_text(OTHER_TOKEN)
    stack.change_registry(lambda text: text.replace(
        "accounts:\n", f'accounts:\n  - {{sid: {OTHER_ACCOUNT}, auth_token_file: "{token_file}"}}\n', 1))
    sdk = Sdk()
    door = Door(stack, sdk)
    pairs = status_pairs(OTHER_ACCOUNT)
    signature = door.sign(STATUS, pairs, OTHER_TOKEN)
    poll.until("the ingress knows the other account", lambda: door.post(STATUS, pairs, signature=signature) == 204)
    yield door
    sdk.close()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_command_line_judges_a_signature_as_twilio_does(tmp_path, vector):
    token = tmp_path / "token"
    token.write_text(vector["auth_token"])
    kind, content = ("--json", vector["body"]) if vector["body"] is not None else ("--form", vector["form"])
    body = tmp_path / "body"
    body.write_bytes(content.encode())
    judged = subprocess.run([stacks.BIN / "tocsin", "webhook", "verify", "--token-file", token, "--url", vector["url"],
                             kind, body, "--signature", vector["signature"]], capture_output=True, timeout=30,
                            check=False)
    assert judged.returncode == (0 if vector["valid"] else 1), judged


@pytest.mark.parametrize("target", [STATUS, f"{STATUS}/not-a-token-of-ours", ALIAS])
def test_what_twilio_signed_is_taken(door, target):
    assert door.post(target, status_pairs(door.account)) == 204


def test_an_inbound_message_that_twilio_signed_is_answered_with_twiml(door):  # S7
    pairs = [["AccountSid", door.account], ["MessageSid", "SM" + uuid.uuid4().hex], ["SmsStatus", "received"],
             ["From", "+15145550123"], ["To", stacks.MAIN_NUMBER], ["Body", "Hola 👋 – ça va? 100% & more=+1\r\n"],
             ["NumMedia", "0"], ["FromCity", ""]]
    assert door.post(INBOUND, pairs) == 200


# The parameters of the vectors, with what names the message and its account put before them.
@pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector["valid"] and vector["params"]],
                         ids=lambda vector: vector["name"])
def test_the_parameters_of_the_vectors_are_taken_over_http_and_not_with_one_byte_changed(door, vector):
    own = {"AccountSid", "MessageSid", "MessageStatus", "To", "From"}
    # Kept as text: what Twilio never sends as a number or a word is refused for its form, not its signature.
    pairs = status_pairs(door.account) + [pair for pair in vector["params"]
                                          if pair[0] not in own | {"ErrorCode", "NumSegments", "CallDuration"}]
    query = urllib.parse.urlsplit(vector["url"]).query
    target = STATUS + (f"?{query}" if query.isascii() and query else "")
    body = encoded(pairs)
    signature = door.sign(target, pairs)
    assert door.ask(target, body, signature) == 204
    changed = body[:-1] + (b"A" if body[-1:] != b"A" else b"B")
    assert door.ask(target, changed, signature) == 403


@pytest.mark.parametrize("query", ["?b=2&a=1&b=1", "?a=%7Ex&b=~x", "?a=x+y&b=x%20y", "?", "?a=", "?a=1&&b", "?q='%27"])
def test_the_query_counts_in_its_exact_order_and_spelling(door, query):
    pairs = status_pairs(door.account)
    assert door.post(STATUS + query, pairs) == 204
    assert door.post(STATUS + query + "&z=1", pairs, signature=door.sign(STATUS + query, pairs)) == 403


@pytest.mark.parametrize("more", [
    [["A", "2"], ["A", "1"], ["A", "1"]], [["A", ""], ["B", ""], ["A", "x"]], [["é", "日本語 👋"], ["E", "é"]],
    [["a", "1"], ["A", "2"], ["a_", "3"]], [["x", " \t\r\n"], ["y", "+&=%"]]])
def test_repeated_empty_and_foreign_values_are_signed_as_the_sdk_does(door, more):
    assert door.post(STATUS, status_pairs(door.account) + more) == 204


@pytest.mark.parametrize("route", [STATUS, INBOUND, ALIAS, "/twilio/voice/status"])
@pytest.mark.parametrize("tamper", ["body", "url", "signature", "short", "empty", "missing", "token", "account"])
def test_what_twilio_did_not_sign_is_refused(door, route, tamper):
    pairs = status_pairs(door.account)
    if tamper == "account":
        pairs[0][1] = OTHER_ACCOUNT  # signed with our token, in the name of another
    good = door.sign(route, pairs)
    other = good[:3] + ("A" if good[3] != "A" else "B") + good[4:]
    signature = {"signature": other, "short": good[:-1], "empty": "", "missing": None,
                 "token": door.sign(route, pairs, OTHER_TOKEN)}.get(tamper, good)
    body = encoded(pairs)
    if tamper == "body":
        body = body.replace(b"delivered", b"deliverec")
    assert door.ask(route + ("?x" if tamper == "url" else ""), body, signature) == 403


def test_a_token_of_no_account_of_ours_opens_no_door(door):
    pairs = status_pairs("AC" + secrets.token_hex(16))
    assert door.post(STATUS, pairs, signature=door.sign(STATUS, pairs, secrets.token_hex(16))) == 403


def test_a_request_that_names_no_account_is_known_by_its_signature(door):
    assert door.post(STATUS, status_pairs(door.account)[1:]) == 204


def test_a_json_body_is_bound_by_its_hash_in_the_url(door):
    body = json.dumps({"MessageSid": "SM" + uuid.uuid4().hex, "text": "café 👋"}).encode() + b"\n"
    target = f"{STATUS}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = door.sign(target, [])
    assert door.ask(target, body, signature, content_type="application/json") == 204
    assert door.ask(target, body + b" ", signature, content_type="application/json") == 403
    assert door.ask(STATUS, body, door.sign(STATUS, []), content_type="application/json") == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_a_webhook(door, method):
    assert door.post(STATUS, status_pairs(door.account), method=method) == 405


@pytest.mark.parametrize("path", ["/", "/twilio", "/twilio/sms", "/twilio/sms/statusx", f"{INBOUND}/x", "/metrics"])
def test_other_paths_do_not_exist(door, path):
    assert door.post(path, status_pairs(door.account)) == 404


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml"])
def test_a_body_of_another_kind_is_refused(door, content_type):
    assert door.post(STATUS, status_pairs(door.account), content_type=content_type) == 415


def test_what_was_answered_with_2xx_stands_on_the_topic(stack, door):  # W4, W5
    pairs = status_pairs(door.account)
    sid = pairs[1][1]
    assert door.post(ALIAS, pairs) == 204
    records = [(key, api.message("WebhookRecord").FromString(value)) for _, _, key, value in
               ledger.read_topics(stack.env["TOCSIN_KAFKA_BOOTSTRAP"], [ledger.WEBHOOKS])]
    (record,) = [record for key, record in records if key == sid.encode()]
    assert (record.provider_sid, record.provider_status, record.signed_by) == (sid, "delivered", "primary")
    assert not record.HasField("try") and record.form.ciphertext
