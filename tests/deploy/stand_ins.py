"""Pods with the labels of the services and of their neighbours, which listen on every port of the table of policies, and
addresses outside the cluster that do, too."""

import concurrent.futures
import contextlib
import json
import subprocess
import sys

import cluster
import network_policies
import poll

POD_NETWORK = "10.244.0.0/24"  # 10-bridge.conflist of the cluster's programs
HOST_ADDRESS, OUTSIDE_ADDRESS = "192.0.2.241", "192.0.2.242"  # of the link to the addresses outside
NAMESPACE, ROUTES = "tocsin-outside", "9464"  # of the kernel: a network namespace, a routing table
LINK = "tocsin-out"
CONNECT_SECONDS = 6  # longer than two retransmissions of a SYN
PARALLEL = 4
COMMAND_SECONDS = 60

LISTEN = """
use IO::Socket::INET; use IO::Select;
my $all = IO::Select->new;
$all->add(IO::Socket::INET->new(LocalPort => $_, Listen => 128, ReuseAddr => 1) or die "$_: $!") for @ARGV;
$SIG{TERM} = sub { exit 0 };
while (1) { for ($all->can_read) { my $client = $_->accept; close $client if $client } }
"""
CONNECT = """
use IO::Socket::INET; use IO::Select;
my ($seconds, @targets) = @ARGV; my ($open, %names) = IO::Select->new;
for (@targets) {
  my $socket = IO::Socket::INET->new(PeerAddr => $_, Proto => 'tcp', Blocking => 0) or next;
  $names{$socket} = $_; $open->add($socket);
}
my $end = time + $seconds;
while ($open->count and (my $left = $end - time) > 0) {
  for ($open->can_write($left)) { print "$names{$_}\\n" if $_->connected; $open->remove($_) }
}
"""


def run(*command):
    subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True)


class StandIns:
    """A context manager: starts the pods, and ends them with their namespaces."""

    def __init__(self, kubernetes, peers):
        self._cluster, self._peers = kubernetes, peers
        self._cleanup = contextlib.ExitStack()
        self._addresses = {}  # name -> address

    def __enter__(self):
        with contextlib.ExitStack() as cleanup:
            cleanup.callback(self._delete_pods)
            self._make_outside(cleanup)
            self._make_pods()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_):
        self._cleanup.close()

    def _make_outside(self, cleanup):
        """The routes to these addresses are for pods only: the machine may use them itself."""
        run("ip", "netns", "add", NAMESPACE)
        cleanup.callback(run, "ip", "netns", "del", NAMESPACE)  # deletes the link, too
        run("ip", "link", "add", LINK, "type", "veth", "peer", "name", "outside", "netns", NAMESPACE)
        run("ip", "address", "add", f"{HOST_ADDRESS}/30", "dev", LINK)
        run("ip", "link", "set", LINK, "up")
        inside = ("ip", "-n", NAMESPACE)
        run(*inside, "address", "add", f"{OUTSIDE_ADDRESS}/30", "dev", "outside")
        for device in ("lo", "outside"):
            run(*inside, "link", "set", device, "up")
        run("ip", "rule", "add", "from", POD_NETWORK, "lookup", ROUTES, "priority", "100")
        cleanup.callback(run, "ip", "rule", "del", "from", POD_NETWORK, "lookup", ROUTES, "priority", "100")
        for address in network_policies.ADDRESSES:
            run(*inside, "address", "add", f"{address}/32", "dev", "lo")
            run("ip", "route", "add", address, "via", OUTSIDE_ADDRESS, "table", ROUTES)
        listener = subprocess.Popen(["ip", "netns", "exec", NAMESPACE, "perl", "-e", LISTEN,
                                     *map(str, network_policies.PORTS)], stdin=subprocess.DEVNULL)
        cleanup.callback(listener.wait)
        cleanup.callback(listener.terminate)

    def _make_pods(self):
        self._cluster.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
                              for name, labels in network_policies.NAMESPACES.items()))
        self._cluster.apply(*(self._pod(name) for name in self._peers.pods))
        poll.until("every pod has an address and is ready", self._read_addresses, cluster.READY_SECONDS)

    def _pod(self, name):
        namespace, labels = self._peers.pods[name]
        ports = [{"containerPort": port} | ({"name": port_name} if port_name else {})
                 for port in network_policies.PORTS for port_name in [self._peers.port_name(name, port)]]
        return {"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "namespace": namespace, "labels": labels | {"stand-in": "true"}},
                "spec": {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1,
                         "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532,
                                             "seccompProfile": {"type": "RuntimeDefault"},
                                             "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]},
                         "containers": [{
                             "name": "stand-in", "image": "localhost/tocsin/tocsin:dev", "ports": ports,
                             "command": ["/usr/bin/perl", "-e", LISTEN, *map(str, network_policies.PORTS)],
                             "readinessProbe": {"tcpSocket": {"port": network_policies.PORTS[-1]}, "periodSeconds": 1},
                             "securityContext": {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False,
                                                 "capabilities": {"drop": ["ALL"]}}}]}}

    def _read_addresses(self):
        found = json.loads(self._cluster.kubectl("get", "pods", "-A", "-l", "stand-in=true", "-o", "json",
                                                 namespace=()))["items"]
        self._addresses = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in found
                           if all(state["ready"] for state in pod["status"].get("containerStatuses", [{"ready": False}]))}
        return set(self._addresses) == set(self._peers.pods)

    def _delete_pods(self):
        self._cluster.kubectl("delete", "pods", "-A", "-l", "stand-in=true", "--ignore-not-found", namespace=())
        made = [name for name in network_policies.NAMESPACES if name not in (cluster.NAMESPACE, "kube-system")]
        self._cluster.kubectl("delete", "namespace", *made, "--ignore-not-found", namespace=())

    def reached(self):
        """The connections of the table that succeed, in its order."""
        connections = list(self._peers.connections())
        address = lambda found: f"{self._addresses.get(found.target, found.target)}:{found.port}"
        sources = sorted({found.source for found in connections})

        def probe(source):
            targets = {address(found): found for found in connections if found.source == source}
            output = self._cluster.kubectl("exec", source, "--", "/usr/bin/perl", "-e", CONNECT, CONNECT_SECONDS, *targets,
                                           namespace=("--namespace", self._peers.pods[source][0]))
            return {targets[line] for line in output.split()}

        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as threads:
            reached = set().union(*threads.map(probe, sources))
        return [found for found in connections if found in reached]

    @contextlib.contextmanager
    def enforced(self, policies):
        """Applies the policies, and enforces them for the pods that exist now."""
        self._cluster.apply(*policies)
        try:
            with self._cluster.enforced_policies():
                yield
        finally:
            self._cluster.kubectl("delete", "networkpolicy", "--all")
