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


class SteadyCaller:
    """Sends keyed alerts at a steady rate until stopped; repeats a call under the same key until it is answered."""

    def __init__(self, client, name):
        """`name` begins its keys: alerts of two callers never share one."""
        self._client = client
        self._name = name
        self._stop = threading.Event()
        self._pause = threading.Event()  # never set: a caller waits a little before it asks again
        self._work = queue.Queue(maxsize=CALLERS)
        self.accepted = {}  # key -> alert id; each key is written by one thread
        self.repeated = 0
        self.unexplained = []  # errors to try again after, without a word of ours on when
        self.refused = collections.Counter()
        self._threads = [threading.Thread(target=self._give_out), *(
            threading.Thread(target=self._call) for _ in range(CALLERS))]

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
            while key not in self.accepted:
                try:
                    self.accepted[key] = self._client.enqueue(request, CALL_SECONDS).alert_id
                except grpc.RpcError as error:
                    if error.code() not in AGAIN:
                        self.refused[str(error.code())] += 1
                        break
                    self.repeated += 1
                    if api.Details.of(error).retry_seconds is None:
                        self.unexplained.append(str(error.details()))
                    self._pause.wait(PAUSE_SECONDS)
