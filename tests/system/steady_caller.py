"""Clients that send at a steady rate while the stack is disturbed."""

import collections
import itertools
import queue
import threading
import time

import grpc

import api

SENDERS = 16
PER_SECOND = 100
RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
REQUEST_SECONDS = 5
PAUSE_SECONDS = 0.2
READERS = 4
WAIT_SECONDS = 5  # for a consistency token


class SteadyCaller:
    """Sends alerts with idempotency keys at a steady rate until stopped. A request that fails because the service is
    unavailable is repeated with the same key."""

    def __init__(self, client, name, reads=False, per_second=PER_SECOND, senders=SENDERS, call_every=0):
        """`name` is the prefix of the keys and must be unique. With `reads`, the status of the newest alert is read all
        the time, too. `senders` is the largest number of requests at a time. One of `call_every` alerts is a call; 0:
        none."""
        self._client = client
        self._interval = 1 / per_second
        self._name = name
        self._senders = senders
        self._call_every = call_every
        self._stop = threading.Event()
        self._pause = threading.Event()  # never set: for a pause before a retry
        self._numbers = queue.Queue(maxsize=senders)
        self.accepted = {}  # key -> alert id; each key is written by one thread
        self.accepted_at = {}  # alert id -> Unix seconds of the response
        self._newest = None  # the last EnqueueResponse
        self.reads = 0  # that succeeded
        self.retries = 0
        self.without_retry_delay = []  # messages of errors to retry that carried no RetryInfo
        self.refused = collections.Counter()
        self._threads = [threading.Thread(target=self._distribute), *(
            threading.Thread(target=self._send) for _ in range(senders)), *(
            threading.Thread(target=self._read) for _ in range(READERS if reads else 0))]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    # When the service is down the senders fall behind the rate, and do not catch up later.
    def _distribute(self):
        for number in itertools.count():
            if self._stop.wait(self._interval):
                break
            self._numbers.put(number)
        for _ in range(self._senders):
            self._numbers.put(None)

    def _send(self):
        for number in iter(self._numbers.get, None):
            key = f"{self._name}-{number}"
            channel = "VOICE" if self._call_every and number % self._call_every == 0 else "UNSPECIFIED"
            request = api.request(f"+1514{3_000_000 + number}", f"Notice {number}.", channel=channel, idempotency_key=key)
            if response := self._with_retries(lambda: self._client.enqueue(request, REQUEST_SECONDS)):
                self.accepted_at[response.alert_id] = time.time()
                self.accepted[key] = response.alert_id
                self._newest = response

    def _read(self):
        while not self._stop.wait(self._interval):
            if newest := self._newest:
                if self._with_retries(
                        lambda: self._client.get(newest.alert_id, newest.consistency_token, WAIT_SECONDS)):
                    self.reads += 1

    def _with_retries(self, send):
        """The response; None if the request is refused."""
        while True:
            try:
                return send()
            except grpc.RpcError as error:
                if error.code() not in RETRIED:
                    self.refused[str(error.code())] += 1
                    return None
                self.retries += 1
                if api.Details.of(error).retry_seconds is None:
                    self.without_retry_delay.append(str(error.details()))
                self._pause.wait(PAUSE_SECONDS)
