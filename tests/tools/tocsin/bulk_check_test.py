"""`tocsin bulk --check`, which calls nobody, and what `bulk` leaves alone. O9."""

import json

from program import tocsin

ADDRESS = ("--address", "127.0.0.1:1")
ALERTS = "to,text\n+15145550101,x\n"


def test_a_check_needs_neither_an_address_nor_a_key(tmp_path):
    path = tmp_path / "round.csv"
    path.write_text(ALERTS)
    checked = tocsin("--output", "json", "bulk", str(path), "--check")
    assert checked.returncode == 0, checked.stderr
    assert json.loads(checked.stdout) == {"rows": 1, "faults": []}
    for missing in ((), ADDRESS):
        refused = tocsin("bulk", str(path), *missing)
        assert refused.returncode == 2 and "is required" in refused.stderr
    assert list(tmp_path.iterdir()) == [path]


def test_a_check_refuses_times_that_have_passed(tmp_path):
    path = tmp_path / "round.jsonl"
    path.write_text('{"to": "+15145550101", "text": "x", "expires_at": "2020-01-01T00:00:00Z"}\n')
    refused = tocsin("bulk", str(path), "--check")
    assert refused.returncode == 1
    assert refused.stderr.startswith("line 1: expires_at ")


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    path = tmp_path / "round.csv"
    path.touch()
    refused = tocsin("bulk", str(path), "--check")
    assert refused.returncode == 1
    assert refused.stderr.startswith("the file is empty\n")


def test_a_journal_that_is_another_file_is_never_truncated(tmp_path):
    path, key = tmp_path / "round.csv", tmp_path / "key"
    path.write_text(ALERTS)
    key.write_text("k\n")
    refused = tocsin("bulk", str(path), *ADDRESS, "--api-key-file", str(key), "--journal", str(path))
    assert refused.returncode == 2 and "is no journal" in refused.stderr
    assert path.read_text() == ALERTS
