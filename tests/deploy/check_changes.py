"""What happens to an installation in operation, while alerts are sent: killed pods, another auth token, a canary,
autoscaling. No alert is lost or doubled. O7, R1

pytest collects this file only when it is named. The tests share one installation, in this order."""

import collections
import os
import subprocess
import time

import pytest
import requests
import yaml

import api
import cluster
import external_metrics
import load
import poll
import stack as stacks
import test_manifests

DEPLOYMENTS = [f"tocsin-{service}" for service in cluster.SERVICES]
ROLLOUT_SECONDS = 300


def configure_worker(installed, **settings):
    """Changes settings of the SMS worker."""
    installed.cluster.kubectl("set", "env", "deployment/tocsin-sms-worker",
                              *(f"{name}={value}" for name, value in settings.items()))
    installed.cluster.await_rollouts(["tocsin-sms-worker"], ROLLOUT_SECONDS)


# --- Killed pods

SLOW_TWILIO_MS = 5000  # longer than a killed pod still runs, about 2 s
CALLBACK_DELAY_MS = 20_000  # longer than the lease, so that Twilio's list resolves the attempts
IN_FLIGHT = 20  # POSTs of a worker


def kill(installed, pod):
    """Removes the pod without waiting for the end of its work."""
    installed.cluster.kubectl("delete", "pod", load.name_of(pod), "--grace-period=0", "--force")


def test_pods_killed_in_mid_delivery_lose_no_alert_and_send_none_twice(installed):
    configure_worker(installed, TOCSIN_TWILIO_POST_TIMEOUT="10s", TOCSIN_LEASE="12s", TOCSIN_IN_DOUBT_ABSENCE_DELAY="20s")
    workers = lambda: load.ready_pods_of(installed, load.of_service("tocsin-sms-worker"))
    in_flight = lambda: [load.metric(pod, "tocsin_senders_busy") for pod in workers()]
    with load.sending(installed, "killed", SLOW_TWILIO_MS, callback={"delay_ms": CALLBACK_DELAY_MS}) as caller:
        for name in ("tocsin-sms-worker", "tocsin-ingress", "tocsin-audit"):
            poll.until("both workers have POSTs in flight", lambda: min(in_flight()) >= IN_FLIGHT)
            before = load.ready_pods_of(installed, load.of_service(name))
            # The ingress that serves the client, which has one connection.
            killed = max(before, key=lambda pod: load.metric(pod, "grpc_server_requests_total"))
            print(f"{name}: killed with POSTs in flight {in_flight()}")
            kill(installed, killed)

            def is_replaced():
                ready = load.uids(load.ready_pods_of(installed, load.of_service(name)))
                return len(ready) == len(before) and killed["metadata"]["uid"] not in ready

            poll.until(f"another replica of {name} is ready", is_replaced, ROLLOUT_SECONDS)
            load.await_accepted(caller)
    kafka, alerts = caller.comparison.kafka, set(caller.accepted.values())
    resolved = collections.Counter(name for attempt in kafka.in_doubt if attempt[0] in alerts
                                   for name in kafka.resolved_by[attempt])
    print(f"attempts in doubt, resolved by: {resolved}")
    assert resolved and set(resolved) <= {"CALLBACK", "LIST", "LIST_ABSENCE"}
    assert not any(installed.cluster.restarts()), "a container ended by itself"


# --- Another auth token

TOKEN, SECONDARY = "twilio_auth_token", "twilio_auth_token_secondary"  # keys of the Secret
TOKEN_PATH = "/etc/tocsin/twilio-auth-token"
STATUS_URL = "http://tocsin-ingress:8080/twilio/sms/status"  # TOCSIN_PUBLIC_BASE_URL of the overlay
FORM = f"AccountSid={cluster.ACCOUNT}&MessageSid=SM{'0' * 32}&MessageStatus=delivered"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
ACCEPTED, REFUSED = 204, 403
RENEWAL_SECONDS = 180  # by the kubelet


