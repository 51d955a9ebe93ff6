"""Every step of a delivery fails in every way, on real stores: none lost, none sent twice. R1, R4.

Needs programs built with TOCSIN_FAILPOINTS (preset dev)."""

import collections
import itertools
import os
import pathlib
import signal
import socket
import urllib.parse

import pytest

import ledger
import poll
import stack as stacks

WORKER, OTHER = "sms-worker-1", "sms-worker-2"
POINTS = ("after_poll", "claim", "started_produce", "started_report", "mid_post", "response_read",
          "outcome_produce", "outcome_report", "store", "commit", "revoke", "close")
ACTIONS = ("kill", "hang", "error")
HANG_MS = 2000  # longer than the lease
LEASE_MS, POST_LIMIT_MS, TWILIO_MS = 1500, 800, 50
ALERTS = 3  # of each run: one is struck, the others pass by
STRIKE_SECONDS = 60
SETTLE_SECONDS = 180
POSTED = {"response_read", "mid_post"}  # where a failure leaves a doubt


def arm(stack, *words):
    """Arms one point for one strike."""
    path = failpoint_file(stack)
    struck(stack).unlink(missing_ok=True)
    part = path.with_suffix(".part")
    part.write_text(" ".join(map(str, words)))
    part.replace(path)


def failpoint_file(stack):
    return pathlib.Path(stack.environment["TOCSIN_FAILPOINT_FILE"])


def struck(stack):
    return pathlib.Path(stack.environment["TOCSIN_FAILPOINT_FILE"] + ".struck")


def pid_of(stack, process):
    return int((stack.state / "run" / f"{process}.pid").read_text())


def gone(pid):
    """A process whose parent does not reap it stays as a zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def stop(stack, process):
    """An orderly end, or the failure that was armed for it."""
    pid = pid_of(stack, process)
    os.kill(pid, signal.SIGTERM)
    poll.until(f"{process} ends", lambda: gone(pid))


def restart(stack, process=WORKER):
    stop(stack, process)
    stack.start(process)


class Failpoints(stacks.Stack):
    """A stack with short protocol times, whose points are armed by a file. `without`: guards left out."""

    def __init__(self, without=""):
        super().__init__({"TOCSIN_TWILIO_POST_LIMIT": f"{POST_LIMIT_MS}ms", "TOCSIN_LEASE": f"{LEASE_MS}ms",
                          "TOCSIN_WITHOUT": without}, replicas="sms-worker=2")
        self.environment["TOCSIN_FAILPOINT_FILE"] = str(self.state / "failpoint")
        self._numbers = itertools.count(4_000_000)

    def __enter__(self):
        super().__enter__()
        stop(self, OTHER)  # it joins when a run asks for a rebalance
        self.caller = self.client()
        self.simulator().faults(create={"latency_ms": TWILIO_MS})
        return self

    def __exit__(self, *_):
        self.caller.close()
        super().__exit__()

    def send(self, count=ALERTS):
        return [self.caller.send(f"+1514{next(self._numbers)}").alert_id for _ in range(count)]

    def await_strike(self, what):
        poll.until(f"{what} strikes (is TOCSIN_BIN_DIR a build with failpoints?)", struck(self).exists, STRIKE_SECONDS)

    def books(self, alerts):
        poll.until("every alert has its end", lambda: ledger.settled(self), SETTLE_SECONDS)
        return ledger.Ledger.read(self.env, set(alerts))


def run(stack, point, action):
    """One strike while alerts are under way; the worker lives afterwards. Gives the alerts' ids."""
    worker = pid_of(stack, WORKER)
    if point in ("revoke", "close"):
        alerts = stack.send()
        arm(stack, point, action, HANG_MS)
        if point == "revoke":
            stack.start(OTHER)
        else:
            stop(stack, WORKER)
    else:
        arm(stack, point, action, HANG_MS)
        alerts = stack.send()
    stack.await_strike(f"{point} {action}")
    if action == "kill":
        poll.until(f"{WORKER} is gone", lambda: gone(worker))
    if gone(worker):
        stack.start(WORKER)
    if point == "revoke":
        stop(stack, OTHER)
    if (point, action) == ("store", "error"):
        restart(stack)  # what was not stored is read again by who comes next
    return alerts


