"""A bad rollout and the drain of a node, while alerts are sent: no alert is lost or doubled. O7, O8

pytest collects this file only when it is named. The tests share one installation, in this order."""

import json

import cluster
import load
import poll

DEPLOYMENTS = [f"tocsin-{service}" for service in cluster.SERVICES]
ROLLOUT_SECONDS = 300
DEADLINE_SECONDS = 20  # a bad rollout stops
DRAIN_SECONDS = 180


# --- A bad rollout

# The first program ends at once, because it has no database; the second image does not exist.
BAD_IMAGES = {"tocsin-ingress": "localhost/tocsin/audit:dev", "tocsin-sms-worker": "localhost/tocsin/sms-worker:missing"}


def progress_reason(installed, deployment):
    conditions = installed.cluster.get("deployment", deployment)["status"]["conditions"]
    return next(found["reason"] for found in conditions if found["type"] == "Progressing")


def test_a_rollout_that_does_not_become_ready_stops_and_can_be_undone(installed):
    kubectl = installed.cluster.kubectl

    def set_deadline(name, seconds):
        kubectl("patch", "deployment", name, "--patch", json.dumps({"spec": {"progressDeadlineSeconds": seconds}}))

    deadlines = {name: installed.cluster.get("deployment", name)["spec"]["progressDeadlineSeconds"]
                 for name in BAD_IMAGES}
    before = {name: load.uids(load.pods_of(installed, load.of_service(name))) for name in BAD_IMAGES}
    with load.sending(installed, "bad-rollout") as caller:
        for name, image in BAD_IMAGES.items():
            set_deadline(name, DEADLINE_SECONDS)
            kubectl("set", "image", f"deployment/{name}", f"{name.removeprefix('tocsin-')}={image}")
        for name in BAD_IMAGES:
            poll.until(f"the rollout of {name} stops",
                       lambda: progress_reason(installed, name) == "ProgressDeadlineExceeded", ROLLOUT_SECONDS)
            status = kubectl("rollout", "status", f"deployment/{name}", "--timeout=10s", check=False)
            assert status.returncode != 0 and "exceeded its progress deadline" in status.stderr, status.stderr
            ready = load.uids(load.ready_pods_of(installed, load.of_service(name)))
            assert ready == before[name], "an old replica was stopped"
        load.await_accepted(caller)
        for name in BAD_IMAGES:
            kubectl("rollout", "undo", f"deployment/{name}")
            every = lambda: installed.cluster.get("pods", "-l", load.of_service(name))["items"]
            poll.until("the new replica is removed", lambda: load.uids(every()) == before[name])
        installed.cluster.await_rollouts(BAD_IMAGES, ROLLOUT_SECONDS)
    for name, seconds in deadlines.items():  # another value would conflict with the next `kubectl apply`
        set_deadline(name, seconds)
    assert {name: load.uids(load.pods_of(installed, load.of_service(name))) for name in BAD_IMAGES} == before


# --- The drain of a node

def evict(installed, pod):
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction",
                "metadata": {"name": load.name_of(pod), "namespace": cluster.NAMESPACE}}
    path = f"/api/v1/namespaces/{cluster.NAMESPACE}/pods/{load.name_of(pod)}/eviction"
    return installed.cluster.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction), check=False)


def test_a_drain_waits_for_the_budgets_and_ends_under_load(installed):
    kubectl = installed.cluster.kubectl
    (simulator,) = load.pods_of(installed, load.of_service("tocsin-twilio-sim"))  # it keeps messages in memory
    (node,) = {"n1", "n2"} - {simulator["spec"]["nodeName"]}
    with load.sending(installed, "drain"):
        first, second = load.pods_of(installed, load.of_service("tocsin-sms-worker"))
        assert evict(installed, first).returncode == 0
        refused = evict(installed, second)
        assert refused.returncode != 0 and "violate the pod's disruption budget" in refused.stderr, refused.stderr
        try:
            kubectl("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={DRAIN_SECONDS}s")
            running = installed.cluster.get("pods", "--field-selector", f"spec.nodeName={node},status.phase=Running")
            assert not running["items"]
            installed.cluster.await_rollouts(DEPLOYMENTS, ROLLOUT_SECONDS)
        finally:
            kubectl("uncordon", node)
