"""`tocsin watch` against a service that ends its streams: it continues until the alert is final. O9, R7."""

import base64
import concurrent.futures
import json
import socket
import time

import grpc
import pytest

from program import tocsin
from service import api

SENT, DELIVERED = (next(number for number, name in api.STATES.items() if name == state)
                   for state in ("SENT", "DELIVERED"))
AWAY = grpc.StatusCode.UNAVAILABLE


class Service:
    """Serves one script per stream. A step is a number of seconds to wait (float), a revision (int) or a status."""

    def __init__(self):
        self.scripts, self.requests = [], []
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=4))
        handler = grpc.unary_stream_rpc_method_handler(
            self._watch, request_deserializer=api.message("WatchAlertRequest").FromString,
            response_serializer=lambda response: response.SerializeToString())
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("tocsin.v1.StatusService", {"WatchAlert": handler}),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self):
        self._server.stop(0)

    def _watch(self, request, context):
        self.requests.append(request)
        for step in self.scripts.pop(0) if self.scripts else [AWAY]:
            if isinstance(step, grpc.StatusCode):
                context.abort(step, "as the test requires")
            elif isinstance(step, float):
                time.sleep(step)
            else:
                response = api.message("WatchAlertResponse")()
                response.alert.alert_id, response.alert.revision = request.alerts[0].alert_id, step
                response.alert.state = DELIVERED if step == 9 else SENT
                yield response


@pytest.fixture
def service():
    started = Service()
    yield started
    started.stop()


@pytest.fixture
def watch(tmp_path):
    key = tmp_path / "key"
    key.write_text("a-key\n")

    def run(address, timeout, *arguments):
        return tocsin("--output", "json", "watch", "an-alert", "--address", address, "--api-key-file", str(key),
                      "--timeout", str(timeout), *arguments)
    return run


def revisions(watched):
    return [json.loads(line)["revision"] for line in watched.stdout.splitlines()]


def test_a_watch_has_no_time_limit(service, watch):
    service.scripts = [[1, 2.5, 9]]
    watched = watch(service.address, 1)
    assert watched.returncode == 0, watched.stderr
    assert revisions(watched) == [1, 9] and len(service.requests) == 1


def test_a_watch_resumes_after_the_last_revision_when_its_stream_ends(service, watch):
    service.scripts = [[1, 2, 1.5, AWAY], [2, 3, 1.5, AWAY], [AWAY], [3, 9]]
    watched = watch(service.address, 2)
    assert watched.returncode == 0, watched.stderr
    assert revisions(watched) == [1, 2, 3, 9]
    assert [request.alerts[0].after_revision for request in service.requests] == [0, 2, 3, 3]


def test_a_watch_passes_the_consistency_token(service, watch):
    service.scripts = [[9]]
    assert watch(service.address, 2, "--consistency-token", base64.b64encode(b"\x00\xff").decode()).returncode == 0
    assert service.requests[0].alerts[0].consistency_token == b"\x00\xff"
    refused = watch(service.address, 2, "--consistency-token", "topic/3/9")
    assert refused.returncode == 2 and "--consistency-token" in refused.stderr


def test_a_watch_ends_when_the_service_is_away_for_the_timeout(service, watch):
    service.scripts = [[1, AWAY]]
    begun = time.monotonic()
    away = watch(service.address, 2)
    assert away.returncode == 3 and "(UNREACHABLE)" in away.stderr
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        unreachable = watch(address, 1)
    assert unreachable.returncode == 3 and f"{address} is unreachable: no connection within 1 s" in unreachable.stderr
    assert time.monotonic() - begun < 20


def test_a_refusal_ends_a_watch_immediately(service, watch):
    service.scripts = [[grpc.StatusCode.PERMISSION_DENIED]]
    assert watch(service.address, 30).returncode == 1
    assert len(service.requests) == 1
