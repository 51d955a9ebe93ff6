"""Tocsin's gRPC API as a caller without generated code sees it: messages straight from the .proto files."""

import pathlib
import subprocess
import tempfile
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import poll

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICE_CONFIG = ROOT / "docs/snippets/service-config.json"  # as callers are told to
CALL_SECONDS = 30
MAX_STREAM_FRAME = 100  # alerts, EnqueueStreamRequest
HEALTH_SERVING = b"\x08\x01"  # grpc.health.v1.HealthCheckResponse{status: SERVING}


def _read_protos():
    proto = ROOT / "proto"
    files = [str(path.relative_to(proto)) for path in sorted(proto.rglob("*.proto"))]
    with tempfile.NamedTemporaryFile(suffix=".pb") as out:
        subprocess.run(["protoc", f"-I{proto}", "--include_imports", f"--descriptor_set_out={out.name}", *files],
                       check=True)
        described = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in described.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _read_protos()
_FACTORY = message_factory.MessageFactory(_POOL)


def message(name):
    """The class of a message: "EnqueueRequest", or a full name such as "google.rpc.Status"."""
    full = name if "." in name else f"tocsin.v1.{name}"
    return _FACTORY.GetPrototype(_POOL.FindMessageTypeByName(full))


def _names(enum, prefix):
    return {value.number: value.name[len(prefix):] for value in _POOL.FindEnumTypeByName(f"tocsin.v1.{enum}").values}


STATES = _names("AlertState", "ALERT_STATE_")
TRY_STATUSES = _names("TryStatus", "TRY_STATUS_")
CLASSES = {name: number for number, name in _names("AlertClass", "ALERT_CLASS_").items()}
ENDS = {"DELIVERED", "ACKNOWLEDGED", "FAILED", "SENT_UNCONFIRMED", "EXPIRED", "CANCELLED", "SUPPRESSED", "REJECTED"}


def timestamp(seconds):
    """A google.protobuf.Timestamp of Unix seconds."""
    stamp = message("google.protobuf.Timestamp")()
    stamp.FromMicroseconds(round(seconds * 1e6))
    return stamp


def in_seconds(seconds):
    return timestamp(time.time() + seconds)


def request(to, text="Your appointment is tomorrow.", **fields):
    """An EnqueueRequest; alert_class="HIGH" stands for the field `class`, a word of Python."""
    alert_class = fields.pop("alert_class", None)
    made = message("EnqueueRequest")(to=to, text=text, **fields)
    if alert_class:
        setattr(made, "class", CLASSES[alert_class])
    return made


class Details:
    """What an error carries: google.rpc.Status in the trailing metadata."""

    def __init__(self, status):
        self.reason, self.domain, self.metadata, self.fields, self.retry_seconds = "", "", {}, [], None
        for detail in status.details:
            name = detail.type_url.rsplit("/", 1)[-1]
            parsed = message(name).FromString(detail.value)
            if name == "google.rpc.ErrorInfo":
                self.reason, self.domain, self.metadata = parsed.reason, parsed.domain, dict(parsed.metadata)
            elif name == "google.rpc.BadRequest":
                self.fields = [violation.field for violation in parsed.field_violations]
            elif name == "google.rpc.RetryInfo":
                self.retry_seconds = parsed.retry_delay.ToMicroseconds() / 1e6

    @classmethod
    def of(cls, error):
        trailing = dict(error.trailing_metadata() or ())
        return cls(message("google.rpc.Status").FromString(trailing.get("grpc-status-details-bin", b"")))


