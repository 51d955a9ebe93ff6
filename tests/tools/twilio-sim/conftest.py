"""The simulator of a test file, a receiver of its webhooks; and which tests are collected.

Tests that need more than the simulator and the Python SDK are collected only if it is available, because a skipped
test counts as failed. scripts/test --full sets these variables.

TOCSIN_NODE_MODULES    a folder of Node packages: twilio, and @stoplight/prism-cli for the description
TOCSIN_TWILIO_OPENAPI  Twilio's OpenAPI description (JSON) of Messages and Calls
TOCSIN_BROWSER_DRIVER  a ChromeDriver, such as /usr/bin/chromedriver
"""

import os

import pytest

from sim import Receiver, Simulator

NEEDS = {"node_sdk_test.py": ("TOCSIN_NODE_MODULES",),
         "prism_test.py": ("TOCSIN_NODE_MODULES", "TOCSIN_TWILIO_OPENAPI"),
         "browser_test.py": ("TOCSIN_BROWSER_DRIVER",)}
collect_ignore = [name for name, needed in NEEDS.items() if not all(map(os.environ.get, needed))]


@pytest.fixture(scope="module")
def simulator(request, tmp_path_factory):
    """Shared by the tests of one file. Its SIMULATOR_FLAGS are added to the command line."""
    running = Simulator(tmp_path_factory.mktemp("sim"), *getattr(request.module, "SIMULATOR_FLAGS", ()))
    yield running
    running.stop()


@pytest.fixture
def clean(simulator):
    """Resets the simulator."""
    simulator.control("/sim/reset", {})


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.stop()
