"""`tocsin send`: its output for each kind of response. A3, O9."""

import base64
import json
import re

import grpc
import pytest

from program import UNUSED, tocsin
from service import Service, api, refuse

ALERT = "01920000-0000-7000-8000-000000000001"
TO_AND_TEXT = ("--to", "+15145550123", "--text", "Boiler 3 is too hot")


def accept(segment_count=1, replayed=False):
    return Service("AlertService", {"Enqueue": lambda request: api.message("EnqueueResponse")(
        alert_id=ALERT, replayed=replayed, segment_count=segment_count, consistency_token=b"\x01\x02\xff")})


def refusing(*arguments, **metadata):
    return Service("AlertService", {"Enqueue": refuse(*arguments, **metadata)})


@pytest.mark.parametrize("code, reason", [(grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN"),
                                          (grpc.StatusCode.UNAVAILABLE, "KMS_UNAVAILABLE"),
                                          (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN"),
                                          (grpc.StatusCode.DEADLINE_EXCEEDED, "OVERLOADED")])
def test_a_failure_with_an_unknown_outcome_prints_the_key_for_a_safe_retry(run, code, reason):
    service = refusing(code, reason, alertId=ALERT)
    failed = run(service, "send", *TO_AND_TEXT)
    assert failed.returncode != 0
    key = re.search(r"--idempotency-key (\S+)", failed.stderr).group(1)
    assert {request.idempotency_key for request in service.requests} == {key}
    assert ALERT in failed.stderr
    again = run(service, "send", *TO_AND_TEXT, "--idempotency-key", key, output="json")
    printed = json.loads(again.stdout)
    assert (printed["idempotency_key"], printed["alert_id"], printed["reason"]) == (key, ALERT, reason)


def test_a_permanent_refusal_does_not_suggest_a_retry(run):
    refused = run(refusing(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PHONE_FORMAT", field="to"), "send", *TO_AND_TEXT)
    assert refused.returncode == 1 and "idempotency-key" not in refused.stderr
    assert refused.stderr == "tocsin: to: refused (INVALID_PHONE_FORMAT)\n"


@pytest.mark.parametrize("arguments, field", [
    (("--to", b"+1514\xff", "--text", "x"), "to"),
    (("--to", "+15145550123", "--text", b"\xc3\x28"), "text"),
    (("--to", "+15145550123", "--text", "x", "--label", b"name=\xe9"), "labels"),
    (("--to", "+15145550123", "--text", "x", "--idempotency-key", b"\xe9"), "idempotency_key"),
    (("--to", "+15145550123", "--text", "x", "--sender-id", b"\xe9"), "sender_id"),
])
def test_text_that_is_not_utf_8_is_refused_before_a_request_is_sent(run, arguments, field):
    service = accept()
    refused = run(service, "send", *arguments)
    assert refused.returncode == 2 and refused.stderr.startswith(f"tocsin: {field}: "), refused.stderr
    assert refused.stderr.endswith("(INVALID_ARGUMENT)\n") and not service.requests


@pytest.mark.parametrize("segments, replayed, text", [(1, False, "  accepted, 1 segment\n"),
                                                      (3, False, "  accepted, 3 segments\n"),
                                                      (2, True, "  accepted (replayed), 2 segments\n"),
                                                      (0, False, "  accepted\n")])
def test_segments_are_printed_for_messages_only(run, segments, replayed, text):
    assert run(accept(segments, replayed), "send", *TO_AND_TEXT).stdout == ALERT + text


def test_json_has_the_fields_of_the_response(run):
    printed = json.loads(run(accept(), "send", *TO_AND_TEXT, output="json").stdout)
    assert set(printed) == {"alert_id", "create_time", "replayed", "segment_count", "idempotency_key",
                            "consistency_token"}
    assert base64.b64decode(printed["consistency_token"]) == b"\x01\x02\xff"


OPTIONS = [
    ("--priority", "high", "--sender-id", "main", "--language-code", "en-CA", "--machine-detection",
     "--send-time", "2027-01-16T08:00:00Z", "--expire-time", "2027-01-16T09:00:00Z", "--in-doubt", "fail"),
    ("--class", "HIGH", "--sender", "main", "--language", "en-CA", "--detect-machine",
     "--send-at", "2027-01-16T08:00:00Z", "--expires-at", "2027-01-16T09:00:00Z", "--in-doubt", "fail"),
]


@pytest.mark.parametrize("options", OPTIONS, ids=("names", "old names"))
def test_options_set_the_fields_of_the_request(run, options):
    service = accept()
    assert run(service, "send", *TO_AND_TEXT, *options).returncode == 0
    (request,) = service.requests
    assert (request.priority, request.sender_id, request.in_doubt_policy) == (2, "main", 1)
    assert request.voice.language_code == "en-CA" and request.voice.machine_detection
    assert request.expire_time.seconds - request.send_time.seconds == 3600


def test_an_unreachable_service_is_reported_with_a_text(tmp_path):
    key = tmp_path / "key"
    key.write_text("k\n")
    failed = tocsin("send", *TO_AND_TEXT, "--address", UNUSED, "--api-key-file", str(key), "--timeout", "1")
    assert failed.returncode == 3
    assert failed.stderr.startswith(f"tocsin: {UNUSED} is unreachable: ") and "(UNREACHABLE)\n" in failed.stderr
    assert "--idempotency-key" in failed.stderr


@pytest.mark.parametrize("code, reason, status", [(grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", 1),
                                                  (grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED", 1),
                                                  (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", 1),
                                                  (grpc.StatusCode.UNKNOWN, "INTERNAL", 1),
                                                  (grpc.StatusCode.DEADLINE_EXCEEDED, "UNREACHABLE", 3)])
def test_an_error_without_details_is_reported_with_a_text(run, code, reason, status):
    failed = run(refusing(code, None, ""), "send", *TO_AND_TEXT)
    assert failed.returncode == status
    assert re.match(rf"tocsin: \S.* \({reason}\)\n", failed.stderr), failed.stderr
