"""Rules over the rendered manifests of deploy/k8s, and the Dockerfile. Needs no cluster. O7, O11"""

import collections
import functools
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import textwrap

import pytest
import yaml

import cluster
import network_policies

ROOT = pathlib.Path(__file__).resolve().parents[2]
K8S = ROOT / "deploy/k8s"
OVERLAYS = ("dev", "production", "canary", "dev/migrations", "production/migrations")
SERVICES = {"tocsin-ingress", "tocsin-sms-worker", "tocsin-voice-worker", "tocsin-audit"}
KUBERNETES_VERSION = "1.34"
LANE_PARTITIONS = 12  # common/ports/topics.h
DRAIN_MARGIN_SECONDS = 20
CONNECTION_SECONDS = 600  # common/rpc/server.cpp: age and grace
# Kinds of operators whose schemas are in TOCSIN_KUBE/crds. TriggerAuthentication has none there.
OPERATOR_GROUPS = ("kafka.strimzi.io", "keda.sh", "monitoring.coreos.com")
# Secrets that operators make: of a KafkaUser, of the cluster's CA, of cert-manager.
OPERATORS_SECRETS = {"tocsin-kafka-cluster-ca-cert": {"ca.crt"}, "tocsin-webhooks-tls": set(), "tocsin-grpc-tls": set()}


def kustomize_command():
    """kubectl of TOCSIN_KUBE, else a program of this machine."""
    if program := cluster.kubectl_program():
        return [program, "kustomize"]
    if shutil.which("kustomize"):
        return ["kustomize", "build"]
    return [shutil.which("kubectl") or pytest.skip("needs kubectl or kustomize"), "kustomize"]


