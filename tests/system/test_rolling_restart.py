"""A rolling restart under load: clients only see errors with a retry delay, no alert is lost or sent twice. O8."""

import concurrent.futures
import contextlib
import os
import signal
import threading
import time

import grpc
import pytest

import api
import consistency_check
import poll
import stack as stacks
import steady_caller

REPLICAS = 2
ORDER = [f"{service}-{number}" for service in ("ingress", "sms-worker", "voice-worker", "audit")
         for number in (1, 2)]
TWILIO_MS = 300  # at 100 alerts/s: about 30 POSTs in flight when a worker is stopped
BETWEEN_RESTARTS = 100  # alerts accepted between two restarts
QUIESCENT_SECONDS = 240
DRAIN_SECONDS, STATEMENT_SECONDS = 2, 10  # the second is a constant of common/postgres
BROKER_SECONDS = 3.5  # below the delivery timeout of the ingress, 4 s


@pytest.fixture(scope="module")
def stack():
    with stacks.Stack(replicas=str(REPLICAS)) as started:
        yield started


@pytest.fixture(scope="module")
def client(stack):
    connected = stack.client_of_replicas(REPLICAS)
    yield connected
    connected.close()


def test_a_rolling_restart_under_load_refuses_no_request_and_sends_no_alert_twice(stack, client, simulator):  # O8, R1
    simulator.faults(create={"latency_ms": TWILIO_MS})
    took = {}
    with steady_caller.SteadyCaller(client, "rolling", reads=True) as caller:
        for process in ORDER:
            enough = len(caller.accepted) + BETWEEN_RESTARTS
            poll.until(f"{enough} alerts are accepted", lambda: len(caller.accepted) >= enough)
            begin = time.monotonic()
            stack.start(process)  # SIGTERM, drain, exit, start, ready
            took[process] = round(time.monotonic() - begin, 1)
    poll.until("every alert is final", lambda: consistency_check.is_quiescent(stack), QUIESCENT_SECONDS)
    comparison = consistency_check.Comparison.read(stack.env, set(caller.accepted.values()))
    print(f"restarts, in seconds: {took}\naccepted {len(caller.accepted)}, status reads {caller.reads}, retries "
          f"{caller.retries}, of these without a retry delay {len(caller.without_retry_delay)}, "
          f"refused {sum(caller.refused.values())}\n{comparison.report()}")
    assert caller.reads
    assert not caller.refused and not caller.without_retry_delay, caller.without_retry_delay[:3]
    assert not comparison.differences()
    assert not comparison.database.in_doubt, "a worker did not finish a POST"


def test_a_stream_that_is_open_at_a_restart_ends_with_a_retry_delay(stack):  # O8, A1
    client, finished = stack.client(), threading.Event()

    def batches():
        yield [api.request("+15145550151")]
        finished.wait()

    responses = client.stream(batches())
    (result,) = next(responses)[1]
    assert result.WhichOneof("outcome") == "accepted"
    stack.start("ingress-1")
    with pytest.raises(grpc.RpcError) as ended:
        next(responses)
    finished.set()
    client.close()
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert api.Details.of(ended.value).retry_seconds is not None


def test_a_watch_that_is_open_at_a_restart_ends_with_a_retry_delay(stack):  # O8, A2
    client = stack.client()
    scheduled = client.send("+15145550152", send_time=api.in_seconds(3_600))
    states = client.watch(scheduled)
    assert api.state(next(states)) == "PENDING"
    stack.start("audit-1")
    with pytest.raises(grpc.RpcError) as ended:
        next(states)
    client.close()
    assert ended.value.code() == grpc.StatusCode.UNAVAILABLE
    assert api.Details.of(ended.value).retry_seconds is not None


def test_a_replica_with_hanging_statements_ends_within_its_drain_timeout(stack):  # O8
    stack.start("audit-1", settings={"TOCSIN_DRAIN_TIMEOUT": f"{DRAIN_SECONDS}s"})
    client, audit = stack.client(), stack.pid("audit-1")
    with contextlib.closing(stack.database()) as locking, contextlib.closing(stack.database()) as monitoring, \
            concurrent.futures.ThreadPoolExecutor(1) as threads:
        locking.autocommit = False
        locking.cursor().execute("LOCK TABLE tocsin.alerts")
        listing = threads.submit(client.list_alerts)
        cursor = monitoring.cursor()

        def reader_waits():
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                           " AND query LIKE '%ORDER BY create_time_us%'")
            return cursor.fetchone()[0]

        poll.until("a reader waits for the lock", reader_waits)
        os.kill(audit, signal.SIGTERM)
        assert poll.within((DRAIN_SECONDS + STATEMENT_SECONDS) / 2, lambda: stacks.has_ended(audit))
        assert listing.exception().code() == grpc.StatusCode.UNAVAILABLE
    client.close()
    stack.start("audit-1")


def test_an_ingress_ends_within_its_drain_timeout_while_records_have_no_report(stack, simulator):  # O8
    stack.start("ingress-1", settings={"TOCSIN_DRAIN_TIMEOUT": "1s"})
    ingress, broker = stack.pid("ingress-1"), stack.pid("kafka-1")
    url = stack.env["TOCSIN_PUBLIC_BASE_URL"] + "/twilio/sms/inbound"
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        os.kill(broker, signal.SIGSTOP)
        try:
            webhook = threads.submit(simulator.inbound, "+15145550153", "hello", url)
            poll.until("a record has no report", lambda: stack.gauge("ingress", "tocsin_kafka_in_flight"))
            os.kill(ingress, signal.SIGTERM)
            assert poll.within(BROKER_SECONDS, lambda: stacks.has_ended(ingress))
        finally:
            os.kill(broker, signal.SIGCONT)
        assert webhook.result()["status"] is None, "it was not published, so Twilio must not get a response"
    stack.start("ingress-1")
