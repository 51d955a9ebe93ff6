"""Acknowledgement by a reply to a text message, on a whole stack. S7, V6, P3."""

import re

import pytest
import redis

import api
import poll
import stack as stacks

ANN, BEN, CLEO, DAN, EVE, FAY = (f"+1514555741{i}" for i in range(6))
TEXT = "Gyroskop 7 reply YES {ack_code}"
LINE = "Acknowledged by a reply"


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack({"TOCSIN_LOG_LEVEL": "debug"}) as started:
        yield started


@pytest.fixture(scope="module")
def inbound(stack):
    url = stack.env["TOCSIN_PUBLIC_BASE_URL"] + "/twilio/sms/inbound"

    def send(number, body):
        """Twilio's request for a reply. Returns the text that the person gets, or an empty one."""
        result = stack.simulator().inbound(number, body, url)
        assert result["status"] == 200, result
        found = re.search(r"<Message>(.*)</Message>", result["response"])
        return found[1] if found else ""
    return send


def restored_response(stack, number):
    """The response to a reply; None while claims are restored."""
    result = stack.simulator().inbound(number, "yes", stack.env["TOCSIN_PUBLIC_BASE_URL"] + "/twilio/sms/inbound")
    assert result["status"] in (200, 503), result
    return result["response"] if result["status"] == 200 else None


def delivered(stack, client, number):
    """An alert that was delivered, and the code in its message."""
    accepted = client.send(number, text=TEXT)
    sid = client.until_state(accepted, "DELIVERED").attempts[0].provider_sid
    (body,) = [message["body"] for message in stack.simulator().messages() if message["sid"] == sid]
    found = re.fullmatch(TEXT.replace("{ack_code}", r"([1-9]\d{3})"), body)
    assert found, body
    return accepted, found[1]


def test_a_reply_acknowledges_the_alert_and_is_confirmed(stack, client, inbound):
    accepted, _ = delivered(stack, client, ANN)
    assert inbound(ANN, "who is this?") == "" and inbound(BEN, "yes") == ""
    assert inbound(ANN, " Oui. ").startswith("Merci.")
    alert = client.until_state(accepted, "ACKNOWLEDGED")
    assert api.descriptions(alert).count(LINE) == 1
    (acknowledgement,) = alert.acknowledgements
    assert acknowledgement.evidence.startswith("SM") and acknowledgement.actor_id == ""
    assert inbound(ANN, "yes") == "", "no alert waits any more"
    assert LINE in stack.tocsin("get", accepted.alert_id).stdout.decode()


def test_several_alerts_need_the_code(stack, client, inbound):
    first, first_code = delivered(stack, client, BEN)
    second, second_code = delivered(stack, client, BEN)
    if first_code == second_code:
        pytest.skip("both alerts have the same code by chance")
    assert "several alerts" in inbound(BEN, "ok")
    unknown = next(code for code in ("1111", "2222", "3333") if code not in (first_code, second_code))
    assert "no alert with this code" in inbound(BEN, f"yes {unknown}")
    assert inbound(BEN, f"ja {second_code}").startswith("Danke.")
    client.until_state(second, "ACKNOWLEDGED")
    assert api.state(client.get(first.alert_id)) == "DELIVERED"
    assert "already acknowledged" in inbound(BEN, second_code)
    assert inbound(BEN, "sí").startswith("Gracias."), "one alert is left"
    client.until_state(first, "ACKNOWLEDGED")


def test_an_alert_without_a_code_is_not_acknowledged_by_a_reply(client, inbound):
    accepted = client.send(CLEO, text="Gyroskop 7")
    client.until_state(accepted, "DELIVERED")
    assert inbound(CLEO, "yes") == ""
    assert client.acknowledge(accepted.alert_id, "ann"), "it was not acknowledged before"


def test_a_decline_without_a_plan_is_recorded_and_changes_nothing(stack, client, inbound):
    assert inbound(FAY, "no") == "", "no alert waits"
    accepted, code = delivered(stack, client, FAY)
    unknown = next(code_ for code_ in ("1111", "2222") if code_ != code)
    assert "no alert with this code" in inbound(FAY, f"no {unknown}")
    assert inbound(FAY, "Nein!").startswith("Danke. Ihre Antwort")
    poll.until("the timeline shows it", lambda: "Declined by a reply" in api.descriptions(client.get(accepted.alert_id)))
    assert api.state(client.get(accepted.alert_id)) == "DELIVERED"
    other, other_code = delivered(stack, client, FAY)
    if code != other_code:
        assert "NO 1234" in inbound(FAY, "no")
        assert inbound(FAY, f"oui {code}").startswith("Merci.")
        client.until_state(accepted, "ACKNOWLEDGED")
        assert "already acknowledged" in inbound(FAY, f"no {code}")
    assert api.state(client.get(other.alert_id)) == "DELIVERED"


def test_a_reply_after_redis_lost_its_data(stack, client, inbound):  # R6
    accepted, _ = delivered(stack, client, DAN)
    with redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"]) as connection:
        connection.flushall()
    response = poll.until("a reply is processed", lambda: restored_response(stack, DAN))
    assert "Thank you" in response
    client.until_state(accepted, "ACKNOWLEDGED")


def test_no_log_and_no_metric_contains_a_reply_or_a_number(stack, client, inbound):
    delivered(stack, client, EVE)
    inbound(EVE, "yes")
    secrets = [secret.encode() for secret in (EVE[1:], TEXT.split()[0])]
    contents = {log.name: log.read_bytes() for log in sorted((stack.state / "log").iterdir())}
    contents |= {service: stack.metrics(service).encode() for service in stacks.SERVICES}
    assert not [(name, secret) for name, content in contents.items() for secret in secrets if secret in content]
    assert re.search(r'tocsin_ack_replies_total{result="acknowledged"} [1-9]', contents["ingress"].decode())
