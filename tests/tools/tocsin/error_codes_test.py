"""`tocsin error-codes`: each known error code of Twilio with its class, reason and recommended action. R2, O9."""

import json
import pathlib
import re

import pytest

from program import tocsin

CODES = pathlib.Path(__file__).parents[2] / "data/twilio-error-codes.txt"


def error_codes(*arguments, verb="error-codes"):
    done = tocsin("--output", "json", verb, *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_known_code_has_a_class_a_reason_and_an_action():
    known = [line.split() for line in CODES.read_text().splitlines() if not line.startswith("#")]
    rows = error_codes()
    assert [[str(row["code"]), row["error_class"]] for row in rows] == known
    assert all(row["reason"] and row["action"] for row in rows)


def test_every_command_in_an_action_exists():
    for row in error_codes():
        for command in re.findall(r"`tocsin ([^`]+)`", row["action"]):
            assert tocsin(*command.split(), "--help").returncode == 0, row


@pytest.mark.parametrize("verb", ["error-codes", "errors"])
def test_one_code_is_printed_and_an_unknown_code_has_a_class(verb):
    assert [row["error_class"] for row in error_codes("21610", verb=verb)] == ["opt_out"]
    (unknown,) = error_codes("98765", verb=verb)
    assert (unknown["code"], unknown["error_class"]) == (98765, "unknown") and unknown["action"]
