"""The programs of the version before beside today's, on the same stores, under load: nothing is lost, nothing is sent
twice, and alerts of one version are finished by the other. Only in scripts/test --full, because it builds that version.
O7, R1.

TOCSIN_PREVIOUS_BIN_DIR is the folder of its programs; without it scripts/lib/build_previous.sh builds them.
"""

import os
import pathlib
import subprocess

import grpc
import pytest

import api
import consistency_check
import poll
import stack as stacks
import steady_caller

REPLICAS = 2
BUILD_SECONDS = 3600
TWILIO_MS = 300
PER_SECOND = 40
WHILE_MIXED = 200  # alerts accepted after the programs of a phase were started
BETWEEN_RESTARTS = 40
SCHEDULED_SECONDS = 30  # usually in the next phase
LATER_SECONDS = 400  # longer than two phases take; the delay queue keeps the work of a cancelled alert until then
QUIESCENT_SECONDS = LATER_SECONDS + 300
EACH = 4  # scheduled alerts, calls, and alerts to cancel in the next phase
PROCESSES = [f"{service}-{number}" for service in stacks.SERVICES for number in range(1, REPLICAS + 1)]
BEFORE, TODAY = "before", "today"
KILLED = {"a replica of each version": ["sms-worker-1"]}


def all_of(version, *services):
    return {process: version for process in PROCESSES if process.rsplit("-", 1)[0] in services}


# In this order on one stack: each phase begins with the programs of the phase before it.
PHASES = {
    "the version before": dict.fromkeys(PROCESSES, BEFORE),
    "old ingress, new workers and audit": all_of(TODAY, "sms-worker", "voice-worker", "audit"),
    "new ingress, old workers and audit": all_of(TODAY, "ingress"),
    "a replica of each version": {process: TODAY for process in PROCESSES if process.endswith("-1")},
    "upgraded": dict.fromkeys(PROCESSES, TODAY),
    "rolled back": dict.fromkeys(PROCESSES, BEFORE),
    "upgraded again": dict.fromkeys(PROCESSES, TODAY),
}


@pytest.fixture(scope="module")
def programs():
    """Version -> folder."""
    if not (folder := os.environ.get("TOCSIN_PREVIOUS_BIN_DIR")):
        done = subprocess.run([stacks.ROOT / "scripts/lib/build_previous.sh"], stdout=subprocess.PIPE, text=True,
                              timeout=BUILD_SECONDS, check=True)
        folder = done.stdout.splitlines()[-1]
    found = {BEFORE: pathlib.Path(folder), TODAY: stacks.BIN}
    versions = [(path / "tocsin-sms-worker").read_bytes() for path in found.values()]
    assert versions[0] != versions[1], "both folders have the same programs"
    return found


