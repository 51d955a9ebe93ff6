"""Plans through the whole stack: steps, persons, goals and deadlines. V4-V8, A5."""

import grpc
import pytest

import api
import poll
import stack as stacks

ANN, BEN, CLEO, DAN, EVE, FAY, GIL, HAL, IDA, JON, KAI, LEA, MIA, NED = (f"+1514555{7500 + i}" for i in range(14))
UNREACHABLE = "+15005550001"  # refused by Twilio
TEXT = "Pump 3 has stopped."
# Each target is called once. A second of a call takes 20 ms, so a phone rings for 12 s.
SETTINGS = {"TOCSIN_VOICE_MAX_CALLS": "1", "TOCSIN_VOICE_RING_TIMEOUT": "600s", "TOCSIN_LOG_LEVEL": "debug"}


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack(SETTINGS) as started:
        yield started


def target(person, channel, to="", **fields):
    return api.message("Target")(person=person, channel=api.CHANNELS[channel], to=to, **fields)


def plan(*steps, goal="acknowledged", persons=0, within=None):
    """`steps`: the targets of the first step, then (wait in seconds, targets) of the others."""
    made = api.message("Plan")()
    made.goal.reach = {name: number for number, name in api.REACHES.items()}[goal.upper()]
    made.goal.person_count = persons
    if within:
        made.goal.within.FromMilliseconds(round(within * 1000))
    for number, step in enumerate(steps):
        wait, targets = (None, step) if number == 0 else step
        added = made.steps.add(targets=targets)
        if wait:
            added.wait_duration.FromMilliseconds(round(wait * 1000))
    return made


def send(client, made, **fields):
    return client.enqueue(api.message("EnqueueRequest")(text=TEXT, plan=made, **fields))


def attempts(alert):
    """(target, status) of each attempt, in order."""
    return [(attempt.step, api.status(attempt)) for attempt in alert.attempts]


def until(client, accepted, what, holds):
    """The alert once `holds` is true of it."""
    def check():
        alert = client.get(accepted.alert_id, accepted.consistency_token)
        return alert if holds(alert) else None
    return poll.until(what, check)


def until_ended(client, accepted, targets):
    """The alert once each of so many targets has an attempt, and all attempts have ended."""
    open_statuses = {"SENDING", "SENT", "RINGING", "IN_DOUBT", "ANSWERED_HUMAN", "ANSWERED_MACHINE"}
    return until(client, accepted, "every target has ended", lambda alert: (
        {attempt.step for attempt in alert.attempts} == set(range(1, targets + 1))
        and not any(api.status(attempt) in open_statuses and not attempt.duration.seconds for attempt in alert.attempts)))


def seconds_between(earlier, later):
    return (later.ToMicroseconds() - earlier.ToMicroseconds()) / 1e6


def test_steps_follow_until_a_person_acknowledges(stack, client, simulator):  # V6
    simulator.phones({BEN: {"answer": "human", "keys": ["1"]}, CLEO: {"answer": "human", "keys": ["1"]}})
    accepted = send(client, plan([target("ann", "SMS", ANN)], (2, [target("ben", "VOICE", BEN)]),
                                 (600, [target("cleo", "VOICE", CLEO)])))
    alert = client.until_state(accepted, "ACKNOWLEDGED")
    first, second = alert.attempts[:2]
    assert seconds_between(first.start_time, second.start_time) >= 2
    (acknowledgement,) = alert.acknowledgements
    assert acknowledgement.person == "ben" and acknowledgement.evidence == second.provider_sid
    assert "Acknowledged by ben, by key press" in api.descriptions(alert)
    assert not simulator.calls(CLEO)
    steps = alert.plan.steps
    assert [[(to.number, to.person) for to in step.targets] for step in steps] == [
        [(1, "ann")], [(2, "ben")], [(3, "cleo")]]
    assert api.REACHES[steps[1].targets[0].reach] == "ACKNOWLEDGED"
    assert not steps[2].HasField("start_time") and not alert.plan.HasField("next_step_time")


