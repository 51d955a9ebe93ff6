"""Acknowledgement by the link in a text message, on a whole stack. V6, P3."""

import base64
import hmac
import json
import re
import struct
import time
import uuid

import grpc
import pytest
import requests

import api
import poll
import stack as stacks

TO = "+15145557301"
TEXT = "Rhabarber kompressor 5X"
LINE = "Acknowledged by the link in the message"
OPENED = 1000  # times by each method
LABEL = b"tocsin acknowledgement link 1"


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack({"TOCSIN_LOG_LEVEL": "debug"}) as started:
        yield started


@pytest.fixture(scope="module")
def browser():
    with requests.Session() as session:
        yield session


def send(client, **fields):
    return client.send(TO, text=TEXT + " {ack_link}", **fields)


def link_in_message(stack, client, accepted):
    """The link in the message of an alert that was delivered."""
    sid = client.until_state(accepted, "DELIVERED").attempts[0].provider_sid
    (body,) = [message["body"] for message in stack.simulator().messages() if message["sid"] == sid]
    found = re.fullmatch(re.escape(TEXT) + r" (http\S+/ack/[\w-]+)", body)
    assert found, body
    return found[1]


def token_of(stack, alert_id, expire_seconds, key=None):
    """A token, made as docs/decisions/0025 describes it, with the key of the installation or another one."""
    if key is None:
        keys = json.loads((stack.state / "secrets" / "keyring").read_text())["keys"]["callback"]
        key = base64.b64decode(keys[-1]["key"])
    content = b"\x01" + uuid.UUID(alert_id).bytes + b"\x01" + struct.pack(">I", expire_seconds)
    derived = hmac.digest(key, LABEL, "sha256")
    return base64.urlsafe_b64encode(content + hmac.digest(derived, content, "sha256")[:16]).decode().rstrip("=")


def link_of(stack, alert_id, expire_seconds, key=None):
    return f"{stack.env['TOCSIN_PUBLIC_BASE_URL']}/ack/{token_of(stack, alert_id, expire_seconds, key)}"


@pytest.fixture(scope="module")
def delivered(stack, client):
    """An alert with a link that nobody has opened, and the link."""
    accepted = send(client)
    return accepted, link_in_message(stack, client, accepted)


def test_the_text_has_a_signed_link_that_counts(stack, client, delivered):
    accepted, link = delivered
    alert = client.get(accepted.alert_id)
    assert link == link_of(stack, accepted.alert_id, alert.expire_time.seconds)
    long = client.send(TO, text="{ack_link}" + "a" * (160 - len(link) + 1))
    assert (accepted.segment_count, long.segment_count) == (1, 2)


@pytest.mark.parametrize("fields", [{"text": "{ack_link} {ack_link}"}, {"text": "{ack_link}", "channel": "VOICE"}])
def test_a_placeholder_that_cannot_be_replaced_is_refused(client, fields):
    with pytest.raises(grpc.RpcError) as caught:
        client.send(TO, **fields)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert api.Details.of(caught.value).fields == ["text"]


def test_opening_a_link_acknowledges_nothing_and_its_button_does(client, browser, delivered):
    accepted, link = delivered
    for method in ("GET", "HEAD"):
        for _ in range(OPENED):
            response = browser.request(method, link, timeout=stacks.HTTP_SECONDS)
            assert response.status_code == 200 and response.headers["Cache-Control"] == "no-store"
        assert ("<button>" in response.text) == (method == "GET")
    # A later alert is projected: an acknowledgement by one of these requests would be, too.
    client.until_state(send(client), "DELIVERED")
    before = client.get(accepted.alert_id)
    assert api.state(before) == "DELIVERED" and LINE not in api.descriptions(before)

    response = browser.post(link, timeout=stacks.HTTP_SECONDS)
    assert response.status_code == 200 and "<h1>Acknowledged</h1>" in response.text
    client.until_state(accepted, "ACKNOWLEDGED")
    for _ in range(3):
        response = browser.post(link, timeout=stacks.HTTP_SECONDS)
        assert response.status_code == 200 and "<h1>Already acknowledged</h1>" in response.text
    assert not client.acknowledge(accepted.alert_id, "ann")
    client.until_state(send(client), "DELIVERED")
    assert api.descriptions(client.get(accepted.alert_id)).count(LINE) == 1


