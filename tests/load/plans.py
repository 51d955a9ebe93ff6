"""Opens many plans of which two phones ring, acknowledges some of them, and prints how long the phones ring on.

    python tests/load/plans.py [OPEN [ACKNOWLEDGED [PER_SECOND]]]

Needs the env file of a running stack that was started with TOCSIN_VOICE_RING_TIMEOUT=600s (source STATE/env), and the
packages of the system tests. Each plan has a third step that is not due yet: it must never be called.
"""

import os
import pathlib
import random
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/system"))
import api  # noqa: E402
import consistency_check  # noqa: E402
import poll  # noqa: E402
import stack  # noqa: E402

RINGING_SECONDS, CANCELLED_SECONDS = 240, 60
BATCH = 1000
PERSONS = ("ann", "ben", "cleo")
STEP_SECONDS = 1500  # until the step that must never start


def plan(number):
    """Two persons are called at once, a third one after a long time. One of them must acknowledge."""
    made = api.message("Plan")()
    made.goal.reach = {name: value for value, name in api.REACHES.items()}["ACKNOWLEDGED"]
    made.goal.within.FromSeconds(2 * STEP_SECONDS)
    for wait, persons in ((0, PERSONS[:2]), (STEP_SECONDS, PERSONS[2:])):
        step = made.steps.add()
        if wait:
            step.wait_duration.FromSeconds(wait)
        for person in persons:
            step.targets.add(person=person, channel=api.CHANNELS["VOICE"],
                             to=f"+1514{2_000_000 + len(PERSONS) * number + PERSONS.index(person)}")
    return made


def send(client, count):
    requests = [api.message("EnqueueRequest")(text="Pump 3 has stopped.", plan=plan(number),
                                              priority=api.PRIORITIES["HIGH"]) for number in range(count)]
    results = [result for at in range(0, count, BATCH) for result in client.batch(requests[at:at + BATCH]).results]
    refused = [result.error for result in results if not result.HasField("accepted")]
    assert not refused, f"{len(refused)} plans are refused: {refused[0]}"
    return [result.accepted.alert_id for result in results]


def acknowledge(client, alerts, per_second):
    """alert id -> Unix seconds of the response."""
    begin, responses = time.time(), {}
    for number, alert in enumerate(alerts):
        time.sleep(max(0.0, begin + number / per_second - time.time()))
        client.acknowledge(alert, "ann")
        responses[alert] = time.time()
    return responses


def calls_of(simulator, alerts):
    """alert id -> its calls."""
    calls = {alert: [] for alert in alerts}
    for call in simulator.every_call():
        alert = consistency_check.attempt_of_token(call["token"])[0]
        if alert in calls:
            calls[alert].append(call)
    return calls


def show(label, seconds):
    seconds = sorted(seconds)
    shares = ", ".join(f"p{share * 100:g} {seconds[min(int(len(seconds) * share), len(seconds) - 1)] * 1e3:.0f} ms"
                       for share in (0.5, 0.9, 0.99, 1))
    print(f"{label}: {shares}", flush=True)


def main(count=10_000, acknowledged=1_000, per_second=20):
    key = pathlib.Path(os.environ["TOCSIN_API_KEY_FILE"]).read_text()
    client = api.Client(os.environ["TOCSIN_INGRESS_GRPC"], os.environ["TOCSIN_AUDIT_GRPC"], key)
    simulator = stack.Simulator(os.environ["TOCSIN_TWILIO_BASE_URL"])
    simulator.phones({"*": {"answer": "no-answer"}})
    simulator.timing(1000)
    alerts = send(client, count)
    poll.until(f"{2 * count} calls are placed", lambda: simulator.health()["calls"] >= 2 * count, RINGING_SECONDS)
    poll.until("all phones ring", lambda: sum(
        call["status"] == "ringing" for call in simulator.every_call()) == 2 * count, RINGING_SECONDS)
    print(f"{count} plans are open, {2 * count} phones ring", flush=True)
    chosen = random.Random(1).sample(alerts, acknowledged)
    responses = acknowledge(client, chosen, per_second)
    poll.until("their phones do not ring any more", lambda: all(
        call["status"] == "canceled" for calls in calls_of(simulator, chosen).values() for call in calls),
        CANCELLED_SECONDS)
    calls = calls_of(simulator, alerts)
    ends = {alert: max(entry["at_us"] / 1e6 for call in calls[alert] for entry in call["history"]
                       if entry["status"] == "canceled") for alert in chosen}
    show(f"{acknowledged} acknowledgements at {per_second}/s, until the last phone is silent",
         [max(0.0, ends[alert] - responses[alert]) for alert in chosen])
    others = [call for alert in set(alerts) - set(chosen) for call in calls[alert] if call["status"] != "ringing"]
    third = [alert for alert in alerts if len(calls[alert]) > 2]
    print(f"calls of other plans that were ended: {len(others)}; third steps that were called: {len(third)}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
