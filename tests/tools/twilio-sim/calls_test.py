"""Calls of the simulator, through Twilio's official Python SDK (Q2, V1, V2, V4)."""

import json
import socket
import threading
import urllib.error

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Gather, VoiceResponse

from sim import ACCOUNT, FROM, TO, TOKEN, free_port, wait_for_status, wait_until

EVENTS = ["initiated", "ringing", "answered", "completed"]
HELLO = "<Response><Say>Hello.</Say></Response>"
SIMULATOR_FLAGS = ("--call-second", "10")
pytestmark = pytest.mark.usefixtures("clean")


def record(simulator, sid):
    return next(call for call in simulator.lines("/sim/calls") if call["sid"] == sid)


def heard(simulator, sid, kind="say"):
    return [m["text"] for m in record(simulator, sid)["heard"] if m["kind"] == kind]


def ends(simulator, sid, status="completed"):
    return wait_for_status(simulator.client().calls(sid), status)


def test_a_created_call_has_the_documented_types(simulator):
    call = simulator.client().calls.create(to=TO, from_=FROM, twiml=HELLO)
    assert call.sid.startswith("CA") and len(call.sid) == 34
    assert (call.account_sid, call.to, call._from) == (ACCOUNT, TO, FROM)
    assert (call.status, call.direction, call.price_unit) == ("queued", "outbound-api", "USD")
    assert call.to_formatted == "(514) 555-0123" and call.phone_number_sid.startswith("PN")
    for absent in ("start_time", "end_time", "duration", "price", "answered_by", "date_created",
                   "parent_call_sid", "group_sid", "trunk_sid", "forwarded_from", "caller_name"):
        assert getattr(call, absent) is None, absent
    assert call.queue_time == "0"
    assert call.uri == f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{call.sid}.json"


def test_a_call_is_answered_speaks_its_text_and_ends(simulator):  # V1
    sid = simulator.client().calls.create(to=TO, from_=FROM, twiml=HELLO).sid
    ended = ends(simulator, sid)
    assert heard(simulator, sid) == ["Hello."]
    assert int(ended.duration) >= 1 and ended.start_time <= ended.end_time
    assert ended.answered_by is None
    assert wait_until(lambda: simulator.client().calls(sid).fetch().price) == "-0.01400"


def test_every_event_has_a_signed_callback_in_sequence(simulator, receiver):  # V2
    url = receiver.url("/status/token-1?x=%2F&y=a+b")
    sid = simulator.client().calls.create(to=TO, from_=FROM, twiml=HELLO, status_callback=url,
                                          status_callback_event=EVENTS).sid
    callbacks = []
    for number, status in enumerate(["initiated", "ringing", "in-progress", "completed"]):
        path, headers, fields = receiver.next()
        assert receiver.url(path) == url
        assert RequestValidator(TOKEN).validate(url, fields, headers["X-Twilio-Signature"])
        assert (fields["CallStatus"], fields["SequenceNumber"]) == (status, str(number))
        assert (fields["CallSid"], fields["AccountSid"]) == (sid, ACCOUNT)
        assert (fields["To"], fields["Called"]) == (TO, TO)
        assert (fields["From"], fields["Caller"]) == (FROM, FROM)
        assert fields["CallbackSource"] == "call-progress-events"
        assert fields["Direction"] == "outbound-api" and fields["ApiVersion"] == "2010-04-01"
        assert fields["Timestamp"].endswith("+0000")
        assert ("StirStatus" in fields) == (status in ("ringing", "in-progress"))
        assert ("CallDuration" in fields) == (status == "completed")
        assert headers["I-Twilio-Idempotency-Token"]
        callbacks.append(fields)
    assert int(callbacks[-1]["CallDuration"]) >= 1 and callbacks[-1]["Duration"] == "1"
    assert callbacks[-1]["SipResponseCode"] == "200"


