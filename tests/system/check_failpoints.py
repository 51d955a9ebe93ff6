"""Every step of a delivery fails in every way, on real stores: none lost, none sent twice unsaid. R1, R4, R7.

Then each guard is left out in turn, and the comparison of the books must see it. One stack serves all, with protocol
times in milliseconds. Needs programs with failpoints (preset dev), so pytest collects it only when it is named:
scripts/test has a stage for it. The tables are kept in build/reports/failpoints.txt.
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

import ledger
import poll
import stack as stacks

WORKER, OTHER, VOICE = "sms-worker-1", "sms-worker-2", "voice-worker-1"
POINTS = ("after_poll", "claim", "started_produce", "started_report", "mid_post", "response_read",
          "outcome_produce", "outcome_report", "store", "commit", "revoke", "close")
FAULTS = ("kill", "hang", "error")

HANG_MS = 4500  # longer than the lease
SHORT_HANG_MS = 1500  # shorter than the lease without the POST
TIMES = {"TOCSIN_TWILIO_POST_LIMIT": "2s", "TOCSIN_LEASE": "4s", "TOCSIN_RETRY_BASE": "50ms",
         "TOCSIN_DOUBT_FIRST_LOOK": "300ms", "TOCSIN_DOUBT_EMERGENCY_LIMIT": "2s", "TOCSIN_DOUBT_LIMIT": "6s"}
TWILIO_MS, SLOW_MS, LAG_MS = 50, 1500, 3000
MISSING = 0.6  # of the callbacks: what is in doubt is settled by them, by the list, and by the policy
CLASSES = ("EMERGENCY", "NORMAL", "NORMAL")  # of the alerts of a run: one is struck, the others pass by
STRIKE_SECONDS = 60
REBALANCE_SECONDS, MOST_REBALANCES = 15, 6
STOPPED_SECONDS = 4  # of the broker: shorter than its session
SETTLE_SECONDS = 120
REPORT = stacks.ROOT / "build/reports/failpoints.txt"


def tell(lines):
    """Prints a table and keeps it."""
    text = "\n".join([*lines, "", ""])
    print("\n" + text)
    with REPORT.open("a") as report:
        report.write(text)


class Failpoints(stacks.Stack):
    """A stack of which one worker meets failpoints, and whose workers can be started without a guard."""

    def __init__(self):
        super().__init__(TIMES, replicas="sms-worker=2")
        self.file = self.state / "failpoint"
        self.struck = self.state / "failpoint.struck"
        self.without = ""
        self.sent = []  # ids of all alerts: the books are compared whole
        self._numbers = itertools.count(4_000_000)
        self._background = concurrent.futures.ThreadPoolExecutor(1)

    def __enter__(self):
        super().__enter__()
        self.caller = self.client()
        return self

    def __exit__(self, *_):
        self._background.shutdown()
        if self in stacks.running:
            self.caller.close()
        super().__exit__()

    def start(self, process):
        met = {"TOCSIN_FAILPOINT_FILE": str(self.file)} if process == WORKER else {}
        super().start(process, met | {"TOCSIN_WITHOUT": self.without})

    def start_aside(self, process):
        """Returns at once; the future ends when it is ready."""
        return self._background.submit(self.start, process)

    def stop(self, process):
        """An orderly end, or the failure that was armed for it."""
        pid = self.pid(process)
        os.kill(pid, signal.SIGTERM)
        poll.until(f"{process} ends", lambda: stacks.gone(pid))

    def leave_alone(self, *others):
        """Of these, and of the workers of SMS, only the one that meets failpoints stays."""
        for other in (OTHER, *others):
            if not stacks.gone(self.pid(other)):
                self.stop(other)

    def arm(self, point, fault, milliseconds=HANG_MS):
        """For one strike."""
        self.struck.unlink(missing_ok=True)
        part = self.file.with_suffix(".part")
        part.write_text(f"{fault} {milliseconds}")
        part.replace(self.file.with_suffix(f".{point}"))

    def await_strike(self, what, check=None):
        poll.until(f"{what} strikes (is TOCSIN_BIN_DIR a build with failpoints?)", check or self.struck.exists,
                   STRIKE_SECONDS)

    def send(self, *classes):
        """Their ids."""
        alerts = [self.caller.send_keyed(f"+1514{number}", f"k-{number}", alert_class=word).alert_id
                  for word, number in zip(classes, self._numbers)]
        self.sent += alerts
        return alerts

    def posts(self, alert):
        """POSTs of it that were accepted."""
        return sum(1 for _, name in ledger.Simulator.read(self.simulator()).moments if name[0] == alert)

    def books(self):
        try:
            poll.until("every alert has its end", lambda: ledger.settled(self), SETTLE_SECONDS)
        finally:
            books = ledger.Ledger.read(self.env, set(self.sent))
            print(books.report())
        return books


@pytest.fixture(scope="module")
def stack():
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.unlink(missing_ok=True)
    with Failpoints() as started:
        started.leave_alone()  # the other joins when a run asks for a rebalance
        started.start(WORKER)  # again: it alone meets failpoints
        yield started


# --- Twelve points, three faults ------------------------------------------------------------------


def strike(stack, point, fault):
    """One strike while alerts are under way; the worker lives afterwards. Gives the alerts' ids."""
    worker = stack.pid(WORKER)
    alerts = []
    if fault == "kill":  # it meets the alerts of its own run only
        poll.until("the senders are idle", lambda: stack.gauge("sms-worker", "tocsin_senders_busy") == 0)
    if point == "revoke":
        alerts += strike_in_rebalance(stack, fault)
    elif point == "close":
        alerts += stack.send(*CLASSES)
        stack.arm(point, fault)
        stack.stop(WORKER)
        stack.await_strike(f"{point} {fault}")
    else:
        stack.arm(point, fault)
        alerts += stack.send(*CLASSES)
        stack.await_strike(f"{point} {fault}")
    if fault == "kill":
        poll.until(f"{WORKER} is gone", lambda: stacks.gone(worker))
    if point == "store" and fault == "error":
        stack.stop(WORKER)  # what was not stored is read again by who comes next
    if stacks.gone(worker):
        stack.start(WORKER)
    return alerts


