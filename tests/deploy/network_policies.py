"""Who may reach whom by the NetworkPolicies: a table that people can review. Our reading of the specification."""

import ipaddress
import itertools
import typing

NAMESPACES = {"tocsin": {"kubernetes.io/metadata.name": "tocsin"},
              "kube-system": {"kubernetes.io/metadata.name": "kube-system"},
              "monitoring": {"kubernetes.io/metadata.name": "monitoring"},
              "ingress-nginx": {"kubernetes.io/metadata.name": "ingress-nginx"},
              "backends": {"kubernetes.io/metadata.name": "backends", "tocsin-clients": "true"},
              "strangers": {"kubernetes.io/metadata.name": "strangers"}}
# Other pods: name -> namespace, labels
PODS = {"dns": ("kube-system", {"k8s-app": "kube-dns"}), "prometheus": ("monitoring", {}),
        "otel-collector": ("monitoring", {}), "proxy": ("ingress-nginx", {}),
        "backend": ("backends", {"tocsin-client": "true"}), "backend-without-label": ("backends", {}),
        "client": ("tocsin", {"tocsin-client": "true"}), "stranger": ("strangers", {"tocsin-client": "true"}),
        "kafka-broker": ("tocsin", {"strimzi.io/cluster": "tocsin-kafka"}),
        "acme-solver": ("tocsin", {"acme.cert-manager.io/http01-solver": "true"})}
ADDRESSES = {"10.1.2.3": "a private address", "169.254.169.254": "metadata of the cloud", "203.0.113.7": "the Internet"}
PORTS = (53, 443, 4318, 5432, 6379, 6443, 7443, 7444, 8080, 8089, 9092, 9093, 9464)


class Connection(typing.NamedTuple):
    """From a pod to a port of another pod, or of an address outside the cluster."""

    source: str
    target: str
    port: int


class Peers:
    """All pods. services: name -> labels of its pods; ports: name -> {port name: number}."""

    def __init__(self, services, ports):
        self.pods = {name: ("tocsin", labels) for name, labels in services.items()} | PODS
        self._ports = ports

    def port_name(self, target, port):
        return {number: name for name, number in self._ports.get(target, {}).items()}.get(port, "")

    def connections(self):
        """Those that policies decide on, in the order of the table. A service is reached at its own ports only."""
        for source, (namespace, _) in sorted(self.pods.items()):
            for target, (other, _) in sorted(self.pods.items()):
                if source != target and "tocsin" in (namespace, other):
                    open_ports = self._ports[target].values() if target in self._ports else PORTS
                    yield from (Connection(source, target, port) for port in PORTS if port in open_ports)
            if namespace == "tocsin":
                yield from (Connection(source, *pair) for pair in itertools.product(ADDRESSES, PORTS))


def _selected(selector, labels):
    for row in selector.get("matchExpressions", []):
        if (labels.get(row["key"]) in row["values"]) != (row["operator"] == "In"):
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()


def _is_peer(peer, namespace, labels, address):
    if "ipBlock" in peer:
        if address is None:
            return False
        inside = lambda cidr: ipaddress.ip_address(address) in ipaddress.ip_network(cidr)
        return inside(peer["ipBlock"]["cidr"]) and not any(map(inside, peer["ipBlock"].get("except", [])))
    if namespace is None:
        return False
    if "namespaceSelector" in peer:
        if not _selected(peer["namespaceSelector"], NAMESPACES[namespace]):
            return False
    elif namespace != "tocsin":
        return False
    return _selected(peer.get("podSelector", {}), labels)


def _has_port(rule, port, name):
    if not rule.get("ports"):
        return True
    return any(row.get("port") in (name or port, port) or
               (isinstance(row.get("port"), int) and row["port"] <= port <= row.get("endPort", row["port"]))
               for row in rule["ports"])


def _allowed(policies, direction, labels, other, port, name):
    """other: (namespace, labels, address) of the peer. Traffic with a pod that no policy selects is allowed."""
    kind, key, peers = {"in": ("Ingress", "ingress", "from"), "out": ("Egress", "egress", "to")}[direction]
    mine = [policy["spec"] for policy in policies
            if kind in policy["spec"]["policyTypes"] and _selected(policy["spec"]["podSelector"], labels)]
    if not mine:
        return True
    return any(_has_port(rule, port, name) and (not rule.get(peers) or any(_is_peer(peer, *other) for peer in rule[peers]))
               for spec in mine for rule in spec.get(key, []))


def is_allowed(policies, peers, connection, pod_address=None):
    """The specification leaves open whether an ipBlock applies to pods. pod_address: the address of every pod for plugins
    that apply it; None for the others."""
    source, target, port = connection
    namespace, labels = peers.pods[source]
    name = peers.port_name(target, port)
    if target in ADDRESSES:
        return _allowed(policies, "out", labels, (None, {}, target), port, name)
    other_namespace, other_labels = peers.pods[target]
    return ((namespace != "tocsin" or
             _allowed(policies, "out", labels, (other_namespace, other_labels, pod_address), port, name)) and
            (other_namespace != "tocsin" or
             _allowed(policies, "in", other_labels, (namespace, labels, pod_address), port, name)))


def render(connections):
    """One line for each source and target."""
    lines = []
    for (source, target), group in itertools.groupby(connections, lambda connection: connection[:2]):
        meaning = f" ({ADDRESSES[target]})" if target in ADDRESSES else ""
        lines.append(f"{source} -> {target}{meaning}: {', '.join(str(connection.port) for connection in group)}")
    return "\n".join(lines) + "\n"


def table(policies, peers, pod_address=None):
    """What is allowed."""
    return render(found for found in peers.connections() if is_allowed(policies, peers, found, pod_address))
