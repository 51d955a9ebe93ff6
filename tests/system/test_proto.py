"""The wire as it is written down: proto/ passes buf's rules, and each field is explained."""

import os
import pathlib
import subprocess

import stack as stacks

VENV = pathlib.Path(os.environ.get("TOCSIN_TEST_VENV", stacks.ROOT / "build/venv"))


def lint(folder):
    buf = VENV / "bin/buf"
    assert buf.exists(), f"{buf} is missing: scripts/test makes it, TOCSIN_TEST_VENV names another"
    return subprocess.run([buf, "lint"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_the_proto_files_follow_the_rules():
    linted = lint(stacks.ROOT / "proto")
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_rules_find_a_field_without_a_word_about_it(tmp_path):
    package = tmp_path / "tocsin" / "v1"
    package.mkdir(parents=True)
    (tmp_path / "buf.yaml").write_text((stacks.ROOT / "proto/buf.yaml").read_text())
    (tmp_path / "google").mkdir()
    (package / "bare.proto").write_text('syntax = "proto3";\npackage tocsin.v1;\n// A thing.\n'
                                        "message Thing {\n  string id = 1;\n}\n")
    assert 'Field "id" should have a non-empty comment' in lint(tmp_path).stdout
