"""A rolling restart under load: callers see nothing but "ask again", nothing is lost, nothing is sent twice. O8."""

import concurrent.futures
import contextlib
import os
import signal
import threading
import time

import grpc
import pytest

import api
import ledger
import poll
import stack as stacks
import steady_caller

REPLICAS = 2
ORDER = [f"{service}-{number}" for service in ("ingress", "sms-worker", "voice-worker", "audit")
         for number in (1, 2)]
TWILIO_MS = 300  # with the rate of the callers: about 30 POSTs in flight when a worker is told to go
BETWEEN_RESTARTS = 100  # alerts accepted between a return and the next restart
SETTLE_SECONDS = 240
DRAIN_SECONDS, STATEMENT_SECONDS = 2, 10  # the latter as common/postgres has it


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack(replicas=str(REPLICAS)) as started:
        yield started


@pytest.fixture(scope="module")
def client(stack):
    caller = api.Client(*(stack.every_address(setting, REPLICAS) for setting in
                          ("TOCSIN_INGRESS_GRPC", "TOCSIN_AUDIT_GRPC")), stack.api_key())
    yield caller
    caller.close()


def test_a_rolling_restart_under_load_refuses_nobody_and_doubles_nothing(stack, client, simulator):  # O8, R1
    simulator.faults(create={"latency_ms": TWILIO_MS})
    took = {}
    with steady_caller.SteadyCaller(client, "rolling", asks=True) as caller:
        for process in ORDER:
            enough = len(caller.accepted) + BETWEEN_RESTARTS
            poll.until(f"{enough} alerts are accepted", lambda: len(caller.accepted) >= enough)
            began = time.monotonic()
            stack.start(process)  # SIGTERM, its drain, its end, a new start until it is ready
            took[process] = round(time.monotonic() - began, 1)
    poll.until("every alert has its end", lambda: ledger.settled(stack), SETTLE_SECONDS)
    books = ledger.Ledger.read(stack.env, set(caller.accepted.values()))
    print(f"restarts, in seconds: {took}\naccepted {len(caller.accepted)}, told {caller.asked} times, asked "
          f"again {caller.repeated}, of those without a time to wait {len(caller.unexplained)}, "
          f"refused {sum(caller.refused.values())}\n{books.report()}")
    assert caller.asked
    assert not caller.refused and not caller.unexplained, caller.unexplained[:3]
    assert not books.differences()
    assert not books.tables.doubted, "a worker left a POST behind"


def test_a_stream_that_is_open_at_a_restart_ends_with_a_time_to_wait(stack):  # O8, A1
    caller, over = stack.client(), threading.Event()

    def frames():
        yield [api.request("+15145550151")]
        over.wait()

    answers = caller.stream(frames())
    (result,) = next(answers)[1]
    assert result.WhichOneof("outcome") == "accepted"
    stack.start("ingress-1")
    with pytest.raises(grpc.RpcError) as ended:
        next(answers)
    over.set()
    caller.close()
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert api.Details.of(ended.value).retry_seconds is not None


def test_a_watch_that_is_open_at_a_restart_ends_with_a_time_to_wait(stack):  # O8, A2
    caller = stack.client()
    waiting = caller.send("+15145550152", send_at=api.in_seconds(3_600))
    states = caller.watch(waiting)
    assert api.state(next(states)) == "PENDING"
    stack.start("audit-1")
    with pytest.raises(grpc.RpcError) as ended:
        next(states)
    caller.close()
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert api.Details.of(ended.value).retry_seconds is not None


def test_a_replica_whose_statements_hang_leaves_within_its_drain_all_the_same(stack):  # O8
    stack.start("audit-1", settings={"TOCSIN_DRAIN": f"{DRAIN_SECONDS}s"})
    caller, audit = stack.client(), stack.pid("audit-1")
    with contextlib.closing(stack.database()) as holding, contextlib.closing(stack.database()) as looking, \
            concurrent.futures.ThreadPoolExecutor(1) as asking:
        holding.autocommit = False
        holding.cursor().execute("LOCK TABLE tocsin.alerts")
        asked = asking.submit(caller.list_alerts)
        look = looking.cursor()

        def reader_waits():
            look.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                         " AND query LIKE '%ORDER BY accepted_us%'")
            return look.fetchone()[0]

        poll.until("a reader waits for the lock", reader_waits)
        os.kill(audit, signal.SIGTERM)
        assert poll.within((DRAIN_SECONDS + STATEMENT_SECONDS) / 2, lambda: stacks.gone(audit))
        assert asked.exception().code() == grpc.StatusCode.UNAVAILABLE
    caller.close()
    stack.start("audit-1")
