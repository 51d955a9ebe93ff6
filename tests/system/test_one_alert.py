"""Single alerts, from the request to the final state, on a whole stack."""

import hashlib
import json
import time
import uuid

import confluent_kafka.admin
import grpc
import pytest
import yaml

import api
import poll
import stack as stacks

TO = "+15145550123"
NO_REPORT = "+15005555001"  # sent, but there is never a delivery report
TOPICS = stacks.ROOT / "deploy/k8s/components/strimzi/topics.yaml"
NOT_UTF_8 = b"\x0a\x02\xc3\x28"  # the first field of a request, a string


def posts_to(simulator, number):
    return [post for post in simulator.requests() if post["to"] == number]


def error_of(send, *arguments, **fields):
    """The code and the details of the error that the request must end with."""
    with pytest.raises(grpc.RpcError) as caught:
        send(*arguments, **fields)
    return caught.value.code(), api.Details.of(caught.value)


@pytest.fixture(scope="module")
def other_client(stack):
    """Another client of the same installation."""
    key = f"tk_{uuid.uuid4().hex}"
    entry = (f'clients:\n  - id: other\n    api_keys:\n      - {{prefix: "{key[:8]}", sha256: '
             f'"{hashlib.sha256(key.encode()).hexdigest()}", scopes: [send, status]}}\n')
    stack.change_registry(lambda text: text.replace("clients:\n", entry, 1))
    connected = stack.client(key)

    def known():  # in both services: each of them reloads the file
        codes = [error_of(connected.get, str(uuid.uuid4()))[0], error_of(connected.send, "nobody")[0]]
        return codes == [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT]

    poll.until("the services know the new client", known)
    yield connected
    connected.close()


def test_an_alert_is_delivered_and_its_timeline_shows_each_step(client, simulator):  # A1, A2, S1, S3
    accepted = client.send(TO, text="Water main broken.", labels={"ward": "7"})
    assert client.get(accepted.alert_id, accepted.consistency_token).alert_id == accepted.alert_id
    alert = client.until_state(accepted, "DELIVERED")
    (attempt,) = alert.attempts
    (message,) = [message for message in simulator.messages() if message["sid"] == attempt.provider_sid]
    assert (message["to"], message["body"]) == (TO, "Water main broken.")
    descriptions = api.descriptions(alert)
    assert {"Accepted", "Submitting to Twilio", "Accepted by Twilio", "Delivered"} <= set(descriptions), descriptions
    times = [entry.event_time.ToMicroseconds() for entry in alert.timeline]
    assert descriptions[0] == "Accepted" and times == sorted(times)
    assert (alert.client_id, dict(alert.labels), alert.masked_recipient[-4:]) == ("demo", {"ward": "7"}, TO[-4:])
    assert TO not in str(alert) and "Water main" not in str(alert)  # P3


@pytest.mark.parametrize("priority, sender_id", [("EMERGENCY", "emergency"), ("HIGH", "main"), ("NORMAL", "main"),
                                                 ("BULK", "main")])
def test_each_priority_is_delivered_by_its_sender(client, simulator, priority, sender_id):  # A4, V7
    alert = client.until_state(client.send(TO, priority=priority), "DELIVERED")
    assert alert.priority == api.PRIORITIES[priority]
    assert [attempt.sender_id for attempt in alert.attempts] == [sender_id]


def test_the_same_key_and_request_return_the_first_response_again(client, simulator):  # A3
    sent = api.request("+15145550124", idempotency_key=f"visit-{uuid.uuid4()}")
    first, again = client.enqueue(sent), client.enqueue(sent)
    assert not first.replayed and again.replayed
    assert (again.alert_id, again.create_time) == (first.alert_id, first.create_time)
    client.until_state(first, "DELIVERED")
    assert len(posts_to(simulator, "+15145550124")) == 1


