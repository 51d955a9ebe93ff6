"""The load of the chaos test: alerts of all kinds at a steady rate, their repetitions and cancellations."""

import collections
import concurrent.futures
import dataclasses
import heapq
import itertools
import math
import random
import threading
import time

import grpc

import api
from chaos import views

PER_SECOND = 20
SENDERS = 64
MAX_IN_PROGRESS = 400  # actions; above it no new request is sent
REQUEST_SECONDS = 5
RETRY_SECONDS, MAX_REPEATS, MAX_CANCELS = 1.0, 6, 40
PRIORITIES = {"EMERGENCY": 15, "HIGH": 25, "NORMAL": 45, "BULK": 15}
VOICE, KEYED, REPEATED, OTHER_TEXT, SCHEDULED, EXPIRES, CANCELLED = 0.2, 0.5, 0.25, 0.2, 0.12, 0.03, 0.15
BUSY_FIRST = 0.2  # of the calls
# The connection was not made: the request was certainly not accepted.
NOT_CONNECTED = ("failed to connect", "connections to all backends failing", "Connection refused")
OPEN_REASONS = {"OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN_NO_KEY"}
OPEN_CODES = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED,
              grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN}


@dataclasses.dataclass
class Plan:
    """One alert and what is done with it. Delays are seconds after its request."""

    number: int
    priority: str
    channel: str
    key: str = ""
    send_delay: float = 0.0
    expire_delay: float = 0.0
    repeats: list = dataclasses.field(default_factory=list)  # delays of the same request
    other_text: float = 0.0  # delay of another request with the same key; 0: none
    cancel: float = 0.0  # delay; 0: never
    busy_first: bool = False


def plan_of(seed, number):
    """The same seed and number give the same plan."""
    dice = random.Random(f"{seed}/{number}")
    plan = Plan(number, dice.choices(list(PRIORITIES), PRIORITIES.values())[0],
                "VOICE" if dice.random() < VOICE else "SMS")
    plan.busy_first = plan.channel == "VOICE" and dice.random() < BUSY_FIRST
    if dice.random() < KEYED:
        plan.key = f"k-{seed}-{number}"
        plan.repeats = [dice.uniform(0, 12) for _ in range(2) if dice.random() < REPEATED]
        # Two emergencies with one key may both be accepted while Redis is down (decision 0012).
        if plan.priority != "EMERGENCY" and dice.random() < OTHER_TEXT:
            plan.other_text = dice.uniform(0.01, 12)
    if dice.random() < SCHEDULED:
        plan.send_delay = dice.uniform(2, 12)
    elif dice.random() < EXPIRES:
        plan.expire_delay = dice.uniform(3, 12)
    if dice.random() < CANCELLED * (3 if plan.send_delay else 1):
        plan.cancel = dice.uniform(0.01, 4)
    return plan


def recipient(number, other_text=False):
    """Each request has a recipient of its own."""
    return f"+1514{2_000_000 + 2 * number + other_text}"


def busy_phones(seed, count):
    """Scripts of the phones that are busy at the first call; all others acknowledge with key 1."""
    acknowledges = {"answer": "human", "keys": ["1"]}
    scripts = {recipient(number): [{"answer": "busy"}, acknowledges]
               for number in range(count) if plan_of(seed, number).busy_first}
    return {"*": acknowledges} | scripts


def response_to(begin, error):
    """The Response for a grpc.RpcError."""
    reason, code = api.Details.of(error).reason, error.code()
    not_connected = any(text in (error.details() or "") for text in NOT_CONNECTED)
    is_open = reason in OPEN_REASONS if reason else code in OPEN_CODES and not not_connected
    return views.Response(begin, time.time(), error=reason or code.name, open=is_open)