def row(books, alerts):
    """alerts, lost, the most accepted POSTs of one try, doubts: of one run."""
    mine = set(alerts)
    open_ = {alert for alert in mine if alert not in books.tables.ended and alert not in books.simulator.unsettled}
    accepted = [count for name, count in books.simulator.accepted.items() if name[0] in mine]
    doubts = [name for name in books.tables.doubted if name[0] in mine]
    return len(mine), len(open_), max(accepted, default=0), len(doubts)


def test_a_failure_at_any_point_loses_nothing_and_sends_nothing_twice():
    runs = {}
    with Failpoints() as stack:
        for point, action in itertools.product(POINTS, ACTIONS):
            runs[point, action] = run(stack, point, action)
        books = stack.books(itertools.chain(*runs.values()))
        rows = {which: row(books, alerts) for which, alerts in runs.items()}
        print("\npoint            failure  alerts  lost  POSTs per try  doubts")
        for (point, action), (alerts, lost, posts, doubts) in rows.items():
            print(f"{point:16} {action:7} {alerts:7} {lost:5} {posts:14} {doubts:7}")
        print(books.report())
    assert not books.differences()
    assert all(lost == 0 and posts <= 1 for _, lost, posts, _ in rows.values())
    assert all(rows[point, "kill"][3] == 1 for point in POSTED), "a POST cut off in the middle left no doubt"


# --- Guards left out, one at a time: the checker must see it --------------------------------------


def without_awaited_report(stack):
    """The broker stops between claim and POST, and the worker dies before it can tell."""
    kafka = pid_of(stack, "kafka-1")
    arm(stack, "claim", "hang", 500)
    alerts = stack.send(1)
    stack.await_strike("claim hang")
    os.kill(kafka, signal.SIGSTOP)
    try:
        arm(stack, "mid_post", "kill")
        stack.await_strike("mid_post kill")
    finally:
        os.kill(kafka, signal.SIGCONT)
    stack.start(WORKER)
    return alerts


def without_claim(stack):
    """The worker dies with the answer in its hands; its record is read again."""
    arm(stack, "response_read", "kill")
    alerts = stack.send(1)
    stack.await_strike("response_read kill")
    stack.start(WORKER)
    return alerts


def without_fence(stack):
    """A release comes twice, the second time while another holds the try; that one dies after its POST."""
    arm(stack, "started_report", "error")
    stack.simulator().faults(create={"latency_ms": 500})
    alerts = stack.send(1)
    stack.await_strike("started_report error")
    arm(stack, "response_read", "kill")
    stack.await_strike("response_read kill")
    stack.simulator().faults(create={"latency_ms": TWILIO_MS})
    stack.start(WORKER)
    return alerts


def without_rewind_guard(stack):
    """A kept connection dies when the POST was taken."""
    alerts = stack.send(1)
    poll.until("the first POST is made", lambda: len(stack.simulator().messages()) == 1)
    stack.simulator().faults(next=[{"kind": "reset_after"}])
    return alerts + stack.send(1)


def without_epoch(stack):
    """Redis loses its memory while a worker that is stopped holds a POST that was taken; another gets its record."""
    stack.start(OTHER)
    arm(stack, "response_read", "hang", HANG_MS)
    alerts = stack.send(1)
    stack.await_strike("response_read hang")
    os.kill(pid_of(stack, WORKER), signal.SIGSTOP)
    try:
        address = urllib.parse.urlsplit(stack.env["TOCSIN_REDIS_URL"])
        with socket.create_connection((address.hostname, address.port)) as redis:
            redis.sendall(b"FLUSHALL\r\n")
            assert redis.recv(64).startswith(b"+OK")
        poll.until("the other worker sends it", lambda: len(stack.simulator().messages()) == 2)
    finally:
        os.kill(pid_of(stack, WORKER), signal.SIGCONT)
    return alerts


GUARDS = {
    "awaited_report": (without_awaited_report, "POSTs of tries whose begin is not on record"),
    "claim": (without_claim, "tries accepted more than once"),
    "epoch": (without_epoch, "tries accepted more than once"),
    "fence": (without_fence, "tries accepted more than once"),
    "rewind_guard": (without_rewind_guard, "tries accepted more than once"),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_the_checker_sees_that_a_guard_is_missing(guard):
    scenario, wrong = GUARDS[guard]
    with Failpoints(without=guard) as stack:
        books = stack.books(scenario(stack))
        print(collections.Counter({what: len(items) for what, items in books.differences().items()}))
    assert wrong in books.differences()
