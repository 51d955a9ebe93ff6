"""Tocsin's gRPC API for the tests, from the .proto files at run time: no generated code is needed."""

import pathlib
import subprocess
import tempfile
import time

import interpreter  # first: it checks that the modules below exist
import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import poll

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICE_CONFIG = ROOT / "docs/snippets/service-config.json"  # as the documentation recommends
REQUEST_SECONDS = 30
MAX_STREAM_ALERTS = 100  # in one EnqueueStreamRequest
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
    """The class of a message: "EnqueueRequest", "records.v1.WorkRecord", or a full name such as "google.rpc.Status"."""
    if name.startswith("records."):
        name = f"tocsin.{name}"
    elif "." not in name:
        name = f"tocsin.v1.{name}"
    return _FACTORY.GetPrototype(_POOL.FindMessageTypeByName(name))


def names_of(enum, prefix):
    """number -> name without its prefix; `enum` as in "v1.Priority" or "records.v1.SigningToken"."""
    return {value.number: value.name[len(prefix):] for value in _POOL.FindEnumTypeByName(f"tocsin.{enum}").values}


def _numbers_of(enum, prefix):
    return {name: number for number, name in names_of(enum, prefix).items()}


STATES = names_of("v1.AlertState", "ALERT_STATE_")
ATTEMPT_STATUSES = names_of("v1.AttemptStatus", "ATTEMPT_STATUS_")
CANCEL_OUTCOMES = names_of("v1.CancelOutcome", "CANCEL_OUTCOME_")
RESOLVED_BY = names_of("v1.ResolvedBy", "RESOLVED_BY_")
ANSWERED_BY = names_of("v1.AnsweredBy", "ANSWERED_BY_")
REACHES = names_of("v1.Reach", "REACH_")
IN_DOUBT_FAIL = 1  # IN_DOUBT_POLICY_FAIL
SIGNING_TOKENS = names_of("records.v1.SigningToken", "SIGNING_TOKEN_")
PRIORITIES = _numbers_of("v1.Priority", "PRIORITY_")
CHANNELS = _numbers_of("v1.Channel", "CHANNEL_")
FINAL_STATES = {"DELIVERED", "ACKNOWLEDGED", "FAILED", "SENT_UNCONFIRMED", "EXPIRED", "CANCELLED", "SUPPRESSED",
                "REJECTED", "NOT_ACKNOWLEDGED"}


def timestamp(seconds):
    """A google.protobuf.Timestamp of Unix seconds."""
    stamp = message("google.protobuf.Timestamp")()
    stamp.FromMicroseconds(round(seconds * 1e6))
    return stamp


def in_seconds(seconds):
    return timestamp(time.time() + seconds)


def request(to, text="Your appointment is tomorrow.", priority="UNSPECIFIED", channel="UNSPECIFIED", **fields):
    """An EnqueueRequest. Priority and channel are names without their prefix, such as "HIGH" and "VOICE"."""
    return message("EnqueueRequest")(to=to, text=text, priority=PRIORITIES[priority], channel=CHANNELS[channel], **fields)


