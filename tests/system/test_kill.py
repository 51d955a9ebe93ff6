"""kill -9 of each service while alerts flow: none is lost, none is sent twice. R1, R4, A3."""

import collections
import itertools
import os
import queue
import random
import threading

import grpc
import pytest

import api
import ledger
import poll
import stack as stacks

KILLS = int(os.environ.get("TOCSIN_SYSTEM_KILLS", "2"))  # of each process
SEED = int(os.environ.get("TOCSIN_SYSTEM_SEED", "1"))
VICTIMS = ["ingress-1", "sms-worker-1", "audit-1"]
CALLERS = 16
PER_SECOND = 100
TWILIO_MS = int(os.environ.get("TOCSIN_SYSTEM_TWILIO_MS", "800"))  # with the rate above: about 80 POSTs in flight
BACKLOG = int(os.environ.get("TOCSIN_SYSTEM_BACKLOG", "0"))  # alerts that keep the senders busy when Twilio is quick
IN_FLIGHT = 50
BETWEEN_KILLS = (50, 300)  # alerts accepted between a return and the next kill
SETTLE_SECONDS = 400 + BACKLOG / 20
AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
CALL_SECONDS = 5
PAUSE_SECONDS = 0.2


class SteadyCaller:
    """Sends keyed alerts at a steady rate until stopped; repeats a call under the same key until it is answered."""

    def __init__(self, client):
        self._client = client
        self._stop = threading.Event()
        self._pause = threading.Event()  # never set: a caller waits a little before it asks again
        self._work = queue.Queue(maxsize=CALLERS)
        self.accepted = {}  # key -> alert id; each key is written by one thread
        self.repeated = 0
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
            key = f"k-{SEED}-{number}"
            request = api.request(f"+1514{3_000_000 + number}", f"Notice {number}.", idempotency_key=key)
            while key not in self.accepted:
                try:
                    self.accepted[key] = self._client.enqueue(request, CALL_SECONDS).alert_id
                except grpc.RpcError as error:
                    if error.code() not in AGAIN:
                        self.refused[str(error.code())] += 1
                        break
                    self.repeated += 1
                    self._pause.wait(PAUSE_SECONDS)


@pytest.fixture(scope="module")
def stack():
    # A short lease: what a killed worker held comes back soon.
    with stacks.Stack({"TOCSIN_TWILIO_POST_LIMIT": "3s", "TOCSIN_LEASE": "8s"}) as started:
        started.change_registry(lambda text: text.replace("segments_per_second: 100", "segments_per_second: 1000"))
        yield started


def test_kill_9_of_any_service_loses_no_alert_and_sends_none_twice(stack, client, simulator):
    simulator.faults(create={"latency_ms": TWILIO_MS, "max_in_flight": 1000})
    dice = random.Random(SEED)
    victims = VICTIMS * KILLS
    dice.shuffle(victims)
    print(f"seed {SEED}, kills {victims}")
    backlog = api.enqueue_all(client, [
        api.request(f"+1604{2_000_000 + number}", f"Bulk {number}.", alert_class="BULK", idempotency_key=f"b-{number}")
        for number in range(BACKLOG)])
    with SteadyCaller(client) as caller:
        for victim in victims:
            enough = len(caller.accepted) + dice.randint(*BETWEEN_KILLS)
            poll.until(f"{enough} alerts are accepted", lambda: len(caller.accepted) >= enough)
            poll.until(f"{IN_FLIGHT} POSTs are in flight",
                       lambda: stack.gauge("sms-worker", "tocsin_senders_busy") >= IN_FLIGHT)
            stack.kill(victim)
            stack.start(victim)
    assert not caller.refused
    try:
        poll.until("every alert has its end", lambda: ledger.settled(stack), SETTLE_SECONDS)
    finally:
        books = ledger.Ledger.read(stack.env, {*backlog.values(), *caller.accepted.values()})
        print(f"calls repeated {caller.repeated}\n{books.report()}")
    assert not books.differences()
    assert len(books.tables.doubted) > 0, "no kill met a POST in flight"
