"""The report of a chaos run."""

import collections
import datetime

import api

SHOWN = 10  # items of one difference
HISTORIES = 6  # alerts whose history is shown


def _counts(counter):
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items())) or "none"


def _silences(caused, comparison):
    """The longest time without an accepted POST of each fault, until the next fault begins."""
    steps = caused.steps
    ends = [step.begin for step in steps[1:]] + [caused.end]
    return [f"  {comparison.twilio.longest_gap(step.begin * 1e6, end * 1e6):5.1f} s  {step} "
            f"(ready after {step.end - step.begin:.1f} s)" for step, end in zip(steps, ends)]


def _time(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%H:%M:%S.%f")


def _response(response):
    result = response.error or f"accepted as {response.alert_id}{', replayed' if response.replayed else ''}"
    return f"{_time(response.begin)} to {_time(response.end)}  {result}{', outcome unknown' if response.open else ''}"


def history(request, alert, posts):
    """What is known of one alert. request: Sent or None; alert: message of GetAlert or None; posts: of this alert."""
    lines = []
    if request:
        lines += [f"== {request.label} {'emergency ' if request.emergency else ''}{request.key}",
                  *(f"  client     {_response(response)}" for response in request.responses),
                  *(f"  cancelled  {_response(response)}" for response in request.cancel_responses)]
    if alert:
        lines += [f"  {alert.alert_id} {api.state(alert)} {alert.reason}, attempts {api.statuses(alert)}",
                  *(f"  timeline   {_time(entry.event_time.ToMicroseconds() / 1e6)} {entry.attempt} {entry.description}"
                    for entry in alert.timeline)]
    return lines + [f"  Twilio     {_time(post.at)} accepted attempt {post.attempt}" for post in posts]


def histories(client, views, comparison):
    """Of the first alerts in which a difference was found."""
    found = [item for differences in (views.differences(), comparison.differences())
             for items in differences.values() for item in items]
    lines = []
    for alert_id in [alert_id for alert_id in views.alerts if any(alert_id in item for item in found)][:HISTORIES]:
        lines += history(views.sent.get(views.alerts[alert_id].label), client.get(alert_id),
                         [post for post in views.simulated.posts if post.alert_id == alert_id])
    missing = [request for request in views.sent.values() if set(request.accepted) - set(views.alerts)]
    for request in missing[:HISTORIES]:
        lines += history(request, None, [])
    return "\n".join(lines)


def of(load, caused, views, comparison):
    """load: Workload; caused: Faults; views: Views; comparison: consistency_check.Comparison."""
    sent = load.sent.values()
    responses = [response for request in sent for response in request.responses]
    by_key = [request for request in sent if request.key]
    lines = [
        f"sent      {len(responses)} requests for {len(load.sent)} alerts, {len(by_key)} of them with a key",
        f"accepted  {len({alert for request in sent for alert in request.accepted})} alerts; "
        f"replayed responses {sum(response.replayed for response in responses)}; "
        f"outcome unknown to the client {sum(response.open for response in responses)} requests",
        f"refused   {_counts(load.refused)}",
        f"cancelled {_counts(load.cancels())}; refused: {_counts(load.cancel_errors)}",
        f"ended     {_counts(collections.Counter(alert.state for alert in views.alerts.values()))}",
        f"lost      {len(views.lost())}",
        f"doubled   {len(views.doubled())}",
        f"resent by policy, and recorded: {len(views.resent())}",
        "longest time without a POST, per fault:", *_silences(caused, comparison)]
    for description, items in views.differences().items():
        lines += [f"DIFFERENCE {description}: {len(items)}", *(f"  {item}" for item in items[:SHOWN])]
    return "\n".join([*lines, comparison.report()])
