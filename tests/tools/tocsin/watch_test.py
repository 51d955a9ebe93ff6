"""`tocsin watch` against a service that breaks its streams: it lasts as long as the alert. O9, R7."""

import concurrent.futures
import json
import pathlib
import socket
import sys
import time

import grpc
import pytest

from program import tocsin

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "system"))
import api  # noqa: E402  (the messages, straight from the .proto files)

SENT, DELIVERED = (next(number for number, name in api.STATES.items() if name == state)
                   for state in ("SENT", "DELIVERED"))


class Service:
    """Serves one script after another, a stream each: seconds to wait, revisions to tell, a status to end with."""

    def __init__(self):
        self.scripts, self.streams = [], 0
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
        handler = grpc.unary_stream_rpc_method_handler(
            self._watch, request_deserializer=api.message("WatchAlertRequest").FromString,
            response_serializer=lambda answer: answer.SerializeToString())
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("tocsin.v1.StatusService", {"WatchAlert": handler}),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self):
        self._server.stop(0)

    def _watch(self, request, context):
        self.streams += 1
        for step in self.scripts.pop(0) if self.scripts else [grpc.StatusCode.UNAVAILABLE]:
            if isinstance(step, grpc.StatusCode):
                context.abort(step, "as the test wants it")
            elif isinstance(step, float):
                time.sleep(step)
            else:
                answer = api.message("WatchAlertResponse")()
                answer.alert.alert_id, answer.alert.revision = request.alert_id, step
                answer.alert.state = DELIVERED if step == 9 else SENT
                yield answer


@pytest.fixture
def service():
    started = Service()
    yield started
    started.stop()


@pytest.fixture
def watch(tmp_path):
    key = tmp_path / "key"
    key.write_text("a-key\n")

    def run(address, timeout):
        return tocsin("--output", "json", "watch", "an-alert", "--address", address, "--api-key-file", str(key),
                      "--timeout", str(timeout))
    return run


def revisions(watched):
    return [json.loads(line)["revision"] for line in watched.stdout.splitlines()]


def test_a_watch_outlasts_its_timeout(service, watch):
    service.scripts = [[1, 2.5, 9]]
    watched = watch(service.address, 1)
    assert watched.returncode == 0, watched.stderr
    assert revisions(watched) == [1, 9] and service.streams == 1


def test_a_watch_goes_on_behind_the_last_revision_when_its_stream_breaks(service, watch):
    away = grpc.StatusCode.UNAVAILABLE
    service.scripts = [[1, 2, 1.5, away], [2, 3, 1.5, away], [away], [3, 9]]
    watched = watch(service.address, 2)
    assert watched.returncode == 0, watched.stderr
    assert revisions(watched) == [1, 2, 3, 9] and service.streams == 4


def test_a_watch_of_a_service_that_stays_away_ends_with_its_timeout(service, watch):
    service.scripts = [[1, grpc.StatusCode.UNAVAILABLE]]
    begun = time.monotonic()
    assert watch(service.address, 2).returncode == 3
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert watch(f"127.0.0.1:{unused.getsockname()[1]}", 1).returncode == 3
    assert time.monotonic() - begun < 20


def test_a_refusal_ends_a_watch_at_once(service, watch):
    service.scripts = [[grpc.StatusCode.PERMISSION_DENIED]]
    assert watch(service.address, 30).returncode == 1
    assert service.streams == 1