def test_the_same_key_with_another_request_is_a_conflict(client):  # A3
    sent = api.request(TO, idempotency_key=f"visit-{uuid.uuid4()}")
    first = client.enqueue(sent)
    sent.text = "Something else."
    code, details = error_of(client.enqueue, sent)
    assert (code, details.reason, details.domain) == (grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_CONFLICT", "tocsin")
    assert details.metadata["alertId"] == first.alert_id


def test_a_key_is_remembered_after_the_ingress_was_killed(stack, client):  # A3
    sent = api.request(TO, idempotency_key=f"visit-{uuid.uuid4()}")
    first = client.enqueue(sent)
    # If it is killed before it has stored the outcome, the retry is published again under the same id.
    poll.until("the outcome is stored", lambda: client.enqueue(sent).replayed)
    stack.kill("ingress-1")
    stack.start("ingress-1")
    again = poll.until("the ingress is available", lambda: _enqueue_if_available(client, sent))
    assert again.replayed and again.alert_id == first.alert_id


def _enqueue_if_available(client, sent):
    try:
        return client.enqueue(sent)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        return None


@pytest.mark.parametrize("fields, reason, field", [
    ({"to": "12345"}, "INVALID_PHONE_FORMAT", "to"),
    ({"to": ""}, "INVALID_PHONE_FORMAT", "to"),
    ({"to": "+1514555012x"}, "INVALID_PHONE_FORMAT", "to"),
    ({"to": TO, "text": ""}, "INVALID_ARGUMENT", "text"),
    ({"to": TO, "text": "x" * 1601}, "TEXT_TOO_LONG", "text"),
    ({"to": TO, "idempotency_key": "k" * 65}, "INVALID_ARGUMENT", "idempotency_key"),
    ({"to": TO, "expire_time": api.timestamp(1)}, "INVALID_ARGUMENT", "expire_time"),
    ({"to": TO, "labels": {str(i): "" for i in range(17)}}, "TOO_MANY_ITEMS", "labels"),
], ids=lambda value: str(value)[:40])
def test_an_invalid_request_is_refused_with_the_name_of_the_field(client, fields, reason, field):  # A1, L6
    code, details = error_of(client.send, **fields)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert (details.domain, details.reason, details.fields) == ("tocsin", reason, [field])


@pytest.mark.parametrize("channel, method", [("ingress", "AlertService/Enqueue"), ("ingress", "AlertService/Cancel"),
                                             ("audit", "StatusService/GetAlert")])
def test_a_request_that_cannot_be_parsed_is_refused_with_a_reason(client, channel, method):  # A1
    send = getattr(client, channel).unary_unary(f"/tocsin.v1.{method}", request_serializer=lambda bytes_: bytes_)
    code, details = error_of(send, NOT_UTF_8, metadata=client.metadata, timeout=api.REQUEST_SECONDS)
    assert (code, details.domain, details.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "tocsin", "INVALID_ARGUMENT")


def test_an_unknown_method_is_unimplemented(client):
    send = client.ingress.unary_unary("/tocsin.v1.AlertService/Nothing")
    assert error_of(send, NOT_UTF_8, timeout=api.REQUEST_SECONDS)[0] == grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_ends_at_a_request_that_cannot_be_parsed_after_the_responses_to_earlier_ones(client):  # A1
    good = api.message("EnqueueStreamRequest")(request_id=7, alerts=[api.request(TO)]).SerializeToString()
    stub = client.ingress.stream_stream("/tocsin.v1.AlertService/EnqueueStream", request_serializer=lambda bytes_: bytes_,
                                        response_deserializer=api.message("EnqueueStreamResponse").FromString)
    responses = stub(iter([good, b"\x12" + bytes([len(NOT_UTF_8)]) + NOT_UTF_8, good]), metadata=client.metadata,
                     timeout=api.REQUEST_SECONDS)
    assert next(responses).request_id == 7
    code, details = error_of(next, responses)
    assert (code, details.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")


def test_a_method_that_is_not_implemented_yet_is_refused_with_its_name(client):
    dry_run = client.ingress.unary_unary("/tocsin.v1.AlertService/DryRun",
                                         request_serializer=lambda message_: message_.SerializeToString())
    sent = api.message("DryRunRequest")(alert=api.request(TO))
    with pytest.raises(grpc.RpcError) as caught:
        dry_run(sent, metadata=client.metadata, timeout=api.REQUEST_SECONDS)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert api.Details.of(caught.value).reason == "UNIMPLEMENTED" and "DryRun" in caught.value.details()


@pytest.mark.parametrize("key", ["tk_0123456789abcdef", "x", ""])
def test_an_unknown_key_is_unauthenticated(stack, key):  # A6
    unknown = stack.client(key or " ")
    for send in (lambda: unknown.send(TO), lambda: unknown.get(str(uuid.uuid4()))):
        code, details = error_of(send)
        assert (code, details.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    unknown.close()


def test_the_alert_of_another_client_is_not_found(client, other_client):  # A2
    accepted = client.send(TO)
    client.until_state(accepted)
    code, details = error_of(other_client.get, accepted.alert_id)
    assert (code, details.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def test_two_clients_may_use_the_same_key(client, other_client):  # A3
    sent = api.request(TO, idempotency_key=f"visit-{uuid.uuid4()}")
    first, second = client.enqueue(sent), other_client.enqueue(sent)
    assert first.alert_id != second.alert_id and not second.replayed


def test_an_invalid_item_of_a_batch_does_not_affect_the_others(client):  # A1
    results = client.batch([api.request(TO), api.request("nobody"), api.request(TO)]).results
    assert [result.WhichOneof("outcome") for result in results] == ["accepted", "error", "accepted"]
    details = api.Details(results[1].error)
    assert (details.reason, details.fields) == ("INVALID_PHONE_FORMAT", ["to"])
    for result in (results[0], results[2]):
        client.until_state(result.accepted, "DELIVERED")


def test_a_stream_returns_a_response_for_each_request_and_continues_after_invalid_items(client):  # A1
    responses = dict(client.stream([[api.request(TO), api.request("nobody")], [api.request(TO)] * 3]))
    outcomes = {number: [result.WhichOneof("outcome") for result in results] for number, results in responses.items()}
    assert outcomes == {0: ["accepted", "error"], 1: ["accepted"] * 3}
    ids = [result.accepted.alert_id for results in responses.values() for result in results
           if result.HasField("accepted")]
    assert len(set(ids)) == len(ids) == 4


def test_an_expired_alert_is_never_sent(client, simulator):  # A5
    now = time.time()
    accepted = client.send("+15145550125", send_time=api.timestamp(now + 2), expire_time=api.timestamp(now + 2.5))
    alert = client.until_state(accepted)
    assert (api.state(alert), alert.reason) == ("EXPIRED", "EXPIRED")
    assert not posts_to(simulator, "+15145550125")


def test_an_alert_is_not_sent_before_its_send_time(client, simulator):  # A5
    send_time = time.time() + 3
    accepted = client.send("+15145550126", send_time=api.timestamp(send_time))
    client.until_state(accepted, "DELIVERED")
    (post,) = posts_to(simulator, "+15145550126")
    assert post["at_us"] >= int(send_time * 1e6)


def test_an_alert_that_is_cancelled_in_time_is_never_sent(client, simulator):  # A2
    accepted = client.send("+15145550171", send_time=api.in_seconds(2))
    assert [client.cancel(accepted.alert_id) for _ in range(2)] == ["CANCELLED", "CANCELLED"]
    client.until_state(accepted, "CANCELLED")
    poll.until("its attempt is cancelled when it is due",
               lambda: "CANCELLED" in api.statuses(client.get(accepted.alert_id)))
    assert not posts_to(simulator, "+15145550171")
    assert api.state(client.get(accepted.alert_id)) == "CANCELLED"


def test_a_cancel_after_the_post_is_too_late(client, other_client):  # A2
    accepted = client.send(NO_REPORT)
    client.until_state(accepted, "SENT")
    assert client.cancel(accepted.alert_id) == "TOO_LATE"
    code, details = error_of(other_client.cancel, accepted.alert_id)
    assert (code, details.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def test_a_cancel_of_a_delivered_alert_reports_that_it_has_ended(client):  # A2
    accepted = client.send("+15145550172")
    client.until_state(accepted, "DELIVERED")
    poll.until("the worker has processed the callback", lambda: client.cancel(accepted.alert_id) == "ALREADY_ENDED")
    assert api.state(client.get(accepted.alert_id)) == "DELIVERED"


def test_the_first_acknowledgement_counts(client):  # V6
    accepted = client.send("+15145550173", send_time=api.in_seconds(60))
    assert client.acknowledge(accepted.alert_id, "user-7")
    assert not client.acknowledge(accepted.alert_id, "user-8")
    alert = client.until_state(accepted, "ACKNOWLEDGED")
    assert any("user-7" in description for description in api.descriptions(alert))
    assert [acknowledgement.actor_id for acknowledgement in alert.acknowledgements] == ["user-7"]


def test_nothing_is_sent_after_stop_until_start(stack, client, simulator):  # S4, S7
    number, inbound = "+15145550127", stack.env["TOCSIN_PUBLIC_BASE_URL"] + "/twilio/sms/inbound"
    assert simulator.inbound(number, " Stop ", inbound)["status"] == 200

    def suppressed_without_a_post():
        before = len(posts_to(simulator, number))
        alert = client.until_state(client.send(number))
        assert (api.state(alert), alert.reason) == ("SUPPRESSED", "OPTED_OUT")
        return len(posts_to(simulator, number)) == before

    poll.until("the worker has read the STOP", suppressed_without_a_post)
    assert simulator.inbound(number, "START", inbound)["status"] == 200
    poll.until("the worker has read the START",
               lambda: api.state(client.until_state(client.send(number))) == "DELIVERED")


@pytest.mark.parametrize("to, code, attempt_status", [
    ("+15005550009", 21614, "FAILED"),  # refused by Twilio
    ("+15005553005", 30005, "UNDELIVERED"),  # refused by the carrier
])
def test_a_permanent_failure_ends_the_alert_with_the_code_from_twilio(client, simulator, to, code, attempt_status):  # S3, R2
    alert = client.until_state(client.send(to))
    (attempt,) = alert.attempts
    assert (api.state(alert), alert.reason) == ("FAILED", "TWILIO_API_ERROR")
    assert (attempt.provider_code, api.status(attempt)) == (code, attempt_status)
    assert attempt.explanation and len(posts_to(simulator, to)) == 1


def test_an_alert_is_retried_after_a_rate_limit(client, simulator):  # R2
    simulator.faults(next=[{"kind": "429", "retry_after": 1}])
    alert = client.until_state(client.send("+15145550128"), "DELIVERED")
    assert api.statuses(alert) == ["FAILED", "DELIVERED"]
    first, second = posts_to(simulator, "+15145550128")
    assert second["at_us"] - first["at_us"] >= 1_000_000  # Retry-After


def test_an_attempt_in_doubt_is_not_resent_if_the_client_requests_it(client, simulator):  # R4
    simulator.faults(next=[{"kind": "500"}])
    alert = client.until_state(client.send("+15145550129", in_doubt_policy=api.IN_DOUBT_FAIL), "FAILED")
    assert alert.reason == "IN_DOUBT" and [attempt.was_in_doubt for attempt in alert.attempts] == [True]
    assert [post["accepted"] for post in posts_to(simulator, "+15145550129")] == [False]


@pytest.mark.parametrize("fault", ["500_after", "reset_after", "502_html_after"])
def test_an_attempt_in_doubt_is_resolved_by_the_callback(client, simulator, fault):  # R4, W5
    number = f"+1514555{2000 + len(fault):04}"
    simulator.faults(next=[{"kind": fault}])
    alert = client.until_state(client.send(number), "DELIVERED")
    assert [attempt.was_in_doubt for attempt in alert.attempts] == [True]
    (post,) = posts_to(simulator, number)
    assert post["accepted"] and alert.attempts[0].provider_sid == post["sid"]


def test_early_repeated_and_reordered_callbacks_lead_to_the_same_state(client, simulator):  # W5
    simulator.faults(create={"rate_early": 1, "early_ms": 300}, callback={"rate_double": 0.5, "rate_reorder": 0.5})
    accepted = [client.send(f"+151455530{number:02}") for number in range(10)]
    for response in accepted:
        assert api.statuses(client.until_state(response, "DELIVERED")) == ["DELIVERED"]


def test_the_command_line_sends_gets_cancels_and_acknowledges(stack, client):  # O9
    sent = stack.tocsin("--output", "json", "send", "--to", TO, "--text", "By hand.")
    assert sent.returncode == 0, sent.stderr
    accepted = json.loads(sent.stdout)
    alert_id = accepted["alert_id"]
    shown = stack.tocsin("get", alert_id, "--consistency-token", accepted["consistency_token"])
    assert shown.returncode == 0 and b"Accepted" in shown.stdout, shown
    poll.until("delivered", lambda: _shown(stack, alert_id).get("state") == "DELIVERED")
    assert stack.tocsin("send", "--to", "nobody", "--text", "x").returncode == 1
    assert stack.tocsin("cancel", alert_id).returncode == 1  # too late
    assert _shown(stack, alert_id)["reach"] == "DELIVERED"
    assert stack.tocsin("ack", alert_id, "--actor-id", "user-7").returncode == 0
    assert stack.tocsin("send").returncode == 2


def _shown(stack, alert_id):
    shown = stack.tocsin("--output", "json", "get", alert_id)
    return json.loads(shown.stdout) if shown.returncode == 0 else {}


@pytest.mark.parametrize("setting, service", [("TOCSIN_INGRESS_GRPC", "AlertService"),
                                              ("TOCSIN_AUDIT_GRPC", "StatusService")])
def test_health_and_reflection_are_served(stack, setting, service):  # A9, O2
    address = stack.env[setting]
    assert api.health(address)
    assert f"tocsin.v1.{service}".encode() in api.reflected_services(address)


def topics_of_the_manifests():
    """Name -> partitions and configuration."""
    text = lambda value: value if isinstance(value, str) else json.dumps(value)
    return {topic["metadata"]["name"]: (topic["spec"]["partitions"],
                                        {name: text(value) for name, value in topic["spec"]["config"].items()})
            for topic in yaml.safe_load_all(TOPICS.read_text())}


def topics_of_the_broker(bootstrap):
    """Name -> partitions and what is configured for the topic itself."""
    admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": bootstrap})
    topics = {name: topic for name, topic in admin.list_topics(timeout=api.REQUEST_SECONDS).topics.items()
              if name.startswith("tocsin.")}
    described = admin.describe_configs([confluent_kafka.admin.ConfigResource("topic", name) for name in topics],
                                       request_timeout=api.REQUEST_SECONDS)
    own = confluent_kafka.admin.ConfigSource.DYNAMIC_TOPIC_CONFIG.value
    return {resource.name: (len(topics[resource.name].partitions), {
        entry.name: entry.value for entry in described[resource].result().values() if entry.source == own})
            for resource in described}


def test_the_services_create_the_topics_of_the_manifests(stack):  # O7
    wanted, created = topics_of_the_manifests(), topics_of_the_broker(stack.env["TOCSIN_KAFKA_BOOTSTRAP"])
    for _, configuration in [*wanted.values(), *created.values()]:
        del configuration["min.insync.replicas"]  # set for the number of brokers: TOCSIN_KAFKA_MIN_INSYNC
    assert created == wanted
