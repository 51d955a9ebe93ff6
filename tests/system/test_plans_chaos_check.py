"""The comparison of the chaos test with plans finds each planted difference."""

import pytest

import api
from chaos import plans, views

FIRST, SECOND, THIRD = (1, 1), (2, 1), (3, 1)
STATE_NUMBERS = {name: number for number, name in api.STATES.items()}
STATUS_NUMBERS = {name: number for number, name in api.ATTEMPT_STATUSES.items()}


class Planted:
    """A message to p0, after 2 s a call to p1, after 3 s a message to p0. p1 acknowledges at 14; the deadline is 30."""

    def __init__(self):
        self.shape = plans.Shape(1, "NORMAL", "ACKNOWLEDGED", 1, 20.0, [
            (0.0, [plans.Target("p0", "SMS", "+1")]), (2.0, [plans.Target("p1", "VOICE", "+2")]),
            (3.0, [plans.Target("p0", "SMS", "+1")])])
        self.sent = plans.SentPlan("p-1", "", responses=[views.Response(9.0, 10.0, "A1")], shape=self.shape,
                                   marks=[plans.Mark("acknowledged", "p1", "API", 13.9, 14.0)])
        self.alert = api.message("Alert")(alert_id="A1", state=STATE_NUMBERS["ACKNOWLEDGED"],
                                          labels={views.LABEL: "p-1"}, end_time=api.timestamp(14))
        self.alert.plan.deadline.CopyFrom(api.timestamp(30))
        self.alert.acknowledgements.add(person="p1")
        for (step, attempt), status in ((FIRST, "DELIVERED"), (SECOND, "NO_ANSWER"), (THIRD, "CANCELLED")):
            self.alert.attempts.add(step=step, attempt=attempt, status=STATUS_NUMBERS[status],
                                    update_time=api.timestamp(17))
        self.facts = plans.Facts()
        self.posted(FIRST, 10.0)
        self.posted(SECOND, 12.0)
        self.facts.resources[FIRST] = {"history": [{"status": "delivered", "at_us": 11_000_000}]}
        self.rang_until(15.0)

    def posted(self, attempt, at):
        self.facts.starts[attempt].append((at, False))
        self.facts.posts.append(plans.Post(at + 0.1, attempt, True, False))

    def rang_until(self, end):
        self.facts.resources[SECOND] = {"created_us": 12_100_000, "status": "canceled", "heard": [], "history": [
            {"status": "ringing", "at_us": 12_200_000}, {"status": "canceled", "at_us": round(end * 1e6)}]}

    def state(self, name):
        self.alert.state = STATE_NUMBERS[name]

    def differences(self, faults=()):
        return plans.Plans({"p-1": self.sent}, {"A1": self.alert}, {"A1": self.facts}, list(faults)).differences()


def test_a_plan_that_was_followed_has_no_differences():
    assert not Planted().differences()


def early(planted):
    planted.facts.starts[SECOND] = [(11.0, False)]


def after_the_acknowledgement(planted):
    planted.posted(THIRD, 15.0)


def to_one_who_acknowledged(planted):
    planted.shape.person_count = 2
    planted.sent.marks.append(plans.Mark("acknowledged", "p0", "reply", 14.4, 14.5))
    planted.alert.acknowledgements.add(person="p0")
    planted.posted(THIRD, 15.0)


def after_the_deadline(planted):
    planted.sent.marks.clear()
    planted.alert.acknowledgements.pop()
    planted.state("NOT_ACKNOWLEDGED")
    planted.posted(THIRD, 31.5)


def after_a_cancellation(planted):
    planted.sent.cancel_responses.append(views.Response(11.0, 11.5, error="TOO_LATE"))


def missed_although_acknowledged(planted):
    planted.state("NOT_ACKNOWLEDGED")


def never_ends(planted):
    planted.state("SENDING")


def too_few(planted):
    planted.shape.person_count = 2


def not_recorded(planted):
    planted.sent.marks.append(plans.Mark("declined", "p0", "key", 11.0, 11.1))


def recorded_for_nobody(planted):
    planted.alert.acknowledgements.add(person="p7")


def no_end(planted):
    planted.alert.attempts.pop()


def rings_on(planted):
    planted.rang_until(19.0)


@pytest.mark.parametrize(("plant", "difference"), [
    (early, "a step started before its time"),
    (after_the_acknowledgement, "contacted after the goal was reached by acknowledgements"),
    (to_one_who_acknowledged, "contacted after having acknowledged or declined"),
    (after_the_deadline, "contacted after the deadline"),
    (after_a_cancellation, "contacted after a confirmed cancellation"),
    (missed_although_acknowledged, "NOT_ACKNOWLEDGED, but the goal was reached by acknowledgements"),
    (never_ends, "not in a final state"),
    (too_few, "ACKNOWLEDGED by too few persons"),
    (not_recorded, "confirmed, but not recorded"),
    (recorded_for_nobody, "acknowledged by somebody who did not"),
    (no_end, "targets without an end"),
    (rings_on, "a call was not ended when the goal was reached"),
])
def test_a_planted_difference_is_found(plant, difference):
    planted = Planted()
    plant(planted)
    assert difference in planted.differences()


def test_a_call_that_rings_on_during_a_fault_is_only_reported():
    planted = Planted()
    planted.rang_until(19.0)
    assert not planted.differences(faults=[(13.0, 15.0)])


def test_a_step_that_follows_a_failed_one_may_start_early():
    planted = Planted()
    planted.facts.resources[FIRST]["history"] = [{"status": "undelivered", "at_us": 10_500_000}]
    planted.facts.starts[SECOND] = [(11.0, False)]
    assert not planted.differences()
