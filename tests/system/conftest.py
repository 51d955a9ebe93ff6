"""What the system tests share. They start stacks by scripts/up and use the programs as they ship."""

import pytest

import stack as stacks


@pytest.fixture(scope="module")
def stack():
    """A stack with nothing special, shared by the tests of one file."""
    with stacks.Stack() as started:
        yield started


@pytest.fixture(scope="module")
def client(stack):
    caller = stack.client()
    yield caller
    caller.close()


@pytest.fixture
def simulator(stack):
    """The simulator without faults, whatever the test before asked for."""
    controls = stack.simulator()
    controls.reset_faults()
    return controls


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        report.sections += [("complaints in the logs", started.complaints()) for started in stacks.running]
