"""The API server accepts every object of the overlays, and refuses broken ones, with the definitions (CRDs) of Strimzi,
KEDA and the Prometheus operator. Nothing is stored. O7

pytest collects this file only when it is named. The operators do not run: only their schemas judge."""

import copy

import pytest
import yaml

import cluster
import test_manifests

OVERLAYS = ("production", "production/migrations", "canary")
ESTABLISHED_SECONDS = 60
# The definition of TriggerAuthentication is not among the programs of the cluster.
WITHOUT_DEFINITION = {"TriggerAuthentication"}
CUSTOM_KINDS = {"Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser", "ScaledObject", "PodMonitor", "PrometheusRule"}


@pytest.fixture(scope="module")
def api_server(kubernetes):
    """With the definitions of the operators and the namespace, in which the objects of the overlays are."""
    kubernetes.kubectl("apply", "--server-side", "-f", cluster.programs() / "crds", namespace=())
    kubernetes.kubectl("wait", "--for=condition=established", "crd", "--all", f"--timeout={ESTABLISHED_SECONDS}s",
                       namespace=())
    kubernetes.apply(*test_manifests.of_kind("production", "Namespace"))
    return kubernetes


def dry_run(api_server, *objects):
    return api_server.kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server",
                              "--validate=strict", "-f", "-",
                              stdin=yaml.safe_dump_all(objects), check=False, namespace=())


def objects_of(overlay):
    return [found for found in test_manifests.rendered(overlay) if found["kind"] not in WITHOUT_DEFINITION]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_of_an_overlay_is_accepted(api_server, overlay):
    done = dry_run(api_server, *objects_of(overlay))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(objects_of(overlay))
    assert "would violate PodSecurity" not in done.stderr, done.stderr


def test_custom_resources_of_every_kind_are_in_the_overlays():
    for overlay in ("production", "canary"):
        assert CUSTOM_KINDS <= {found["kind"] for found in objects_of(overlay)}


# kind -> the path of a field, a value that is refused, and a part of the message
BROKEN = {
    "Kafka": ("spec.kafka.listeners.0.type", "internl", "Unsupported value"),
    "KafkaNodePool": ("spec.replicas", -1, "should be greater than or equal to 0"),
    "KafkaTopic": ("spec.partitions", 0, "should be greater than or equal to 1"),
    "KafkaUser": ("spec.authorization.acls.0.operations.0", "Raed", "Unsupported value"),
    "ScaledObject": ("spec.scaleTargetReff", {}, "field not declared in schema"),
    "PodMonitor": ("spec.podMetricsEndpoints.0.interval", "15 seconds", "should match"),
    "PrometheusRule": ("spec.groups.0.rules.0.for", "5 minutes", "should match"),
    "Deployment": ("spec.template.spec.containers.0.readOnlyRootFilesystm", True, "field not declared in schema"),
    "NetworkPolicy": ("spec.policyTypes", ["Inward"], "Unsupported value"),
    "PodDisruptionBudget": ("spec.minAvailable", 1, "cannot be both set"),
}


def with_value(found, path, value):
    changed = copy.deepcopy(found)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = changed
    for part in parents:
        place = place[part]
    place[last] = value
    return changed


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_object_is_refused(api_server, kind):
    path, value, message = BROKEN[kind]
    changed = with_value(test_manifests.of_kind("production", kind)[0], path, value)
    done = dry_run(api_server, changed)
    assert done.returncode != 0 and message in done.stderr, done.stderr


def test_a_pod_with_rights_is_refused(api_server):
    template = copy.deepcopy(test_manifests.pod_of(test_manifests.services_of("production")[0]))
    spec = {name: template[name] for name in ("containers", "securityContext", "automountServiceAccountToken", "volumes")}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "restricted", "namespace": cluster.NAMESPACE}, "spec": spec}
    accepted = dry_run(api_server, pod)
    assert accepted.returncode == 0, accepted.stderr
    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    refused = dry_run(api_server, pod)
    assert refused.returncode != 0 and 'violates PodSecurity "restricted' in refused.stderr, refused.stderr
