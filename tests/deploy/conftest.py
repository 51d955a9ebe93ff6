"""Fixtures of the tests of deploy. The stores and clients are those of tests/system."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))

import interpreter  # first: it checks that the modules of the tests exist
import pytest

import cluster
import stack as stacks


@pytest.fixture(scope="session")
def kubernetes():
    """A cluster with two nodes and the images, shared by all tests of a run."""
    with cluster.Cluster(cluster.images()[0]) as started:
        yield started


@pytest.fixture(scope="session")
def installed(kubernetes, tmp_path_factory):
    """The dev overlay with stores outside of the cluster."""
    with stacks.Stack({"TOCSIN_STORE_HOST": kubernetes.address}, flags=("--parts", "kafka,postgres,redis")) as stores:
        installation = cluster.Installation(kubernetes, stores, tmp_path_factory.mktemp("installation"))
        installation.install()
        yield installation