def test_by_default_only_the_end_has_a_callback(simulator, receiver):
    simulator.client().calls.create(to=TO, from_=FROM, twiml=HELLO,
                                    status_callback=receiver.url("/cb"))
    fields = receiver.next()[2]
    assert (fields["CallStatus"], fields["SequenceNumber"]) == ("completed", "0")


def test_a_get_callback_is_signed_over_its_query(simulator, receiver):
    simulator.client().calls.create(to=TO, from_=FROM, twiml=HELLO,
                                    status_callback=receiver.url("/cb?id=7"),
                                    status_callback_method="GET")
    path, headers, fields = receiver.next()
    assert path.startswith("/cb?id=7&") and fields["CallStatus"] == "completed"
    assert RequestValidator(TOKEN).validate(receiver.url(path), {}, headers["X-Twilio-Signature"])


@pytest.mark.parametrize("script, status, sip", [
    ({"answer": "busy"}, "busy", "486"),
    ({"answer": "reject"}, "busy", "603"),
    ({"answer": "no-answer"}, "no-answer", "487"),
    ({"ring_s": 90}, "no-answer", "487"),
    ({"answer": "unreachable"}, "failed", "404"),
    ({"answer": "unreachable", "sip": 480}, "failed", "480"),
])
def test_a_call_without_an_answer_has_its_cause(simulator, receiver, script, status, sip):  # V8
    simulator.control("/sim/phones", {TO: script})
    sid = simulator.client().calls.create(to=TO, from_=FROM, twiml=HELLO, timeout=10,
                                          status_callback=receiver.url("/cb")).sid
    fields = receiver.next()[2]
    assert (fields["CallStatus"], fields["SipResponseCode"]) == (status, sip)
    assert fields["CallDuration"] == "0" and "Duration" not in fields
    ended = simulator.client().calls(sid).fetch()
    assert (ended.status, ended.duration, ended.price) == (status, "0", None)
    assert heard(simulator, sid) == []


@pytest.mark.parametrize("number, status", [
    ("+15005556486", "busy"), ("+15005556487", "no-answer"), ("+15005556603", "busy"),
    ("+15005556503", "failed"), ("+15005556200", "completed")])
def test_magic_numbers_have_outcomes(simulator, number, status):
    sid = simulator.client().calls.create(to=number, from_=FROM, twiml=HELLO, timeout=5).sid
    ends(simulator, sid, status)


def gather_document(action, **attributes):
    response = VoiceResponse()
    gather = Gather(action=action, num_digits=1, timeout=5, **attributes)
    gather.say("Press 1 to acknowledge.", language="en-CA", voice="alice")
    response.append(gather)
    response.say("No input.")
    response.redirect("/again")
    return str(response)


def test_keys_are_posted_to_the_action_and_its_document_continues(simulator, receiver):  # V4
    receiver.documents["/twiml"] = gather_document("/gather?a=1")
    receiver.documents["/gather"] = "<Response><Say>Thank &amp; you.</Say><Hangup/></Response>"
    simulator.control("/sim/phones", {TO: {"keys": ["1"]}})
    sid = simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/twiml?t=1")).sid
    path, headers, fields = receiver.next()
    assert path == "/twiml?t=1" and fields["CallStatus"] == "in-progress"
    assert RequestValidator(TOKEN).validate(receiver.url(path), fields,
                                            headers["X-Twilio-Signature"])
    path, headers, fields = receiver.next()
    assert path == "/gather?a=1" and (fields["Digits"], fields["msg"]) == ("1", "Gather End")
    assert RequestValidator(TOKEN).validate(receiver.url(path), fields,
                                            headers["X-Twilio-Signature"])
    ends(simulator, sid)
    assert heard(simulator, sid) == ["Press 1 to acknowledge.", "Thank & you."]
    assert heard(simulator, sid, "digits") == ["1"]
    said = next(m for m in record(simulator, sid)["heard"] if m["kind"] == "say")
    assert (said["language"], said["voice"]) == ("en-CA", "alice")