@pytest.fixture(scope="module")
def stack(programs):
    # A short lease: the attempts of a killed worker are taken over soon.
    with stacks.Stack({"TOCSIN_BIN_DIR": str(programs[BEFORE]), "TOCSIN_TWILIO_POST_TIMEOUT": "3s", "TOCSIN_LEASE": "8s",
                       "TOCSIN_IN_DOUBT_TIMEOUT": "6s", "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "10s"},
                      replicas=str(REPLICAS)) as started:
        yield started


@pytest.fixture(scope="module")
def client(stack):
    connected = stack.client_of_replicas(REPLICAS)
    yield connected
    connected.close()


class History:
    """What the phases leave for the next ones."""

    def __init__(self, client):
        self.client = client
        self.running = dict.fromkeys(PROCESSES, BEFORE)
        self.accepted = set()  # alert ids
        self.requests = {}  # idempotency key -> (request, alert id)
        self.to_cancel = []  # alerts that are not due yet

    def send(self, key, to, **fields):
        request = api.request(to, f"Notice {key}.", idempotency_key=key, **fields)
        response = self.enqueue(request)
        self.requests[key] = request, response.alert_id
        self.accepted.add(response.alert_id)
        return response

    def enqueue(self, request):
        return poll.until(f"{request.idempotency_key} is accepted", lambda: self._response(self.client.enqueue, request))

    def cancel(self, alert_id):
        return poll.until(f"{alert_id} is cancelled", lambda: self._response(self.client.cancel, alert_id))

    @staticmethod
    def _response(send, *arguments):
        """None while the service is unavailable."""
        try:
            return send(*arguments)
        except grpc.RpcError as error:
            assert error.code() in steady_caller.RETRIED, error
            return None


@pytest.fixture(scope="module")
def history(client):
    return History(client)


def program_of(stack, process):
    """The folder of the program that the process runs."""
    return pathlib.Path(os.readlink(f"/proc/{stack.pid(process)}/exe")).parent


def wait_for(caller, more):
    enough = len(caller.accepted) + more
    poll.until(f"{enough} alerts are accepted", lambda: len(caller.accepted) >= enough)


def change_programs(stack, programs, history, phase, caller):
    """Restarts, one after another, each process whose version is another in this phase."""
    for process in PROCESSES:
        version = PHASES[phase].get(process, BEFORE)
        if history.running[process] != version:
            stack.start(process, settings={"TOCSIN_BIN_DIR": str(programs[version])})
            history.running[process] = version
            wait_for(caller, BETWEEN_RESTARTS)
        assert program_of(stack, process) == programs[version].resolve(), process


@pytest.mark.parametrize("phase", PHASES)
def test_versions_work_side_by_side(stack, client, programs, history, simulator, phase):
    simulator.faults(create={"latency_ms": TWILIO_MS, "rate_429": 0.05})
    simulator.phones({"*": {"answer": "human", "keys": ["1"]}})
    number = list(PHASES).index(phase)
    with steady_caller.SteadyCaller(client, f"phase-{number}", reads=True, per_second=PER_SECOND) as caller:
        earlier, cancelled = dict(history.requests), history.to_cancel
        for index in range(EACH):
            history.send(f"scheduled-{number}-{index}", f"+1604{7_000_000 + 100 * number + index}",
                         send_time=api.in_seconds(SCHEDULED_SECONDS))
        change_programs(stack, programs, history, phase, caller)
        calls = [history.send(f"call-{number}-{index}", f"+1604{9_000_000 + 100 * number + index}", channel="VOICE",
                              priority="EMERGENCY" if index % 2 else "NORMAL") for index in range(EACH)]
        assert {key: history.enqueue(request).alert_id for key, (request, _) in earlier.items()} == {
            key: alert_id for key, (_, alert_id) in earlier.items()}  # A3
        assert {history.cancel(accepted.alert_id) for accepted in cancelled} <= {"CANCELLED"}
        history.to_cancel = [history.send(f"later-{number}-{index}", f"+1604{8_000_000 + 100 * number + index}",
                                          send_time=api.in_seconds(LATER_SECONDS)) for index in range(EACH)]
        for process in KILLED.get(phase, ()):  # the other version takes over what is in flight
            poll.until(f"POSTs of {process} are in flight", lambda: stack.gauge("sms-worker", "tocsin_senders_busy") >= 3)
            stack.kill(process)
            wait_for(caller, BETWEEN_RESTARTS)
            stack.start(process, settings={"TOCSIN_BIN_DIR": str(programs[history.running[process]])})
        wait_for(caller, WHILE_MIXED)
        for accepted in calls:
            client.until_state(accepted, "ACKNOWLEDGED")
        for accepted in cancelled:
            client.until_state(accepted, "CANCELLED")
    history.accepted |= set(caller.accepted.values())
    print(f"{phase}: accepted {len(caller.accepted)}, status reads {caller.reads}, requests repeated {caller.retries}")
    assert caller.reads and not caller.refused, caller.refused


def test_nothing_was_lost_or_sent_twice(stack, history):
    for accepted in history.to_cancel:
        assert history.cancel(accepted.alert_id) == "CANCELLED"
    try:
        poll.until("every alert is final", lambda: consistency_check.is_quiescent(stack), QUIESCENT_SECONDS)
    finally:
        comparison = consistency_check.Comparison.read(stack.env, history.accepted)
        print(comparison.report())
    # A callback may resolve an attempt of a killed worker before its lease ends: it is then never in doubt.
    assert comparison.kafka.resolved_by, "no attempt was in flight when its worker was killed"
    assert not comparison.differences() and not comparison.repeats()
