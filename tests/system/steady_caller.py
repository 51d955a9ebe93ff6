"""Backends that send at a steady rate while the stack under them is disturbed."""

import collections
import itertools
import queue
import threading

import grpc

import api

CALLERS = 16
PER_SECOND = 100
AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
CALL_SECONDS = 5
PAUSE_SECONDS = 0.2
ASKERS = 4
FOLD_SECONDS = 5  # to wait for the record of what was accepted last


class SteadyCaller:
    """Sends keyed alerts at a steady rate until stopped; repeats a call under the same key until it is answered."""

    def __init__(self, client, name, asks=False):
        """`name` begins its keys: alerts of two callers never share one. Who `asks` wants to know all the time what
        became of the newest alert, too."""
        self._client = client
        self._name = name
        self._stop = threading.Event()
        self._pause = threading.Event()  # never set: a caller waits a little before it asks again
        self._work = queue.Queue(maxsize=CALLERS)
        self.accepted = {}  # key -> alert id; each key is written by one thread
        self._newest = None  # the answer that came last
        self.asked = 0  # and answered
        self.repeated = 0
        self.unexplained = []  # errors to try again after, without a word of ours on when
        self.refused = collections.Counter()
        self._threads = [threading.Thread(target=self._give_out), *(
            threading.Thread(target=self._call) for _ in range(CALLERS)), *(
            threading.Thread(target=self._ask) for _ in range(ASKERS if asks else 0))]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    # A caller that is held up by a dead service drops behind the rate and does not catch up.
    def _give_out(self):
        for number in itertools.count():
            if self._stop.wait(1 / PER_SECOND):
                break
            self._work.put(number)
        for _ in range(CALLERS):
            self._work.put(None)

    def _call(self):
        for number in iter(self._work.get, None):
            key = f"{self._name}-{number}"
            request = api.request(f"+1514{3_000_000 + number}", f"Notice {number}.", idempotency_key=key)
            if answer := self._answer(lambda: self._client.enqueue(request, CALL_SECONDS)):
                self.accepted[key] = answer.alert_id
                self._newest = answer

    def _ask(self):
        while not self._stop.wait(1 / PER_SECOND):
            if newest := self._newest:
                if self._answer(lambda: self._client.get(newest.alert_id, newest.position, FOLD_SECONDS)):
                    self.asked += 1

    def _answer(self, call):
        """The call's answer, asked for until it comes; None when it is refused."""
        while True:
            try:
                return call()
            except grpc.RpcError as error:
                if error.code() not in AGAIN:
                    self.refused[str(error.code())] += 1
                    return None
                self.repeated += 1
                if api.Details.of(error).retry_seconds is None:
                    self.unexplained.append(str(error.details()))
                self._pause.wait(PAUSE_SECONDS)
