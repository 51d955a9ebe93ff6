"""Calls through the whole stack: answered and acknowledged, busy, not answered, met by a machine. V1-V5, L6."""

import pathlib

import pytest
import requests

import api
import poll
import stack as stacks

ACKNOWLEDGES, REPEATS, OPTS_OUT, WRONG_KEY = "+15005556101", "+15005556102", "+15005556109", "+15005556107"
MACHINE, BUSY, NO_ANSWER, FAILED = "+15005556200", "+15005556486", "+15005556487", "+15005556480"
SOON, DOUBTED = "+15145550161", "+15145550163"  # whose telephones follow a script
VOICE = 2  # CHANNEL_VOICE
CALLS = 3
# After a failure there is time to stop the next call.
SCHEDULE = {"TOCSIN_VOICE_RETRY_BUSY": "200ms", "TOCSIN_VOICE_RETRY_NO_ANSWER": "200ms",
            "TOCSIN_VOICE_RETRY_MACHINE": "200ms", "TOCSIN_VOICE_RETRY_FAILED": "6s",
            "TOCSIN_VOICE_CALLS": str(CALLS)}


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack(SCHEDULE) as started:
        yield started


def call(client, to, **fields):
    return client.send(to, channel=VOICE, **fields)


def statuses(alert):
    return [api.status(attempt) for attempt in alert.tries]


def told(alert):
    return [entry.what for entry in alert.timeline]


def test_a_call_is_answered_hears_the_text_and_is_acknowledged(client):  # V4, V5
    alert = client.until_state(call(client, ACKNOWLEDGES), "ACKNOWLEDGED")
    alert = poll.until("the call is over", lambda: (lambda now: any("is over" in what for what in told(now)) and now)(
        client.get(alert.alert_id)))
    assert statuses(alert) == ["ANSWERED_HUMAN"]
    assert "The telephone rings; Twilio says ringing." in told(alert)
    assert "A person pressed a key: key 1 (acknowledge)." in told(alert)
    assert "Acknowledged by a key press." in told(alert)
    assert alert.tries[0].provider_sid.startswith("CA")


@pytest.mark.parametrize(("number", "status"), [(BUSY, "BUSY"), (NO_ANSWER, "NO_ANSWER")])
def test_who_is_not_reached_is_called_until_the_cap(client, number, status):  # V2, V3
    alert = client.until_state(call(client, number), "FAILED")
    assert statuses(alert) == [status] * CALLS
    assert alert.reason == "RETRIES_EXHAUSTED"


def test_calls_go_on_until_somebody_answers(client, simulator):  # V3
    simulator.phones({SOON: [{"answer": "busy"}, {"answer": "no-answer"}, {"answer": "human", "keys": ["1"]}]})
    accepted = call(client, SOON)
    alert = poll.until("a person took it", lambda: (lambda now: statuses(now)[-1:] == ["ANSWERED_HUMAN"] and now)(
        client.until_state(accepted, "ACKNOWLEDGED")))
    assert statuses(alert) == ["BUSY", "NO_ANSWER", "ANSWERED_HUMAN"]
    assert "The line was busy; try 2 follows." in told(alert)


def test_a_call_that_waits_is_stopped(client, simulator):  # V3, A2
    accepted = {state: call(client, FAILED) for state in ("CANCELLED", "ACKNOWLEDGED")}
    for sent in accepted.values():
        poll.until("the next call is planned", lambda: any("try 2 follows" in what for what in told(
            client.get(sent.alert_id, sent.position))))
    client.cancel(accepted["CANCELLED"].alert_id)
    assert client.acknowledge(accepted["ACKNOWLEDGED"].alert_id, "the test")
    for state, sent in accepted.items():
        alert = poll.until("it was stopped", lambda: (lambda now: len(now.tries) == 2 and now)(
            client.get(sent.alert_id)))
        assert statuses(alert) == ["FAILED", "CANCELLED"]
        assert api.state(alert) == state
    assert len(simulator.calls(FAILED)) == len(accepted)


def test_a_machine_is_told_from_a_person_and_called_again(client):  # V2, V3, V5
    voice = api.message("VoiceOptions")(language="en-CA", detect_machine=True)
    alert = client.until_state(call(client, MACHINE, voice=voice), "DELIVERED")
    assert statuses(alert) == ["ANSWERED_MACHINE"] * CALLS


@pytest.mark.parametrize("number", [REPEATS, WRONG_KEY])
def test_a_call_ends_by_itself_whatever_is_pressed(client, number):  # V4
    alert = client.until_state(call(client, number), "DELIVERED")
    assert statuses(alert) == ["ANSWERED_HUMAN"]


def test_who_opted_out_by_a_key_is_not_called_again(client):  # S4, V4
    client.until_state(call(client, OPTS_OUT), "DELIVERED")
    alert = client.until_state(call(client, OPTS_OUT), "SUPPRESSED")
    assert alert.reason == "OPTED_OUT"


def test_a_call_in_doubt_is_found_in_twilios_list(client, simulator):  # R4
    simulator.phones({DOUBTED: {"answer": "by-hand"}})
    simulator.faults(next=[{"kind": "reset_after"}], callback={"rate_missing": 1})
    alert = client.until_state(call(client, DOUBTED), "SENT")
    (placed,) = simulator.calls(DOUBTED)
    assert [attempt.provider_sid for attempt in alert.tries] == [placed["sid"]]
    assert any("found in Twilio's list" in what for what in told(alert))


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
