"""Calls through the whole stack: acknowledged, busy, not answered, answered by a machine. V1-V5, L6."""

import pathlib

import pytest
import requests

import api
import poll
import stack as stacks

ACKNOWLEDGES, REPEATS, OPTS_OUT, WRONG_KEY = "+15005556101", "+15005556102", "+15005556109", "+15005556107"
MACHINE, BUSY, NO_ANSWER, FAILED = "+15005556200", "+15005556486", "+15005556487", "+15005556480"
SECOND_CALL, IN_DOUBT = "+15145550161", "+15145550163"  # phones with a script
CALLS = 3
# The delay after a failure leaves time to stop the next call.
SCHEDULE = {"TOCSIN_VOICE_RETRY_BUSY": "200ms", "TOCSIN_VOICE_RETRY_NO_ANSWER": "200ms",
            "TOCSIN_VOICE_RETRY_MACHINE": "200ms", "TOCSIN_VOICE_RETRY_FAILED": "6s",
            "TOCSIN_VOICE_MAX_CALLS": str(CALLS)}


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack(SCHEDULE) as started:
        yield started


def call(client, to, **fields):
    return client.send(to, channel="VOICE", **fields)


def shows(alert, text):
    """Whether a description of the timeline contains the text."""
    return any(text in description for description in api.descriptions(alert))


def test_a_call_is_answered_and_acknowledged_by_key(client):  # V4, V5
    alert = client.until_state(call(client, ACKNOWLEDGES), "ACKNOWLEDGED")
    alert = poll.until("the call is completed", lambda: (lambda now: shows(now, "Call completed") and now)(
        client.get(alert.alert_id)))
    assert api.statuses(alert) == ["ANSWERED_HUMAN"]
    assert shows(alert, "Ringing") and shows(alert, "Pressed key 1: acknowledge")
    assert shows(alert, "Acknowledged by key press")
    (attempt,) = alert.attempts
    assert attempt.provider_sid.startswith("CA")
    assert api.ANSWERED_BY[attempt.answered_by] == "HUMAN" and list(attempt.pressed_keys) == ["1"]
    assert attempt.duration.seconds > 0 and api.REACHES[alert.reach] == "ACKNOWLEDGED"
    assert [acknowledgement.evidence for acknowledgement in alert.acknowledgements] == [attempt.provider_sid]


@pytest.mark.parametrize(("number", "status"), [(BUSY, "BUSY"), (NO_ANSWER, "NO_ANSWER")])
def test_a_call_that_reaches_nobody_is_repeated_up_to_the_maximum(client, number, status):  # V2, V3
    alert = client.until_state(call(client, number), "FAILED")
    assert api.statuses(alert) == [status] * CALLS
    assert alert.reason == "RETRIES_EXHAUSTED" and api.REACHES[alert.reach] == "SUBMITTED"


def test_calls_are_repeated_until_a_person_answers(client, simulator):  # V3
    simulator.phones({SECOND_CALL: [{"answer": "busy"}, {"answer": "no-answer"}, {"answer": "human", "keys": ["1"]}]})
    accepted = call(client, SECOND_CALL)
    alert = poll.until("a person answered", lambda: (lambda now: api.statuses(now)[-1:] == ["ANSWERED_HUMAN"] and now)(
        client.until_state(accepted, "ACKNOWLEDGED")))
    assert api.statuses(alert) == ["BUSY", "NO_ANSWER", "ANSWERED_HUMAN"]
    assert shows(alert, "Busy; attempt 2 follows")


def test_a_scheduled_call_is_not_placed_after_cancel_or_acknowledge(client, simulator):  # V3, A2
    accepted = {state: call(client, FAILED) for state in ("CANCELLED", "ACKNOWLEDGED")}
    for sent in accepted.values():
        poll.until("the next call is scheduled", lambda: shows(
            client.get(sent.alert_id, sent.consistency_token), "attempt 2 follows"))
    client.cancel(accepted["CANCELLED"].alert_id)
    assert client.acknowledge(accepted["ACKNOWLEDGED"].alert_id, "the test")
    for state, sent in accepted.items():
        alert = poll.until("the next call is stopped", lambda: (lambda now: len(now.attempts) == 2 and now)(
            client.get(sent.alert_id)))
        assert api.statuses(alert) == ["FAILED", "CANCELLED"]
        assert api.state(alert) == state
    assert len(simulator.calls(FAILED)) == len(accepted)


def test_an_answering_machine_is_detected_and_called_again(client):  # V2, V3, V5
    voice = api.message("VoiceOptions")(language_code="en-CA", machine_detection=True)
    alert = client.until_state(call(client, MACHINE, voice=voice), "DELIVERED")
    assert api.statuses(alert) == ["ANSWERED_MACHINE"] * CALLS


@pytest.mark.parametrize("number", [REPEATS, WRONG_KEY])
def test_a_call_ends_after_repetitions_and_wrong_keys(client, number):  # V4
    alert = client.until_state(call(client, number), "DELIVERED")
    assert api.statuses(alert) == ["ANSWERED_HUMAN"]


def test_a_recipient_who_opted_out_by_key_is_not_called_again(client):  # S4, V4
    client.until_state(call(client, OPTS_OUT), "DELIVERED")
    alert = client.until_state(call(client, OPTS_OUT), "SUPPRESSED")
    assert alert.reason == "OPTED_OUT"


def test_a_call_in_doubt_is_found_in_the_list_of_calls(client, simulator):  # R4
    simulator.phones({IN_DOUBT: {"answer": "by-hand"}})
    simulator.faults(next=[{"kind": "reset_after"}], callback={"rate_missing": 1})
    alert = client.until_state(call(client, IN_DOUBT), "SENT")
    (placed,) = simulator.calls(IN_DOUBT)
    assert [attempt.provider_sid for attempt in alert.attempts] == [placed["sid"]]
    assert shows(alert, "found in Twilio's list")


def test_a_disabled_channel_refuses_alerts_and_webhooks_by_name(stack, client):  # L6
    stack.change_registry(lambda text: text.replace("voice: live", "voice: disabled"))

    def refused():
        done = stack.tocsin("send", "--channel", "voice", "--to", BUSY, "--text", "x")
        return done.returncode == 1 and b"VOICE_DISABLED" in done.stdout + done.stderr

    poll.until("the ingress refuses calls", refused)
    response = requests.post(f"{stack.env['TOCSIN_PUBLIC_BASE_URL']}/twilio/voice/status", timeout=30,
                             data={"CallSid": "CA1"}, headers={"X-Twilio-Signature": "x"})
    assert response.status_code == 403
    log = pathlib.Path(stack.state / "log" / "ingress-1.log")
    poll.until("the refusal is logged", lambda: log.read_text().count("webhook.channel_disabled") == 1)
    assert client.send("+15558675309").alert_id  # the other channel works
