"""A Kubernetes cluster with two nodes on this machine, with Tocsin's dev overlay and stores outside of it."""

import base64
import contextlib
import fcntl
import functools
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys

import psycopg2
import yaml

import api
import poll
import stack as stacks

ROOT = stacks.ROOT
K8S = ROOT / "deploy/k8s"
SERVICES = ("ingress", "sms-worker", "voice-worker", "audit")
NAMESPACE = "tocsin"
ACCOUNT = "AC00000000000000000000000000000000"  # of overlays/dev
AUTH_TOKEN = "token-of-the-simulator"
DATABASE = "tocsin_cluster"
CLIENT_LABELS = {"tocsin-client": "true"}
API_KEY = "tk_demo_for_the_simulator_only"
DNS_ADDRESS, DNS_PORT = "10.96.0.10", 10053  # the first is a setting of the kubelets
COMMAND_SECONDS = 300
READY_SECONDS = 180
MAX_RESTARTS = 2  # of a container, while it waits for its neighbours


def programs():
    """The folder with the programs of Kubernetes; None if there is none."""
    folder = pathlib.Path(os.environ.get("TOCSIN_KUBE", ROOT.parent / "shared/kube"))
    return folder if (folder / "up.sh").exists() else None


def machine_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return probe.getsockname()[0]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def revision():
    return subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, timeout=30,
                          check=True).stdout.strip()