class Workload:
    """A context manager: sends until left, then finishes the repetitions and cancellations that are due."""

    make = staticmethod(plan_of)

    def __init__(self, client, seed, per_second=PER_SECOND, count=math.inf):
        self._client, self._seed, self._per_second, self._count = client, seed, per_second, count
        self._stop = threading.Event()
        self._changed = threading.Condition()
        self._due = []  # heap of (monotonic time, sequence, action)
        self._sequence = itertools.count()
        self._in_progress = 0  # actions that are due or running
        self._pool = concurrent.futures.ThreadPoolExecutor(SENDERS)
        self._thread = threading.Thread(target=self._distribute)
        self._failures = []  # exceptions of actions
        self.sent = {}  # label -> views.Sent
        self.refused = collections.Counter()  # errors of requests
        self.cancel_errors = collections.Counter()
        self.accepted = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()
        assert not self._failures, self._failures[:3]

    def _schedule(self, delay, action):
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + delay, next(self._sequence), action))
            self._in_progress += 1
            self._changed.notify()

    def _distribute(self):
        number, next_new = 0, time.monotonic()
        while True:
            with self._changed:
                stopping, now = self._stop.is_set(), time.monotonic()
                if self._stop.is_set() and not self._in_progress:
                    return
                running = self._in_progress - len(self._due)
                stopping = stopping or number >= self._count
                if not stopping and now >= next_new:
                    next_new = max(next_new + 1 / self._per_second, now)  # it does not catch up
                    if running < MAX_IN_PROGRESS:
                        plan, number = self.make(self._seed, number), number + 1
                        self._in_progress += 1
                        self._pool.submit(self._run, lambda plan=plan: self._begin(plan))
                while self._due and self._due[0][0] <= now:
                    self._pool.submit(self._run, heapq.heappop(self._due)[2])
                times = [entry[0] for entry in self._due[:1]] + ([] if stopping else [next_new])
                self._changed.wait(max(0.0, min(times, default=now + 0.1) - time.monotonic()))

    def _run(self, action):
        try:
            action()
        except Exception as failure:  # pylint: disable=broad-except  # reported at the end
            self._failures.append(failure)
        finally:
            with self._changed:
                self._in_progress -= 1
                self._changed.notify()

    def _begin(self, plan):
        now = time.time()
        request = self._request(plan, now, f"a-{plan.number}", recipient(plan.number), f"Notice {plan.number}.")
        sent = self._register(request, plan)
        for delay in plan.repeats:
            self._schedule(delay, lambda: self._send(sent, request))
        if plan.other_text:
            other = self._request(plan, now, f"b-{plan.number}", recipient(plan.number, True), f"Other {plan.number}.")
            other_sent = self._register(other, plan)
            self._schedule(plan.other_text, lambda: self._send(other_sent, other))
        if plan.cancel:
            self._schedule(plan.cancel, lambda: self._cancel(sent))
        self._send(sent, request)

    @staticmethod
    def _request(plan, now, label, to, text):
        times = {}
        if plan.send_delay:
            times["send_time"] = api.timestamp(now + plan.send_delay)
        if plan.expire_delay:
            times["expire_time"] = api.timestamp(now + plan.expire_delay)
        return api.request(to, text, plan.priority, plan.channel, idempotency_key=plan.key, labels={views.LABEL: label},
                           **times)

    def _register(self, request, plan):
        label = request.labels[views.LABEL]
        sent = views.Sent(label, request.to, plan.key, plan.priority == "EMERGENCY",
                          request.send_time.ToMicroseconds() / 1e6, request.expire_time.ToMicroseconds() / 1e6)
        self.sent[label] = sent
        return sent

    def _send(self, sent, request, repeats=0):
        begin = time.time()
        try:
            accepted = self._client.enqueue(request, REQUEST_SECONDS)
        except grpc.RpcError as error:
            response = response_to(begin, error)
            self.refused[response.error] += 1
            if sent.key and error.code() in OPEN_CODES and repeats < MAX_REPEATS:
                self._schedule(RETRY_SECONDS, lambda: self._send(sent, request, repeats + 1))
        else:
            response = views.Response(begin, time.time(), accepted.alert_id, accepted.replayed)
            self.accepted += 1
        sent.responses.append(response)

    def _cancel(self, sent, tries=0):
        for alert_id in sent.accepted:
            begin = time.time()
            try:
                sent.cancels.append(self._client.cancel(alert_id))
                sent.cancel_responses.append(views.Response(begin, time.time(), error=sent.cancels[-1]))
            except grpc.RpcError as error:
                response = response_to(begin, error)
                sent.cancel_responses.append(response)
                self.cancel_errors[response.error] += 1
                if response.open or response.error == "KAFKA_UNAVAILABLE":  # marked, but perhaps not recorded
                    sent.cancels.append("UNKNOWN")
                if error.code() in OPEN_CODES and tries < MAX_CANCELS:
                    self._schedule(RETRY_SECONDS, lambda: self._cancel(sent, tries + 1))

    def cancels(self):
        return collections.Counter(itertools.chain.from_iterable(sent.cancels for sent in self.sent.values()))