def test_an_acknowledgement_stops_the_steps_that_wait(client, simulator):  # A2, V6
    accepted = send(client, plan([target("ann", "SMS", ANN)], (4, [target("dan", "VOICE", DAN)])))
    alert = until(client, accepted, "ann is reached", lambda alert: api.statuses(alert) == ["DELIVERED"])
    assert api.state(alert) == "SENDING"
    assert alert.plan.next_step_time.ToMicroseconds() == (
        alert.plan.steps[0].start_time.ToMicroseconds() + 4_000_000)
    assert client.acknowledge(accepted.alert_id, "ann")
    assert not client.acknowledge(accepted.alert_id, "ann")
    alert = until_ended(client, accepted, 2)
    assert api.state(alert) == "ACKNOWLEDGED" and attempts(alert) == [(1, "DELIVERED"), (2, "CANCELLED")]
    assert alert.attempts[1].reason == "ACKNOWLEDGED" and not simulator.calls(DAN)
    assert [acknowledgement.person for acknowledgement in alert.acknowledgements] == ["ann"]


def test_a_step_starts_at_once_when_the_one_before_has_failed(client, simulator):  # V6
    simulator.phones({EVE: {"answer": "human", "keys": ["2"]}})
    accepted = send(client, plan([target("ann", "SMS", UNREACHABLE)], (600, [target("eve", "VOICE", EVE)]),
                                 goal="human"))
    alert = client.until_state(accepted, "DELIVERED")
    assert [attempt.step for attempt in alert.attempts] == [1, 2] and api.status(alert.attempts[0]) == "FAILED"


def test_a_quorum_with_a_decline_ends_the_call_that_rings(stack, client, simulator):  # V4, V6, S7
    """A message to fay unanswered; a call to fay not taken; the phones of fay, gil, hal and ida ring; gil presses 3, hal
    presses 1, fay replies yes."""
    simulator.phones({FAY: {"answer": "no-answer"}, GIL: {"answer": "human", "keys": ["3"]},
                      HAL: {"answer": "human", "keys": ["1"]}, IDA: {"answer": "by-hand"}})
    text = f"{TEXT} Reply yes {{ack_code}}"
    accepted = send(client, plan(
        [target("fay", "SMS", FAY, text=text)], (1, [target("fay", "VOICE")]),
        (1, [target("gil", "VOICE", GIL), target("hal", "VOICE", HAL), target("ida", "VOICE", IDA)]),
        (600, [target("gil", "SMS"), target("jon", "SMS", JON)]), persons=2, within=120))
    alert = until(client, accepted, "hal has acknowledged and the step after the decline has not started too early",
                  lambda alert: [found.person for found in alert.acknowledgements] == ["hal"]
                  and any("Declined by gil" in text for text in api.descriptions(alert)))
    assert api.state(alert) not in api.FINAL_STATES, "one of two persons"
    poll.until("ida's phone rings", lambda: [call["status"] for call in simulator.calls(IDA)] == ["ringing"])
    result = simulator.inbound(FAY, "yes", stack.env["TOCSIN_PUBLIC_BASE_URL"] + "/twilio/sms/inbound")
    assert result["status"] == 200 and "Thank" in result["response"], result
    alert = client.until_state(accepted, "ACKNOWLEDGED")
    assert {found.person for found in alert.acknowledgements} == {"fay", "hal"}
    poll.until("the call to ida is ended", lambda: [call["status"] for call in simulator.calls(IDA)] == ["canceled"])
    assert len(simulator.calls(GIL)) == 1, "gil has declined"


def test_a_reply_declines_and_the_next_step_starts_at_once(stack, client, simulator):  # V6, S7
    """mia replies no and gets no call; ned is called long before the wait is over; mia replies yes after all."""
    url = stack.env["TOCSIN_PUBLIC_BASE_URL"] + "/twilio/sms/inbound"

    def reply(body):
        result = simulator.inbound(MIA, body, url)
        assert result["status"] == 200, result
        return result["response"]

    simulator.phones({NED: {"answer": "by-hand"}})
    text = f"{TEXT} Reply YES or NO {{ack_code}}"
    accepted = send(client, plan([target("mia", "SMS", MIA, text=text)],
                                 (600, [target("mia", "VOICE"), target("ned", "VOICE", NED)]), persons=2))
    until(client, accepted, "mia is reached", lambda alert: api.statuses(alert) == ["DELIVERED"])
    assert "You declined" in reply("No.")
    poll.until("ned's phone rings", lambda: [call["status"] for call in simulator.calls(NED)] == ["ringing"])
    alert = until(client, accepted, "the timeline shows it",
                  lambda alert: "Declined by mia, by a reply" in api.descriptions(alert))
    assert api.state(alert) not in api.FINAL_STATES and not simulator.calls(MIA)
    assert "You declined" in reply("no")
    assert "acknowledged" in reply("yes"), "one who declined may acknowledge"
    assert "already acknowledged" in reply("no")
    assert client.acknowledge(accepted.alert_id, "ned")
    alert = client.until_state(accepted, "ACKNOWLEDGED")
    assert {found.person for found in alert.acknowledgements} == {"mia", "ned"}
    assert not simulator.calls(MIA)
    assert sum("Declined" in text for text in api.descriptions(alert)) == 1


