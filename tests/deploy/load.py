"""Alerts that are sent while the installation is disturbed, and what the tests ask about its pods."""

import contextlib

import requests

import consistency_check
import poll
import stack as stacks
import steady_caller

PER_SECOND = 20
TWILIO_MS = 300
STEP = 40  # alerts accepted before a disturbance, and after it
QUIESCENT_SECONDS = 300
OPS_PORT = 9464


@contextlib.contextmanager
def sending(installed, name, twilio_ms=TWILIO_MS, client=None, **faults):
    """Alerts are accepted before and after what is done meanwhile. At the end each of them is delivered, none is lost,
    and none was sent twice. `faults` are those of the simulator. Yields an object that gets the `comparison` of the
    records."""
    simulator = installed.simulator()
    simulator.reset_faults()
    simulator.faults(create={"latency_ms": twilio_ms}, **faults)
    client = client or installed.client()
    with steady_caller.SteadyCaller(client, name, per_second=PER_SECOND) as caller:
        await_accepted(caller)
        yield caller
        await_accepted(caller)
    client.close()
    poll.until("every alert is final", lambda: consistency_check.is_quiescent(installed), QUIESCENT_SECONDS)
    comparison = caller.comparison = consistency_check.Comparison.read(installed.env)
    print(f"{name}: accepted {len(caller.accepted)}, retries {caller.retries}\n{comparison.report()}")
    assert not caller.refused
    assert set(caller.accepted.values()) <= comparison.kafka.accepted
    assert not comparison.differences() and not comparison.repeats()
    assert {comparison.database.states[alert] for alert in caller.accepted.values()} == {"DELIVERED"}


def await_accepted(caller, count=STEP):
    enough = len(caller.accepted) + count
    poll.until(f"{count} more alerts are accepted", lambda: len(caller.accepted) >= enough)


def pods_of(installed, selector):
    return [pod for pod in installed.cluster.get("pods", "-l", selector)["items"]
            if "deletionTimestamp" not in pod["metadata"] and pod["status"]["phase"] == "Running"]


def ready_pods_of(installed, selector):
    return [pod for pod in pods_of(installed, selector)
            if all(state["ready"] for state in pod["status"]["containerStatuses"])]


def metric(pod, name, label=""):
    """The sum over all label values, or over those with the label."""
    url = f"http://{pod['status']['podIP']}:{OPS_PORT}/metrics"
    return stacks.sum_of(name, requests.get(url, timeout=stacks.HTTP_SECONDS).text, label)


def of_service(name):
    return f"app.kubernetes.io/name={name}"


def uids(pods):
    return {pod["metadata"]["uid"] for pod in pods}


def name_of(pod):
    return pod["metadata"]["name"]
