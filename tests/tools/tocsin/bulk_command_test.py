"""`tocsin bulk`: `--check`, files that it must not modify, and standard input. O9."""

import json

import pytest

from program import UNUSED, tocsin
from service import Service, api

ADDRESS = ("--address", UNUSED)
ALERTS = "to,text\n+15145550101,x\n"


def accept():
    def respond(request):
        response = api.message("EnqueueBatchResponse")()
        for number, _ in enumerate(request.alerts):
            response.results.add().accepted.alert_id = f"a-{number}"
        return response
    return Service("AlertService", {"EnqueueBatch": respond})


def test_a_check_needs_neither_an_address_nor_a_key(tmp_path):
    path = tmp_path / "round.csv"
    path.write_text(ALERTS)
    checked = tocsin("--output", "json", "bulk", str(path), "--check")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout) == {"rows": 1, "errors": []}
    for missing in ((), ADDRESS):
        refused = tocsin("bulk", str(path), *missing)
        assert refused.returncode == 2 and "is required" in refused.stderr
    assert list(tmp_path.iterdir()) == [path]


def test_a_check_refuses_times_that_have_passed(tmp_path):
    path = tmp_path / "round.jsonl"
    path.write_text('{"to": "+15145550101", "text": "x", "expire_time": "2020-01-01T00:00:00Z"}\n')
    refused = tocsin("bulk", str(path), "--check")
    assert refused.returncode == 1
    assert refused.stderr.startswith("line 1: expire_time: ")


def test_each_error_is_reported_once(tmp_path):
    path = tmp_path / "round.jsonl"
    path.write_text('{"to": 5, "text": "x"}\n')
    refused = tocsin("bulk", str(path), "--check")
    assert refused.returncode == 1
    assert refused.stderr == "line 1: to: is not a string\ntocsin: nothing sent: 1 error in 1 alerts\n"


def test_many_errors_are_counted(tmp_path):
    path = tmp_path / "round.csv"
    path.write_text("to,text\n" + "nobody,x\n" * 53)
    refused = tocsin("bulk", str(path), "--check")
    assert refused.stderr.endswith("\n3 more errors\ntocsin: nothing sent: 53 errors in 53 alerts\n")


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "round.csv"
    path.touch()
    refused = tocsin("bulk", str(path), "--check")
    assert refused.returncode == 1
    assert refused.stderr.startswith("the file is empty\n")


def test_a_file_that_is_not_a_journal_is_not_modified(tmp_path):
    path, key = tmp_path / "round.csv", tmp_path / "key"
    path.write_text(ALERTS)
    key.write_text("k\n")
    refused = tocsin("bulk", str(path), *ADDRESS, "--api-key-file", str(key), "--journal", str(path))
    assert refused.returncode == 2 and "is not a journal" in refused.stderr
    assert "(INVALID_ARGUMENT)" in refused.stderr and path.read_text() == ALERTS


def test_standard_input_leaves_no_journal(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sent = run(accept(), "bulk", "-", "--format", "csv", stdin=ALERTS, output="json")
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout) == {"rows": 1, "accepted": 1, "already_accepted": 0, "refused": [], "remaining": 0,
                                       "journal": None}
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert tocsin("bulk", "-", stdin=ALERTS).returncode == 2, "standard input has no name for the format"


@pytest.mark.parametrize("source", ["file", "-"])
def test_a_journal_resumes_a_run(run, tmp_path, source):
    path = tmp_path / "round.csv"
    path.write_text(ALERTS)
    arguments = ("bulk", str(path) if source == "file" else "-", "--format", "csv", "--journal", str(tmp_path / "j"))
    assert run(accept(), *arguments, stdin=ALERTS).returncode == 0
    again, service = accept(), accept()
    resumed = run(again, *arguments, stdin=ALERTS, output="json")
    assert not again.requests and json.loads(resumed.stdout)["already_accepted"] == 1
    fresh = run(service, "bulk", "-", "--format", "csv", stdin=ALERTS)
    assert fresh.returncode == 0 and service.requests[0].alerts[0].idempotency_key


def test_a_failed_request_is_reported_once(tmp_path):
    path, key = tmp_path / "round.csv", tmp_path / "key"
    path.write_text(ALERTS)
    key.write_text("k\n")
    failed = tocsin("bulk", str(path), *ADDRESS, "--api-key-file", str(key), "--timeout", "1")
    assert failed.returncode == 3
    assert failed.stderr.count("UNREACHABLE") == 1 and "UNREACHABLE" not in failed.stdout
    assert "1 remaining" in failed.stdout