def build_images(tag, *options):
    """Makes the images from the programs of the tests. Returns name -> digest."""
    done = subprocess.run([ROOT / "scripts/images", "--programs", stacks.BIN, "--tag", tag, *options],
                          capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


@functools.cache
def images():
    """The archive with all images, and their digests. They are made again when a program, the way to make them or the
    revision has changed."""
    archive = pathlib.Path(os.environ.get("TOCSIN_IMAGES", ROOT / "build/images.tar"))
    record = archive.with_suffix(".json")
    parts = [*stacks.BIN.glob("tocsin*"), *(ROOT / "deploy/images").iterdir(), ROOT / "scripts/images"]
    made_from = f"{revision()} {max(path.stat().st_mtime_ns for path in parts if path.is_file())}"
    made = json.loads(record.read_text()) if archive.exists() and record.exists() else {}
    if made.get("from") != made_from:
        record.unlink(missing_ok=True)
        made = {"from": made_from, "digests": build_images("dev", "--save", archive)}
        record.write_text(json.dumps(made))
    return archive, made["digests"]


def cache():
    """What stays between runs: the programs that setup.sh makes."""
    return pathlib.Path(os.environ.get("TOCSIN_CACHE_DIR", pathlib.Path.home() / ".cache/tocsin")) / "kube"


def kubectl_program():
    """Of the cluster's programs; None if there are none."""
    program = cache() / "kube/bin/kubectl"
    if not program.exists() and programs() and os.geteuid() == 0:
        subprocess.run([programs() / "setup.sh"], env=os.environ | {"KUBE_HOME": str(cache())},
                       stdout=subprocess.DEVNULL, timeout=COMMAND_SECONDS, check=True)
    return program if program.exists() else None


def remove_rules():
    """Of the kubelets and of the network plugin: down.sh leaves them, and they make the kernel track every connection."""
    for program in ("iptables", "ip6tables"):
        saved = subprocess.run([f"{program}-save"], capture_output=True, text=True, timeout=60, check=True).stdout
        kept = "".join(line for line in saved.splitlines(keepends=True) if not re.search(r"\b(KUBE|CNI)-", line))
        subprocess.run([f"{program}-restore"], input=kept, text=True, timeout=60, check=True)


class Cluster:
    """A context manager: starts the cluster with images and names (DNS), and ends it with all that it started. One at a
    time on a machine; its programs stay in the cache."""

    def __init__(self, archive):
        self.home = cache()
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock = (self.home / "lock").open("w")
        self.address = machine_address()
        self._archive, self.folder = archive, programs()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN_")}
        self.environment |= {"KUBE_HOME": str(self.home), "KUBECONFIG": str(self.home / "cl/kc/admin")}
        self.program = self.home / "kube/bin/kubectl"
        self._dns = None
        self._forwards = contextlib.ExitStack()

    def __enter__(self):
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._remove_state()
            self._script("setup.sh")
            shutil.copyfile(self._archive, self.home / "cl/images/tocsin.tar")
            self._script("up.sh")
            self._start_dns()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._forwards.close()
        if self._dns:
            self._dns.terminate()
            self._dns.wait()
        self._script("down.sh", check=False)
        shutil.rmtree(self.home / "cl/pid", ignore_errors=True)  # other processes get these ids later
        remove_rules()
        self._lock.close()

    def _remove_state(self):
        """Of a run that was killed. Its mounts are removed first."""
        if (self.home / "cl/pid").exists():
            self._script("down.sh", check=False)
        mounted = [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if f" {self.home}/" in line]
        assert not mounted, f"still mounted: {mounted}"
        shutil.rmtree(self.home / "cl", ignore_errors=True)
        for log in self.home.glob("*.log"):
            log.unlink()

    # Output goes to a file: the background processes would keep a pipe open.
    def _script(self, name, check=True):
        log = self.home / f"{name}.log"
        with log.open("ab") as out:
            code = subprocess.run([self.folder / name], env=self.environment, stdin=subprocess.DEVNULL, stdout=out,
                                  stderr=subprocess.STDOUT, timeout=COMMAND_SECONDS, check=False).returncode
        assert code == 0 or not check, f"{name} failed with {code}:\n{log.read_text()[-4000:]}"

    def kubectl(self, *arguments, stdin=None, check=True, seconds=COMMAND_SECONDS, namespace=("--namespace", NAMESPACE)):
        """The output of kubectl, which works in the namespace of Tocsin."""
        done = subprocess.run([self.program, *namespace, *map(str, arguments)],
                              env=self.environment, input=stdin, capture_output=True, text=True, timeout=seconds,
                              check=False)
        assert done.returncode == 0 or not check, f"kubectl {arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout if check else done

    def get(self, *what):
        return json.loads(self.kubectl("get", *what, "-o", "json"))

    def apply(self, *objects):
        """Each object names its namespace."""
        self.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects), namespace=())

    def render(self, folder):
        return [found for found in yaml.safe_load_all(self.kubectl("kustomize", folder)) if found]

    def _start_dns(self):
        """Services have names; a small DNS server on this machine stands for CoreDNS."""
        hosts = self.home / "cl/hosts.d"
        hosts.mkdir()
        self.apply(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "kube-dns", "namespace": "kube-system"},
             "spec": {"clusterIP": DNS_ADDRESS, "ports": [
                 {"name": name, "port": 53, "protocol": protocol, "targetPort": DNS_PORT}
                 for name, protocol in (("dns", "UDP"), ("dns-tcp", "TCP"))]}},
            {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
             "metadata": {"name": "kube-dns-1", "namespace": "kube-system",
                          "labels": {"kubernetes.io/service-name": "kube-dns"}},
             "ports": [{"name": name, "port": DNS_PORT, "protocol": protocol}
                       for name, protocol in (("dns", "UDP"), ("dns-tcp", "TCP"))],
             "endpoints": [{"addresses": [self.address], "conditions": {"ready": True}}]})
        self._dns = subprocess.Popen(
            ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root",
             f"--hostsdir={hosts}", "--local=/cluster.local/", f"--listen-address={self.address}", "--bind-interfaces",
             f"--port={DNS_PORT}", f"--pid-file={self.home}/dnsmasq.pid"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=(self.home / "dnsmasq.log").open("wb"))

    def publish_names(self):
        """Gives each service its name. Call it after services were made."""
        rows = [f"{found['spec']['clusterIP']} {found['metadata']['name']}.{NAMESPACE}.svc.cluster.local"
                for found in self.get("services")["items"] if found["spec"]["clusterIP"] != "None"]
        (self.home / "cl/hosts.d/services").write_text("\n".join(rows) + "\n")

    @contextlib.contextmanager
    def enforced_policies(self, once=True):
        """Enforces the NetworkPolicies by nftables: for the pods that exist now or, unless once, also for later ones."""
        command = [sys.executable, self.folder / "netpol.py", self.program, *(["once"] if once else [])]
        log = self.home / "netpol.log"
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(subprocess.run, ["nft", "delete", "table", "inet", "netpol"], capture_output=True,
                             timeout=60, check=False)
            with log.open("wb") as out:
                enforcer = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=subprocess.STDOUT)
            cleanup.callback(enforcer.wait)
            cleanup.callback(enforcer.terminate)
            poll.until("the policies are enforced", lambda: " applied 0 " in log.read_text())
            yield

    def cluster_address(self, service, port):
        return f"{self.get('service', service)['spec']['clusterIP']}:{port}"

    def forward(self, target, port):
        """An address on loopback that leads to a port of a pod."""
        local = free_port()
        forward = subprocess.Popen([self.program, "--namespace", NAMESPACE, "port-forward", target,
                                    f"{local}:{port}"], env=self.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._forwards.callback(forward.wait)
        self._forwards.callback(forward.terminate)

        def accepts():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", local), 1):
                return True

        poll.until(f"the forward to {target}:{port} accepts connections", accepts)
        return f"127.0.0.1:{local}"

    def await_rollouts(self, deployments, seconds=READY_SECONDS):
        """Until all replicas are new and ready. Fails early if a container ends again and again."""
        def is_complete(deployment):
            wanted, status = deployment["spec"]["replicas"], deployment["status"]
            return (status.get("observedGeneration", 0) >= deployment["metadata"]["generation"] and
                    status.get("updatedReplicas") == status.get("readyReplicas") == status.get("replicas") == wanted)

        def complete():
            assert not any(count >= MAX_RESTARTS for count in self.restarts()), self.describe_problems()
            found = {deployment["metadata"]["name"]: deployment for deployment in self.get("deployments")["items"]}
            return all(is_complete(found[name]) for name in deployments)

        assert poll.within(seconds, complete), self.describe_problems()

    def restarts(self):
        """How often each container was started again, without pods that are being deleted."""
        return [status["restartCount"] for pod in self.get("pods")["items"]
                if "deletionTimestamp" not in pod["metadata"]
                for status in pod["status"].get("containerStatuses", ())]

    def describe_problems(self):
        pods = self.kubectl("get", "pods", "-o", "wide", check=False).stdout
        events = self.kubectl("get", "events", "--sort-by=.lastTimestamp", check=False).stdout.splitlines()[-25:]
        logs = [self.kubectl("logs", "--tail=6", *option, pod["metadata"]["name"], check=False).stdout
                for pod in self.get("pods")["items"] for option in ((), ("--previous",))
                if not all(state.get("ready") for state in pod["status"].get("containerStatuses", [{}]))]
        return "\n".join([pods, *events, *logs])


def secret(name, **files):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE},
            "data": {key.replace("_", "-"): base64.b64encode(content.encode()).decode()
                     for key, content in files.items()}}


