"""Requests of the workers and responses of the simulator, validated against Twilio's OpenAPI description: Prism is a
proxy between a whole stack and the simulator. Only in scripts/test --full, because it needs Node. Q2."""

import sys

import pytest

import api
import poll
import stack as stacks

sys.path.insert(0, str(stacks.ROOT / "tests/tools/twilio-sim"))
import prism as prisms
import sim

EMERGENCY_NUMBER = "+15017122662"  # scripts/lib/services.sh
DELIVERED, LANDLINE = "+15558675309", "+15005550009"
SHORT_WAITS = {"TOCSIN_TWILIO_POST_TIMEOUT": "5s", "TOCSIN_LEASE": "10s", "TOCSIN_IN_DOUBT_INITIAL_DELAY": "300ms",
               "TOCSIN_IN_DOUBT_TIMEOUT": "20s", "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "20s", "TOCSIN_VOICE_MAX_CALLS": "1"}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    running = sim.Simulator(tmp_path_factory.mktemp("sim"), "--number", EMERGENCY_NUMBER)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def prism(simulator, tmp_path_factory):
    with prisms.Prism(simulator.base, tmp_path_factory.mktemp("prism")) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stack(simulator, prism):
    account = {"TOCSIN_TWILIO_BASE_URL": prism.base, "TOCSIN_TWILIO_ACCOUNT_SID": sim.ACCOUNT,
               "TOCSIN_TWILIO_AUTH_TOKEN_FILE": str(simulator.token_file)}
    with stacks.Stack(account | SHORT_WAITS, flags=["--no-sim"]) as started:
        yield started


def test_messages_match_the_description(client, simulator):
    simulator.control("/sim/faults", {"next": [{"kind": "429", "retry_after": 1}]})
    assert api.statuses(client.until_state(client.send(DELIVERED), "DELIVERED")) == ["FAILED", "DELIVERED"]
    failed = client.until_state(client.send(LANDLINE), "FAILED")
    assert [attempt.provider_code for attempt in failed.attempts] == [21614]
    client.until_state(client.send("+15145550199", text="Tempête à 18 h 🔔"), "DELIVERED")


def test_the_list_of_messages_matches_the_description(client, simulator):  # R4
    simulator.control("/sim/faults", {"next": [{"kind": "500_after"}], "callback": {"rate_missing": 1}})
    accepted = client.send("+15145550198")
    alert = client.until_state(accepted, "SENT", "DELIVERED", "SENT_UNCONFIRMED")
    assert [attempt.was_in_doubt for attempt in alert.attempts] == [True]
    simulator.control("/sim/reset", {"faults_only": True})


@pytest.mark.parametrize(("number", "state", "status"), [
    ("+15005556101", "ACKNOWLEDGED", "ANSWERED_HUMAN"), ("+15005556486", "FAILED", "BUSY"),
    ("+15005556487", "FAILED", "NO_ANSWER"), ("+15005556200", "DELIVERED", "ANSWERED_MACHINE")])
def test_calls_match_the_description(client, number, state, status):  # V1, V2, V4
    voice = api.message("VoiceOptions")(language_code="en-CA", machine_detection=True)
    accepted = client.send(number, channel="VOICE", voice=voice)
    client.until_state(accepted, state)
    poll.until("the final status of the call is known", lambda: api.statuses(client.get(accepted.alert_id)) == [status])


def test_prism_reported_no_violation(prism, simulator):
    """The last test: it covers the whole run."""
    posts = [entry for path in ("requests", "call-requests") for entry in simulator.lines(f"/sim/{path}")]
    assert len(posts) >= 9 and sum(entry["accepted"] for entry in posts) >= 7
    assert prism.errors() == []
    assert prism.exchanges() > len(posts), "no list was read"
