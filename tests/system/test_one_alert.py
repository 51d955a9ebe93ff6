"""One alert at a time, from the caller's call to its end, on a whole stack."""

import hashlib
import json
import time
import uuid

import grpc
import pytest

import api
import poll

TO = "+15145550123"
NOT_UTF_8 = b"\x0a\x02\xc3\x28"  # the first field of a request, a string


def posts_to(simulator, number):
    return [post for post in simulator.requests() if post["to"] == number]


def refusal(call, *arguments, **fields):
    """The code and the details of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        call(*arguments, **fields)
    return caught.value.code(), api.Details.of(caught.value)


@pytest.fixture(scope="module")
def stranger(stack):
    """Another client of the same installation."""
    key = f"tk_{uuid.uuid4().hex}"
    entry = (f'clients:\n  - id: stranger\n    api_keys:\n      - {{prefix: "{key[:8]}", sha256: '
             f'"{hashlib.sha256(key.encode()).hexdigest()}", scopes: [send, status]}}\n')
    stack.change_registry(lambda text: text.replace("clients:\n", entry, 1))
    caller = stack.client(key)

    def known():  # to both services: each follows the file by itself
        codes = [refusal(caller.get, str(uuid.uuid4()))[0], refusal(caller.send, "nobody")[0]]
        return codes == [grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT]

    poll.until("the services know the new client", known)
    yield caller
    caller.close()


def test_an_alert_is_delivered_and_its_timeline_tells_so_in_plain_words(client, simulator):  # A1, A2, S1, S3
    accepted = client.send(TO, text="Water main broken.", labels={"ward": "7"})
    first_seen = client.get(accepted.alert_id, accepted.position)
    assert first_seen.alert_id == accepted.alert_id
    alert = client.until_state(accepted, "DELIVERED")
    (attempt,) = alert.tries
    (message,) = [message for message in simulator.messages() if message["sid"] == attempt.provider_sid]
    assert (message["to"], message["body"]) == (TO, "Water main broken.")
    told = [entry.what for entry in alert.timeline]
    assert told[0] == "Accepted." and any(what.startswith("Delivered") for what in told), told
    assert "Twilio has it" in " ".join(told)
    times = [entry.time.ToMicroseconds() for entry in alert.timeline]
    assert times == sorted(times)
    assert (alert.client_id, dict(alert.labels), alert.recipient[-4:]) == ("demo", {"ward": "7"}, TO[-4:])
    assert TO not in str(alert) and "Water main" not in str(alert)  # P3


@pytest.mark.parametrize("alert_class, sender", [("EMERGENCY", "emergency"), ("HIGH", "main"), ("NORMAL", "main"),
                                                 ("BULK", "main")])
def test_each_class_is_delivered_by_its_sender(client, simulator, alert_class, sender):  # A4, V7
    alert = client.until_state(client.send(TO, alert_class=alert_class), "DELIVERED")
    assert getattr(alert, "class") == api.CLASSES[alert_class]
    assert [attempt.sender for attempt in alert.tries] == [sender]


def test_the_same_key_and_request_get_the_first_answer_again(client, simulator):  # A3
    sent = api.request("+15145550124", idempotency_key=f"visit-{uuid.uuid4()}")
    first, again = client.enqueue(sent), client.enqueue(sent)
    assert not first.replayed and again.replayed
    assert (again.alert_id, again.accept_time) == (first.alert_id, first.accept_time)
    client.until_state(first, "DELIVERED")
    assert len(posts_to(simulator, "+15145550124")) == 1


def test_the_same_key_with_another_request_is_a_conflict(client):  # A3
    sent = api.request(TO, idempotency_key=f"visit-{uuid.uuid4()}")
    first = client.enqueue(sent)
    sent.text = "Something else."
    code, details = refusal(client.enqueue, sent)
    assert (code, details.reason, details.domain) == (grpc.StatusCode.ALREADY_EXISTS, "IDEMPOTENCY_CONFLICT", "tocsin")
    assert details.metadata["alertId"] == first.alert_id


def test_a_key_is_remembered_when_the_ingress_was_killed(stack, client):  # A3
    sent = api.request(TO, idempotency_key=f"visit-{uuid.uuid4()}")
    first = client.enqueue(sent)
    # What is killed before it could note its answer publishes again, under the same id.
    poll.until("the answer is noted", lambda: client.enqueue(sent).replayed)
    stack.kill("ingress-1")
    stack.start("ingress-1")
    again = poll.until("the ingress answers again", lambda: _try_again(client, sent))
    assert again.replayed and again.alert_id == first.alert_id


def _try_again(client, sent):
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
    ({"to": TO, "expires_at": api.timestamp(1)}, "INVALID_ARGUMENT", "expires_at"),
    ({"to": TO, "labels": {str(i): "" for i in range(17)}}, "TOO_MANY_ITEMS", "labels"),
], ids=lambda value: str(value)[:40])
def test_a_request_with_a_fault_is_refused_and_the_field_is_named(client, fields, reason, field):  # A1, L6
    code, details = refusal(client.send, **fields)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert (details.domain, details.reason, details.fields) == ("tocsin", reason, [field])


@pytest.mark.parametrize("channel, method", [("ingress", "AlertService/Enqueue"), ("ingress", "AlertService/Cancel"),
                                             ("audit", "StatusService/GetAlert")])
def test_bytes_that_are_no_request_are_refused_with_a_reason(client, channel, method):  # A1
    call = getattr(client, channel).unary_unary(f"/tocsin.v1.{method}", request_serializer=lambda bytes_: bytes_)
    code, details = refusal(call, NOT_UTF_8, metadata=client.metadata, timeout=api.CALL_SECONDS)
    assert (code, details.domain, details.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "tocsin", "INVALID_ARGUMENT")


def test_a_method_that_nobody_serves_stays_unimplemented(client):
    call = client.ingress.unary_unary("/tocsin.v1.AlertService/Nothing")
    assert refusal(call, NOT_UTF_8, timeout=api.CALL_SECONDS)[0] == grpc.StatusCode.UNIMPLEMENTED


def test_a_stream_ends_at_bytes_that_are_no_frame_and_answers_those_before(client):  # A1
    good = api.message("EnqueueStreamRequest")(frame=7, alerts=[api.request(TO)]).SerializeToString()
    call = client.ingress.stream_stream("/tocsin.v1.AlertService/EnqueueStream", request_serializer=lambda bytes_: bytes_,
                                        response_deserializer=api.message("EnqueueStreamResponse").FromString)
    answers = call(iter([good, b"\x12" + bytes([len(NOT_UTF_8)]) + NOT_UTF_8, good]), metadata=client.metadata,
                   timeout=api.CALL_SECONDS)
    assert next(answers).frame == 7
    code, details = refusal(next, answers)
    assert (code, details.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")


def test_what_is_not_built_is_refused_by_name(client):
    code, details = refusal(client.send, TO, plan=[api.message("PlanStep")(channel=1)])
    assert (code, details.reason, details.fields) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_BUILT", ["plan"])


@pytest.mark.parametrize("key", ["tk_0123456789abcdef", "x", ""])
def test_an_unknown_key_is_not_served(stack, key):  # A6
    caller = stack.client(key or " ")
    for call in (lambda: caller.send(TO), lambda: caller.get(str(uuid.uuid4()))):
        code, details = refusal(call)
        assert (code, details.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    caller.close()


def test_another_clients_alert_does_not_exist(client, stranger):  # A2
    accepted = client.send(TO)
    client.until_state(accepted)
    code, details = refusal(stranger.get, accepted.alert_id)
    assert (code, details.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def test_two_clients_may_use_the_same_key(client, stranger):  # A3
    sent = api.request(TO, idempotency_key=f"visit-{uuid.uuid4()}")
    first, second = client.enqueue(sent), stranger.enqueue(sent)
    assert first.alert_id != second.alert_id and not second.replayed


def test_a_bad_item_of_a_batch_harms_no_other(client):  # A1
    results = client.batch([api.request(TO), api.request("nobody"), api.request(TO)]).results
    assert [result.WhichOneof("outcome") for result in results] == ["accepted", "error", "accepted"]
    details = api.Details(results[1].error)
    assert (details.reason, details.fields) == ("INVALID_PHONE_FORMAT", ["to"])
    for result in (results[0], results[2]):
        client.until_state(result.accepted, "DELIVERED")


def test_a_stream_answers_each_frame_and_outlives_bad_items(client):  # A1
    frames = [[api.request(TO), api.request("nobody")], [api.request(TO)] * 3]
    answers = dict(client.stream(frames))
    kinds = {frame: [result.WhichOneof("outcome") for result in results] for frame, results in answers.items()}
    assert kinds == {0: ["accepted", "error"], 1: ["accepted"] * 3}
    taken = [result.accepted.alert_id for results in answers.values() for result in results
             if result.HasField("accepted")]
    assert len(set(taken)) == len(taken) == 4


def test_an_alert_that_expired_is_never_sent(client, simulator):  # A5
    now = time.time()
    accepted = client.send("+15145550125", send_at=api.timestamp(now + 2), expires_at=api.timestamp(now + 2.5))
    alert = client.until_state(accepted)
    assert (api.state(alert), alert.reason) == ("EXPIRED", "EXPIRED")
    assert not posts_to(simulator, "+15145550125")


def test_an_alert_is_not_sent_before_its_time(client, simulator):  # A5
    send_at = time.time() + 3
    accepted = client.send("+15145550126", send_at=api.timestamp(send_at))
    client.until_state(accepted, "DELIVERED")
    (post,) = posts_to(simulator, "+15145550126")
    assert post["at_us"] >= int(send_at * 1e6)


def test_an_alert_that_was_cancelled_in_time_is_never_sent(client, simulator):  # A2
    accepted = client.send("+15145550171", send_at=api.in_seconds(2))
    assert [client.cancel(accepted.alert_id) for _ in range(2)] == ["CANCELLED", "CANCELLED"]
    client.until_state(accepted, "CANCELLED")
    poll.until("its try is stopped when its time comes",
               lambda: "CANCELLED" in map(api.status, client.get(accepted.alert_id).tries))
    assert not posts_to(simulator, "+15145550171")
    assert api.state(client.get(accepted.alert_id)) == "CANCELLED"


def test_a_cancel_after_the_post_is_too_late_and_says_so(client, stranger):  # A2
    accepted = client.send("+15145550172")
    client.until_state(accepted, "DELIVERED")
    assert client.cancel(accepted.alert_id) == "TOO_LATE"
    code, details = refusal(stranger.cancel, accepted.alert_id)
    assert (code, details.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


def test_an_acknowledgement_names_the_first_who_gave_it(client):  # V6
    accepted = client.send("+15145550173", send_at=api.in_seconds(60))
    assert client.acknowledge(accepted.alert_id, "user-7")
    assert not client.acknowledge(accepted.alert_id, "user-8")
    alert = client.until_state(accepted, "ACKNOWLEDGED")
    assert any("user-7" in entry.what for entry in alert.timeline)


def test_who_said_stop_is_sent_nothing_and_who_said_start_is(stack, client, simulator):  # S4, S7
    number, inbound = "+15145550127", stack.env["TOCSIN_PUBLIC_BASE_URL"] + "/twilio/sms/inbound"
    assert simulator.inbound(number, " Stop ", inbound)["status"] == 200

    def withheld_without_a_post():
        before = len(posts_to(simulator, number))
        alert = client.until_state(client.send(number))
        assert (api.state(alert), alert.reason) == ("SUPPRESSED", "OPTED_OUT")
        return len(posts_to(simulator, number)) == before

    poll.until("the worker has learned of the STOP", withheld_without_a_post)
    assert simulator.inbound(number, "START", inbound)["status"] == 200
    poll.until("the worker has learned of the START",
               lambda: api.state(client.until_state(client.send(number))) == "DELIVERED")


@pytest.mark.parametrize("to, code, attempt_status", [
    ("+15005550009", 21614, "FAILED"),  # refused by Twilio
    ("+15005553005", 30005, "UNDELIVERED"),  # refused by the carrier
])
def test_a_permanent_failure_ends_the_alert_with_twilios_code(client, simulator, to, code, attempt_status):  # S3, R2
    alert = client.until_state(client.send(to))
    (attempt,) = alert.tries
    assert (api.state(alert), alert.reason) == ("FAILED", "TWILIO_API_ERROR")
    assert (attempt.provider_code, api.status(attempt)) == (code, attempt_status)
    assert attempt.explanation and len(posts_to(simulator, to)) == 1


def test_an_alert_that_met_a_rate_limit_is_tried_again(client, simulator):  # R2
    simulator.faults(next=[{"kind": "429", "retry_after": 1}])
    alert = client.until_state(client.send("+15145550128"), "DELIVERED")
    assert [api.status(attempt) for attempt in alert.tries] == ["FAILED", "DELIVERED"]
    first, second = posts_to(simulator, "+15145550128")
    assert second["at_us"] - first["at_us"] >= 1_000_000  # Retry-After


def test_a_try_in_doubt_is_not_sent_again(client, simulator):  # R4
    simulator.faults(next=[{"kind": "500"}])
    alert = client.until_state(client.send("+15145550129"), "FAILED")
    assert alert.reason == "IN_DOUBT" and [attempt.doubted for attempt in alert.tries] == [True]
    assert [post["accepted"] for post in posts_to(simulator, "+15145550129")] == [False]


@pytest.mark.parametrize("fault", ["500_after", "reset_after", "502_html_after"])
def test_a_doubt_is_settled_by_the_callback(client, simulator, fault):  # R4, W5
    number = f"+1514555{2000 + len(fault):04}"
    simulator.faults(next=[{"kind": fault}])
    alert = client.until_state(client.send(number), "DELIVERED")
    assert [attempt.doubted for attempt in alert.tries] == [True]
    (post,) = posts_to(simulator, number)
    assert post["accepted"] and alert.tries[0].provider_sid == post["sid"]


def test_callbacks_that_come_before_the_answer_twice_and_out_of_order_end_the_same(client, simulator):  # W5
    simulator.faults(create={"rate_early": 1, "early_ms": 300}, callback={"rate_double": 0.5, "rate_reorder": 0.5})
    accepted = [client.send(f"+151455530{number:02}") for number in range(10)]
    for answer in accepted:
        assert [api.status(attempt) for attempt in client.until_state(answer, "DELIVERED").tries] == ["DELIVERED"]


def test_the_command_line_sends_and_tells(stack, client):  # O9
    sent = stack.tocsin("--output", "json", "send", "--to", TO, "--text", "By hand.")
    assert sent.returncode == 0, sent.stderr
    alert_id = json.loads(sent.stdout)["alert_id"]
    poll.until("delivered", lambda: _told(stack, alert_id).get("state") == "DELIVERED")
    assert stack.tocsin("send", "--to", "nobody", "--text", "x").returncode == 1
    assert stack.tocsin("cancel", alert_id).returncode == 1  # too late
    assert stack.tocsin("ack", alert_id, "--by", "user-7").returncode == 0
    assert stack.tocsin("send").returncode == 2


def _told(stack, alert_id):
    told = stack.tocsin("--output", "json", "status", alert_id)
    return json.loads(told.stdout) if told.returncode == 0 else {}


@pytest.mark.parametrize("setting, service", [("TOCSIN_INGRESS_GRPC", "AlertService"),
                                              ("TOCSIN_AUDIT_GRPC", "StatusService")])
def test_health_and_reflection_answer(stack, setting, service):  # A9, O2
    address = stack.env[setting]
    assert api.health(address)
    assert f"tocsin.v1.{service}".encode() in api.reflected_services(address)
