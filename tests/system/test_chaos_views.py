"""The comparison of the chaos test finds each planted difference."""

import dataclasses

import pytest

from chaos import views

FIRST, SECOND = (1, 1), (1, 2)


def response(alert_id="", begin=1.0, **fields):
    return views.Response(begin, begin + 0.5, alert_id, **fields)


def consistent():
    """A delivered alert, a repeated one with a key, a cancelled one, a call after a busy line, a refused one, one whose
    outcome the client does not know, and an emergency that was resent."""
    sent = [
        views.Sent("a-1", "+1", responses=[response("A1")]),
        views.Sent("a-2", "+2", key="k-2", responses=[response("A2"), response("A2", begin=2.0, replayed=True)]),
        views.Sent("b-2", "+22", key="k-2", responses=[response(begin=2.0, error="IDEMPOTENCY_CONFLICT")]),
        views.Sent("a-3", "+3", send_time=9.0, responses=[response("A3")], cancels=["CANCELLED"]),
        views.Sent("a-4", "+4", responses=[response("A4")]),
        views.Sent("a-5", "+5", responses=[response(error="REDIS_UNAVAILABLE")]),
        views.Sent("a-6", "+6", responses=[response(error="UNAVAILABLE", open=True)]),
        views.Sent("a-7", "+7", emergency=True, responses=[response("A7")]),
    ]
    posts = [views.Post("A1", FIRST, 3.0, "+1"), views.Post("A2", FIRST, 3.0, "+2"), views.Post("A4", FIRST, 3.0, "+4"),
             views.Post("A4", SECOND, 5.0, "+4"), views.Post("A6", FIRST, 3.0, "+6"), views.Post("A7", FIRST, 3.0, "+7"),
             views.Post("A7", SECOND, 9.0, "+7")]
    statuses = {(post.alert_id, post.attempt): {"delivered"} for post in posts} | {
        ("A4", FIRST): {"busy"}, ("A4", SECOND): {"completed"}}
    delivered = views.Attempt("DELIVERED")
    alerts = {
        "A1": views.Alert("DELIVERED", "a-1", attempts={FIRST: delivered}),
        "A2": views.Alert("DELIVERED", "a-2", attempts={FIRST: delivered}),
        "A3": views.Alert("CANCELLED", "a-3", attempts={FIRST: views.Attempt("CANCELLED")}),
        "A4": views.Alert("ACKNOWLEDGED", "a-4", attempts={FIRST: views.Attempt("BUSY"),
                                                           SECOND: views.Attempt("ANSWERED_HUMAN")}),
        "A6": views.Alert("DELIVERED", "a-6", attempts={FIRST: delivered}),
        "A7": views.Alert("DELIVERED", "a-7", attempts={FIRST: views.Attempt("FAILED", was_in_doubt=True),
                                                        SECOND: delivered}),
    }
    return views.Views({request.label: request for request in sent}, views.Simulated(posts, statuses), alerts)


def compare(plant):
    """The differences after plant(sent, posts, alerts) has changed consistent views."""
    base = consistent()
    sent, simulated, alerts = dict(base.sent), base.simulated, dict(base.alerts)
    statuses = dict(simulated.statuses)
    plant(sent, simulated.posts, alerts, statuses)
    return views.Views(sent, dataclasses.replace(simulated, statuses=statuses), alerts)


def test_consistent_views_have_no_differences():
    views_ = consistent()
    assert not views_.differences()
    assert not views_.lost() and not views_.doubled()
    assert views_.resent() == {"A7"}
    assert views_.known_to_client() == set(views_.alerts)


def lost(sent, posts, alerts, statuses):
    del alerts["A1"]


def never_final(sent, posts, alerts, statuses):
    alerts["A1"] = dataclasses.replace(alerts["A1"], state="SENT")


def doubled_attempt(sent, posts, alerts, statuses):
    posts.append(views.Post("A1", FIRST, 4.0, "+1"))


def doubled_alert(sent, posts, alerts, statuses):
    posts.append(views.Post("A1", SECOND, 4.0, "+1"))
    alerts["A1"].attempts[SECOND] = views.Attempt("DELIVERED")


def sent_after_cancel(sent, posts, alerts, statuses):
    posts.append(views.Post("A3", FIRST, 10.0, "+3"))


def delivered_after_cancel(sent, posts, alerts, statuses):
    alerts["A3"] = dataclasses.replace(alerts["A3"], state="DELIVERED")
    statuses["A3", FIRST] = {"delivered"}