def test_without_keys_the_document_continues_after_the_gather(simulator, receiver):
    receiver.documents["/twiml"] = gather_document("/gather")
    receiver.documents["/again"] = "<Response><Hangup/></Response>"
    sid = simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/twiml")).sid
    assert [receiver.next()[0] for _ in range(2)] == ["/twiml", "/again"]
    ends(simulator, sid)
    assert heard(simulator, sid) == ["Press 1 to acknowledge.", "No input."]


def test_an_empty_result_is_posted_if_the_document_requests_it(simulator, receiver):
    receiver.documents["/twiml"] = gather_document("/gather", action_on_empty_result=True)
    simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/twiml"))
    receiver.next()
    assert receiver.next()[2]["Digits"] == ""


def test_finish_key_and_several_digits(simulator, receiver):
    receiver.documents["/twiml"] = '<Response><Gather action="/g"><Say>Code.</Say></Gather></Response>'
    simulator.control("/sim/phones", {TO: {"keys": [{"digits": "42#9", "after_s": 0.5}]}})
    simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/twiml"))
    receiver.next()
    fields = receiver.next()[2]
    assert (fields["Digits"], fields["FinishedOnKey"]) == ("42", "#")


def test_verbs_are_heard_in_order(simulator):
    twiml = ('<Response><Say loop="2">One.</Say><Pause length="3"/><Play loop="1">http://a.example/tune</Play>'
             '<Hangup/><Say>Never.</Say></Response>')
    sid = simulator.client().calls.create(to=TO, from_=FROM, twiml=twiml).sid
    assert int(ends(simulator, sid).duration) >= 8
    moments = [(moment["kind"], moment["text"]) for moment in record(simulator, sid)["heard"]]
    assert moments == [("answer", "human"), ("say", "One."), ("pause", "3"), ("play", "http://a.example/tune"),
                       ("hangup", None)]
    sid = simulator.client().calls.create(to=TO, from_=FROM, twiml="<Response><Reject/></Response>").sid
    ends(simulator, sid)
    assert [moment["kind"] for moment in record(simulator, sid)["heard"]] == ["answer", "hangup"]


def test_a_call_lasts_no_longer_than_its_limit(simulator):
    twiml = '<Response><Pause length="3000"/></Response>'
    sid = simulator.client().calls.create(to=TO, from_=FROM, twiml=twiml, time_limit=5).sid
    assert int(ends(simulator, sid).duration) == 5
    simulator.control("/sim/phones", {TO: {"hang_up_after_s": 3}})
    sid = simulator.client().calls.create(to=TO, from_=FROM, twiml=twiml).sid
    assert int(ends(simulator, sid).duration) == 3


def test_warnings_about_a_request_are_recorded(simulator):
    sid = simulator.client().calls.create(to=TO, from_=FROM, twiml=HELLO, machine_detection="Enable",
                                          async_amd="true").sid
    ends(simulator, sid)
    assert record(simulator, sid)["notes"] == [21262]


def test_a_phone_can_be_answered_pressed_and_hung_up_manually(simulator, receiver):
    receiver.documents["/twiml"] = (
        '<Response><Gather action="/g" timeout="600"/></Response>')
    simulator.control("/sim/phones", {TO: {"answer": "by-hand"}})
    client = simulator.client()
    sid = client.calls.create(to=TO, from_=FROM, url=receiver.url("/twiml"), timeout=600).sid
    wait_for_status(client.calls(sid), "ringing")
    simulator.control("/sim/answer", {"call": sid})
    receiver.next()
    wait_until(lambda: record(simulator, sid)["listening"])
    simulator.control("/sim/press", {"call": sid, "digits": "7#"})
    assert receiver.next()[2]["Digits"] == "7"
    with pytest.raises(urllib.error.HTTPError) as refused:
        simulator.control("/sim/answer", {"call": sid})
    assert refused.value.code == 400