def test_a_goal_that_is_not_reached_ends_the_alert_at_its_deadline(client, simulator):  # V6
    accepted = send(client, plan([target("kai", "SMS", KAI)], (30, [target("lea", "VOICE", LEA)]), within=3))
    alert = client.until_state(accepted, "NOT_ACKNOWLEDGED")
    assert alert.reason == "GOAL_MISSED" and "Goal not reached by the deadline" in api.descriptions(alert)
    assert alert.end_time == alert.plan.deadline
    assert seconds_between(alert.create_time, alert.end_time) == pytest.approx(3, abs=0.001)
    client.acknowledge(accepted.alert_id, "kai")
    late = until(client, accepted, "the late acknowledgement is recorded", lambda now: now.acknowledgements)
    assert api.state(late) == "NOT_ACKNOWLEDGED" and api.REACHES[late.reach] == "ACKNOWLEDGED"
    assert not simulator.calls(LEA)


def test_a_delivery_is_the_default_goal(client):
    accepted = send(client, api.message("Plan")(steps=plan(
        [target("ann", "SMS", UNREACHABLE), target("ben", "SMS", ANN)], (600, [target("cleo", "SMS", CLEO)])).steps))
    alert = client.until_state(accepted, "DELIVERED")
    assert sorted(attempts(alert)) == [(1, "FAILED"), (2, "DELIVERED")]


def test_a_cancellation_stops_a_plan(client, simulator):
    accepted = send(client, plan([target("ann", "SMS", ANN)], (3, [target("dan", "VOICE", DAN)])))
    until(client, accepted, "ann is reached", lambda alert: api.statuses(alert) == ["DELIVERED"])
    calls = len(simulator.calls(DAN))
    assert client.cancel(accepted.alert_id) == "TOO_LATE"
    alert = until_ended(client, accepted, 2)
    assert api.state(alert) == "CANCELLED" and attempts(alert)[1] == (2, "CANCELLED")
    assert len(simulator.calls(DAN)) == calls


def test_a_person_can_be_named_by_somebody_else(stack, client):
    accepted = send(client, plan([target("ann", "SMS", ANN), target("ben", "SMS", BEN)], persons=2))
    done = stack.tocsin("ack", accepted.alert_id, "--actor-id", "dispatcher", "--person", "ann")
    assert done.returncode == 0, done.stderr
    until(client, accepted, "ann is recorded", lambda alert: [
        (found.person, found.actor_id) for found in alert.acknowledgements] == [("ann", "dispatcher")])
    assert stack.tocsin("ack", accepted.alert_id, "--person", "ben").returncode == 0
    client.until_state(accepted, "ACKNOWLEDGED")
    shown = stack.tocsin("get", accepted.alert_id).stdout.decode()
    assert "ann" in shown and "ben" in shown


def test_a_repeated_request_with_a_plan_is_a_replay(client):  # R1
    made = plan([target("ann", "SMS", ANN)], (600, [target("ann", "VOICE")]), goal="delivered")
    first = send(client, made, idempotency_key="plan-1")
    again = send(client, made, idempotency_key="plan-1")
    assert again.replayed and again.alert_id == first.alert_id
    made.steps[1].wait_duration.FromSeconds(601)
    with pytest.raises(grpc.RpcError) as conflict:
        send(client, made, idempotency_key="plan-1")
    assert api.Details.of(conflict.value).reason == "IDEMPOTENCY_CONFLICT"


def test_a_refused_plan_names_its_field(client):  # A6
    with pytest.raises(grpc.RpcError) as refused:
        send(client, plan([target("ann", "SMS", ANN)], (2, [target("ben", "VOICE", "5145550102")])))
    details = api.Details.of(refused.value)
    assert details.fields == ["plan.steps[1].targets[0].to"] and details.reason == "INVALID_PHONE_FORMAT"
    assert "5550102" not in refused.value.details()
