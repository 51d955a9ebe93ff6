"""The sample files of docs/samples hold every setting of their programs, and can be used. O4."""

import os
import re
import subprocess

import pytest

import stack as stacks

SAMPLES = stacks.ROOT / "docs/samples"
PROGRAMS = [path.stem for path in sorted(SAMPLES.glob("*.yaml"))]
PLACE = "/etc/tocsin"
SECRETS = {"postgres-url": "postgresql://tocsin@db:5432/tocsin", "redis-url": "redis://redis:6379/0"}


def run(program, *arguments, **settings):
    environment = {"PATH": os.environ["PATH"]} | settings
    return subprocess.run([stacks.BIN / program, *arguments], env=environment, capture_output=True, text=True,
                          timeout=60, check=False)


def settings_of(program):
    """NAME, or NAME_FILE for a secret, of each setting in --help."""
    return {given or name for name, given in
            re.findall(r"^  (TOCSIN_\w+)(?: or (\w+_FILE))?$", run(program, "--help").stdout, re.MULTILINE)}


@pytest.fixture
def sample(request, tmp_path):
    """The sample of the program, its folder of files moved to where they are."""
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
def test_a_sample_holds_every_setting(program):
    keys = re.findall(r"^(\w+):", (SAMPLES / f"{program}.yaml").read_text(), re.MULTILINE)
    assert sorted(f"TOCSIN_{key.upper()}" for key in keys) == sorted(settings_of(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_setting_is_explained(program):
    told = (stacks.ROOT / "docs/configuration.md").read_text()
    assert [name for name in settings_of(program)
            if f"`{name}`" not in told and f"`{name.removesuffix('_FILE')}` (secret)" not in told] == []


@pytest.mark.parametrize("sample", PROGRAMS, indirect=True)
def test_a_sample_can_be_used_and_unknown_names_of_the_environment_do_not_matter(sample):
    program, path = sample
    checked = run(program, "--config", str(path), "--check-config", TOCSIN_NOT_OURS="x")
    assert checked.returncode == 0, checked.stderr
    assert "postgresql://" not in checked.stdout and "redis://" not in checked.stdout


@pytest.mark.parametrize("sample", PROGRAMS, indirect=True)
def test_every_fault_of_a_file_is_reported_at_once_with_its_line(sample):
    program, path = sample
    lines = path.read_text().splitlines()
    drain, level = (next(number for number, line in enumerate(lines, 1) if line.startswith(key))
                    for key in ("drain:", "log_level:"))
    lines[drain - 1], lines[level - 1] = "drain: hunter2", "log_level: hunter2"
    path.write_text("\n".join([*lines, "colour: hunter2"]) + "\n")
    checked = run(program, "--config", str(path), "--check-config")
    assert checked.returncode == 2
    for line in (drain, level, len(lines) + 1):
        assert f"{path}:{line}" in checked.stderr
    assert "3 faults" in checked.stderr and "hunter2" not in checked.stderr
