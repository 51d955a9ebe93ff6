"""The dev overlay in a real cluster with two nodes, from the images: alerts arrive, also while every replica is replaced.
O7, O8, R1"""

import json

import pytest

import cluster
import consistency_check
import poll
import steady_caller

DEPLOYMENTS = [f"tocsin-{service}" for service in cluster.SERVICES]
ACKNOWLEDGES = "+15005556101"  # the simulator's phone that presses key 1
SHELLS = ("sh", "bash", "dash", "busybox")
TWILIO_MS = 300  # some POSTs are in flight when a worker is stopped
PER_SECOND = 20
BEFORE_RESTART = 40  # alerts accepted before the restart, and after it
QUIESCENT_SECONDS = 180


def deliver(installed, name, *arguments):
    """Sends one alert by the command line in a pod and follows it to its final state, which is returned."""
    accepted = json.loads(installed.run_command(f"send-{name}", "--output", "json", "send", *arguments))
    changes = installed.run_command(f"watch-{name}", "--output", "json", "watch", accepted["alert_id"],
                                    "--consistency-token", accepted["consistency_token"])
    return json.loads(changes.splitlines()[-1])["state"]


def test_the_command_line_in_a_pod_sends_an_sms(installed):
    assert deliver(installed, "sms", "--to", "+15145550101", "--text", "Pump 3 has stopped") == "DELIVERED"


def test_the_command_line_in_a_pod_places_a_call(installed):
    state = deliver(installed, "call", "--to", ACKNOWLEDGES, "--channel", "voice", "--text", "Pump 3 has stopped")
    assert state == "ACKNOWLEDGED"


def pods_of(installed, deployment):
    return installed.cluster.get("pods", "-l", f"app.kubernetes.io/name={deployment}")["items"]


def test_the_replicas_run_on_both_nodes(installed):
    for deployment in DEPLOYMENTS:
        assert {pod["spec"]["nodeName"] for pod in pods_of(installed, deployment)} == {"n1", "n2"}, deployment


@pytest.mark.parametrize("deployment", [*DEPLOYMENTS, "tocsin-twilio-sim"])
def test_no_shell_can_be_run_in_a_container(installed, deployment):
    for shell in SHELLS:
        done = installed.cluster.kubectl("exec", f"deployment/{deployment}", "--", f"/bin/{shell}", "-c", "true",
                                         check=False)
        assert done.returncode != 0 and "no such file or directory" in done.stderr, done.stderr


def test_a_restart_of_every_replica_under_load_loses_no_alert_and_sends_none_twice(installed):
    installed.simulator().faults(create={"latency_ms": TWILIO_MS})
    client = installed.client()
    before = {pod["metadata"]["uid"] for deployment in DEPLOYMENTS for pod in pods_of(installed, deployment)}
    with steady_caller.SteadyCaller(client, "rollout", per_second=PER_SECOND) as caller:
        poll.until("alerts are accepted", lambda: len(caller.accepted) >= BEFORE_RESTART)
        installed.cluster.kubectl("rollout", "restart", *(f"deployment/{name}" for name in DEPLOYMENTS))
        installed.cluster.await_rollouts(DEPLOYMENTS)
        old = lambda: before & {pod["metadata"]["uid"] for pod in installed.cluster.get("pods")["items"]}
        poll.until("the old replicas have ended", lambda: not old())
        enough = len(caller.accepted) + BEFORE_RESTART
        poll.until("alerts are accepted after the restart", lambda: len(caller.accepted) >= enough)
    client.close()
    poll.until("every alert is final", lambda: consistency_check.is_quiescent(installed), QUIESCENT_SECONDS)
    comparison = consistency_check.Comparison.read(installed.env)
    print(f"accepted {len(caller.accepted)}, retries {caller.retries}\n{comparison.report()}")
    assert not caller.refused
    assert set(caller.accepted.values()) <= comparison.kafka.accepted
    assert not comparison.differences() and not comparison.repeats()
    assert not any(installed.cluster.restarts()), "a container ended by itself"
