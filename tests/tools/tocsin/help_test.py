"""What the program says of its verbs stands in its page and in its completions. O9, Q4."""

import pathlib
import re
import shutil
import subprocess

import pytest

from program import tocsin

PAGE = pathlib.Path(__file__).parents[3] / "docs/cli.md"
SHELLS = ("bash", "zsh", "fish")


def verbs(*above):
    told = tocsin(*above, "--help").stdout.partition("Subcommands:\n")[2]
    return re.findall(r"^  ([a-z]+) ", told, re.MULTILINE)


def test_every_verb_of_the_help_stands_in_the_page():
    page = PAGE.read_text()
    rows = {name: row for row in re.findall(r"^\| (`.*)$", page, re.MULTILINE)
            for name in re.findall(r"^`([a-z]+)", row)}
    assert set(verbs()) == set(rows)
    for verb in verbs():
        for inner in verbs(verb):
            assert re.search(rf"^\| `{verb} [^`]*\b{inner}\b", page, re.MULTILINE), f"{verb} {inner}"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completion_knows_every_verb_and_can_be_read(shell, tmp_path):
    script = tocsin("completion", shell).stdout
    for verb in verbs():
        assert f"'{verb}'" in script
        assert all(f"'{verb} {inner}'" in script for inner in verbs(verb))
    assert "--min-position" in script
    path = tmp_path / "script"
    path.write_text(script)
    if shutil.which(shell):  # its own reader is the judge, where there is one
        read = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=30, check=False)
        assert read.returncode == 0, read.stderr