@functools.cache
def rendered(overlay, folder=K8S):
    """The objects of an overlay. folder: a copy of deploy/k8s."""
    done = subprocess.run([*kustomize_command(), folder / "overlays" / overlay], capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def of_kind(overlay, *kinds):
    return [found for found in rendered(overlay) if found["kind"] in kinds]


def name_of(found):
    return found["metadata"]["name"]


def workloads(overlay):
    return of_kind(overlay, "Deployment", "Job")


def pod_of(workload):
    return workload["spec"]["template"]["spec"]


def services_of(overlay):
    """The Deployments of Tocsin's services."""
    return [found for found in of_kind(overlay, "Deployment")
            if found["metadata"]["labels"]["app.kubernetes.io/name"] in SERVICES]


def container_ports(workload):
    return {port["name"]: port["containerPort"] for container in pod_of(workload)["containers"]
            for port in container.get("ports", [])}


def is_selected(selector, labels):
    def matches(row):
        values = row.get("values", [])
        return {"In": labels.get(row["key"]) in values, "NotIn": labels.get(row["key"]) not in values,
                "Exists": row["key"] in labels, "DoesNotExist": row["key"] not in labels}[row["operator"]]

    return (selector.get("matchLabels", {}).items() <= labels.items() and
            all(matches(row) for row in selector.get("matchExpressions", [])))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_overlay_is_valid(overlay, tmp_path):
    kinds = [found for found in rendered(overlay) if not found["apiVersion"].startswith(OPERATOR_GROUPS)]
    path = tmp_path / "rendered.yaml"
    path.write_text(yaml.safe_dump_all(kinds))
    done = subprocess.run(["kubernetes-validate", "-k", KUBERNETES_VERSION, "--strict", path], capture_output=True,
                          text=True, timeout=120, check=False, env=os.environ | {"PATH": tools_path()})
    assert done.returncode == 0, done.stdout + done.stderr


def tools_path():
    venv = pathlib.Path(os.environ.get("TOCSIN_TEST_VENV", ROOT / "build/venv"))
    return f"{venv / 'bin'}:{os.environ['PATH']}"


def closed(schema):
    """The schema with unknown fields refused, as the API server refuses them with strict validation."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = {key: closed(value) for key, value in schema.items()}
    if "properties" in made and not made.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


@functools.cache
def operator_schemas():
    folder = pathlib.Path(os.environ.get("TOCSIN_KUBE", ROOT.parent / "shared/kube")) / "crds"
    if not folder.exists():
        pytest.skip("needs the schemas of the operators: set TOCSIN_KUBE")
    schemas = {}
    for path in folder.glob("*.yaml"):
        for found in yaml.safe_load_all(path.read_text()):
            for version in found["spec"]["versions"]:
                schema = version["schema"]["openAPIV3Schema"]
                schema["properties"] |= {"metadata": {"type": "object"}, "apiVersion": {"type": "string"},
                                         "kind": {"type": "string"}}
                schemas[f"{found['spec']['group']}/{version['name']}", found["spec"]["names"]["kind"]] = closed(schema)
    return schemas


@pytest.mark.parametrize("overlay", ("production", "canary"))
def test_the_objects_of_operators_are_valid(overlay):
    jsonschema = pytest.importorskip("jsonschema")
    checked = collections.Counter()
    for found in rendered(overlay):
        if not found["apiVersion"].startswith(OPERATOR_GROUPS) or found["kind"] == "TriggerAuthentication":
            continue
        errors = list(jsonschema.Draft7Validator(operator_schemas()[found["apiVersion"], found["kind"]]).iter_errors(found))
        assert not errors, f"{found['kind']} {name_of(found)}: {[error.message for error in errors]}"
        checked[found["kind"]] += 1
    assert set(checked) == {"Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser", "ScaledObject", "PodMonitor",
                            "PrometheusRule"}


def test_the_dockerfile_passes_hadolint():
    done = subprocess.run(["hadolint", ROOT / "deploy/images/Dockerfile"], capture_output=True, text=True, timeout=60,
                          check=False, env=os.environ | {"PATH": tools_path()})
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_restricted(overlay):
    for workload in workloads(overlay):
        pod = pod_of(workload)
        security = pod["securityContext"]
        assert security["runAsNonRoot"] and security["runAsUser"] == security["fsGroup"] == 65532, name_of(workload)
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name_of(workload)
        assert pod["automountServiceAccountToken"] is False and pod["enableServiceLinks"] is False, name_of(workload)
        for container in pod["containers"]:
            assert container["securityContext"] == {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
                                                    "capabilities": {"drop": ["ALL"]}}, name_of(workload)
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}, name_of(workload)
            assert "memory" in container["resources"]["limits"], name_of(workload)
            assert not [entry for entry in container.get("env", []) if "secretKeyRef" in entry.get("valueFrom", {})], \
                "a secret is a file, not a variable"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_everything_that_a_pod_names_exists(overlay):
    """The service accounts, priority classes, ConfigMaps and Secrets. The Job is applied before the rest."""
    named = collections.defaultdict(set)
    for found in rendered(overlay) + rendered(overlay.removesuffix("/migrations")):
        named[found["kind"]].add(name_of(found))
    secrets = {name_of(found): set(found["stringData"])
               for found in yaml.safe_load_all((K8S / "secrets.example.yaml").read_text())} | OPERATORS_SECRETS
    secrets |= {user: {"user.crt", "user.key"} for user in named["KafkaUser"]}
    for workload in workloads(overlay):
        pod = pod_of(workload)
        assert pod["serviceAccountName"] in named["ServiceAccount"]
        assert pod.get("priorityClassName") is None or pod["priorityClassName"] in named["PriorityClass"]
        volumes = [source for volume in pod.get("volumes", [])
                   for source in volume.get("projected", {}).get("sources", [volume])]
        for volume in volumes:
            if "secret" in volume:
                assert (volume["secret"].get("secretName") or volume["secret"]["name"]) in secrets, name_of(workload)
            if "configMap" in volume:
                assert volume["configMap"]["name"] in named["ConfigMap"], name_of(workload)
        for container in pod["containers"]:
            for source in container.get("envFrom", []):
                assert source["configMapRef"]["name"] in named["ConfigMap"], name_of(workload)
            assert {mount["name"] for mount in container.get("volumeMounts", [])} == \
                {volume["name"] for volume in pod.get("volumes", [])}, name_of(workload)


@pytest.mark.parametrize("overlay", ("dev", "production", "canary"))
def test_every_setting_that_names_a_file_is_mounted(overlay):
    (settings,) = [found["data"] for found in of_kind(overlay, "ConfigMap") if name_of(found).startswith("tocsin-settings-")]
    files = {name: value for name, value in settings.items() if name.endswith("_FILE")}
    files |= dict(re.findall(r"^(ssl\.\S+\.location)=(\S+)$", settings.get("TOCSIN_KAFKA_PROPERTIES", ""), re.MULTILINE))
    for workload in services_of(overlay):
        mounts = {mount["mountPath"] for mount in pod_of(workload)["containers"][0]["volumeMounts"]}
        used = {"TOCSIN_POSTGRES_URL_FILE"} if "audit" in name_of(workload) else {"TOCSIN_REDIS_URL_FILE"}
        unused = {"TOCSIN_POSTGRES_URL_FILE", "TOCSIN_REDIS_URL_FILE"} - used
        for name in set(files) - unused:
            assert any(files[name].startswith(f"{mount}/") for mount in mounts), (name_of(workload), name)


def changed_copy(folder, **changes):
    """A copy of deploy/k8s. changes: overlay, with _ for /, and what edits its kustomization."""
    copy = folder / "deploy/k8s"
    shutil.copytree(K8S.parent, folder / "deploy")
    for overlay, change in changes.items():
        path = copy / "overlays" / overlay.replace("_", "/") / "kustomization.yaml"
        kustomization = yaml.safe_load(path.read_text())
        change(kustomization)
        path.write_text(yaml.safe_dump(kustomization))
    return copy


def without(*components, patches=True):
    def change(kustomization):
        kustomization["components"] = [path for path in kustomization["components"] if path.split("/")[-1] not in components]
        if not patches:
            del kustomization["patches"]
    return change


# docs/operations.md, Install
@pytest.mark.parametrize("change, kinds", (
    (without("tls", patches=False), {"Ingress"}), (without("keda"), {"ScaledObject"}),
    (without("strimzi", "keda"), {"Kafka", "KafkaUser", "ScaledObject"}), (without("network-policies"), {"NetworkPolicy"}),
    (without("prometheus-operator"), {"PodMonitor", "PrometheusRule"})))
def test_components_can_be_left_out(tmp_path, change, kinds):
    found = {found["kind"] for found in rendered("production", changed_copy(tmp_path, production=change))}
    assert not found & kinds and "Deployment" in found


def test_an_external_kafka_has_its_properties_in_a_secret(tmp_path):
    def external(kustomization):
        without("strimzi", "keda", "client")(kustomization)
        up = "../" * (3 if "nameSuffix" in kustomization else 2)
        kustomization["components"].append(f"{up}components/kafka-properties")

    copy = changed_copy(tmp_path, production=external, canary_workloads=external)
    deployments = [found for found in rendered("canary", copy) if found["kind"] == "Deployment"]
    assert len(deployments) == 2 * len(SERVICES)
    for workload in deployments:
        (container,) = pod_of(workload)["containers"]
        (file,) = [entry["value"] for entry in container["env"] if entry["name"] == "TOCSIN_KAFKA_PROPERTIES_FILE"]
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        (secret,) = [volume["secret"]["secretName"] for volume in pod_of(workload)["volumes"]
                     if volume["name"] == mounted[str(pathlib.PurePath(file).parent)]]
        assert secret == "tocsin-kafka-properties", name_of(workload)
    settings = [found["data"] for found in rendered("canary", copy) if name_of(found).startswith("tocsin-settings-")]
    assert not [name for data in settings for name in data if name.startswith("TOCSIN_KAFKA_PROPERTIES")]


def test_every_public_host_is_set_in_the_overlay():
    hosts = lambda path: {name_of(found): found["spec"] for found in yaml.safe_load_all((K8S / path).read_text())}
    component, overlay = hosts("components/tls/hosts.yaml"), hosts("overlays/production/hosts.yaml")
    assert set(component) == set(overlay)
    for name, spec in overlay.items():  # a patch replaces these lists as a whole
        assert spec == {key: component[name][key] for key in ("tls", "rules")}, name


def test_requests_of_operators_have_no_public_route():
    public = {path["path"] for host in of_kind("production", "Ingress") for rule in host["spec"]["rules"]
              for path in rule["http"]["paths"]}
    assert {path for path in public if path.startswith("/tocsin.")} == \
        {"/tocsin.v1.AlertService/", "/tocsin.v1.StatusService/"}


def test_the_proxy_does_not_end_a_stream_before_the_services():
    (host,) = [found for found in of_kind("production", "Ingress") if name_of(found) == "tocsin-grpc"]
    settings = {name.split("/")[-1]: value for name, value in host["metadata"]["annotations"].items()}
    assert settings["proxy-body-size"] == "0"  # it counts all messages of a stream
    assert int(settings["proxy-read-timeout"]) == int(settings["proxy-send-timeout"]) > CONNECTION_SECONDS


def test_every_setting_is_one_of_the_programs():
    known = set(re.findall(r"^\| `(TOCSIN_\w+)`", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE))
    for path in K8S.rglob("*.env"):
        for line in path.read_text().splitlines():
            if line and not line.startswith("#"):
                assert line.split("=")[0].removesuffix("_FILE") in known | {"TOCSIN_REGISTRY", "TOCSIN_KEYRING"}, (path, line)


@pytest.mark.parametrize("overlay", ("dev", "production", "canary"))
def test_every_named_port_exists(overlay):
    by_name = collections.defaultdict(dict)
    for workload in of_kind(overlay, "Deployment"):
        by_name[workload["metadata"]["labels"]["app.kubernetes.io/name"]] |= container_ports(workload)
        for container in pod_of(workload)["containers"]:
            for probe in (container[kind] for kind in ("startupProbe", "readinessProbe", "livenessProbe")):
                handler = probe.get("httpGet") or probe.get("tcpSocket") or probe["grpc"]
                ports = container_ports(workload)
                assert handler["port"] in ({*ports.values()} if "grpc" in probe else {*ports}), name_of(workload)
    services = {name_of(found): found for found in of_kind(overlay, "Service")}
    for service in services.values():
        if selector := service["spec"].get("selector"):
            for port in service["spec"]["ports"]:
                assert port["targetPort"] in by_name[selector["app.kubernetes.io/name"]], name_of(service)
    for host in of_kind(overlay, "Ingress"):
        for rule, path in ((rule, path) for rule in host["spec"]["rules"] for path in rule["http"]["paths"]):
            backend = path["backend"]["service"]
            assert backend["port"]["name"] in {port["name"] for port in services[backend["name"]]["spec"]["ports"]}
    for monitor in of_kind(overlay, "PodMonitor"):
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            assert all(endpoint["port"] in by_name[name] for name in SERVICES)


@pytest.mark.parametrize("overlay", ("dev", "production", "canary"))
def test_liveness_is_about_the_process_only(overlay):
    for workload in services_of(overlay):
        (container,) = pod_of(workload)["containers"]
        assert container["livenessProbe"]["httpGet"] == container["startupProbe"]["httpGet"] == \
            {"path": "/healthz", "port": "ops"}, name_of(workload)
        readiness = container["readinessProbe"]
        if "grpc" in container_ports(workload):
            assert readiness["grpc"] == {"port": container_ports(workload)["grpc"], "service": "readiness"}
        else:
            assert readiness["httpGet"] == {"path": "/readyz", "port": "ops"}


@pytest.mark.parametrize("overlay", ("dev", "production", "canary"))
def test_a_pod_has_time_to_drain(overlay):
    (settings,) = [found["data"] for found in of_kind(overlay, "ConfigMap") if name_of(found).startswith("tocsin-settings-")]
    drain = int(settings["TOCSIN_DRAIN_TIMEOUT"].removesuffix("s"))
    for workload in services_of(overlay):
        pod = pod_of(workload)
        pause = pod["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod["terminationGracePeriodSeconds"] >= pause + drain + DRAIN_MARGIN_SECONDS, name_of(workload)
        assert pause or "grpc" not in container_ports(workload), name_of(workload)


@pytest.mark.parametrize("overlay", ("dev", "production", "canary"))
def test_a_budget_allows_a_drain_and_protects_the_others(overlay):
    budgets = of_kind(overlay, "PodDisruptionBudget")
    for workload in services_of(overlay):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        (budget,) = [found for found in budgets if is_selected(found["spec"]["selector"], labels)]
        assert budget["spec"]["maxUnavailable"] == 1 and "minAvailable" not in budget["spec"]
        if overlay != "dev" and labels["tocsin-track"] == "stable":
            assert minimum_replicas(overlay, workload) >= 3, name_of(workload)


def minimum_replicas(overlay, workload):
    for scaler in of_kind(overlay, "HorizontalPodAutoscaler", "ScaledObject"):
        if scaler["spec"]["scaleTargetRef"]["name"] == name_of(workload):
            return scaler["spec"].get("minReplicas") or scaler["spec"]["minReplicaCount"]
    return workload["spec"]["replicas"]


@pytest.mark.parametrize("overlay", ("production", "canary"))
def test_no_scaler_exceeds_the_partitions(overlay):
    canaries = collections.Counter(found["metadata"]["labels"]["app.kubernetes.io/name"] for found in services_of(overlay)
                                   if name_of(found).endswith("-canary"))
    scalers = {scaler["spec"]["scaleTargetRef"]["name"]: scaler["spec"]
               for scaler in of_kind(overlay, "HorizontalPodAutoscaler", "ScaledObject")}
    assert set(scalers) == SERVICES
    for name in SERVICES - {"tocsin-ingress"}:
        assert scalers[name]["maxReplicaCount"] + canaries[name] <= LANE_PARTITIONS, name
    topics = {name_of(found): found["spec"] for found in of_kind(overlay, "KafkaTopic")}
    for scaler in scalers.values():
        for trigger in scaler.get("triggers", []):
            if trigger["type"] == "kafka":
                assert topics[trigger["metadata"]["topic"]]["partitions"] >= scaler["maxReplicaCount"]


@pytest.mark.parametrize("overlay", ("production", "canary"))
def test_only_the_scaler_sets_the_number_of_replicas(overlay):
    """A number in the Deployment would conflict with the scaler, or undo it, at each kubectl apply."""
    for workload in services_of(overlay):
        if workload["metadata"]["labels"]["tocsin-track"] == "stable":
            assert "replicas" not in workload["spec"], name_of(workload)


def test_scalers_count_all_records_of_a_partition_without_a_committed_offset():
    for scaler in of_kind("production", "ScaledObject"):
        for trigger in scaler["spec"]["triggers"]:
            if trigger["type"] == "kafka":  # a worker begins at the first record: common/kafka/group_consumer.cpp
                assert trigger["metadata"]["offsetResetPolicy"] == "earliest", trigger


def test_one_of_ten_replicas_is_the_canary():
    for workload in services_of("canary"):
        if name_of(workload).endswith("-canary"):
            (stable,) = [found for found in services_of("canary") if name_of(found) == name_of(workload)[:-len("-canary")]]
            assert workload["spec"]["replicas"] == 1 and minimum_replicas("canary", stable) == 9
            labels = [found["spec"]["template"]["metadata"]["labels"] for found in (workload, stable)]
            for service in of_kind("canary", "Service"):  # gets requests, or not, as the stable ones do
                selected = [service["spec"]["selector"].items() <= pod.items() for pod in labels]
                assert selected[0] == selected[1]
            assert not workload["spec"]["selector"]["matchLabels"].items() <= labels[1].items()
            volumes = [[volume["name"] for volume in pod_of(found)["volumes"]] for found in (workload, stable)]
            assert volumes[0] == volumes[1]


def test_without_keda_the_documented_patch_makes_nine_stable_replicas(tmp_path):
    page = (ROOT / "docs/operations.md").read_text()
    patch = textwrap.dedent(re.search(r"```yaml\n( +- target: .*?)\n *```", page, re.DOTALL).group(1))
    copy = changed_copy(tmp_path, production=without("keda"),
                        canary=lambda kustomization: kustomization["patches"].extend(yaml.safe_load(patch)))
    replicas = {name_of(found): found["spec"].get("replicas") for found in rendered("canary", copy)
                if found["kind"] == "Deployment"}
    assert replicas == {name: None if name == "tocsin-ingress" else 9 for name in SERVICES} | \
        {f"{name}-canary": 1 for name in SERVICES}


@pytest.mark.parametrize("overlay", ("production", "canary", "production/migrations"))
def test_images_of_production_have_digests(overlay):
    for workload in workloads(overlay):
        for container in pod_of(workload)["containers"]:
            assert re.fullmatch(r"registry\.example\.com/tocsin/[a-z-]+@sha256:[0-9a-f]{64}", container["image"])


def test_replicas_are_spread_over_zones_and_nodes():
    for workload in services_of("production"):
        keys = {row["topologyKey"]: row["whenUnsatisfiable"] for row in pod_of(workload)["topologySpreadConstraints"]}
        assert keys == {"topology.kubernetes.io/zone": "DoNotSchedule", "kubernetes.io/hostname": "ScheduleAnyway"}


def test_a_cluster_without_zones_can_run_the_dev_overlay():
    for workload in services_of("dev"):
        assert {row["whenUnsatisfiable"] for row in pod_of(workload)["topologySpreadConstraints"]} == {"ScheduleAnyway"}


def test_kafka_survives_a_broker_without_loss():
    (kafka,) = of_kind("production", "Kafka")
    config = kafka["spec"]["kafka"]["config"]
    assert config["default.replication.factor"] == config["offsets.topic.replication.factor"] == 3
    assert config["min.insync.replicas"] == 2 and config["unclean.leader.election.enable"] is False
    assert config["auto.create.topics.enable"] is False
    for topic in of_kind("production", "KafkaTopic"):
        assert topic["spec"]["replicas"] == 3 and topic["spec"]["config"]["min.insync.replicas"] == 2, name_of(topic)
        assert topic["spec"]["config"]["unclean.leader.election.enable"] is False, name_of(topic)


def test_kafka_survives_a_zone():
    for pool in of_kind("production", "KafkaNodePool"):
        (spread,) = pool["spec"]["template"]["pod"]["topologySpreadConstraints"]
        assert pool["spec"]["replicas"] == 3 and spread["maxSkew"] == 1, name_of(pool)
        assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", "DoNotSchedule")
        assert spread["labelSelector"]["matchLabels"] == {"strimzi.io/cluster": pool["metadata"]["labels"]["strimzi.io/cluster"],
                                                          "strimzi.io/pool-name": name_of(pool)}


def test_a_user_of_kafka_has_no_right_that_reaches_other_services():
    writers = collections.defaultdict(set)
    for user in of_kind("production", "KafkaUser"):
        for acl in user["spec"]["authorization"]["acls"]:
            assert acl["resource"]["name"].startswith("tocsin."), name_of(user)
            assert not set(acl["operations"]) & {"Create", "Delete", "Alter", "AlterConfigs", "All"}, name_of(user)
            if "Write" in acl["operations"]:
                writers[acl["resource"]["name"]].add(name_of(user))
    # docs/architecture.md, Topics: written by
    assert writers["tocsin.webhooks"] == {"tocsin-ingress"}
    assert writers["tocsin.sms.dead"] == {"tocsin-sms-worker"} and writers["tocsin.voice.dead"] == {"tocsin-voice-worker"}
    assert writers["tocsin.delay."] == {"tocsin-sms-worker", "tocsin-voice-worker"}
    assert writers["tocsin.events"] == SERVICES
    assert "tocsin-keda" not in set(itertools.chain(*writers.values()))


def test_the_rules_of_prometheus_are_those_of_deploy_observability():
    done = subprocess.run(["/usr/bin/python3", ROOT / "scripts/lib/make_prometheus_rule.py", "--check"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_every_alert_links_to_its_runbook():
    repository = (ROOT / "deploy/observability/repository-url.txt").read_text().strip()
    assert repository.startswith("https://") and not repository.endswith("/")
    (found,) = of_kind("production", "PrometheusRule")
    alerts = [rule for group in found["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    for alert in alerts:
        url, path = alert["annotations"]["runbook_url"], f"docs/runbooks/{alert['alert']}.md"
        assert url == f"{repository}/{path}" and (ROOT / path).exists()


def peers():
    """The pods between which the network policies of production decide."""
    return network_policies.Peers({
        found["metadata"]["labels"]["app.kubernetes.io/name"]: found["spec"]["template"]["metadata"]["labels"]
        for found in services_of("production") + of_kind("production/migrations", "Job")}, {
        found["metadata"]["labels"]["app.kubernetes.io/name"]: container_ports(found)
        for found in services_of("production")})


def test_the_network_policies_allow_what_the_table_lists():
    golden = ROOT / "tests/deploy/network-policies.txt"
    table = network_policies.table(of_kind("production", "NetworkPolicy"), peers())
    assert table == golden.read_text(), f"if this is intended, write it to {golden}:\n{table}"
