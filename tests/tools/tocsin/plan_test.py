"""Plans on the command line: `send --plan`, `ack --person`, and what `get` and `watch` print. O9."""

import json

import grpc
import pytest

from program import UNUSED, tocsin
from service import Service, api

ALERT = "01920000-0000-7000-8000-000000000001"
PLAN = """\
goal: {acknowledged_by: 2, within: 15m}
steps:
  - targets: [{person: ann, channel: sms, to: "+15145550101"}]
  - after: 2m
    targets: [{person: ann, channel: voice}]
  - after: 3m
    targets:
      - {person: ben, channel: voice, to: +15145550102}
      - {person: cleo, channel: voice, to: +15145550103, language: fr-CA, sender: sms-1, text: Pompe 3}
"""
ONE_RECIPIENT = [("--to", "+15145550123"), ("--channel", "voice"), ("--sender-id", "main"), ("--sender", "main"),
                 ("--language-code", "en-CA"), ("--language", "en-CA"), ("--voice", "Polly.Joanna"),
                 ("--machine-detection",), ("--detect-machine",)]


@pytest.fixture(name="plan")
def plan_fixture(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return str(path)


def accept():
    return Service("AlertService", {"Enqueue": lambda request: api.message("EnqueueResponse")(alert_id=ALERT)})


def test_a_plan_is_sent_with_the_options_of_the_alert(run, plan):
    service = accept()
    sent = run(service, "send", "--plan", plan, "--text", "Pump 3 has stopped", "--priority", "high", "--label",
               "ward=7", "--idempotency-key", "pump-3", "--expire-time", "2027-01-16T09:00:00Z", "--in-doubt", "resend")
    assert (sent.returncode, sent.stdout) == (0, f"{ALERT}  accepted\n"), sent.stderr
    (request,) = service.requests
    assert (request.priority, request.text, request.idempotency_key) == (2, "Pump 3 has stopped", "pump-3")
    assert dict(request.labels) == {"ward": "7"} and request.HasField("expire_time")
    assert (request.to, request.channel, request.sender_id, request.HasField("voice")) == ("", 0, "", False)
    assert (request.plan.goal.person_count, request.plan.goal.within.seconds) == (2, 900)
    assert [step.wait_duration.seconds for step in request.plan.steps] == [0, 120, 180]
    assert [(target.person, target.to) for step in request.plan.steps for target in step.targets] == [
        ("ann", "+15145550101"), ("ann", ""), ("ben", "+15145550102"), ("cleo", "+15145550103")]


def test_an_error_of_the_plan_has_its_place_and_no_value(plan):
    for before, after, error in [
            ("after: 3m", "after: 3", "6:12: steps[2].after: is not a duration from 1s to 7d; write a number and a "
                                      "unit, such as 30s, 2m or 1h"),
            ('to: "+15145550101"', "to: 5145550101", "3:47: steps[0].targets[0].to: is not a possible phone number; "
                                                     "write + and all digits from the country code on (E.164)"),
            ("acknowledged_by: 2", "acknowledged_by: 4", "1:25: goal.acknowledged_by: exceeds the number of persons in "
                                                         "the plan; write a number from 1 to 3, or add persons")]:
        with open(plan, "w", encoding="utf-8") as file:
            file.write(PLAN.replace(before, after))
        refused = tocsin("send", "--plan", plan, "--text", "x", "--address", UNUSED, "--api-key-file", "/dev/null")
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr == f"tocsin: {plan}:{error} (INVALID_ARGUMENT)\n"


def test_a_plan_without_texts_needs_the_text_of_the_alert(plan):
    refused = tocsin("send", "--plan", plan)
    assert refused.returncode == 2
    assert refused.stderr == (f"tocsin: {plan}:3:15: steps[0].targets[0].text: is missing; add text, or give a text "
                              "for all targets with --text (INVALID_ARGUMENT)\n")


@pytest.mark.parametrize("option", ONE_RECIPIENT, ids=lambda option: option[0])
def test_a_plan_excludes_the_options_of_one_recipient(plan, option):
    refused = tocsin("send", "--plan", plan, "--text", "x", *option)
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"--plan excludes {option[0]}\n")


def test_an_alert_needs_a_recipient_or_a_plan():
    refused = tocsin("send", "--text", "x")
    assert refused.returncode == 2 and refused.stderr.startswith("--to or --plan is required\n")


def test_a_plan_is_a_bounded_file(tmp_path):
    large = tmp_path / "large.yaml"
    large.write_text("#" * (64 * 1024 + 1))
    for path, error in [("-", "--plan: cannot be stdin; write the plan to a file"),
                        (str(large), f"{large}: is larger than 64 KiB"),
                        (str(tmp_path), f"{tmp_path}: cannot be read: is a directory"),
                        ("/nowhere.yaml", "/nowhere.yaml: cannot be read")]:
        refused = tocsin("send", "--plan", path, "--text", "x", stdin=PLAN)
        assert (refused.returncode, refused.stderr) == (2, f"tocsin: {error} (INVALID_ARGUMENT)\n")


@pytest.mark.parametrize("options, actor, person", [
    (("--actor-id", "user-7"), "user-7", ""),
    (("--person", "ann"), "ann", "ann"),
    (("--actor-id", "user-7", "--person", "ann"), "user-7", "ann"),
    (("--by", "user-7", "--person", "ann"), "user-7", "ann"),
], ids=("actor", "person", "both", "old name"))
def test_an_acknowledgement_names_actor_and_person(run, options, actor, person):
    service = Service("AlertService", {"Acknowledge": lambda _: api.message("AcknowledgeResponse")(
        newly_acknowledged=True)})
    done = run(service, "ack", ALERT, *options)
    assert (done.returncode, done.stdout) == (0, "acknowledged\n")
    (request,) = service.requests
    assert (request.alert_id, request.actor_id, request.person) == (ALERT, actor, person)


