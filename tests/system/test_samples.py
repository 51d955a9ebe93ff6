"""The sample files in docs/samples contain every setting of their program and are valid. O4."""

import os
import re
import shlex
import subprocess
import sys

import pytest

import stack as stacks

SAMPLES = stacks.ROOT / "docs/samples"
PROGRAMS = [path.stem for path in sorted(SAMPLES.glob("*.yaml"))]
PLACE = "/etc/tocsin"
SECRETS = {"postgres-url": "postgresql://tocsin@db:5432/tocsin", "redis-url": "redis://redis:6379/0",
           "kafka-properties": "security.protocol=plaintext"}


def run(program, *arguments, **settings):
    environment = {"PATH": os.environ["PATH"]} | settings
    return subprocess.run([stacks.BIN / program, *arguments], env=environment, capture_output=True, text=True,
                          timeout=60, check=False)


def settings_of(program):
    """The name of each setting in --help; NAME_FILE for a secret."""
    return {given or name for name, given in
            re.findall(r"^  (TOCSIN_\w+)(?: or (\w+_FILE))?$", run(program, "--help").stdout, re.MULTILINE)}


@pytest.fixture
def sample(request, tmp_path):
    """The sample of the program, with the paths of a temporary folder."""
    text = (SAMPLES / f"{request.param}.yaml").read_text()
    for name, secret in SECRETS.items():
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    path = tmp_path / "sample.yaml"
    path.write_text(text.replace(PLACE, str(tmp_path)))
    return request.param, path


def test_each_service_has_a_sample():
    built = {path.name for path in (stacks.ROOT / "services").iterdir() if (path / "main.cpp").exists()}
    assert {f"tocsin-{name}" for name in built} == set(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_sample_contains_every_setting(program):
    keys = re.findall(r"^(?:# )?([a-z0-9_]+): ", (SAMPLES / f"{program}.yaml").read_text(), re.MULTILINE)
    assert sorted(f"TOCSIN_{key.upper()}" for key in keys) == sorted(settings_of(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_setting_is_documented(program):
    text = (stacks.ROOT / "docs/configuration.md").read_text()
    assert [name for name in settings_of(program)
            if f"`{name}`" not in text and f"`{name.removesuffix('_FILE')}` (secret)" not in text] == []


@pytest.mark.parametrize("sample", PROGRAMS, indirect=True)
def test_a_sample_is_valid_and_unknown_environment_variables_are_ignored(sample):
    program, path = sample
    checked = run(program, "--config", str(path), "--check-config", TOCSIN_NOT_OURS="x")
    assert checked.returncode == 0, checked.stderr
    assert "postgresql://" not in checked.stdout and "redis://" not in checked.stdout


@pytest.mark.parametrize("sample", PROGRAMS, indirect=True)
def test_every_line_of_a_sample_is_valid(sample):
    program, path = sample
    path.write_text(re.sub(r"^# (?=[a-z0-9_]+: )", "", path.read_text(), flags=re.MULTILINE))
    checked = run(program, "--config", str(path), "--check-config")
    assert checked.returncode == 0, checked.stderr
    assert "default" not in checked.stdout and "unset" not in checked.stdout


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_environment_sample_is_valid(program, tmp_path):
    text = (SAMPLES / ".env.example").read_text()
    for name, secret in SECRETS.items():
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    variables = [line.removeprefix("#") for line in text.splitlines() if re.match(r"#?TOCSIN_\w+=", line)]
    assert settings_of(program) <= {variable.split("=")[0] for variable in variables}
    assert all(shlex.split(variable) == [variable] for variable in variables)
    environment = dict(variable.replace(PLACE, str(tmp_path)).split("=", 1) for variable in variables)
    checked = run(program, "--check-config", **environment)
    assert checked.returncode == 0, checked.stderr


def test_samples_and_tables_are_up_to_date():
    checked = subprocess.run([sys.executable, stacks.ROOT / "scripts/lib/make_config_docs.py", "--check", stacks.BIN],
                             capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_number_and_duration_has_a_range_and_a_unit(program):
    for row in run(program, "--print-settings=markdown").stdout.splitlines():
        _, name, values, default, _ = (cell.strip() for cell in row.split("|", 4))
        if re.fullmatch(r"`\d+(ms|[smhd])`", default):
            assert re.fullmatch(r"\d+(ms|[smhd]) to \d+(ms|[smhd])", values), name
        elif re.fullmatch(r"`\d+`", default):
            assert re.fullmatch(r"\d+ to \d+ [A-Za-z ]+", values), name


@pytest.mark.parametrize("sample", PROGRAMS, indirect=True)
def test_all_errors_of_a_file_are_reported_at_once_with_their_lines(sample):
    program, path = sample
    lines = path.read_text().splitlines()
    drain, level = (next(number for number, line in enumerate(lines, 1) if line.startswith(f"# {key}"))
                    for key in ("drain_timeout:", "log_level:"))
    lines[drain - 1], lines[level - 1] = "drain_timeout: hunter2", "log_level: hunter2"
    path.write_text("\n".join([*lines, "colour: hunter2"]) + "\n")
    checked = run(program, "--config", str(path), "--check-config")
    assert checked.returncode == 2
    for line in (drain, level, len(lines) + 1):
        assert f"{path}:{line}" in checked.stderr
    assert "3 errors" in checked.stderr and "hunter2" not in checked.stderr