def strike_in_rebalance(stack, fault):
    """The other worker comes and goes while records finish, until partitions leave with one that is not committed."""
    alerts = []

    def sent_until_struck():
        alerts.extend(stack.send("NORMAL", "NORMAL"))
        return stack.struck.exists()

    stack.arm("revoke", fault)
    for _ in range(MOST_REBALANCES):
        joined = stack.start_aside(OTHER) if stacks.gone(stack.pid(OTHER)) else stack.stop(OTHER)
        struck = poll.within(REBALANCE_SECONDS, sent_until_struck)
        if joined:
            joined.result()
        if struck:
            return alerts
    raise AssertionError(f"revoke {fault} strikes nobody in {MOST_REBALANCES} rebalances")


@dataclasses.dataclass
class Row:
    """What one run came to."""

    point: str
    fault: str
    alerts: int
    lost: int
    posts_per_try: int
    unrecorded: int  # accepted POSTs after the first of an alert, without a doubt on record before them
    again: int  # all such POSTs
    doubts: int
    settled: dict  # way -> doubts

    @classmethod
    def of(cls, point, fault, alerts, books):
        mine = set(alerts)
        doubts = [name for name in books.kafka.doubted if name[0] in mine]
        return cls(point, fault, len(mine),
                   lost=len(mine - books.tables.ended - books.simulator.unsettled),
                   posts_per_try=max((count for name, count in books.simulator.accepted.items() if name[0] in mine),
                                     default=0),
                   unrecorded=sum(name[0] in mine for _, name in books.unrecorded_doubles()),
                   again=sum(name[0] in mine for _, name in books.doubles()),
                   doubts=len(doubts),
                   settled=collections.Counter(way for name in doubts for way in books.kafka.settled_by[name]))

    HEAD = (f"{'point':16} {'fault':6} {'struck':6} {'alerts':>6} {'lost':>4} {'POSTs/try':>9} {'sent again':>10} "
            f"{'unrecorded':>10} {'doubts':>6}  settled by")

    def __str__(self):
        ways = ", ".join(f"{way} {count}" for way, count in sorted(self.settled.items()))
        return (f"{self.point:16} {self.fault:6} {'yes':6} {self.alerts:6} {self.lost:4} {self.posts_per_try:9} "
                f"{self.again:10} {self.unrecorded:10} {self.doubts:6}  {ways or '-'}")


def test_a_failure_at_any_point_loses_nothing_and_sends_nothing_twice(stack):
    stack.simulator().faults(seed=1, create={"latency_ms": TWILIO_MS}, callback={"rate_missing": MISSING},
                             list={"lag_ms": LAG_MS})
    runs = {}
    for point, fault in itertools.product(POINTS, FAULTS):
        runs[point, fault] = strike(stack, point, fault)
    stack.leave_alone()
    books = stack.books()
    rows = [Row.of(*which, alerts, books) for which, alerts in runs.items()]
    tell([Row.HEAD, *map(str, rows)])
    assert not books.differences()
    assert all(row.lost == 0 and row.posts_per_try <= 1 and row.unrecorded == 0 for row in rows)
    assert any(row.doubts for row in rows), "whoever died with the begin of a try on record left no doubt"


# --- Guards left out, one at a time: the comparison must see it -----------------------------------