def sent_although_refused(sent, posts, alerts, statuses):
    alerts["A5"] = views.Alert("DELIVERED", "a-5", attempts={FIRST: views.Attempt("DELIVERED")})
    statuses["A5", FIRST] = {"delivered"}


def two_of_one_request(sent, posts, alerts, statuses):
    alerts["A66"] = dataclasses.replace(alerts["A6"])
    statuses["A66", FIRST] = {"delivered"}


def sent_by_nobody(sent, posts, alerts, statuses):
    alerts["A9"] = views.Alert("EXPIRED", "a-9")


def posted_without_alert(sent, posts, alerts, statuses):
    posts.append(views.Post("A9", FIRST, 4.0, "+9"))


def second_alert_of_a_key(sent, posts, alerts, statuses):
    sent["b-2"] = dataclasses.replace(sent["b-2"], responses=[response("A22")])
    alerts["A22"] = views.Alert("CANCELLED", "b-2")
    sent["b-2"].cancels.append("TOO_LATE")


def repeated_as_new(sent, posts, alerts, statuses):
    sent["a-2"].responses.append(response("A2", begin=3.0))


def conflict_with_itself(sent, posts, alerts, statuses):
    sent["a-2"].responses.append(response(begin=3.0, error="IDEMPOTENCY_CONFLICT"))


def another_recipient(sent, posts, alerts, statuses):
    posts[0] = dataclasses.replace(posts[0], to="+22")


def too_early(sent, posts, alerts, statuses):
    sent["a-1"] = dataclasses.replace(sent["a-1"], send_time=4.0)


def too_late(sent, posts, alerts, statuses):
    sent["a-7"] = dataclasses.replace(sent["a-7"], expire_time=0.5)


def delivered_nowhere(sent, posts, alerts, statuses):
    statuses["A1", FIRST] = {"queued"}


def failed_but_delivered(sent, posts, alerts, statuses):
    alerts["A1"] = dataclasses.replace(alerts["A1"], state="FAILED")


def expired_but_delivered(sent, posts, alerts, statuses):
    alerts["A1"] = dataclasses.replace(alerts["A1"], state="EXPIRED")


def cancelled_by_nobody(sent, posts, alerts, statuses):
    sent["a-3"] = dataclasses.replace(sent["a-3"], cancels=[])


@pytest.mark.parametrize(("plant", "difference", "items"), [
    (lost, "accepted, but not in the status API", ["A1"]),
    (never_final, "accepted, but without a final state", ["('A1', 'SENT')"]),
    (doubled_attempt, "attempts that Twilio accepted more than once", ["('A1', 1, 1)"]),
    (doubled_alert, "alerts sent again without a recorded reason", ["A1"]),
    (sent_after_cancel, "sent although the cancellation was confirmed", ["A3"]),
    (delivered_after_cancel, "the cancellation was confirmed, but the alert is not CANCELLED", ["A3"]),
    (sent_although_refused, "in the status API, but every request was refused", ["a-5"]),
    (two_of_one_request, "more alerts in the status API than requests with an unknown outcome", ["a-6"]),
    (sent_by_nobody, "in the status API, but nobody sent it", ["A9"]),
    (posted_without_alert, "sent, but not in the status API", ["A9"]),
    (second_alert_of_a_key, "several alerts with one key", ["k-2"]),
    (repeated_as_new, "repeated after an acceptance, but not marked as replayed", ["a-2"]),
    (conflict_with_itself, "refused as a conflict with itself", ["a-2"]),
    (another_recipient, "sent to a number that nobody requested", ["A1"]),
    (too_early, "sent before the send time", ["A1"]),
    (too_late, "sent after the expire time", ["A7"]),
    (delivered_nowhere, "DELIVERED, but not at Twilio", ["A1"]),
    (failed_but_delivered, "FAILED, but delivered at Twilio", ["A1"]),
    (expired_but_delivered, "not sent by its state, but delivered at Twilio", ["A1"]),
    (cancelled_by_nobody, "CANCELLED, but nobody cancelled it", ["A3"]),
])
def test_a_planted_difference_is_found(plant, difference, items):
    assert compare(plant).differences().get(difference) == items


@pytest.mark.parametrize("plant", [lost, never_final])
def test_a_planted_lost_alert_is_counted(plant):
    assert compare(plant).lost() == {"A1"}


@pytest.mark.parametrize("plant", [doubled_attempt, doubled_alert])
def test_a_planted_double_is_counted(plant):
    assert len(compare(plant).doubled()) == 1
