"""Who may reach whom by the NetworkPolicies: a table that people can review. Our reading of the specification."""

import ipaddress

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
        "kafka-broker": ("tocsin", {"strimzi.io/cluster": "tocsin-kafka"})}
ADDRESSES = {"10.1.2.3": "a private address", "169.254.169.254": "metadata of the cloud", "203.0.113.7": "the Internet"}
PORTS = (53, 443, 4318, 5432, 6379, 6443, 7443, 7444, 8080, 9092, 9093, 9464)


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
    if address is not None:
        return False
    if "namespaceSelector" in peer:
        if not _selected(peer["namespaceSelector"], NAMESPACES[namespace]):
            return False
    elif namespace != "tocsin":
        return False
    return _selected(peer.get("podSelector", {}), labels)


def _has_port(rule, port, names):
    if not rule.get("ports"):
        return True
    return any(row.get("port") in (names.get(port), port) or
               (isinstance(row.get("port"), int) and row["port"] <= port <= row.get("endPort", row["port"]))
               for row in rule["ports"])


def _allowed(policies, direction, labels, other, port, names):
    """other: (namespace, labels, address) of the peer. Traffic with a pod that no policy selects is allowed."""
    kind, key, peers = {"in": ("Ingress", "ingress", "from"), "out": ("Egress", "egress", "to")}[direction]
    mine = [policy["spec"] for policy in policies
            if kind in policy["spec"]["policyTypes"] and _selected(policy["spec"]["podSelector"], labels)]
    if not mine:
        return True
    return any(_has_port(rule, port, names) and (not rule.get(peers) or any(_is_peer(peer, *other) for peer in rule[peers]))
               for spec in mine for rule in spec.get(key, []))


def table(policies, services, ports):
    """services: name -> labels of its pods; ports: name -> {port name: number}. One line for each allowed direction."""
    pods = {name: ("tocsin", labels) for name, labels in services.items()} | PODS
    lines = []
    for source, (namespace, labels) in sorted(pods.items()):
        for target, (other_namespace, other_labels) in sorted(pods.items()):
            names = {number: name for name, number in ports.get(target, {}).items()}
            open_ports = [port for port in PORTS if source != target and "tocsin" in (namespace, other_namespace) and
                          (namespace != "tocsin" or _allowed(policies, "out", labels, (other_namespace, other_labels, None), port, names)) and
                          (other_namespace != "tocsin" or _allowed(policies, "in", other_labels, (namespace, labels, None), port, names))
                          and (target not in ports or port in names)]
            if open_ports:
                lines.append(f"{source} -> {target}: {', '.join(map(str, open_ports))}")
        if namespace == "tocsin":
            for address, meaning in ADDRESSES.items():
                open_ports = [port for port in PORTS if _allowed(policies, "out", labels, (None, {}, address), port, {})]
                if open_ports:
                    lines.append(f"{source} -> {address} ({meaning}): {', '.join(map(str, open_ports))}")
    return "\n".join(lines) + "\n"
