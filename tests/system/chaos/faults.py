"""The faults of the chaos test, drawn from a seed: processes are killed or stopped, stores lose data, Twilio fails."""

import contextlib
import dataclasses
import os
import random
import signal
import threading
import time

import redis

import poll

REPLICAS = 2
LEASE_SECONDS = 6
SETTINGS = {
    "TOCSIN_TWILIO_POST_TIMEOUT": "2s", "TOCSIN_LEASE": f"{LEASE_SECONDS}s", "TOCSIN_RETRY_BASE": "200ms",
    "TOCSIN_RETRY_CAP": "2s", "TOCSIN_DELIVERY_RETRY_BASE": "500ms", "TOCSIN_IN_DOUBT_INITIAL_DELAY": "300ms",
    "TOCSIN_IN_DOUBT_TIMEOUT": "6s", "TOCSIN_IN_DOUBT_EMERGENCY_TIMEOUT": "3s", "TOCSIN_VOICE_RETRY_BUSY": "1s",
    "TOCSIN_VOICE_RETRY_NO_ANSWER": "1s", "TOCSIN_VOICE_RETRY_FAILED": "1s", "TOCSIN_RECONCILE_INITIAL_DELAY": "4s",
    "TOCSIN_RECONCILE_RATE": "100", "TOCSIN_IN_DOUBT_ABSENCE_DELAY": "8s"}
SERVICES = ("ingress", "sms-worker", "voice-worker", "audit")
WORKERS = ("sms-worker", "voice-worker")
STORES = ("kafka", "redis", "postgres")
LONGEST_OUTAGE = 5  # seconds from a kill to the start of the same process
STOPPED_SECONDS = LEASE_SECONDS + 2
BETWEEN_FAULTS = (20, 60)  # alerts accepted between two faults
BETWEEN_SECONDS = 15  # they may be refused for longer
LEAST_PAUSE = 1  # seconds, when the time is up and more faults are to be caused
HOLD_MS = 4000  # longer than the POST timeout
# What Twilio does while the processes fail.
TWILIO = {
    "no fault": {"create": {"latency_ms": 50}},
    "429": {"create": {"latency_ms": 50, "rate_429": 0.3}},
    "500": {"create": {"latency_ms": 50, "rate_500": 0.1, "rate_500_after": 0.1}},
    "timeouts after acceptance": {"create": {"latency_ms": 50, "hold_ms": HOLD_MS, "rate_timeout_after": 0.1}},
    "resets after acceptance": {"create": {"latency_ms": 50, "rate_reset_after": 0.15, "rate_reset_before": 0.05},
                                "list": {"lag_ms": 1000}},
    "callbacks missing, repeated, late": {
        "create": {"latency_ms": 300, "rate_early": 0.1},
        "callback": {"rate_missing": 0.05, "rate_double": 0.1, "rate_reorder": 0.1, "reorder_ms": 500}},
}
NO_FAULT = {"create": {}, "callback": {}, "list": {}}


@dataclasses.dataclass
class Step:
    """A fault that was caused. Times are Unix seconds."""

    name: str
    twilio: str
    begin: float
    end: float = 0.0  # when the processes were ready again

    def __str__(self):
        return f"{self.name}, Twilio: {self.twilio}"


class Faults:
    """Causes one fault after another. Each kind occurs once before any occurs again."""

    def __init__(self, stack, seed, between=BETWEEN_FAULTS, between_seconds=BETWEEN_SECONDS):
        self._stack, self._simulator = stack, stack.simulator()
        self._between, self._between_seconds = between, between_seconds
        self._dice = random.Random(seed)
        self._pause = threading.Event()  # never set: an outage takes the time that was drawn
        kinds = [*(("kill", name) for name in (*SERVICES, *STORES)), ("kill both", None),
                 *(("stop", name) for name in WORKERS), ("flush", "redis")]
        self.kind_count = len(kinds)
        self._kinds = self._deck(kinds)
        self._twilio = self._deck(list(TWILIO))
        self.steps = []
        self.restarted = []  # processes that had ended by themselves
        self.end = 0.0  # of the last fault's time, Unix seconds

    def _deck(self, cards):
        while True:
            self._dice.shuffle(cards)
            yield from list(cards)

    def step(self):
        """Causes the next fault. Returns when all processes are ready again."""
        self._restart_ended()
        twilio = next(self._twilio)
        self._simulator.faults(**NO_FAULT | TWILIO[twilio])
        kind, target = next(self._kinds)
        names = self._names(kind, target)
        step = Step(f"{kind} {' and '.join(names)}", twilio, time.time())
        self.steps.append(step)
        {"kill": self._kill, "kill both": self._kill, "stop": self._stop, "flush": self._flush}[kind](names)
        step.end = time.time()

    def _restart_ended(self):
        """What a supervisor does: a consumer that the broker has fenced ends its process."""
        for name in (f"{service}-{number}" for service in SERVICES for number in range(1, REPLICAS + 1)):
            try:
                os.kill(self._stack.pid(name), 0)
            except ProcessLookupError:
                self._stack.start(name)
                self.restarted.append(name)

    def _names(self, kind, target):
        """The processes of a fault."""
        if kind == "kill both":
            target = self._dice.choice(SERVICES)
            return [f"{target}-{number}" for number in range(1, REPLICAS + 1)]
        return [f"{target}-{1 if target in STORES else self._dice.randint(1, REPLICAS)}"]

    def enough(self):
        """How many alerts are accepted before the next fault."""
        return self._dice.randint(*self._between)

    def _kill(self, names):
        outage = self._dice.uniform(0, LONGEST_OUTAGE)
        for name in names:
            self._stack.kill(name)
        self._pause.wait(outage)
        for name in names:
            self._stack.start(name)

    def _stop(self, names):
        pids = [self._stack.pid(name) for name in names]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            self._pause.wait(STOPPED_SECONDS)
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def _flush(self, _):
        with redis.Redis.from_url(self._stack.env["TOCSIN_REDIS_URL"]) as connection:
            connection.flushall()

    def run(self, seconds, accepted, at_least=0):
        """Causes faults until the time is up and there were `at_least` so many. accepted: a function that returns the
        number of accepted alerts."""
        deadline = time.monotonic() + seconds
        with contextlib.ExitStack() as calm:
            calm.callback(self._finish)
            while time.monotonic() < deadline or len(self.steps) < at_least:
                self.step()
                enough = accepted() + self.enough()
                left = max(deadline - time.monotonic(), LEAST_PAUSE if at_least else 0)
                poll.within(min(self._between_seconds, left), lambda: accepted() >= enough)

    def _finish(self):
        self.end = time.time()
        for step in self.steps[-1:]:
            step.end = step.end or self.end  # its process did not become ready
        self._simulator.faults(**NO_FAULT)
        self._restart_ended()
