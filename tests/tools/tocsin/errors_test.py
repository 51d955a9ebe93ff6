"""`tocsin errors`: every known code of Twilio's with its class, a plain reason and what to do. R2, O9."""

import json
import os
import pathlib
import re
import subprocess

CODES = pathlib.Path(__file__).parents[2] / "data/twilio-error-codes.txt"
PROGRAM = pathlib.Path(os.environ.get("TOCSIN_BIN_DIR", "build/release/bin")) / "tocsin"


def tocsin_errors(*arguments):
    done = subprocess.run([PROGRAM, "--output", "json", "errors", *arguments], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_known_code_is_told_with_class_reason_and_action():
    known = [line.split() for line in CODES.read_text().splitlines() if not line.startswith("#")]
    told = tocsin_errors()
    assert [[str(row["code"]), row["class"]] for row in told] == known
    assert all(row["reason"] and row["action"] for row in told)


def test_no_action_names_a_command_that_does_not_exist():
    for row in tocsin_errors():
        for command in re.findall(r"`tocsin ([^`]+)`", row["action"]):
            done = subprocess.run([PROGRAM, *command.split(), "--help"], capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, row


def test_one_code_is_told_alone_and_one_that_nobody_knows_has_a_class_too():
    assert [row["class"] for row in tocsin_errors("21610")] == ["opt_out"]
    (unknown,) = tocsin_errors("98765")
    assert (unknown["code"], unknown["class"]) == (98765, "unknown") and unknown["action"]
