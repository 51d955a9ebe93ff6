"""What the workers ask of Twilio, and what the simulator answers, held against Twilio's OpenAPI description: Prism
stands between a whole stack and the simulator. Of scripts/test --full only, for it needs Node. Q2."""

import sys

import pytest

import api
import poll
import stack as stacks

sys.path.insert(0, str(stacks.ROOT / "tests/tools/twilio-sim"))
import prism as prisms
import sim

EMERGENCY_NUMBER = "+15017122662"  # scripts/lib/services.sh
VOICE = 2  # CHANNEL_VOICE
DELIVERED, LANDLINE = "+15558675309", "+15005550009"
SHORT_WAITS = {"TOCSIN_TWILIO_POST_LIMIT": "5s", "TOCSIN_LEASE": "10s", "TOCSIN_DOUBT_FIRST_LOOK": "300ms",
               "TOCSIN_DOUBT_LIMIT": "20s", "TOCSIN_VOICE_CALLS": "1"}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    running = sim.Simulator(tmp_path_factory.mktemp("sim"), "--number", EMERGENCY_NUMBER)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def prism(simulator, tmp_path_factory):
    with prisms.Prism(simulator.base, tmp_path_factory.mktemp("prism")) as judge:
        yield judge


@pytest.fixture(scope="module")
def stack(simulator, prism):
    account = {"TOCSIN_TWILIO_BASE_URL": prism.base, "TOCSIN_TWILIO_ACCOUNT_SID": sim.ACCOUNT,
               "TOCSIN_TWILIO_AUTH_TOKEN_FILE": str(simulator.token_file)}
    with stacks.Stack(account | SHORT_WAITS, flags=["--no-sim"]) as started:
        yield started


def every_attempt(alert):
    return [api.status(attempt) for attempt in alert.tries]


def test_messages_of_a_whole_stack_are_as_twilio_describes_them(client, simulator):
    simulator.control("/sim/faults", {"next": [{"kind": "429", "retry_after": 1}]})
    assert every_attempt(client.until_state(client.send(DELIVERED), "DELIVERED")) == ["FAILED", "DELIVERED"]
    failed = client.until_state(client.send(LANDLINE), "FAILED")
    assert [attempt.provider_code for attempt in failed.tries] == [21614]
    client.until_state(client.send("+15145550199", text="Tempête à 18 h 🔔"), "DELIVERED")


def test_a_doubt_is_settled_by_a_list_as_twilio_describes_it(client, simulator):  # R4
    simulator.control("/sim/faults", {"next": [{"kind": "500_after"}], "callback": {"rate_missing": 1}})
    answer = client.send("+15145550198")
    alert = client.until_state(answer, "SENT", "DELIVERED", "SENT_UNCONFIRMED")
    assert [attempt.doubted for attempt in alert.tries] == [True]
    simulator.control("/sim/reset", {"faults_only": True})


@pytest.mark.parametrize(("number", "end", "status"), [
    ("+15005556101", "ACKNOWLEDGED", "ANSWERED_HUMAN"), ("+15005556486", "FAILED", "BUSY"),
    ("+15005556487", "FAILED", "NO_ANSWER"), ("+15005556200", "DELIVERED", "ANSWERED_MACHINE")])
def test_calls_of_a_whole_stack_are_as_twilio_describes_them(client, number, end, status):  # V1, V2, V4
    voice = api.message("VoiceOptions")(language="en-CA", detect_machine=True)
    accepted = client.send(number, channel=VOICE, voice=voice)
    client.until_state(accepted, end)
    poll.until("the call's end is known", lambda: every_attempt(client.get(accepted.alert_id)) == [status])


def test_prism_had_nothing_against_any_of_it(prism, simulator):
    """Last: over the whole run."""
    posts = [entry for book in ("requests", "call-requests") for entry in simulator.lines(f"/sim/{book}")]
    assert len(posts) >= 9 and sum(entry["accepted"] for entry in posts) >= 7
    assert prism.errors() == []
    assert prism.exchanges() > len(posts), "no list was read"