@pytest.mark.parametrize("requested, phone, answered_by", [
    ("Enable", "human", "human"), ("Enable", "machine", "machine_start"),
    ("DetectMessageEnd", "machine", "machine_end_beep"), ("Enable", "fax", "fax"),
    ("Enable", "unknown", "unknown")])
def test_machine_detection_sends_answered_by_to_the_document(simulator, receiver, requested, phone,
                                                           answered_by):
    simulator.control("/sim/phones", {TO: {"answer": phone}})
    receiver.documents["/twiml"] = HELLO
    sid = simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/twiml"),
                                          machine_detection=requested).sid
    assert receiver.next()[2]["AnsweredBy"] == answered_by
    assert ends(simulator, sid).answered_by == answered_by


def test_asynchronous_detection_does_not_delay_the_call(simulator, receiver):
    simulator.control("/sim/phones", {TO: {"answer": "machine"}})
    twiml = '<Response><Pause length="20"/></Response>'
    sid = simulator.client().calls.create(
        to=TO, from_=FROM, twiml=twiml, machine_detection="DetectMessageEnd", async_amd="true",
        async_amd_status_callback=receiver.url("/amd")).sid
    path, headers, fields = receiver.next()
    assert RequestValidator(TOKEN).validate(receiver.url(path), fields,
                                            headers["X-Twilio-Signature"])
    assert fields == {"CallSid": sid, "AccountSid": ACCOUNT, "AnsweredBy": "machine_end_beep",
                      "MachineDetectionDuration": "5000"}
    ends(simulator, sid)


def test_a_live_call_is_redirected_and_hung_up(simulator):
    client = simulator.client()
    long = '<Response><Pause length="3000"/></Response>'
    sid = client.calls.create(to=TO, from_=FROM, twiml=long).sid
    wait_for_status(client.calls(sid), "in-progress")
    client.calls(sid).update(twiml='<Response><Say>New.</Say><Pause length="3000"/></Response>')
    assert client.calls(sid).update(status="canceled").status == "in-progress"
    assert client.calls(sid).update(status="completed").status == "completed"
    assert heard(simulator, sid) == ["New."]
    for change in ({"twiml": HELLO}, {"status": "completed"}):
        with pytest.raises(TwilioRestException) as refused:
            client.calls(sid).update(**change)
        assert (refused.value.status, refused.value.code) == (400, 21220)
    assert client.calls(sid).delete()


def test_a_call_canceled_in_the_queue_has_no_callback(simulator, receiver):
    simulator.control("/sim/faults", {"senders": {ACCOUNT: {"segments_per_second": 0.01}}})
    client = simulator.client()
    create = {"to": TO, "from_": FROM, "twiml": HELLO, "status_callback": receiver.url("/cb"),
              "status_callback_event": EVENTS}
    client.calls.create(**{**create, "status_callback": receiver.url("/first")})
    sid = client.calls.create(**create).sid
    assert client.calls(sid).fetch().status == "queued"
    assert client.calls(sid).update(status="canceled").status == "canceled"
    assert {receiver.next()[0] for _ in range(4)} == {"/first"}
    assert receiver.seen.empty()


def test_a_call_canceled_while_ringing_has_a_callback(simulator, receiver):
    simulator.control("/sim/phones", {TO: {"answer": "no-answer"}})
    client = simulator.client()
    sid = client.calls.create(to=TO, from_=FROM, twiml=HELLO, timeout=600,
                              status_callback=receiver.url("/cb")).sid
    wait_for_status(client.calls(sid), "ringing")
    client.calls(sid).update(status="canceled")
    assert receiver.next()[2]["CallStatus"] == "canceled"


@pytest.mark.parametrize("document, code", [
    ("<Response><Say>Broken</Response>", 12100), ("nonsense", 12100),
    ("<!DOCTYPE x><Response/>", 12100), ("<Response>" + " " * 70000 + "</Response>", 11750)])
