"""`tocsin send`: what it says when the answer is a refusal, or none. A3, O9."""

import json
import os
import pathlib
import re
import subprocess
import sys
from concurrent import futures

import grpc
import pytest

sys.path.append(str(pathlib.Path(__file__).parents[2] / "system"))
import api  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("TOCSIN_BIN_DIR", "build/release/bin")) / "tocsin"
ALERT = "01920000-0000-7000-8000-000000000001"


class Service(grpc.GenericRpcHandler):
    """Refuses every Enqueue in one way and keeps what it was asked."""

    def __init__(self, code, reason, metadata):
        self.code, self.reason, self.metadata, self.asked = code, reason, metadata, []

    def service(self, details):
        if details.method != "/tocsin.v1.AlertService/Enqueue":
            return None
        return grpc.unary_unary_rpc_method_handler(self.refuse, api.message("EnqueueRequest").FromString)

    def refuse(self, request, context):
        self.asked.append(request)
        status = api.message("google.rpc.Status")(code=self.code.value[0], message="it went wrong")
        info = api.message("google.rpc.ErrorInfo")(reason=self.reason, domain="tocsin", metadata=self.metadata)
        status.details.add().Pack(info)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(self.code, status.message)


@pytest.fixture
def send(tmp_path):
    """send(service, argument...) runs the command against it."""
    key_file = tmp_path / "key"
    key_file.write_text("tk_0123456789abcdef")
    servers = []

    def run(service, *arguments, output="table"):
        server = grpc.server(futures.ThreadPoolExecutor(2), handlers=(service,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return subprocess.run([PROGRAM, "--output", output, "send", "--address", f"127.0.0.1:{port}", "--api-key-file",
                               key_file, "--timeout", "2", *arguments], capture_output=True, timeout=60, check=False)

    yield run
    for server in servers:
        server.stop(None)


ALERT_OPTIONS = ("--to", "+15145550123", "--text", "Boiler 3 is too hot")


@pytest.mark.parametrize("code, reason", [(grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN"),
                                          (grpc.StatusCode.UNAVAILABLE, "KMS_UNAVAILABLE"),
                                          (grpc.StatusCode.DEADLINE_EXCEEDED, "OVERLOADED")])
def test_a_failure_whose_outcome_is_open_names_the_key_that_makes_a_repetition_safe(send, code, reason):
    service = Service(code, reason, {"alertId": ALERT})
    done = send(service, *ALERT_OPTIONS)
    assert done.returncode != 0
    key = re.search(r"--idempotency-key (\S+)", done.stderr.decode()).group(1)
    assert {asked.idempotency_key for asked in service.asked} == {key}
    assert ALERT in done.stderr.decode()
    again = send(service, *ALERT_OPTIONS, "--idempotency-key", key, output="json")
    told = json.loads(again.stdout)
    assert (told["idempotency_key"], told["alert_id"], told["reason"]) == (key, ALERT, reason)


def test_a_refusal_for_good_does_not_ask_for_a_repetition(send):
    done = send(Service(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PHONE_FORMAT", {"field": "to"}), *ALERT_OPTIONS)
    assert done.returncode == 1 and b"idempotency-key" not in done.stderr


@pytest.mark.parametrize("arguments, field", [
    (("--to", b"+1514\xff", "--text", "x"), b"to"),
    (("--to", "+15145550123", "--text", b"\xc3\x28"), b"text"),
    (("--to", "+15145550123", "--text", "x", "--label", b"name=\xe9"), b"labels"),
    (("--to", "+15145550123", "--text", "x", "--idempotency-key", b"\xe9"), b"idempotency_key"),
])
def test_text_that_is_not_utf_8_is_refused_by_its_name_before_anything_is_sent(send, arguments, field):
    service = Service(grpc.StatusCode.UNAVAILABLE, "OVERLOADED", {})
    done = send(service, *arguments)
    assert done.returncode == 1 and done.stderr.startswith(b"tocsin: " + field + b": "), done.stderr
    assert not service.asked
