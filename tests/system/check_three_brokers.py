"""Three brokers and two replicas of each service, under load: whichever broker or replica is killed, restarted, cut
off, out of disk space or slow, nothing is lost and nothing is sent twice. Only in scripts/test --full. Needs root, see
brokers.py. R1, R6, O8.

The table of the faults is written to build/reports/three-brokers.txt.
"""

import contextlib
import dataclasses
import time

import pytest

import api
import brokers
import consistency_check
import poll
import stack as stacks
import steady_caller

REPORT = stacks.ROOT / "build/reports/three-brokers.txt"
REPLICAS = 2
TWILIO_MS = 300
PER_SECOND = 25
CALL_EVERY = 10  # alerts
SENDERS = 300  # more than wait for a broker that does not respond
BEFORE, DURING, AFTER = 50, 150, 50  # alerts accepted before, during and after a fault
PROCESSES = [f"{service}-{number}" for service in stacks.SERVICES for number in range(1, REPLICAS + 1)]
READY_SECONDS = 180
QUIESCENT_SECONDS = 240
WITHOUT_NETWORK = 3  # a broker
HEADER = ("fault", "accepted", "ended", "doubled", "repeated requests", "refused requests", "ended services",
          "without a POST, s", "without an accepted request, s", "slowest POST, s")


@pytest.fixture(scope="module")
def network():
    with brokers.Network() as made:
        yield made


@pytest.fixture(scope="module")
def disk():
    with brokers.Disk() as made:
        yield made


@pytest.fixture(scope="module")
def stack(network, disk):
    # A short lease: the attempts of a killed worker are taken over soon.
    made = stacks.Stack({"TOCSIN_BROKER_NETNS": network.name, "TOCSIN_TWILIO_POST_TIMEOUT": "3s", "TOCSIN_LEASE": "8s",
                         "TOCSIN_IN_DOUBT_TIMEOUT": "6s", "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "10s",
                         "TOCSIN_RECONCILE_INITIAL_DELAY": "10s"},
                        replicas=str(REPLICAS), flags=("--brokers", str(len(brokers.NUMBERS))))
    disk.hold_logs_of(made)
    with made as started:
        simulator = started.simulator()
        simulator.faults(create={"latency_ms": TWILIO_MS})
        simulator.phones({"*": {"answer": "human", "keys": ["1"]}})
        yield started


@pytest.fixture(scope="module")
def client(stack):
    connected = stack.client_of_replicas(REPLICAS)
    yield connected
    connected.close()


@dataclasses.dataclass
class Scene:
    """What a fault acts on."""

    stack: stacks.Stack
    network: brokers.Network
    disk: brokers.Disk
    caller: steady_caller.SteadyCaller

    def accepts(self, more):
        """Waits until so many more alerts are accepted."""
        enough = len(self.caller.accepted) + more
        poll.until(f"{enough} alerts are accepted", lambda: len(self.caller.accepted) >= enough)

    def works(self):
        """Waits until alerts are accepted, and all of these have ended."""
        before = set(self.caller.accepted_at.copy())
        self.accepts(DURING)
        wait_until_ended(self.stack, set(self.caller.accepted_at.copy()) - before)

    def is_in_sync(self):
        poll.until("no partition is under-replicated", lambda: brokers.are_in_sync(self.stack), READY_SECONDS)

    def is_balanced(self):
        poll.until("no partition is under-replicated, and all brokers lead", lambda: brokers.are_balanced(self.stack),
                   READY_SECONDS)


def not_ended(stack, alerts):
    with contextlib.closing(stack.database()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT alert_id::text FROM tocsin.alerts WHERE end_time_us IS NOT NULL"
                       " AND alert_id = ANY(%s::uuid[])", (list(alerts),))
        return alerts - {row[0] for row in cursor}


def restart_ended(stack):
    """What a supervisor does. Returns the names of the services."""
    ended = [process for process in PROCESSES if stacks.has_ended(stack.pid(process))]
    for process in ended:
        stack.start(process)
    return ended


def wait_until_ended(stack, alerts):
    poll.until(f"{len(alerts)} alerts have ended", lambda: not not_ended(stack, alerts), QUIESCENT_SECONDS)


# --- Faults: each function causes one, and repairs it.

@contextlib.contextmanager
def killed(stack, process):
    stack.kill(process)
    try:
        yield
    finally:
        stack.start(process)


def kill_broker(number):
    def cause(scene):
        with killed(scene.stack, f"kafka-{number}"):
            scene.works()
    return cause


