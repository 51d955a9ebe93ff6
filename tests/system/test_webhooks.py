"""Signatures of webhooks: official vectors, the official SDK, and requests that were tampered with. W1, W4."""

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
import consistency_check
import poll
import stack as stacks

VECTORS = json.loads((stacks.ROOT / "tests/data/twilio-signature-vectors.json").read_text())
VENV = pathlib.Path(os.environ.get("TOCSIN_TEST_VENV", stacks.ROOT / "build/venv"))
STATUS, INBOUND, ALIAS = "/twilio/sms/status", "/twilio/sms/inbound", "/relay/twilio/webhook"
FORM = "application/x-www-form-urlencoded"
OTHER_ACCOUNT, OTHER_TOKEN = "AC" + secrets.token_hex(16), secrets.token_hex(16)
RESPONSE_BYTES = 65536
# Runs in the Python environment with Twilio's SDK. Input lines: token, URL and pairs; output lines: the signature.
SIGN = """
import json, sys
from twilio.request_validator import RequestValidator

class Pairs(list):  # as in Flask, names may be repeated
    def __iter__(self):
        return iter([name for name, _ in self[:]])
    def getall(self, wanted):
        return [value for name, value in self[:] if name == wanted]

for line in sys.stdin:
    token, url, pairs = json.loads(line)
    print(RequestValidator(token).compute_signature(url, Pairs(map(tuple, pairs))), flush=True)
"""