class Details:
    """The details of an error: google.rpc.Status from the trailing metadata."""

    def __init__(self, error_status):
        self.reason, self.domain, self.metadata, self.fields, self.retry_seconds = "", "", {}, [], None
        for detail in error_status.details:
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
    """A client with its API key. Safe to use from several threads."""

    def __init__(self, ingress, audit, key):
        # The minimum bounds one connection attempt, which can take long on a busy machine.
        options = [("grpc.service_config", SERVICE_CONFIG.read_text()),
                   ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 10_000),
                   ("grpc.max_reconnect_backoff_ms", 1000)]
        self.ingress = grpc.insecure_channel(ingress, options)
        self.audit = grpc.insecure_channel(audit, options)
        self.metadata = (("authorization", f"Bearer {key}"),)

    def close(self):
        self.ingress.close()
        self.audit.close()

    def _send(self, grpc_channel, service, method, sent, seconds=REQUEST_SECONDS, response=None):
        stub = grpc_channel.unary_unary(f"/tocsin.v1.{service}/{method}",
                                        request_serializer=lambda message_: message_.SerializeToString(),
                                        response_deserializer=message(response or f"{method}Response").FromString)
        return stub(sent, timeout=seconds, metadata=self.metadata)

    def enqueue(self, sent, seconds=REQUEST_SECONDS):
        return self._send(self.ingress, "AlertService", "Enqueue", sent, seconds)

    def send(self, to, **fields):
        return self.enqueue(request(to, **fields))

    def send_keyed(self, to, key, **fields):
        """Like send(), but retries while the service is unavailable. The idempotency key makes that safe."""
        def attempt():
            try:
                return self.send(to, idempotency_key=key, **fields)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.UNAVAILABLE, error
                return None

        return poll.until(f"the alert to {to} is accepted", attempt)

    def cancel(self, alert_id):
        response = self._send(self.ingress, "AlertService", "Cancel", message("CancelRequest")(alert_id=alert_id))
        return CANCEL_OUTCOMES[response.outcome]

    def acknowledge(self, alert_id, actor_id, person=""):
        """Whether this was the first acknowledgement."""
        sent = message("AcknowledgeRequest")(alert_id=alert_id, actor_id=actor_id, person=person)
        return self._send(self.ingress, "AlertService", "Acknowledge", sent).newly_acknowledged

    def batch(self, requests):
        return self._send(self.ingress, "AlertService", "EnqueueBatch",
                          message("EnqueueBatchRequest")(alerts=requests))

    def stream(self, batches, seconds=600):
        """batches: lists of requests. Yields (number of the batch, results), in any order."""
        stub = self.ingress.stream_stream("/tocsin.v1.AlertService/EnqueueStream",
                                          request_serializer=lambda message_: message_.SerializeToString(),
                                          response_deserializer=message("EnqueueStreamResponse").FromString)
        sent = (message("EnqueueStreamRequest")(request_id=number, alerts=alerts)
                for number, alerts in enumerate(batches))
        for response in stub(sent, timeout=seconds, metadata=self.metadata):
            yield response.request_id, list(response.results)

    def get(self, alert_id, consistency_token=b"", wait_seconds=30):
        sent = message("GetAlertRequest")(alert_id=alert_id, consistency_token=consistency_token)
        if consistency_token:
            sent.wait_duration.FromSeconds(wait_seconds)
        return self._send(self.audit, "StatusService", "GetAlert", sent, wait_seconds + REQUEST_SECONDS, "Alert")

    def watch(self, accepted, seconds=600):
        """Yields the alert of an EnqueueResponse as it is, then after each change."""
        stub = self.audit.unary_stream("/tocsin.v1.StatusService/WatchAlert",
                                       request_serializer=lambda message_: message_.SerializeToString(),
                                       response_deserializer=message("WatchAlertResponse").FromString)
        sent = watch_request(accepted.alert_id, accepted.consistency_token)
        for response in stub(sent, timeout=seconds, metadata=self.metadata):
            yield response.alert

    def list_alerts(self, **fields):
        return self._send(self.audit, "StatusService", "ListAlerts", message("ListAlertsRequest")(**fields))

    def until_state(self, accepted, *states):
        """The alert of an EnqueueResponse, once it is in one of `states` (by default: any final state)."""
        wanted = set(states) or FINAL_STATES
        latest = {}

        def reached():
            latest["alert"] = self.get(accepted.alert_id, accepted.consistency_token)
            return state(latest["alert"]) in wanted and latest["alert"]

        try:
            return poll.until(f"{accepted.alert_id} is {' or '.join(sorted(wanted))}", reached)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{latest.get('alert')}") from None


def watch_request(alert_id, consistency_token=b""):
    """A WatchAlertRequest for one alert, from its current state on."""
    cursor = message("AlertCursor")(alert_id=alert_id, consistency_token=consistency_token)
    return message("WatchAlertRequest")(alerts=[cursor])


def _batches(requests):
    return [requests[at:at + MAX_STREAM_ALERTS] for at in range(0, len(requests), MAX_STREAM_ALERTS)]


def enqueue_all(client, requests):
    """idempotency key -> alert id of all requests. Those that are refused with a retry delay are sent again."""
    accepted, remaining = {}, list(requests)
    while remaining:
        batches, refused = _batches(remaining), []
        for number, results in client.stream(batches):
            for sent, result in zip(batches[number], results):
                if result.HasField("accepted"):
                    accepted[sent.idempotency_key] = result.accepted.alert_id
                else:
                    assert Details(result.error).retry_seconds is not None, result.error
                    refused.append(sent)
        remaining = refused
    return accepted


def state(alert):
    return STATES[alert.state]


def status(attempt):
    return ATTEMPT_STATUSES[attempt.status]


def statuses(alert):
    """The status of each attempt, in order."""
    return [status(attempt) for attempt in alert.attempts]


def descriptions(alert):
    """The texts of the timeline, in order."""
    return [entry.description for entry in alert.timeline]


def health(address, service=""):
    """Whether the server, or that service of it, is serving."""
    sent = message("grpc.health.v1.HealthCheckRequest")(service=service).SerializeToString()
    with grpc.insecure_channel(address) as channel:
        return channel.unary_unary("/grpc.health.v1.Health/Check")(sent, timeout=REQUEST_SECONDS) == HEALTH_SERVING


def reflected_services(address):
    """The raw response of grpc.reflection.v1alpha to list_services. It contains the names in the clear."""
    with grpc.insecure_channel(address) as channel:
        info = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        return b"".join(info(iter([b"\x3a\x00"]), timeout=REQUEST_SECONDS))