def kill_replica(service):
    def cause(scene):
        if service.endswith("worker"):
            poll.until("a POST is in flight", lambda: scene.stack.gauge(service, "tocsin_senders_busy") >= 1)
        with killed(scene.stack, f"{service}-1"):
            if service == "ingress":
                scene.accepts(DURING)  # Twilio's callbacks have the address of this replica
            else:
                scene.works()
    return cause


def restart_brokers(scene):
    for number in brokers.NUMBERS:
        scene.stack.start(f"kafka-{number}")
        scene.is_in_sync()


def fill_disk(scene):
    broker = f"kafka-{brokers.WITH_DISK}"
    scene.disk.fill()
    try:
        poll.until(f"{broker} has ended", lambda: stacks.has_ended(scene.stack.pid(broker)))
        scene.works()
    finally:
        scene.disk.free()
        scene.stack.start(broker)


def slow_disk(scene):
    scene.disk.slow_down()
    try:
        scene.accepts(DURING)
        print(f"a write takes {scene.disk.write_seconds():.1f} s")
    finally:
        scene.disk.recover()


def cut_network(scene):
    scene.network.cut(WITHOUT_NETWORK)
    try:
        scene.works()
    finally:
        scene.network.join(WITHOUT_NETWORK)


# In this order on one stack.
FAULTS = {
    **{f"kill -9 of broker {number}": kill_broker(number) for number in brokers.NUMBERS},
    **{f"kill -9 of a replica: {service}": kill_replica(service) for service in stacks.SERVICES},
    "rolling restart of the brokers": restart_brokers,
    "full disk of a broker": fill_disk,
    "slow disk of a broker": slow_disk,
    "broker without network": cut_network,
}


@dataclasses.dataclass
class Observation:
    """What the client saw of one fault. Times are Unix seconds."""

    begin: float
    end: float
    accepted_at: dict  # alert id -> time
    retries: int
    refused: int
    ended: list  # services that ended by themselves

    def row(self, fault, comparison):
        """In the order of HEADER."""
        posts = {}  # alert id -> time of the first
        for at_us, attempt in comparison.twilio.accepted_posts:
            posts.setdefault(attempt[0], at_us / 1e6)
        return (fault, len(self.accepted_at), len(comparison.database.final & set(self.accepted_at)),
                sum(attempt[0] in self.accepted_at for _, attempt in comparison.repeats()), self.retries, self.refused,
                len(self.ended),
                f"{comparison.twilio.longest_gap(self.begin * 1e6, self.end * 1e6):.1f}",
                f"{consistency_check.longest_gap(self.accepted_at.values(), self.begin, self.end):.1f}",
                f"{max(posts[alert] - time_ for alert, time_ in self.accepted_at.items() if alert in posts):.1f}")


@pytest.fixture(scope="module")
def observations():
    """Fault -> Observation."""
    return {}


@pytest.mark.parametrize("fault", FAULTS)
def test_alerts_are_accepted_and_end(stack, client, network, disk, observations, fault):
    name = f"fault-{list(FAULTS).index(fault)}"
    with steady_caller.SteadyCaller(client, name, per_second=PER_SECOND, senders=SENDERS,
                                    call_every=CALL_EVERY) as caller:
        scene = Scene(stack, network, disk, caller)
        scene.is_balanced()
        scene.accepts(BEFORE)
        begin = time.time()
        FAULTS[fault](scene)
        scene.is_balanced()
        scene.accepts(AFTER)
        end = time.time()
    ended = restart_ended(stack)
    observations[fault] = Observation(begin, end, caller.accepted_at, caller.retries, sum(caller.refused.values()),
                                      ended)
    print(f"{fault}: {end - begin:.0f} s, accepted {len(caller.accepted)}, ended services {ended}")
    wait_until_ended(stack, set(caller.accepted_at))
    assert not caller.refused, caller.refused
    assert not ended


def test_nothing_was_lost_or_sent_twice(stack, observations):
    accepted = {alert for observation in observations.values() for alert in observation.accepted_at}
    try:
        poll.until("every alert is final", lambda: consistency_check.is_quiescent(stack), QUIESCENT_SECONDS)
    finally:
        comparison = consistency_check.Comparison.read(stack.env, accepted)
        rows = [HEADER, ("---",) * len(HEADER),
                *(observation.row(fault, comparison) for fault, observation in observations.items())]
        table = "".join(f"| {' | '.join(map(str, row))} |\n" for row in rows)
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(table)
        print(f"\n{table}{comparison.report()}")
    assert not comparison.differences() and not comparison.repeats()