class Sdk:
    """Twilio's SDK as a signer, in a separate process."""

    def __init__(self):
        python = VENV / "bin/python"
        assert python.exists(), f"{python} is missing: scripts/test makes it, TOCSIN_TEST_VENV names another"
        self._process = subprocess.Popen([python, "-c", SIGN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def sign(self, token, url, pairs):
        print(json.dumps([token, url, pairs]), file=self._process.stdin, flush=True)
        signature = self._process.stdout.readline().strip()
        assert signature, "Twilio's SDK returned no signature"
        return signature

    def close(self):
        self._process.communicate()


def encoded(pairs):
    return urllib.parse.urlencode([tuple(pair) for pair in pairs]).encode()


def status_pairs(account):
    return [["AccountSid", account], ["MessageSid", "SM" + uuid.uuid4().hex], ["MessageStatus", "delivered"],
            ["To", "+15145550123"], ["From", stacks.MAIN_NUMBER]]


class Webhooks:
    """The webhook endpoint of the ingress."""

    def __init__(self, stack, sdk):
        self._sdk = sdk
        self.base = stack.env["TOCSIN_PUBLIC_BASE_URL"]
        self.address = stack.env["TOCSIN_INGRESS_HTTP"].rsplit(":", 1)
        self.account = stack.env["TOCSIN_TWILIO_ACCOUNT_SID"]
        self.token = pathlib.Path(stack.env["TOCSIN_TWILIO_AUTH_TOKEN_FILE"]).read_text()

    def sign(self, target, pairs, token=None):
        return self._sdk.sign(token or self.token, self.base + target, pairs)

    # Without an HTTP library, because the target must arrive as it was signed, byte for byte.
    def request(self, target, body=b"", signature=None, method="POST", content_type=FORM):
        """Sends one request and returns the status code."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {':'.join(self.address)}", f"Content-Type: {content_type}",
                 f"Content-Length: {len(body)}", "Connection: close"]
        lines += [] if signature is None else [f"X-Twilio-Signature: {signature}"]
        with socket.create_connection((self.address[0], int(self.address[1])), stacks.HTTP_SECONDS) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            response = connection.recv(RESPONSE_BYTES)
        return int(response.split(b" ", 2)[1])

    def post(self, target, pairs, **more):
        """Sends a signed request."""
        more.setdefault("signature", self.sign(target, pairs))
        return self.request(target, encoded(pairs), **more)


@pytest.fixture(scope="module")
def webhooks(stack):
    token_file = stack.state / "secrets" / "other-token"
    token_file.write_text(OTHER_TOKEN)
    stack.change_registry(lambda text: text.replace(
        "accounts:\n", f'accounts:\n  - {{sid: {OTHER_ACCOUNT}, auth_token_file: "{token_file}"}}\n', 1))
    sdk = Sdk()
    endpoint = Webhooks(stack, sdk)
    pairs = status_pairs(OTHER_ACCOUNT)
    signature = endpoint.sign(STATUS, pairs, OTHER_TOKEN)
    poll.until("the ingress knows the other account", lambda: endpoint.post(STATUS, pairs, signature=signature) == 204)
    yield endpoint
    sdk.close()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_command_line_verifies_signatures_as_twilio_does(tmp_path, vector):
    token = tmp_path / "token"
    token.write_text(vector["auth_token"])
    kind, content = ("--json", vector["body"]) if vector["body"] is not None else ("--form", vector["form"])
    body = tmp_path / "body"
    body.write_bytes(content.encode())
    verified = subprocess.run([stacks.BIN / "tocsin", "webhook", "verify", "--token-file", token, "--url", vector["url"],
                               kind, body, "--signature", vector["signature"]], capture_output=True, timeout=30,
                              check=False)
    assert verified.returncode == (0 if vector["valid"] else 1), verified


@pytest.mark.parametrize("target", [STATUS, f"{STATUS}/not-a-token-of-ours", ALIAS])
def test_a_signed_request_is_accepted(webhooks, target):
    assert webhooks.post(target, status_pairs(webhooks.account)) == 204


def test_the_response_to_a_signed_inbound_message_is_twiml(webhooks):  # S7
    pairs = [["AccountSid", webhooks.account], ["MessageSid", "SM" + uuid.uuid4().hex], ["SmsStatus", "received"],
             ["From", "+15145550123"], ["To", stacks.MAIN_NUMBER], ["Body", "Hola 👋 – ça va? 100% & more=+1\r\n"],
             ["NumMedia", "0"], ["FromCity", ""]]
    assert webhooks.post(INBOUND, pairs) == 200


# The parameters of the vectors, after those that name the message and its account.
@pytest.mark.parametrize("vector", [vector for vector in VECTORS if vector["valid"] and vector["params"]],
                         ids=lambda vector: vector["name"])
def test_the_parameters_of_the_vectors_are_accepted_and_refused_with_one_byte_changed(webhooks, vector):
    own = {"AccountSid", "MessageSid", "MessageStatus", "To", "From"}
    # Not these: a value that is not a number is refused as malformed, whatever the signature.
    pairs = status_pairs(webhooks.account) + [pair for pair in vector["params"]
                                          if pair[0] not in own | {"ErrorCode", "NumSegments", "CallDuration"}]
    query = urllib.parse.urlsplit(vector["url"]).query
    target = STATUS + (f"?{query}" if query.isascii() and query else "")
    body = encoded(pairs)
    signature = webhooks.sign(target, pairs)
    assert webhooks.request(target, body, signature) == 204
    changed = body[:-1] + (b"A" if body[-1:] != b"A" else b"B")
    assert webhooks.request(target, changed, signature) == 403


@pytest.mark.parametrize("query", ["?b=2&a=1&b=1", "?a=%7Ex&b=~x", "?a=x+y&b=x%20y", "?", "?a=", "?a=1&&b", "?q='%27"])
def test_the_signature_covers_the_query_in_its_exact_order_and_spelling(webhooks, query):
    pairs = status_pairs(webhooks.account)
    assert webhooks.post(STATUS + query, pairs) == 204
    assert webhooks.post(STATUS + query + "&z=1", pairs, signature=webhooks.sign(STATUS + query, pairs)) == 403


@pytest.mark.parametrize("more", [
    [["A", "2"], ["A", "1"], ["A", "1"]], [["A", ""], ["B", ""], ["A", "x"]], [["é", "日本語 👋"], ["E", "é"]],
    [["a", "1"], ["A", "2"], ["a_", "3"]], [["x", " \t\r\n"], ["y", "+&=%"]]])
def test_repeated_empty_and_unknown_parameters_are_verified_as_the_sdk_does(webhooks, more):
    assert webhooks.post(STATUS, status_pairs(webhooks.account) + more) == 204


@pytest.mark.parametrize("route", [STATUS, INBOUND, ALIAS, "/twilio/voice/status"])
@pytest.mark.parametrize("tamper", ["body", "url", "signature", "short", "empty", "missing", "token", "account"])
def test_a_request_without_a_valid_signature_is_refused(webhooks, route, tamper):
    pairs = status_pairs(webhooks.account)
    if tamper == "account":
        pairs[0][1] = OTHER_ACCOUNT  # signed with the token of the first account
    good = webhooks.sign(route, pairs)
    other = good[:3] + ("A" if good[3] != "A" else "B") + good[4:]
    signature = {"signature": other, "short": good[:-1], "empty": "", "missing": None,
                 "token": webhooks.sign(route, pairs, OTHER_TOKEN)}.get(tamper, good)
    body = encoded(pairs)
    if tamper == "body":
        body = body.replace(b"delivered", b"deliverec")
    assert webhooks.request(route + ("?x" if tamper == "url" else ""), body, signature) == 403


def test_the_token_of_an_unknown_account_is_refused(webhooks):
    pairs = status_pairs("AC" + secrets.token_hex(16))
    assert webhooks.post(STATUS, pairs, signature=webhooks.sign(STATUS, pairs, secrets.token_hex(16))) == 403


def test_a_request_without_an_account_is_accepted_by_its_signature(webhooks):
    assert webhooks.post(STATUS, status_pairs(webhooks.account)[1:]) == 204


def test_a_json_body_must_match_its_hash_in_the_url(webhooks):
    body = json.dumps({"MessageSid": "SM" + uuid.uuid4().hex, "text": "café 👋"}).encode() + b"\n"
    target = f"{STATUS}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    signature = webhooks.sign(target, [])
    assert webhooks.request(target, body, signature, content_type="application/json") == 204
    assert webhooks.request(target, body + b" ", signature, content_type="application/json") == 403
    assert webhooks.request(STATUS, body, webhooks.sign(STATUS, []), content_type="application/json") == 403


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_than_post_are_refused(webhooks, method):
    assert webhooks.post(STATUS, status_pairs(webhooks.account), method=method) == 405


@pytest.mark.parametrize("path", ["/", "/twilio", "/twilio/sms", "/twilio/sms/statusx", f"{INBOUND}/x", "/metrics"])
def test_other_paths_are_not_found(webhooks, path):
    assert webhooks.post(path, status_pairs(webhooks.account)) == 404


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml"])
def test_another_content_type_is_refused(webhooks, content_type):
    assert webhooks.post(STATUS, status_pairs(webhooks.account), content_type=content_type) == 415


def test_a_webhook_is_on_the_topic_when_the_response_is_2xx(stack, webhooks):  # W4, W5
    pairs = status_pairs(webhooks.account)
    sid = pairs[1][1]
    assert webhooks.post(ALIAS, pairs) == 204
    records = [(key, api.message("records.v1.WebhookRecord").FromString(value)) for _, _, key, value in
               consistency_check.read_topics(stack.env["TOCSIN_KAFKA_BOOTSTRAP"], [consistency_check.WEBHOOKS])]
    (record,) = [record for key, record in records if key == sid.encode()]
    assert (record.provider_sid, record.provider_status) == (sid, "delivered")
    assert api.SIGNING_TOKENS[record.signed_by] == "PRIMARY"
    assert not record.HasField("attempt") and record.raw_body.ciphertext
