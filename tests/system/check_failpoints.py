"""Each step of a delivery fails in each way, on real stores: no alert is lost or resent without a record. R1, R4, R7.

Then each guard is disabled in turn, and the consistency check must detect it. One stack with short timeouts serves all
tests. They need programs with failpoints (preset dev), so pytest collects this file only when it is named: scripts/test
has a stage for it. The tables are written to build/reports/failpoints.txt.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import os
import signal

import pytest
import redis

import consistency_check
import poll
import stack as stacks

WORKER, OTHER, VOICE = "sms-worker-1", "sms-worker-2", "voice-worker-1"
POINTS = ("after_poll", "claim", "started_produce", "started_report", "mid_post", "response_read",
          "outcome_produce", "outcome_report", "store", "commit", "revoke", "close")
FAULTS = ("kill", "hang", "error")

HANG_MS = 4500  # longer than the lease
SHORT_HANG_MS = 1500  # shorter than the lease without the POST
TIMES = {"TOCSIN_TWILIO_POST_TIMEOUT": "2s", "TOCSIN_LEASE": "4s", "TOCSIN_RETRY_BASE": "50ms",
         "TOCSIN_IN_DOUBT_INITIAL_DELAY": "300ms", "TOCSIN_IN_DOUBT_EMERGENCY_TIMEOUT": "2s",
         "TOCSIN_IN_DOUBT_TIMEOUT": "6s", "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "8s"}  # longer than the list lags
TWILIO_MS, SLOW_MS, LAG_MS = 50, 1500, 3000
MISSING = 0.6  # of the callbacks, so that attempts are resolved by callback, by the list and by the policy
PRIORITIES = ("EMERGENCY", "NORMAL", "NORMAL")  # of the alerts of a run; the failure affects one of them
FAILURE_SECONDS = 60
REBALANCE_SECONDS, MAX_REBALANCES = 15, 6
WITHOUT_BROKER_SECONDS = 4  # in which a worker makes the POST if it does not await the report
QUIESCENT_SECONDS = 120
REPORT = stacks.ROOT / "build/reports/failpoints.txt"


def publish(lines):
    """Prints a table and appends it to the report."""
    text = "\n".join([*lines, "", ""])
    print("\n" + text)
    with REPORT.open("a") as report:
        report.write(text)


class Failpoints(stacks.Stack):
    """A stack in which one worker has failpoints, and whose workers can be started with a guard disabled."""

    def __init__(self):
        super().__init__(TIMES, replicas="sms-worker=2")
        self.file = self.state / "failpoint"
        self.reached = self.state / "failpoint.reached"  # written when the failpoint is reached
        self.without = ""
        self.sent = []  # ids of all alerts: a comparison covers all of them
        self._numbers = itertools.count(4_000_000)
        self._background = concurrent.futures.ThreadPoolExecutor(1)

    def __enter__(self):
        super().__enter__()
        self.connected = self.client()
        return self

    def __exit__(self, *_):
        self._background.shutdown()
        if self in stacks.running:
            self.connected.close()
        super().__exit__()

    def start(self, process):
        failpoints = {"TOCSIN_FAILPOINT_FILE": str(self.file)} if process == WORKER else {}
        super().start(process, failpoints | {"TOCSIN_WITHOUT": self.without})

    def start_in_background(self, process):
        """Returns a future that completes when the process is ready."""
        return self._background.submit(self.start, process)

    def stop(self, process):
        """Sends SIGTERM and waits for the end: a normal one, or by an armed failure."""
        pid = self.pid(process)
        os.kill(pid, signal.SIGTERM)
        poll.until(f"{process} has ended", lambda: stacks.has_ended(pid))

    def stop_others(self, *others):
        """Stops these, and the SMS worker without failpoints."""
        for other in (OTHER, *others):
            if not stacks.has_ended(self.pid(other)):
                self.stop(other)

    def arm(self, point, fault, milliseconds=HANG_MS):
        """Arms a failpoint once."""
        self.reached.unlink(missing_ok=True)
        part = self.file.with_suffix(".part")
        part.write_text(f"{fault} {milliseconds}")
        part.replace(self.file.with_suffix(f".{point}"))

    def await_failure(self, name, check=None):
        poll.until(f"failpoint {name} is reached (is TOCSIN_BIN_DIR a build with failpoints?)",
                   check or self.reached.exists, FAILURE_SECONDS)

    def send(self, *priorities):
        """Sends an alert of each priority and returns the ids."""
        alerts = [self.connected.send_keyed(f"+1514{number}", f"k-{number}", priority=priority).alert_id
                  for priority, number in zip(priorities, self._numbers)]
        self.sent += alerts
        return alerts

    def posts(self, alert):
        """The number of its accepted POSTs."""
        twilio = consistency_check.TwilioRecords.read(self.simulator())
        return sum(1 for _, attempt in twilio.accepted_posts if attempt[0] == alert)

    def compare(self):
        try:
            poll.until("every alert is final", lambda: consistency_check.is_quiescent(self), QUIESCENT_SECONDS)
        finally:
            comparison = consistency_check.Comparison.read(self.env, set(self.sent))
            print(comparison.report())
        return comparison


@pytest.fixture(scope="module")
def stack():
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.unlink(missing_ok=True)
    with Failpoints() as started:
        started.stop_others()  # the other worker joins when a run needs a rebalance
        started.start(WORKER)  # again, with failpoints
        yield started


# --- Twelve points, three faults ------------------------------------------------------------------


def fail_once(stack, point, fault):
    """One failure while alerts are being delivered. The worker runs again afterwards. Returns the ids of the alerts."""
    worker = stack.pid(WORKER)
    alerts = []
    if fault == "kill":  # it must affect the alerts of this run only
        poll.until("no delivery is in progress",
                   lambda: stack.gauge("sms-worker", "tocsin_deliveries_in_progress") == 0)
    if point == "revoke":
        alerts += fail_in_rebalance(stack, fault)
    elif point == "close":
        alerts += stack.send(*PRIORITIES)
        stack.arm(point, fault)
        stack.stop(WORKER)
        stack.await_failure(f"{point} {fault}")
    else:
        stack.arm(point, fault)
        alerts += stack.send(*PRIORITIES)
        stack.await_failure(f"{point} {fault}")
    if fault == "kill":
        poll.until(f"{WORKER} has ended", lambda: stacks.has_ended(worker))
    if point == "store" and fault == "error":
        stack.stop(WORKER)  # the record whose offset was not stored is read again after the restart
    if stacks.has_ended(worker):
        stack.start(WORKER)
    return alerts


def fail_in_rebalance(stack, fault):
    """The other worker joins and leaves until a partition with an uncommitted record is revoked."""
    alerts = []

    def sent_until_reached():
        alerts.extend(stack.send("NORMAL", "NORMAL"))
        return stack.reached.exists()

    stack.arm("revoke", fault)
    for _ in range(MAX_REBALANCES):
        joined = stack.start_in_background(OTHER) if stacks.has_ended(stack.pid(OTHER)) else stack.stop(OTHER)
        reached = poll.within(REBALANCE_SECONDS, sent_until_reached)
        if joined:
            joined.result()
        if reached:
            return alerts
    raise AssertionError(f"failpoint revoke {fault} is not reached in {MAX_REBALANCES} rebalances")


@dataclasses.dataclass
class Row:
    """The result of one run."""

    point: str
    fault: str
    alerts: int
    lost: int
    posts_per_attempt: int
    repeats: int  # accepted POSTs after the first of an alert
    unrecorded: int  # of these: without an earlier attempt recorded as in doubt
    in_doubt: int
    resolved: dict  # name -> attempts

    @classmethod
    def of(cls, point, fault, alerts, comparison):
        own = set(alerts)
        in_doubt = [attempt for attempt in comparison.kafka.in_doubt if attempt[0] in own]
        return cls(point, fault, len(own),
                   lost=len(own - comparison.database.final - comparison.twilio.without_final_callback),
                   posts_per_attempt=max((count for attempt, count in comparison.twilio.accepted.items()
                                          if attempt[0] in own), default=0),
                   repeats=sum(attempt[0] in own for _, attempt in comparison.repeats()),
                   unrecorded=sum(attempt[0] in own for _, attempt in comparison.unrecorded_repeats()),
                   in_doubt=len(in_doubt),
                   resolved=collections.Counter(name for attempt in in_doubt
                                                for name in comparison.kafka.resolved_by[attempt]))

    HEAD = (f"{'point':16} {'fault':6} {'alerts':>6} {'lost':>4} {'POSTs/attempt':>13} {'repeats':>7} "
            f"{'unrecorded':>10} {'in doubt':>8}  resolved by")

    def __str__(self):
        resolved = ", ".join(f"{name} {count}" for name, count in sorted(self.resolved.items()))
        return (f"{self.point:16} {self.fault:6} {self.alerts:6} {self.lost:4} {self.posts_per_attempt:13} "
                f"{self.repeats:7} {self.unrecorded:10} {self.in_doubt:8}  {resolved or '-'}")


def test_a_failure_at_any_point_loses_no_alert_and_sends_none_twice(stack):
    stack.simulator().faults(seed=1, create={"latency_ms": TWILIO_MS}, callback={"rate_missing": MISSING},
                             list={"lag_ms": LAG_MS})
    runs = {}
    for point, fault in itertools.product(POINTS, FAULTS):
        runs[point, fault] = fail_once(stack, point, fault)
    stack.stop_others()
    comparison = stack.compare()
    rows = [Row.of(*which, alerts, comparison) for which, alerts in runs.items()]
    publish([Row.HEAD, *map(str, rows)])
    assert not comparison.differences()
    assert all(row.lost == 0 and row.posts_per_attempt <= 1 and row.unrecorded == 0 for row in rows)
    assert any(row.in_doubt for row in rows), "no attempt was in doubt after a worker died during a POST"


# --- Guards, disabled one at a time: the consistency check must detect it --------------------------


def broker_is_killed_before_the_post(stack):
    """The broker is killed between claim and POST, and the worker before it can publish the start."""
    stack.simulator().faults(callback={"rate_missing": 1.0})  # a callback would end the attempt before it is repeated
    stack.arm("claim", "hang", SHORT_HANG_MS)
    alerts = stack.send("NORMAL")
    stack.await_failure("claim hang")
    stack.kill("kafka-1")
    stack.arm("mid_post", "kill")
    poll.within(WITHOUT_BROKER_SECONDS, stack.reached.exists)  # a worker that waits for the report makes no POST
    stack.start("kafka-1")
    stack.await_failure("mid_post kill")
    stack.start(WORKER)
    return alerts


def worker_is_killed_with_the_response(stack):
    """Its record is read again."""
    stack.arm("response_read", "kill")
    alerts = stack.send("NORMAL")
    stack.await_failure("response_read kill")
    stack.start(WORKER)
    return alerts


def a_late_release_after_a_new_claim(stack):
    """A release is repeated while another worker holds the claim; that worker is killed after its POST."""
    stack.simulator().faults(create={"latency_ms": SLOW_MS}, callback={"rate_missing": 1.0})
    stack.arm("started_report", "error")
    alerts = stack.send("NORMAL")
    stack.await_failure("started_report error")
    stack.arm("response_read", "kill")
    stack.await_failure("response_read kill")
    stack.simulator().faults(create={"latency_ms": TWILIO_MS})
    stack.start(WORKER)
    return alerts


def a_reused_connection_is_reset_after_acceptance(stack):
    alerts = stack.send("NORMAL")
    poll.until("the first POST is made", lambda: stack.posts(alerts[0]) == 1)
    stack.simulator().faults(next=[{"kind": "reset_after"}])
    return alerts + stack.send("NORMAL")


def redis_is_flushed_while_a_worker_is_stopped(stack):
    """Redis is flushed while a stopped worker has made a POST; another worker reads its record."""
    stack.simulator().faults(callback={"rate_missing": 1.0})
    stack.stop_others(VOICE)  # it would restore the claims
    stack.start(OTHER)
    stack.arm("response_read", "hang")
    alerts = []

    def sent_until_reached():  # some go to the other worker, which has no failpoints
        alerts.extend(stack.send("NORMAL"))
        return stack.reached.exists()

    stack.await_failure("response_read hang", sent_until_reached)
    worker = stack.pid(WORKER)
    os.kill(worker, signal.SIGSTOP)
    try:
        redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"]).flushall()
        poll.until("the other worker has taken over", lambda: repeated_or_in_doubt(stack, alerts))
    finally:
        os.kill(worker, signal.SIGCONT)
    stack.stop(OTHER)
    return alerts


def repeated_or_in_doubt(stack, alerts):
    with contextlib.closing(stack.database()) as connection:
        in_doubt = consistency_check.DatabaseRows.read(connection).in_doubt
    accepted_posts = consistency_check.TwilioRecords.read(stack.simulator()).accepted_posts
    posts = collections.Counter(attempt[0] for _, attempt in accepted_posts)
    return any(posts[alert] > 1 for alert in alerts) or any(attempt[0] in alerts for attempt in in_doubt)


@dataclasses.dataclass
class Guard:
    invariant: str
    scenario: object
    difference: str  # that the consistency check must report


GUARDS = {
    "awaited_report": Guard("no POST before the start of its attempt is on disk", broker_is_killed_before_the_post,
                            "attempts accepted more than once"),
    "claim": Guard("an attempt is POSTed once, even if its record is read again", worker_is_killed_with_the_response,
                   "attempts accepted more than once"),
    "fence": Guard("a worker that lost its claim cannot release it", a_late_release_after_a_new_claim,
                   "attempts accepted more than once"),
    "resend_guard": Guard("the HTTP library never repeats a POST", a_reused_connection_is_reset_after_acceptance,
                          "attempts accepted more than once"),
    "epoch": Guard("a claim that is missing after a data loss does not count as never started",
                   redis_is_flushed_while_a_worker_is_stopped, "attempts accepted more than once"),
}


def differences_of(comparison, alerts):
    """Differences that concern these alerts: description -> count."""
    found = {description: sum(any(alert in item for alert in alerts) for item in items)
             for description, items in comparison.differences().items()}
    return {description: count for description, count in found.items() if count}


@pytest.mark.parametrize("name", GUARDS)
def test_the_consistency_check_detects_a_disabled_guard(stack, name):
    guard = GUARDS[name]
    stack.stop_others()
    found = {}
    for without in ("", name):
        stack.without = without
        stack.simulator().reset_faults()
        stack.simulator().faults(create={"latency_ms": TWILIO_MS})
        stack.start(WORKER)
        alerts = guard.scenario(stack)
        found[without] = differences_of(stack.compare(), alerts)
    stack.without = ""
    publish([f"without {name}, {guard.scenario.__name__.replace('_', ' ')}: {guard.invariant}",
          f"  with the guard: {found[''] or 'consistent'}; without it: {found[name]}"])
    assert not found[""]
    assert guard.difference in found[name]