def test_an_invalid_document_requests_the_fallback_with_its_code(simulator, receiver, document, code):
    receiver.documents["/twiml"] = document
    receiver.documents["/fallback"] = "<Response><Say>Sorry.</Say></Response>"
    sid = simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/twiml"),
                                          fallback_url=receiver.url("/fallback")).sid
    receiver.next()
    path, _, fields = receiver.next()
    assert path == "/fallback"
    assert (fields["ErrorCode"], fields["ErrorUrl"]) == (str(code), receiver.url("/twiml"))
    ends(simulator, sid)
    assert heard(simulator, sid) == ["Sorry."] and record(simulator, sid)["notes"] == [code]


def garbage(port):
    """Sends data that is not HTTP to the first client of the port."""
    with socket.create_server(("127.0.0.1", port)) as server:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"220 what do you want\r\n")


@pytest.mark.parametrize("scheme, speaks, code", [("http", False, 11205), ("http", True, 11206)])
def test_a_url_without_a_response_is_reported_with_its_code(simulator, scheme, speaks, code):
    port = free_port()
    server = threading.Thread(target=garbage, args=[port])
    if speaks:
        server.start()
    url = f"{scheme}://127.0.0.1:{port}/twiml"
    sid = simulator.client().calls.create(to=TO, from_=FROM, url=url).sid
    ends(simulator, sid)
    assert record(simulator, sid)["notes"] == [code]
    if speaks:
        server.join()


def test_a_url_without_tls_is_reported_with_its_code(simulator, receiver):
    url = receiver.url("/twiml").replace("http:", "https:")
    sid = simulator.client().calls.create(to=TO, from_=FROM, url=url).sid
    ends(simulator, sid)
    assert record(simulator, sid)["notes"] == [11220]


def test_a_wrong_content_type_and_an_unknown_verb_are_recorded(simulator, receiver):
    receiver.documents["/twiml"] = "<Response><Dance/><Say>Hello.</Say></Response>"
    sid = simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/twiml")).sid
    ends(simulator, sid)
    assert heard(simulator, sid) == ["Hello."] and record(simulator, sid)["notes"] == [12200]
    receiver.content_type = "text/plain"
    sid = simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/twiml")).sid
    ends(simulator, sid)
    assert heard(simulator, sid) == [] and record(simulator, sid)["notes"] == [12300]


def test_an_error_response_to_a_status_callback_is_recorded(simulator, receiver):
    receiver.statuses.put(500)
    sid = simulator.client().calls.create(to=TO, from_=FROM, twiml=HELLO,
                                          status_callback=receiver.url("/cb")).sid
    receiver.next()
    wait_until(lambda: record(simulator, sid)["notes"] == [15003])


def test_an_error_response_for_a_document_ends_the_call_with_an_error_message(simulator, receiver):
    receiver.statuses.put(404)
    sid = simulator.client().calls.create(to=TO, from_=FROM, url=receiver.url("/none")).sid
    ends(simulator, sid)
    assert record(simulator, sid)["notes"] == [11200]
    assert "application error" in heard(simulator, sid, "error")[0]


