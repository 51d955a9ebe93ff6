"""Calls through the whole stack: answered and acknowledged, busy, not answered, met by a machine. V1, V2, V4, V5, L6."""

import pathlib

import pytest
import requests

import api
import poll

ACKNOWLEDGES, REPEATS, OPTS_OUT, WRONG_KEY = "+15005556101", "+15005556102", "+15005556109", "+15005556107"
MACHINE, BUSY, NO_ANSWER = "+15005556200", "+15005556486", "+15005556487"
VOICE = 2  # CHANNEL_VOICE


def call(client, to, **fields):
    return client.send(to, channel=VOICE, **fields)


def told(alert):
    return [entry.what for entry in alert.timeline]


def test_a_call_is_answered_hears_the_text_and_is_acknowledged(client):  # V4, V5
    alert = client.until_state(call(client, ACKNOWLEDGES), "ACKNOWLEDGED")
    alert = poll.until("the call is over", lambda: (lambda now: any("is over" in what for what in told(now)) and now)(
        client.get(alert.alert_id)))
    assert [api.status(attempt) for attempt in alert.tries] == ["ANSWERED_HUMAN"]
    assert "The telephone rings; Twilio says ringing." in told(alert)
    assert "A person pressed a key: key 1 (acknowledge)." in told(alert)
    assert "Acknowledged by a key press." in told(alert)
    assert alert.tries[0].provider_sid.startswith("CA")


@pytest.mark.parametrize(("number", "status", "end"), [(BUSY, "BUSY", "FAILED"), (NO_ANSWER, "NO_ANSWER", "FAILED")])
def test_a_call_that_reaches_nobody_says_why(client, number, status, end):  # V2
    alert = client.until_state(call(client, number), end)
    assert [api.status(attempt) for attempt in alert.tries] == [status]


def test_a_machine_is_told_from_a_person(client):  # V2, V5
    voice = api.message("VoiceOptions")(language="en-CA", detect_machine=True)
    alert = client.until_state(call(client, MACHINE, voice=voice), "DELIVERED")
    assert [api.status(attempt) for attempt in alert.tries] == ["ANSWERED_MACHINE"]


@pytest.mark.parametrize("number", [REPEATS, WRONG_KEY])
def test_a_call_ends_by_itself_whatever_is_pressed(client, number):  # V4
    alert = client.until_state(call(client, number), "DELIVERED")
    assert [api.status(attempt) for attempt in alert.tries] == ["ANSWERED_HUMAN"]


def test_who_opted_out_by_a_key_is_not_called_again(client):  # S4, V4
    client.until_state(call(client, OPTS_OUT), "DELIVERED")
    alert = client.until_state(call(client, OPTS_OUT), "SUPPRESSED")
    assert alert.reason == "OPTED_OUT"


def test_a_channel_that_is_switched_off_refuses_by_name(stack, client):  # L6
    stack.change_registry(lambda text: text.replace("voice: live", "voice: disabled"))

    def refused():
        done = stack.tocsin("send", "--channel", "voice", "--to", BUSY, "--text", "x")
        return done.returncode == 1 and b"VOICE_DISABLED" in done.stdout + done.stderr

    poll.until("the ingress refuses calls", refused)
    answer = requests.post(f"{stack.env['TOCSIN_PUBLIC_BASE_URL']}/twilio/voice/status", timeout=30,
                           data={"CallSid": "CA1"}, headers={"X-Twilio-Signature": "x"})
    assert answer.status_code == 403
    log = pathlib.Path(stack.state / "log" / "ingress-1.log").read_text()
    assert log.count("webhook.closed") == 1
    assert client.send("+15558675309").alert_id  # all else works
