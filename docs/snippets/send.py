"""Sends one alert and says what became of it. Needs Debian's python3-grpcio and python3-protobuf, and stubs:

protoc -I proto --python_out=build/py --grpc_out=build/py --plugin=protoc-gen-grpc="$(command -v grpc_python_plugin)" \
  tocsin/v1/{types,alert_service,status_service}.proto google/rpc/{code,status,error_details}.proto
PYTHONPATH=build/py python3 docs/snippets/send.py +15558675309 "Pump 3 has stopped"
"""

import os
import pathlib
import sys
import time
import uuid

import grpc
from google.rpc import error_details_pb2, status_pb2
from tocsin.v1 import alert_service_pb2 as alerts, alert_service_pb2_grpc as alerts_grpc
from tocsin.v1 import status_service_pb2 as status, status_service_pb2_grpc as status_grpc

CALL_SECONDS, TRIES = 5, 5


def details(error):
    """ErrorInfo.reason and the seconds to wait, from google.rpc.Status in the trailing metadata."""
    reason, wait = error.code().name, None
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    for detail in status_pb2.Status.FromString(raw).details:
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(retry):
            wait = retry.retry_delay.ToMilliseconds() / 1000
    return reason, wait


def enqueue(door, request, me):
    """With the same key a call may be repeated: the alert is taken once."""
    for left in reversed(range(TRIES)):
        try:
            return door.Enqueue(request, metadata=me, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            reason, wait = details(error)
            if error.code() != grpc.StatusCode.UNAVAILABLE or not left:
                sys.exit(f"not accepted: {reason}: {error.details()}")
            time.sleep(wait or 1)


def main(to, text):
    me = [("authorization", "Bearer " + pathlib.Path(os.environ["TOCSIN_API_KEY_FILE"]).read_text().strip())]
    door = alerts_grpc.AlertServiceStub(grpc.insecure_channel(os.environ["TOCSIN_INGRESS_GRPC"]))
    taken = enqueue(door, alerts.EnqueueRequest(to=to, text=text, idempotency_key=str(uuid.uuid4())), me)
    print("accepted", taken.alert_id)
    books = status_grpc.StatusServiceStub(grpc.insecure_channel(os.environ["TOCSIN_AUDIT_GRPC"]))
    question = status.GetAlertRequest(alert_id=taken.alert_id, min_position=taken.position)  # reads what was just written
    for entry in books.GetAlert(question, metadata=me, timeout=CALL_SECONDS).alert.timeline:
        print(entry.what)


main(*sys.argv[1:])
