"""Fixtures of the system tests. They start stacks with scripts/up and use the release programs."""

import pytest

import interpreter  # first: it checks that the modules of the tests exist
import stack as stacks


@pytest.fixture(scope="module")
def stack():
    """A stack with default settings, shared by the tests of one file."""
    with stacks.Stack() as started:
        yield started


@pytest.fixture(scope="module")
def client(stack):
    connected = stack.client()
    yield connected
    connected.close()


@pytest.fixture
def simulator(stack):
    """The simulator without the faults of the test before."""
    controls = stack.simulator()
    controls.reset_faults()
    return controls


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        report.sections += [("warnings and errors in the logs", started.log_excerpt()) for started in stacks.running]