class Installation:
    """The dev overlay with two replicas of each service. Has what the system tests expect of a stack."""

    def __init__(self, cluster, stores, folder):
        self.cluster, self.folder = cluster, folder
        self.env = dict(stores.env)
        self._create_database(stores)

    # scripts/up has migrated its own database. This one is empty, for the Job of the migrations.
    def _create_database(self, stores):
        with contextlib.closing(stores.database()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE}")
        self.env["TOCSIN_POSTGRES_URL"] = self.env["TOCSIN_POSTGRES_URL"].rsplit("/", 1)[0] + f"/{DATABASE}"

    def _kustomization(self):
        """The dev overlay with the addresses of the stores."""
        patches = [{"target": {"kind": "Deployment", "labelSelector": "tocsin-track=stable"},
                    "patch": '[{"op": "replace", "path": "/spec/replicas", "value": 2}]'}]
        for name, address in self._store_addresses().items():
            host, port = address.rsplit(":", 1)
            patches.append({"target": {"kind": "EndpointSlice", "name": f"{name}-outside"}, "patch": json.dumps(
                [{"op": "replace", "path": "/ports/0/port", "value": int(port)},
                 {"op": "replace", "path": "/endpoints/0/addresses", "value": [host]}])})
        return {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namespace": NAMESPACE,
                "resources": [os.path.relpath(K8S / "overlays/dev", self.folder)], "patches": patches}

    def _store_addresses(self):
        env = self.env
        address = lambda url: re.search(r"[@/]([^@/]+:\d+)/", url)[1]
        return {"kafka": env["TOCSIN_KAFKA_BOOTSTRAP"], "postgres": address(env["TOCSIN_POSTGRES_URL"]),
                "redis": address(env["TOCSIN_REDIS_URL"])}

    def _secrets(self):
        keyring = self.folder / "keyring"
        subprocess.run([stacks.BIN / "tocsin", "keyring", "init", "--out", keyring], check=True,
                       stdout=subprocess.DEVNULL, timeout=30)
        password = re.search(r"//tocsin:([^@]+)@", self.env["TOCSIN_POSTGRES_URL"])[1]
        return [secret("tocsin-keyring", keyring=keyring.read_text()),
                secret("tocsin-redis", url="redis://redis:6379/0"),
                secret("tocsin-postgres", url=f"postgresql://tocsin:{password}@postgres:5432/{DATABASE}"),
                secret("tocsin-twilio", twilio_auth_token=AUTH_TOKEN),
                secret("tocsin-api-key", key=API_KEY)]

    def install(self):
        cluster = self.cluster
        (self.folder / "kustomization.yaml").write_text(yaml.safe_dump(self._kustomization()))
        rendered = cluster.render(self.folder)
        cluster.apply(*(found for found in rendered if found["kind"] == "Namespace"))
        cluster.apply(*self._secrets(), *(found for found in rendered if found["kind"] in ("Service", "EndpointSlice")))
        cluster.publish_names()
        cluster.apply(*cluster.render(K8S / "overlays/dev/migrations"))
        done = cluster.kubectl("wait", "--for=condition=complete", "job/tocsin-migrations", "--timeout=120s", check=False)
        assert done.returncode == 0, done.stderr + cluster.kubectl("logs", "job/tocsin-migrations", check=False).stdout
        cluster.apply(*rendered)
        cluster.await_rollouts(["tocsin-twilio-sim", *(f"tocsin-{service}" for service in SERVICES)])
        self.env["TOCSIN_INGRESS_GRPC"] = cluster.cluster_address("tocsin-ingress", 7443)
        self.env["TOCSIN_AUDIT_GRPC"] = cluster.cluster_address("tocsin-audit", 7444)
        self.env["TOCSIN_TWILIO_BASE_URL"] = "http://" + cluster.forward("deployment/tocsin-twilio-sim", 8080)

    def simulator(self):
        return stacks.Simulator(self.env["TOCSIN_TWILIO_BASE_URL"])

    def database(self):
        connection = psycopg2.connect(self.env["TOCSIN_POSTGRES_URL"])
        connection.autocommit = True
        return connection

    def client(self):
        return api.Client(self.env["TOCSIN_INGRESS_GRPC"], self.env["TOCSIN_AUDIT_GRPC"], API_KEY)

    def run_command(self, name, *arguments, labels=CLIENT_LABELS):
        """Runs `tocsin` in a pod, as a client does. Returns its output. The policies allow only pods with the label."""
        container = {
            "name": "tocsin", "image": "localhost/tocsin/tocsin:dev", "args": list(arguments),
            "env": [{"name": "TOCSIN_INGRESS_GRPC", "value": "tocsin-ingress:7443"},
                    {"name": "TOCSIN_AUDIT_GRPC", "value": "tocsin-audit:7444"},
                    {"name": "TOCSIN_API_KEY_FILE", "value": "/run/secrets/tocsin/key"}],
            "securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
                                "capabilities": {"drop": ["ALL"]}},
            "volumeMounts": [{"name": "key", "mountPath": "/run/secrets/tocsin", "readOnly": True}]}
        self.cluster.apply({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
            "spec": {"restartPolicy": "Never", "automountServiceAccountToken": False, "enableServiceLinks": False,
                     "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532,
                                         "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
                     "containers": [container],
                     "volumes": [{"name": "key", "secret": {"secretName": "tocsin-api-key", "defaultMode": 0o440}}]}})
        phase = lambda: self.cluster.kubectl("get", "pod", name, "-o", "jsonpath={.status.phase}")
        poll.until(f"pod {name} has ended", lambda: phase() in ("Succeeded", "Failed"), READY_SECONDS)
        output = self.cluster.kubectl("logs", name)
        assert phase() == "Succeeded", output
        return output