class Tokens:
    """The auth tokens at Twilio and in the installation."""

    def __init__(self, installed, folder):
        self._installed, self._folder = installed, folder
        (self._registry,) = [found for found in installed.cluster.render(installed.folder)
                             if found["kind"] == "ConfigMap" and found["metadata"]["name"] == "tocsin-registry"]
        self._plain = self._registry["data"]["registry.yaml"]

    def change_at_twilio(self, operation, token):
        done = requests.post(f"{self._installed.env['TOCSIN_TWILIO_BASE_URL']}/v1/AuthTokens/{operation}",
                             auth=(cluster.ACCOUNT, token), timeout=stacks.HTTP_SECONDS)
        done.raise_for_status()
        return done.json()

    def _pods(self):
        return [pod for name in DEPLOYMENTS for pod in load.pods_of(self._installed, load.of_service(name))]

    def _apply(self, changed, hurry):
        """Applies a Secret or a ConfigMap, and waits until every service has read the registry again. The kubelet renews
        the files after a minute or, to hurry, when a pod has changed."""
        reloads = lambda: {load.name_of(pod): load.metric(pod, "tocsin_registry_reloads_total", 'result="success"')
                           for pod in self._pods()}
        before, begin = reloads(), time.monotonic()
        self._installed.cluster.apply(changed)
        if hurry:
            self._installed.cluster.kubectl("annotate", "pods", "--all", "--overwrite", f"renew={begin}")
        poll.until("every service has read the registry again",
                   lambda: all(count > before[name] for name, count in reloads().items()), RENEWAL_SECONDS)
        print(f"{changed['kind']}: read by every service after {time.monotonic() - begin:.0f} s")

    def write(self, hurry=True, **tokens):
        self._apply(cluster.secret("tocsin-twilio", **tokens), hurry)

    def name_secondary(self, named):
        line = f"auth_token_file: {TOKEN_PATH}"
        assert line in self._plain
        text = self._plain.replace(line, f"{line}, secondary_{line}-secondary") if named else self._plain
        self._apply(self._registry | {"data": {"registry.yaml": text}}, hurry=True)

    def responses(self, *tokens):
        """For each of the tokens, the status codes of every ingress for a webhook that is signed with it."""
        ingresses = load.pods_of(self._installed, load.of_service("tocsin-ingress"))
        return [{requests.post(f"http://{pod['status']['podIP']}:8080/twilio/sms/status", data=FORM,
                               headers={"X-Twilio-Signature": self._signature(token)} | FORM_TYPE,
                               timeout=stacks.HTTP_SECONDS).status_code for pod in ingresses} for token in tokens]

    def _signature(self, token):
        form, key = self._folder / "form", self._folder / "token"
        form.write_text(FORM)
        key.write_text(token)
        return subprocess.run([stacks.BIN / "tocsin", "webhook", "sign", "--token-file", key, "--url", STATUS_URL,
                               "--form", form], capture_output=True, text=True, timeout=30, check=True).stdout.strip()


def test_the_auth_token_is_rotated_without_a_restart_and_without_a_gap(installed, tmp_path):  # docs/twilio-setup.md
    tokens, old = Tokens(installed, tmp_path), cluster.AUTH_TOKEN
    pods = lambda: load.uids(installed.cluster.get("pods", "-l", "app.kubernetes.io/part-of=tocsin")["items"])
    before = pods()
    with load.sending(installed, "rotation") as caller:
        new = tokens.change_at_twilio("Secondary", old)["secondary_auth_token"]
        assert tokens.responses(old, new) == [{ACCEPTED}, {REFUSED}]
        tokens.write(**{TOKEN: old, SECONDARY: new})
        tokens.name_secondary(True)
        assert tokens.responses(old, new) == [{ACCEPTED}, {ACCEPTED}]
        tokens.write(**{TOKEN: new, SECONDARY: old}, hurry=False)
        assert tokens.responses(old, new) == [{ACCEPTED}, {ACCEPTED}]
        tokens.change_at_twilio("Promote", new)
        load.await_accepted(caller)
        tokens.name_secondary(False)
        tokens.write(**{TOKEN: new})
        assert tokens.responses(old, new) == [{REFUSED}, {ACCEPTED}]
    assert not caller.comparison.twilio.faults, "Twilio refused requests"
    assert pods() == before and not any(installed.cluster.restarts())


# --- A canary

STABLE_REPLICAS = 9
SAMPLE = 600  # alerts
SHARED = ("tocsin-ingress", "tocsin-sms-worker")  # the services of which the test has ten replicas


def add_canary(installed, folder):
    """The overlay `canary`, with the dev overlay in place of production."""
    workloads = yaml.safe_load((cluster.K8S / "overlays/canary/workloads/kustomization.yaml").read_text())
    del workloads["components"]  # the certificates for Kafka and the digests
    workloads["resources"] = [os.path.relpath(cluster.K8S / "workloads", folder / "workloads")]
    workloads["images"] = yaml.safe_load((cluster.K8S / "overlays/dev/kustomization.yaml").read_text())["images"]
    (folder / "workloads").mkdir()
    (folder / "workloads/kustomization.yaml").write_text(yaml.safe_dump(workloads))
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": cluster.NAMESPACE,
        "resources": [os.path.relpath(installed.folder, folder), "workloads"],
        "patches": [{"target": {"kind": "Deployment", "labelSelector": f"{load.of_service(name)},tocsin-track=stable"},
                     "patch": f'[{{"op": "replace", "path": "/spec/replicas", "value": {STABLE_REPLICAS}}}]'}
                    for name in SHARED]}))
    installed.cluster.apply(*installed.cluster.render(folder))
    installed.cluster.await_rollouts([*DEPLOYMENTS, *(f"{name}-canary" for name in DEPLOYMENTS)], ROLLOUT_SECONDS)


def pods_of_track(installed, name, track):
    return load.ready_pods_of(installed, f"{load.of_service(name)},tocsin-track={track}")


