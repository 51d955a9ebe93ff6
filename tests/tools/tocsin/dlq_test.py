"""`tocsin dlq`. O9."""

import json

import pytest

from program import UNUSED, tocsin
from service import Service, api

ALERT = "01920000-0000-7000-8000-000000000001"
NAME = f"{ALERT}.1.2"
OPEN, REDRIVEN, DISCARDED = 1, 2, 3


def dead_letter(attempt=2, state=OPEN):
    return api.message("DeadLetter")(attempt={"alert_id": ALERT, "step": 1, "attempt": attempt}, client_id="c",
                                     reason="RETRIES_EXHAUSTED", state=state)


def admin(*letters):
    return Service("AdminService", {
        "ListDeadLetters": lambda _: api.message("ListDeadLettersResponse")(dead_letters=letters),
        "RedriveDeadLetter": lambda request: api.message("RedriveDeadLetterResponse")(
            attempt={"alert_id": ALERT, "step": 1, "attempt": request.attempt.attempt + 1}),
        "DiscardDeadLetter": lambda _: api.message("DiscardDeadLetterResponse")()})


def test_list_filters_by_state_channel_and_reason(run):
    service = admin(dead_letter())
    listed = run(service, "dlq", "list", "--state", "redriven", "--state", "discarded", "--channel", "voice",
                 "--reason", "RETRIES_EXHAUSTED", output="json")
    assert listed.returncode == 0, listed.stderr
    (request,) = service.requests
    assert (list(request.states), request.channel, request.reason) == ([REDRIVEN, DISCARDED], 2, "RETRIES_EXHAUSTED")
    (letter,) = json.loads(listed.stdout)["dead_letters"]
    assert letter == {"name": NAME, "alert_id": ALERT, "step": 1, "attempt": 2, "client_id": "c",
                      "reason": "RETRIES_EXHAUSTED", "explanation": "", "create_time": "1970-01-01T00:00:00Z",
                      "state": "OPEN", "close_time": None, "actor_id": "", "discard_reason": ""}


def test_list_reports_whether_there_are_more(run):
    listed = run(admin(dead_letter(1), dead_letter(2)), "dlq", "list", "--limit", "1", output="json")
    assert json.loads(listed.stdout)["has_more"] and len(json.loads(listed.stdout)["dead_letters"]) == 1


def test_an_unknown_reason_is_refused_with_the_list_of_reasons(run):
    service = admin()
    refused = run(service, "dlq", "list", "--reason", "typo")
    assert refused.returncode == 2 and not service.requests
    assert "--reason" in refused.stderr and "RETRIES_EXHAUSTED, " in refused.stderr


def test_show_finds_a_dead_letter_in_any_state(run):
    service = admin(dead_letter(1), dead_letter(2, DISCARDED))
    shown = run(service, "dlq", "show", NAME, output="json")
    assert json.loads(shown.stdout)["state"] == "DISCARDED"
    assert list(service.requests[0].states) == [OPEN, REDRIVEN, DISCARDED]
    assert run(service, "dlq", "show", f"{ALERT}.1.7").returncode == 1


def test_redrive_prints_the_next_attempt(run):
    assert run(admin(), "dlq", "redrive", NAME).stdout == f"{NAME} redriven as {ALERT}.1.3\n"
    service = admin()
    redriven = run(service, "dlq", "redrive", NAME, "--force", output="json")
    assert json.loads(redriven.stdout) == {"name": NAME, "next_attempt": f"{ALERT}.1.3", "forced": True}
    assert service.requests[0].force and service.requests[0].attempt.attempt == 2


@pytest.mark.parametrize("suffix", ["1.0", "0.1", "1.2147483648", "4294967297.1", "1.99999999999999999999", "1.-1",
                                    "1.02", "1", "1.x", "", "1.1.", ".1"])
@pytest.mark.parametrize("verb", [("redrive",), ("show",), ("discard", "--reason", "x")], ids=lambda verb: verb[0])
def test_an_invalid_name_is_refused(run, verb, suffix):
    service = admin(dead_letter())
    refused = run(service, "dlq", *verb, f"{ALERT}.{suffix}")
    assert refused.returncode == 2 and "is not ALERT_ID.STEP.ATTEMPT" in refused.stderr, refused.stderr
    assert not service.requests


@pytest.mark.parametrize("verb", ["discard", "drop"])
def test_discard_passes_the_reason(run, verb):
    service = admin()
    discarded = run(service, "dlq", verb, NAME, "--reason", "duplicate", output="json")
    assert json.loads(discarded.stdout) == {"name": NAME, "discarded": True}
    assert service.requests[0].reason == "duplicate"


def test_flags_override_the_environment(run, tmp_path):
    elsewhere = {"TOCSIN_AUDIT_GRPC": UNUSED, "TOCSIN_API_KEY_FILE": str(tmp_path / "none")}
    for verb in (("list",), ("show", NAME), ("redrive", NAME), ("discard", NAME, "--reason", "x")):
        done = run(admin(dead_letter()), "dlq", *verb, **elsewhere)
        assert done.returncode == 0, done.stderr


def test_a_missing_address_names_its_variable():
    refused = tocsin("dlq", "list")
    assert refused.returncode == 2
    assert refused.stderr == "tocsin: --address: is required; or set TOCSIN_AUDIT_GRPC (INVALID_ARGUMENT)\n"