class Client:
    """One caller with its key. Safe to use from several threads."""

    def __init__(self, ingress, audit, key):
        # The "min" bounds one attempt to connect, which a busy machine may keep waiting.
        options = [("grpc.service_config", SERVICE_CONFIG.read_text()),
                   ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 10_000),
                   ("grpc.max_reconnect_backoff_ms", 1000)]
        self.ingress = grpc.insecure_channel(ingress, options)
        self.audit = grpc.insecure_channel(audit, options)
        self.metadata = (("authorization", f"Bearer {key}"),)

    def close(self):
        self.ingress.close()
        self.audit.close()

    def _call(self, channel, service, method, sent, seconds=CALL_SECONDS):
        stub = channel.unary_unary(f"/tocsin.v1.{service}/{method}",
                                   request_serializer=lambda message_: message_.SerializeToString(),
                                   response_deserializer=message(f"{method}Response").FromString)
        return stub(sent, timeout=seconds, metadata=self.metadata)

    def enqueue(self, sent, seconds=CALL_SECONDS):
        return self._call(self.ingress, "AlertService", "Enqueue", sent, seconds)

    def send(self, to, **fields):
        return self.enqueue(request(to, **fields))

    def send_keyed(self, to, key, **fields):
        """As send(), repeated while it may be: the key makes that safe."""
        def answer():
            try:
                return self.send(to, idempotency_key=key, **fields)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE, error
                return None

        return poll.until(f"the alert to {to} is accepted", answer)

    def cancel(self, alert_id):
        response = self._call(self.ingress, "AlertService", "Cancel", message("CancelRequest")(alert_id=alert_id))
        return response.Outcome.Name(response.outcome).removeprefix("OUTCOME_")

    def acknowledge(self, alert_id, by):
        """Whether nobody was earlier."""
        sent = message("AcknowledgeRequest")(alert_id=alert_id, acknowledged_by=by)
        return self._call(self.ingress, "AlertService", "Acknowledge", sent).first

    def batch(self, requests):
        return self._call(self.ingress, "AlertService", "EnqueueBatch",
                          message("EnqueueBatchRequest")(alerts=requests))

    def stream(self, frames, seconds=600):
        """frames: lists of requests. Yields (frame number, results), in any order."""
        stub = self.ingress.stream_stream("/tocsin.v1.AlertService/EnqueueStream",
                                          request_serializer=lambda message_: message_.SerializeToString(),
                                          response_deserializer=message("EnqueueStreamResponse").FromString)
        sent = (message("EnqueueStreamRequest")(frame=number, alerts=alerts)
                for number, alerts in enumerate(frames))
        for response in stub(sent, timeout=seconds, metadata=self.metadata):
            yield response.frame, list(response.results)

    def get(self, alert_id, position=None, wait_seconds=30):
        sent = message("GetAlertRequest")(alert_id=alert_id)
        if position is not None:
            sent.min_position.CopyFrom(position)
            sent.wait.FromSeconds(wait_seconds)
        return self._call(self.audit, "StatusService", "GetAlert", sent, wait_seconds + CALL_SECONDS).alert

    def watch(self, accepted, seconds=600):
        """Yields the alert of an EnqueueResponse as it is, then after each change."""
        stub = self.audit.unary_stream("/tocsin.v1.StatusService/WatchAlert",
                                       request_serializer=lambda message_: message_.SerializeToString(),
                                       response_deserializer=message("WatchAlertResponse").FromString)
        sent = message("WatchAlertRequest")(alert_id=accepted.alert_id, min_position=accepted.position)
        for response in stub(sent, timeout=seconds, metadata=self.metadata):
            yield response.alert

    def list_alerts(self, **fields):
        return self._call(self.audit, "StatusService", "ListAlerts", message("ListAlertsRequest")(**fields))

    def until_state(self, accepted, *states):
        """The alert of an EnqueueResponse, once it is in one of `states` (any end if none is named)."""
        wanted = set(states) or ENDS
        seen = {}

        def look():
            seen["alert"] = self.get(accepted.alert_id, accepted.position)
            return state(seen["alert"]) in wanted and seen["alert"]

        try:
            return poll.until(f"{accepted.alert_id} is {' or '.join(sorted(wanted))}", look)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{seen.get('alert')}") from None


def _frames(requests):
    return [requests[at:at + MAX_STREAM_FRAME] for at in range(0, len(requests), MAX_STREAM_FRAME)]


def enqueue_all(client, requests):
    """The ids of all alerts; what the service is too busy for is offered again under its key."""
    accepted, left = {}, list(requests)
    while left:
        offered, refused = _frames(left), []
        for frame, results in client.stream(offered):
            for request, result in zip(offered[frame], results):
                if result.HasField("accepted"):
                    accepted[request.idempotency_key] = result.accepted.alert_id
                else:
                    assert Details(result.error).retry_seconds is not None, result.error
                    refused.append(request)
        left = refused
    return accepted


def state(alert):
    return STATES[alert.state]


def status(attempt):
    return TRY_STATUSES[attempt.status]


def health(address, service=""):
    """True when the server, or that service of it, is serving."""
    asked = message("grpc.health.v1.HealthCheckRequest")(service=service).SerializeToString()
    with grpc.insecure_channel(address) as channel:
        return channel.unary_unary("/grpc.health.v1.Health/Check")(asked, timeout=CALL_SECONDS) == HEALTH_SERVING


def reflected_services(address):
    """The raw answer of grpc.reflection.v1alpha to list_services: the names stand in it as they are."""
    with grpc.insecure_channel(address) as channel:
        info = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        return b"".join(info(iter([b"\x3a\x00"]), timeout=CALL_SECONDS))