def counts(installed, name, *metric):
    """Of the metric in each track."""
    return collections.Counter({track: sum(load.metric(pod, *metric) for pod in pods_of_track(installed, name, track))
                                for track in ("stable", "canary")})


def share(before, after):
    """Of the canary in what was counted meanwhile."""
    return (after["canary"] - before["canary"]) / (after.total() - before.total())


def test_a_canary_gets_its_share_and_is_removed_again(installed, tmp_path):  # docs/operations.md
    add_canary(installed, tmp_path)
    slices = installed.cluster.get("endpointslices", "-l", "kubernetes.io/service-name=tocsin-ingress-grpc")["items"]
    addresses = [address for part in slices for found in part["endpoints"] for address in found["addresses"]]
    (canary,) = pods_of_track(installed, "tocsin-ingress", "canary")
    assert len(addresses) == STABLE_REPLICAS + 1 and canary["status"]["podIP"] in addresses
    # What DNS returns for the name without a cluster address.
    client = api.Client("ipv4:" + ",".join(f"{address}:7443" for address in addresses),
                        installed.env["TOCSIN_AUDIT_GRPC"], cluster.API_KEY)
    of_requests = lambda: counts(installed, "tocsin-ingress", "grpc_server_requests_total", 'method="Enqueue"')
    of_attempts = lambda: counts(installed, "tocsin-sms-worker", "tocsin_deliveries_total", 'channel="sms"')
    with load.sending(installed, "canary", client=client) as caller:
        begin = of_requests(), of_attempts()
        load.await_accepted(caller, SAMPLE)
        shares = share(begin[0], of_requests()), share(begin[1], of_attempts())
        print(f"the canary's share: {shares[0]:.1%} of the requests, {shares[1]:.1%} of the attempts")
        installed.cluster.kubectl("delete", "deployment", "-l", "tocsin-track=canary")
        installed.cluster.apply(*installed.cluster.render(installed.folder))
        installed.cluster.await_rollouts(DEPLOYMENTS, ROLLOUT_SECONDS)
        every = lambda: installed.cluster.get("pods", "-l", "tocsin-track=canary")["items"]
        poll.until("the canary has ended", lambda: not every())
    assert shares[0] == pytest.approx(1 / 10, abs=0.02)
    # One or two of twelve partitions: 8.3 or 16.7 %, within four standard deviations of a sample of 600.
    assert 0.04 < shares[1] < 0.23
    assert not any(installed.cluster.restarts())


# --- Autoscaling by lag

BACKLOG = 2000  # emergencies
AUTOSCALING_SECONDS = 300


def test_the_lag_scales_the_workers_to_the_number_of_partitions_and_back(installed):
    # Few POSTs in progress, so that a backlog lasts until the replicas are ready.
    configure_worker(installed, TOCSIN_SENDERS=5, TOCSIN_SENDERS_RESERVED=1)
    (scaled,) = [found for found in test_manifests.of_kind("production", "ScaledObject")
                 if found["metadata"]["name"] == "tocsin-sms-worker"]
    largest = scaled["spec"]["maxReplicaCount"]
    seen, kubernetes = [], installed.cluster
    with external_metrics.ExternalMetrics(kubernetes, installed.env["TOCSIN_KAFKA_BOOTSTRAP"], scaled) as metrics, \
            load.sending(installed, "autoscaling", twilio_ms=1000) as caller:

        def replicas():
            wanted, lags = kubernetes.get("deployment", "tocsin-sms-worker")["spec"]["replicas"], metrics.update()
            if not seen or seen[-1][0] != wanted:
                print(f"replicas {wanted}, lag {lags}")
                seen.append((wanted, lags))
            return wanted

        kubernetes.apply(external_metrics.autoscaler(scaled))
        client = installed.client()
        backlog = api.enqueue_all(client, [
            api.request(f"+1604{2_000_000 + number}", f"Emergency {number}.", priority="EMERGENCY",
                        idempotency_key=f"backlog-{number}") for number in range(BACKLOG)])
        client.close()
        poll.until("there are as many workers as partitions", lambda: replicas() == largest, AUTOSCALING_SECONDS)
        conditions = lambda: kubernetes.get("hpa", "tocsin-sms-worker")["status"]["conditions"]
        poll.until("the autoscaler wants more", lambda: "TooManyReplicas" in [found["reason"] for found in conditions()])
        poll.until("two workers are left", lambda: replicas() == external_metrics.MIN_REPLICAS, AUTOSCALING_SECONDS)
        kubernetes.kubectl("delete", "hpa", "tocsin-sms-worker")
        kubernetes.await_rollouts(["tocsin-sms-worker"], ROLLOUT_SECONDS)
    assert seen[0][0] == external_metrics.MIN_REPLICAS and max(wanted for wanted, _ in seen) == largest
    states = caller.comparison.database.states
    assert len(backlog) == BACKLOG and {states[alert] for alert in backlog.values()} == {"DELIVERED"}
    assert not any(kubernetes.restarts())