@pytest.mark.parametrize("fields, code", [
    ({"to": "", "from_": FROM, "twiml": HELLO}, 21201),
    ({"to": TO, "from_": "", "twiml": HELLO}, 21213),
    ({"to": "nonsense", "from_": FROM, "twiml": HELLO}, 21211),
    ({"to": TO, "from_": "nonsense", "twiml": HELLO}, 21212),
    ({"to": TO, "from_": "+15145559999", "twiml": HELLO}, 21210),
    ({"to": "+15005550001", "from_": FROM, "twiml": HELLO}, 21217),
    ({"to": "+15005550002", "from_": FROM, "twiml": HELLO}, 21214),
    ({"to": "+15005550003", "from_": FROM, "twiml": HELLO}, 21215),
    ({"to": "+15005550004", "from_": FROM, "twiml": HELLO}, 21216),
    ({"to": TO, "from_": FROM}, 21205),
    ({"to": TO, "from_": FROM, "url": "nowhere"}, 21205),
    ({"to": TO, "from_": FROM, "application_sid": "AP" + "0" * 32}, 21218),
    ({"to": TO, "from_": FROM, "twiml": HELLO, "method": "PUT"}, 21209),
    ({"to": TO, "from_": FROM, "twiml": HELLO, "timeout": 0}, 21208),
    ({"to": TO, "from_": FROM, "twiml": HELLO, "send_digits": "x"}, 21206),
    ({"to": TO, "from_": FROM, "twiml": HELLO, "status_callback": "http://a_b/"}, 21609),
    ({"to": TO, "from_": FROM, "twiml": "x" * 4001}, 11750),
])
def test_errors_have_twilios_codes(simulator, fields, code):
    with pytest.raises(TwilioRestException) as refused:
        simulator.client().calls.create(**fields)
    assert (refused.value.status, refused.value.code) == (400, code)
    assert simulator.lines("/sim/call-requests")[-1]["code"] == code


def test_the_list_pages_and_filters(simulator):
    client = simulator.client()
    sids = [client.calls.create(to=TO, from_=FROM, twiml=HELLO).sid for _ in range(5)]
    other = client.calls.create(to="+15005556486", from_=FROM, twiml=HELLO).sid
    assert [call.sid for call in client.calls.list(to=TO, page_size=2)] == sids[::-1]
    ends(simulator, other, "busy")
    assert [call.sid for call in client.calls.list(status="busy")] == [other]
    ended = ends(simulator, sids[0])
    day = ended.start_time.date()
    assert sids[0] in [call.sid for call in client.calls.list(start_time=day)]
    assert client.calls.list(start_time_before=day) == []
    assert sids[0] in [call.sid for call in client.calls.list(end_time_after=day)]


def test_create_faults_also_apply_to_calls(simulator):
    simulator.control("/sim/faults", {"next": [{"kind": "500_after"}, {"kind": "429"},
                                               {"kind": "refuse", "code": 22005}]})
    client = simulator.client()
    codes = []
    for _ in range(3):
        with pytest.raises(TwilioRestException) as refused:
            client.calls.create(to=TO, from_=FROM, twiml=HELLO)
        codes.append(refused.value.code)
    assert codes == [20500, 20429, 22005]
    assert [r["accepted"] for r in simulator.lines("/sim/call-requests")[-3:]] == [True, False,
                                                                                   False]
    assert len(client.calls.list()) == 1


@pytest.mark.parametrize("script", [
    {"+1": {}}, {TO: []}, {TO: {"answer": "never"}}, {TO: {"keys": ["x"]}}, {TO: {"rings": 1}},
    {TO: {"ring_s": -1}}, {"*": [{}, {}]}, []])
def test_invalid_scripts_are_refused(simulator, script):
    with pytest.raises(urllib.error.HTTPError) as refused:
        simulator.control("/sim/phones", script)
    assert refused.value.code == 400 and json.loads(refused.value.read())["error"]


def test_scripts_are_used_in_order(simulator):
    simulator.control("/sim/phones", {TO: [{"answer": "busy"}, {"answer": "human"}]})
    client = simulator.client()
    for status in ("busy", "completed", "completed"):
        ends(simulator, client.calls.create(to=TO, from_=FROM, twiml=HELLO).sid, status)


def test_the_same_seed_gives_the_same_calls(simulator):
    runs = []
    for _ in range(2):
        simulator.control("/sim/reset", {"seed": 99})
        sids = [simulator.client().calls.create(to=TO, from_=FROM, twiml=HELLO).sid for _ in range(3)]
        callbacks = ends(simulator, sids[-1])
        runs.append((sids, callbacks.duration, [m["kind"] for m in record(simulator, sids[-1])["heard"]]))
    assert runs[0] == runs[1]
    simulator.control("/sim/reset", {"seed": 7})