def test_the_command_line_shows_the_acknowledgement(stack, client, browser):
    accepted = send(client)
    browser.post(link_in_message(stack, client, accepted), timeout=stacks.HTTP_SECONDS)
    client.until_state(accepted, "ACKNOWLEDGED")
    assert LINE in stack.tocsin("get", accepted.alert_id).stdout.decode()


def test_links_that_are_not_valid_change_nothing(stack, client, browser):
    accepted = send(client)
    link = link_in_message(stack, client, accepted)
    other = send(client)
    expire_seconds = client.get(accepted.alert_id).expire_time.seconds
    past = int(time.time()) - 10
    of_the_other = link_of(stack, other.alert_id, expire_seconds)
    wrong = {
        "changed": (link[:-1] + ("A" if link[-1] != "A" else "B"), 404),
        "of another alert": (of_the_other[:-22] + link[-22:], 404),
        "of another installation": (link_of(stack, accepted.alert_id, expire_seconds, b"k" * 32), 404),
        "prolonged": (link_of(stack, accepted.alert_id, expire_seconds + 60)[:-22] + link[-22:], 404),
        "malformed": (link + "x", 404),
        "expired": (link_of(stack, accepted.alert_id, past), 410),
    }
    for name, (target, status) in wrong.items():
        for method in ("GET", "POST"):
            response = browser.request(method, target, timeout=stacks.HTTP_SECONDS)
            assert response.status_code == status, name
            assert "<form" not in response.text and response.headers["Referrer-Policy"] == "no-referrer"
    for method in ("PUT", "DELETE", "OPTIONS"):
        response = browser.request(method, link, timeout=stacks.HTTP_SECONDS)
        assert response.status_code == 405 and response.headers["Allow"] == "GET, HEAD, POST"
    assert requests.post(link, data=b"x" * 100_000, timeout=stacks.HTTP_SECONDS).status_code == 413
    assert client.acknowledge(accepted.alert_id, "ann"), "it was not acknowledged before"


def test_a_link_expires_with_its_alert(stack, client, browser):
    accepted = send(client, expire_time=api.in_seconds(15))
    link = link_in_message(stack, client, accepted)
    poll.until("the link has expired", lambda: browser.get(link, timeout=stacks.HTTP_SECONDS).status_code == 410)
    assert browser.post(link, timeout=stacks.HTTP_SECONDS).status_code == 410
    assert api.state(client.get(accepted.alert_id)) == "DELIVERED"


def test_a_cancelled_alert_is_not_acknowledged(stack, client, browser):
    accepted = send(client, send_time=api.in_seconds(3600))
    link = link_of(stack, accepted.alert_id, client.get(accepted.alert_id, accepted.consistency_token).expire_time.seconds)
    assert client.cancel(accepted.alert_id) == "CANCELLED"
    response = browser.post(link, timeout=stacks.HTTP_SECONDS)
    assert response.status_code == 409 and "was cancelled" in response.text
    with pytest.raises(grpc.RpcError) as caught:
        client.acknowledge(accepted.alert_id, "ann")
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert api.state(client.until_state(accepted, "CANCELLED")) == "CANCELLED"


def test_no_log_and_no_metric_contains_a_link_a_number_or_a_text(stack, client, browser, delivered):
    _, link = delivered
    token = link.rsplit("/", 1)[1]
    browser.post(link, timeout=stacks.HTTP_SECONDS)
    secrets = [secret.encode() for secret in (token, TO[1:], TEXT.split()[0])]
    logs = sorted((stack.state / "log").iterdir())
    poll.until("the ingress has logged the request",
               lambda: any(b"ack_link.completed" in log.read_bytes() for log in logs))
    contents = {log.name: log.read_bytes() for log in logs}
    contents |= {service: stack.metrics(service).encode() for service in stacks.SERVICES}
    assert not [(name, secret) for name, content in contents.items() for secret in secrets if secret in content]
    assert 'tocsin_ack_link_requests_total{result="shown"}' in contents["ingress"].decode()
