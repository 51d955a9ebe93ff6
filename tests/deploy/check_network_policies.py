"""The network policies of production: judged by cyclonus, and with real traffic between pods with the labels of the
services and of their neighbours, under nftables rules that netpol.py makes of the policies. O7

pytest collects this file only when it is named. Needs cyclonus (TOCSIN_CYCLONUS) and the programs of a cluster."""

import json
import os
import pathlib
import re
import subprocess

import pytest
import yaml

import cluster
import network_policies
import stand_ins
import test_manifests

CYCLONUS = pathlib.Path(os.environ.get("TOCSIN_CYCLONUS", cluster.ROOT / "build/external/cyclonus"))
CYCLONUS_SECONDS = 120
GOLDEN = (cluster.ROOT / "tests/deploy/network-policies.txt").read_text()
# For cyclonus an ipBlock applies to pods. This address is in none of the policies' blocks, the other in the private one.
OUTSIDE_BLOCKS, INSIDE_BLOCKS = "100.64.0.9", "10.244.0.9"


@pytest.fixture(scope="module")
def policies():
    return test_manifests.of_kind("production", "NetworkPolicy")


@pytest.fixture(scope="module")
def peers():
    return test_manifests.peers()


def side(peers, name, pod_address):
    if name in network_policies.ADDRESSES:
        return {"IP": name}
    namespace, labels = peers.pods[name]
    return {"IP": pod_address, "Internal": {"Namespace": namespace, "PodLabels": labels,
                                            "NamespaceLabels": network_policies.NAMESPACES[namespace]}}


def cyclonus_table(policies, peers, pod_address, folder):
    """The table by cyclonus."""
    for policy in policies:  # it reads one policy from a file
        (folder / f"{policy['metadata']['name']}.yaml").write_text(yaml.safe_dump(policy))
    connections = list(peers.connections())
    traffic = folder.with_suffix(".json")
    traffic.write_text(json.dumps([
        {"Source": side(peers, found.source, pod_address), "Destination": side(peers, found.target, pod_address),
         "Protocol": "TCP", "ResolvedPort": found.port, "ResolvedPortName": peers.port_name(found.target, found.port)}
        for found in connections]))
    done = subprocess.run([CYCLONUS, "analyze", "--mode", "query-traffic", "--policy-path", folder, "--traffic-path",
                           traffic], capture_output=True, text=True, timeout=CYCLONUS_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    verdicts = re.findall(r"IS ALLOWED\? *\| *(TRUE|FALSE)", done.stdout)
    assert len(verdicts) == len(connections)
    return network_policies.render(found for found, verdict in zip(connections, verdicts) if verdict == "TRUE")


def test_cyclonus_reads_the_policies_as_the_table_does(policies, peers, tmp_path):
    assert cyclonus_table(policies, peers, OUTSIDE_BLOCKS, tmp_path) == GOLDEN


def test_cyclonus_agrees_on_what_address_ranges_add_where_they_apply_to_pods(policies, peers, tmp_path):
    table = network_policies.table(policies, peers, INSIDE_BLOCKS)
    assert cyclonus_table(policies, peers, INSIDE_BLOCKS, tmp_path) == table != GOLDEN


def test_cyclonus_finds_a_policy_that_allows_too_much(policies, peers, tmp_path):
    widened = json.loads(json.dumps(policies))
    (audit,) = [found for found in widened if found["metadata"]["name"] == "audit-from-proxy"]
    audit["spec"]["ingress"].append({})
    assert cyclonus_table(widened, peers, OUTSIDE_BLOCKS, tmp_path) != GOLDEN


def test_pods_reach_what_the_policies_allow_and_nothing_else(kubernetes, policies, peers):
    with stand_ins.StandIns(kubernetes, peers) as pods:
        everything = network_policies.render(peers.connections())
        assert network_policies.render(pods.reached()) == everything, "without an enforcer every connection succeeds"
        with pods.enforced(policies):
            # netpol.py applies an ipBlock to pods, whose addresses are in a private range.
            assert network_policies.render(pods.reached()) == network_policies.table(policies, peers, INSIDE_BLOCKS)
        assert network_policies.render(pods.reached()) == everything
