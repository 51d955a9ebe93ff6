"""The .proto files: buf's rules, compatibility with the baseline, field behavior, and the package of the records."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from google.protobuf import descriptor_pb2

import stack as stacks

VENV = pathlib.Path(os.environ.get("TOCSIN_TEST_VENV", stacks.ROOT / "build/venv"))
PROTO = stacks.ROOT / "proto"
FIELD_BEHAVIOR = 1052  # number of the extension google.api.field_behavior


def buf(folder, *arguments):
    program = VENV / "bin/buf"
    assert program.exists(), f"{program} is missing: scripts/test installs it; TOCSIN_TEST_VENV selects another folder"
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def described(proto=PROTO):
    """The FileDescriptorProto of each of Tocsin's files, with raw options."""
    files = sorted(str(path.relative_to(proto)) for path in (proto / "tocsin").rglob("*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".pb") as out:
        subprocess.run(["protoc", f"-I{proto}", f"--descriptor_set_out={out.name}", *files], check=True)
        return descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes()).file


def without_behavior(files):
    """The fields of the API, as Message.field, that do not have google.api.field_behavior."""
    return [f"{message.name}.{field.name}" for file in files if file.package == "tocsin.v1"
            for message in file.message_type for field in message.field
            if FIELD_BEHAVIOR not in _option_numbers(field.options.SerializeToString())]


def _option_numbers(raw):
    """The field numbers at the top level of a serialized message whose values are varints or byte strings."""
    at, numbers = 0, set()

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                return value

    while at < len(raw):
        tag = varint()
        numbers.add(tag >> 3)
        length = varint()  # or the value itself
        at += length if tag & 7 == 2 else 0
    return numbers


@pytest.fixture
def copy(tmp_path):
    """A copy of proto/ that a test may change."""
    return pathlib.Path(shutil.copytree(PROTO, tmp_path / "proto"))


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_files_follow_the_rules():
    linted = buf(PROTO, "lint")
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_a_field_without_a_comment_is_found(copy):
    change(copy / "tocsin/v1/types.proto", "  // UUID in lower case.\n", "")
    assert 'Field "alert_id" should have a non-empty comment' in buf(copy, "lint").stdout


def test_nothing_breaks_clients_of_the_baseline():
    compared = buf(PROTO, "breaking", "--against", "baseline.binpb")
    assert compared.returncode == 0, compared.stdout + compared.stderr


def test_a_breaking_change_is_found(copy):
    change(copy / "tocsin/v1/types.proto", "string alert_id = 1", "string alert_identifier = 1")
    assert 'changed name from "alert_id"' in buf(copy, "breaking", "--against", "baseline.binpb").stdout


def test_every_field_of_the_api_has_field_behavior():
    files = described()
    assert {"tocsin.v1", "tocsin.records.v1"} == {file.package for file in files}
    assert without_behavior(files) == []


def test_a_field_without_field_behavior_is_found(copy):
    change(copy / "tocsin/v1/types.proto", "string alert_id = 1 [(google.api.field_behavior) = REQUIRED]",
           "string alert_id = 1 [deprecated = true]")
    assert without_behavior(described(copy)) == ["AttemptRef.alert_id"]


def test_the_records_import_nothing_of_the_api_but_its_types():
    (records,) = [file for file in described() if file.package == "tocsin.records.v1"]
    assert list(records.dependency) == ["tocsin/v1/types.proto"]


def test_the_api_does_not_use_the_records():
    for file in described():
        if file.package == "tocsin.v1":
            assert not [name for name in file.dependency if name.startswith("tocsin/records/")], file.name
