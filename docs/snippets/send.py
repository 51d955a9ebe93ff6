"""Sends one alert and prints its timeline. The same key again is the same alert, never a second one.

Needs Debian's python3-grpcio and python3-protobuf (or `pip install grpcio protobuf`), and stubs:

  mkdir -p build/py
  protoc -I proto --python_out=build/py --grpc_out=build/py \
    --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
    tocsin/v1/{types,alert_service,status_service}.proto \
    google/{api/field_behavior,rpc/code,rpc/status,rpc/error_details,type/money}.proto
  PYTHONPATH=build/py python3 docs/snippets/send.py pump-3-2026-01-31 +15558675309 "Pump 3 has stopped"
"""

import os
import pathlib
import sys
import time

try:
    import grpc
    from google.rpc import error_details_pb2, status_pb2
    from tocsin.v1 import alert_service_pb2, alert_service_pb2_grpc
    from tocsin.v1 import status_service_pb2, status_service_pb2_grpc
except ImportError as missing:
    sys.exit(f"send.py: {missing}: {sys.executable} needs grpcio, protobuf and the generated stubs; see the top of "
             "docs/snippets/send.py")

TIMEOUT_SECONDS, MAX_ATTEMPTS = 5, 5


def details(error):
    """ErrorInfo.reason and the retry delay in seconds, from google.rpc.Status in the trailing metadata."""
    reason, delay = error.code().name, 1
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    for detail in status_pb2.Status.FromString(raw).details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(retry):
            delay = retry.retry_delay.ToMilliseconds() / 1000
    return reason, delay


def enqueue(alert_stub, request, metadata):
    """With an idempotency key a request can be repeated: the alert is accepted once."""
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return alert_stub.Enqueue(request, metadata=metadata, timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            reason, delay = details(error)
            if error.code() != grpc.StatusCode.UNAVAILABLE or attempt == MAX_ATTEMPTS:
                sys.exit(f"not accepted: {reason}: {error.details()}")
            time.sleep(delay)


def main(key, number, text):
    metadata = [("authorization", "Bearer " + pathlib.Path(os.environ["TOCSIN_API_KEY_FILE"]).read_text().strip())]
    alert_stub = alert_service_pb2_grpc.AlertServiceStub(grpc.insecure_channel(os.environ["TOCSIN_INGRESS_GRPC"]))
    request = alert_service_pb2.EnqueueRequest(idempotency_key=key, to=number, text=text)
    response = enqueue(alert_stub, request, metadata)
    print("accepted", response.alert_id)
    status_stub = status_service_pb2_grpc.StatusServiceStub(grpc.insecure_channel(os.environ["TOCSIN_AUDIT_GRPC"]))
    # With the consistency token the read includes what was just written.
    get_request = status_service_pb2.GetAlertRequest(alert_id=response.alert_id,
                                                     consistency_token=response.consistency_token)
    alert = status_stub.GetAlert(get_request, metadata=metadata, timeout=TIMEOUT_SECONDS)
    for entry in alert.timeline:
        print(entry.description)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        print("usage: send.py KEY NUMBER TEXT", file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
