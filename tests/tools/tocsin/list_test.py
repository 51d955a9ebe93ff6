"""`tocsin list` and `tocsin list --overdue`. O9."""

import json
import time

import pytest

from service import Service, api

NUMBERS = {name: number for number, name in api.STATES.items()}


def lists(*pages):
    """A service with these pages of alert ids."""
    remaining = list(pages)

    def respond(_):
        response = api.message("ListAlertsResponse")()
        for alert_id in remaining.pop(0):
            response.alerts.add(alert_id=alert_id, state=NUMBERS["SENDING"], masked_recipient="*******0123",
                                region_code="CA", priority=1, channel=2)
        response.next_page_token = "more" if remaining else ""
        return response
    return Service("StatusService", {"ListAlerts": respond})


FILTERS = [
    ("--state", "sent", "--state", "FAILED", "--priority", "high", "--channel", "sms", "--label", "ward=7",
     "--min-create-time", "2027-01-01T00:00:00Z", "--max-create-time", "2027-01-02T00:00:00Z",
     "--recipient-phone-number", "+15145550123"),
    ("--state", "sent", "--state", "FAILED", "--class", "high", "--channel", "sms", "--label", "ward=7",
     "--after", "2027-01-01T00:00:00Z", "--before", "2027-01-02T00:00:00Z", "--to", "+15145550123"),
]


@pytest.mark.parametrize("filters", FILTERS, ids=("names", "old names"))
def test_filters_set_the_fields_of_the_request(run, filters):
    service = lists([])
    assert run(service, "list", *filters).returncode == 0
    (request,) = service.requests
    assert list(request.states) == [NUMBERS["SENT"], NUMBERS["FAILED"]] and list(request.priorities) == [2]
    assert (request.channel, dict(request.labels), request.recipient_phone_number) == (1, {"ward": "7"}, "+15145550123")
    assert request.max_create_time.seconds - request.min_create_time.seconds == 86400
    assert not request.HasField("max_expire_time")


@pytest.mark.parametrize("verb", [("list", "--overdue"), ("report", "open")], ids=" ".join)
def test_overdue_lists_alerts_that_have_expired_and_are_not_final(run, verb):
    service = lists(["a-1"])
    listed = run(service, *verb, "--grace", "60", output="json")
    assert listed.returncode == 1
    assert [alert["alert_id"] for alert in json.loads(listed.stdout)["alerts"]] == ["a-1"]
    (request,) = service.requests
    assert list(request.states) == [NUMBERS[name] for name in ("PENDING", "SENDING", "SENT")]
    assert abs(time.time() - 60 - request.max_expire_time.seconds) < 30
    assert run(lists([]), *verb).returncode == 0


def test_a_list_reads_pages_up_to_its_limit(run):
    service = lists(["a-1", "a-2"], ["a-3"], ["a-4"])
    listed = run(service, "list", "--limit", "3")
    assert [line.split()[3] for line in listed.stdout.splitlines()] == ["a-1", "a-2", "a-3"]
    assert [(request.page_size, request.page_token) for request in service.requests] == [(3, ""), (1, "more")]
    assert listed.stderr == "more alerts: raise --limit, or continue with --page-token more\n"


def test_json_has_the_fields_of_an_alert(run):
    (alert,) = json.loads(run(lists(["a-1"]), "list", output="json").stdout)["alerts"]
    assert alert == {
        "alert_id": "a-1", "client_id": "", "state": "SENDING", "reason": "", "priority": "EMERGENCY",
        "channel": "VOICE", "masked_recipient": "*******0123", "region_code": "CA", "labels": {}, "create_time": None,
        "send_time": None, "expire_time": None, "update_time": None, "end_time": None, "revision": 0}