def test_an_acknowledgement_needs_an_actor_or_a_person():
    refused = tocsin("ack", ALERT, "--address", UNUSED, "--api-key-file", "/dev/null")
    assert refused.returncode == 2
    assert refused.stderr == ("tocsin: --actor-id: is required, such as a user id; or give --person "
                              "(INVALID_ARGUMENT)\n")


def an_alert(state, revision=1, status="RINGING", with_plan=True):
    """ann has acknowledged, ben is being called; the third step has not started."""
    states, statuses, reaches = ({name: number for number, name in names.items()}
                                 for names in (api.STATES, api.ATTEMPT_STATUSES, api.REACHES))
    alert = api.message("Alert")(alert_id=ALERT, state=states[state], masked_recipient="*******0101", region_code="CA",
                                 revision=revision)
    entry = alert.timeline.add(description="Accepted")
    entry.event_time.FromSeconds(1793000000)
    if not with_plan:
        return alert
    alert.acknowledgements.add(method=1, actor_id="user-7", person="ann").event_time.FromSeconds(1793000060)
    plan = alert.plan
    plan.goal, plan.person_count = reaches["ACKNOWLEDGED"], 2
    plan.deadline.FromSeconds(1793000900)
    plan.next_step_time.FromSeconds(1793000300)
    first, second, third = (plan.steps.add() for _ in range(3))
    first.start_time.FromSeconds(1793000000)
    second.start_time.FromSeconds(1793000120)
    second.wait_duration.FromSeconds(120)
    third.wait_duration.FromSeconds(180)
    first.targets.add(number=1, person="ann", channel=1, masked_recipient="*******0101",
                      status=statuses["DELIVERED"], reach=reaches["ACKNOWLEDGED"])
    second.targets.add(number=2, person="ben", channel=2, masked_recipient="*******0102", status=statuses[status])
    third.targets.add(number=3, person="cleo", channel=2, masked_recipient="*******0103")
    return alert


PLAN_LINES = """\
  goal ACKNOWLEDGED by 2 persons  deadline 2026-10-26T07:48:20Z
  step 1  started 2026-10-26T07:33:20Z
    target 1  ann  SMS to *******0101  DELIVERED  reach ACKNOWLEDGED
  step 2  2m after step 1  started 2026-10-26T07:35:20Z
    target 2  ben  VOICE to *******0102  RINGING
  step 3  3m after step 2  starts by 2026-10-26T07:38:20Z
    target 3  cleo  VOICE to *******0103  no attempt
  acknowledged by ann (API)  2026-10-26T07:34:20Z
"""


def gets(alert):
    return Service("StatusService", {"GetAlert": lambda _: alert})


def test_get_prints_the_plan_before_the_timeline(run):
    printed = run(gets(an_alert("SENDING")), "get", ALERT).stdout
    assert printed == (f"{ALERT}  SENDING  to *******0101 CA\n{PLAN_LINES}  2026-10-26T07:33:20Z  Accepted\n")


def test_get_prints_an_alert_without_a_plan_as_before(run):
    printed = run(gets(an_alert("SENDING", with_plan=False)), "get", ALERT).stdout
    assert printed == f"{ALERT}  SENDING  to *******0101 CA\n  2026-10-26T07:33:20Z  Accepted\n"


def test_json_has_the_plan(run):
    printed = json.loads(run(gets(an_alert("NOT_ACKNOWLEDGED")), "get", ALERT, output="json").stdout)
    assert printed["state"] == "NOT_ACKNOWLEDGED" and printed["acknowledgements"][0]["person"] == "ann"
    assert printed["plan"].pop("steps")[1] == {
        "wait_duration": "120s", "start_time": "2026-10-26T07:35:20Z", "targets": [
            {"number": 2, "person": "ben", "channel": "VOICE", "masked_recipient": "*******0102", "status": "RINGING",
             "reach": None}]}
    assert printed["plan"] == {"goal": "ACKNOWLEDGED", "person_count": 2, "deadline": "2026-10-26T07:48:20Z",
                               "next_step_time": "2026-10-26T07:38:20Z"}
    assert json.loads(run(gets(an_alert("SENT", with_plan=False)), "get", ALERT, output="json").stdout)["plan"] is None


class Watches(grpc.GenericRpcHandler):
    """One stream with these revisions of an alert."""

    def __init__(self, *alerts):
        self.alerts = alerts

    def service(self, details):
        return grpc.unary_stream_rpc_method_handler(
            lambda request, context: (api.message("WatchAlertResponse")(alert=alert) for alert in self.alerts),
            request_deserializer=api.message("WatchAlertRequest").FromString,
            response_serializer=lambda response: response.SerializeToString())


def test_watch_prints_the_plan_and_then_its_changed_lines(run):
    watched = run(Watches(an_alert("SENDING"), an_alert("ACKNOWLEDGED", 2, "ANSWERED_HUMAN")), "watch", ALERT)
    assert watched.returncode == 0, watched.stderr
    assert watched.stdout == (f"2026-10-26T07:33:20Z  Accepted\n{PLAN_LINES}{ALERT}  SENDING  to *******0101 CA\n"
                              "    target 2  ben  VOICE to *******0102  ANSWERED_HUMAN\n"
                              f"{ALERT}  ACKNOWLEDGED  to *******0101 CA\n")


def test_a_watch_of_an_alert_that_nobody_acknowledged_ends_with_1(run):
    watched = run(Watches(an_alert("NOT_ACKNOWLEDGED")), "watch", ALERT)
    assert watched.returncode == 1
    assert watched.stdout.endswith(f"{ALERT}  NOT_ACKNOWLEDGED  to *******0101 CA\n")