def broker_stops_before_the_post(stack):
    """Between claim and POST the broker stops, and the worker dies before it can tell of its try."""
    stack.arm("claim", "hang", SHORT_HANG_MS)
    alerts = stack.send("NORMAL")
    stack.await_strike("claim hang")
    broker = stack.pid("kafka-1")
    os.kill(broker, signal.SIGSTOP)
    try:
        stack.arm("mid_post", "kill")
        poll.within(STOPPED_SECONDS, stack.struck.exists)  # whoever waits for the report makes no POST meanwhile
    finally:
        os.kill(broker, signal.SIGCONT)
    stack.await_strike("mid_post kill")
    stack.start(WORKER)
    return alerts


def worker_dies_with_the_answer(stack):
    """Its record is read again."""
    stack.arm("response_read", "kill")
    alerts = stack.send("NORMAL")
    stack.await_strike("response_read kill")
    stack.start(WORKER)
    return alerts


def a_late_release_meets_the_next_holder(stack):
    """A release comes twice, the second time while another holds the try; that one dies after its POST."""
    stack.simulator().faults(create={"latency_ms": SLOW_MS}, callback={"rate_missing": 1.0})  # nobody else tells of it
    stack.arm("started_report", "error")
    alerts = stack.send("NORMAL")
    stack.await_strike("started_report error")
    stack.arm("response_read", "kill")
    stack.await_strike("response_read kill")
    stack.simulator().faults(create={"latency_ms": TWILIO_MS})
    stack.start(WORKER)
    return alerts


def a_kept_connection_dies_after_acceptance(stack):
    alerts = stack.send("NORMAL")
    poll.until("the first POST is made", lambda: stack.posts(alerts[0]) == 1)
    stack.simulator().faults(next=[{"kind": "reset_after"}])
    return alerts + stack.send("NORMAL")


def redis_forgets_while_a_worker_is_stopped(stack):
    """Redis loses its memory while a stopped worker holds a POST that was taken; another gets its record."""
    stack.simulator().faults(callback={"rate_missing": 1.0})  # nothing else tells of the POST
    stack.leave_alone(VOICE)  # it would restore what Redis forgot
    stack.start(OTHER)
    stack.arm("response_read", "hang")
    alerts = []

    def sent_until_struck():  # some go to the other worker, which meets no failpoint
        alerts.extend(stack.send("NORMAL"))
        return stack.struck.exists()

    stack.await_strike("response_read hang", sent_until_struck)
    worker = stack.pid(WORKER)
    os.kill(worker, signal.SIGSTOP)
    try:
        redis.Redis.from_url(stack.env["TOCSIN_REDIS_URL"]).flushall()
        poll.until("the other worker has taken over", lambda: sent_again_or_doubted(stack, alerts))
    finally:
        os.kill(worker, signal.SIGCONT)
    stack.stop(OTHER)
    return alerts


def sent_again_or_doubted(stack, alerts):
    with contextlib.closing(stack.database()) as connection:
        doubted = ledger.Tables.read(connection).doubted
    moments = ledger.Simulator.read(stack.simulator()).moments
    posts = collections.Counter(name[0] for _, name in moments)
    return any(posts[alert] > 1 for alert in alerts) or any(name[0] in alerts for name in doubted)


@dataclasses.dataclass
class Guard:
    invariant: str
    scenario: object
    wrong: str  # the difference by which the books tell


GUARDS = {
    "awaited_report": Guard("no POST before the begin of its try is on disk", broker_stops_before_the_post,
                            "POSTs of tries whose begin is not on record"),
    "claim": Guard("one try is POSTed once, whoever reads its record again", worker_dies_with_the_answer,
                   "tries accepted more than once"),
    "fence": Guard("who lost a try can no longer give it away", a_late_release_meets_the_next_holder,
                   "tries accepted more than once"),
    "rewind_guard": Guard("the HTTP library repeats no POST by itself", a_kept_connection_dies_after_acceptance,
                          "tries accepted more than once"),
    "epoch": Guard("what a store forgot does not count as never begun", redis_forgets_while_a_worker_is_stopped,
                   "tries accepted more than once"),
}


def differences_of(books, alerts):
    """The differences that name one of these alerts, and how often."""
    found = {what: sum(any(alert in item for alert in alerts) for item in items)
             for what, items in books.differences().items()}
    return {what: count for what, count in found.items() if count}


@pytest.mark.parametrize("name", GUARDS)
def test_the_comparison_of_the_books_sees_that_a_guard_is_missing(stack, name):
    guard = GUARDS[name]
    stack.leave_alone()
    found = {}
    for without in ("", name):
        stack.without = without
        stack.simulator().reset_faults()
        stack.simulator().faults(create={"latency_ms": TWILIO_MS})
        stack.start(WORKER)
        alerts = guard.scenario(stack)
        found[without] = differences_of(stack.books(), alerts)
    stack.without = ""
    tell([f"without {name}, {guard.scenario.__name__.replace('_', ' ')}: {guard.invariant}",
          f"  with the guard {found[''] or 'the books agree'}, without it {found[name]}"])
    assert not found[""]
    assert guard.wrong in found[name]
