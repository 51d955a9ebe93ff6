"""--help, docs/cli.md and the completions name the same verbs and options. O9, Q4."""

import pathlib
import re
import shutil
import subprocess

import pytest

from program import tocsin

PAGE = pathlib.Path(__file__).parents[3] / "docs/cli.md"
SHELLS = ("bash", "zsh", "fish")
OLD_VERBS = [("status",), ("errors",), ("report",), ("report", "open"), ("dlq", "drop")]
OLD_OPTIONS = {"--class", "--sender", "--language", "--detect-machine", "--send-at", "--expires-at", "--after",
               "--before", "--by", "--wait"}


def verbs(*above):
    text = tocsin(*above, "--help").stdout.partition("Subcommands:\n")[2]
    return re.findall(r"^  ([a-z-]+) ", text, re.MULTILINE)


def every_verb():
    return [(), *((verb,) for verb in verbs()), *((verb, inner) for verb in verbs() for inner in verbs(verb))]


def complete(script, *words):
    """The completions of bash for the last word."""
    quoted = " ".join(f"'{word}'" for word in ("tocsin", *words))
    run = f"source '{script}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _tocsin; echo \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, timeout=30, check=True)
    assert not done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module", name="script")
def bash_script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "script"
    path.write_text(tocsin("completion", "bash").stdout)
    return path


def test_every_verb_is_in_the_page():
    page = PAGE.read_text()
    rows = {name for row in re.findall(r"^\| (`.*)$", page, re.MULTILINE) for name in re.findall(r"^`([a-z-]+)", row)}
    assert set(verbs()) == rows
    for verb in verbs():
        for inner in verbs(verb):
            assert re.search(rf"^\| `{verb} [^`]*\b{inner}\b", page, re.MULTILINE), f"{verb} {inner}"


def test_help_shows_plain_choices_and_ranges():
    for verb in every_verb():
        text = tocsin(*verb, "--help").stdout
        for internal in ("->", " in [", "value in", ":INT", "UINT", "FLOAT", "ENUM"):
            assert internal not in text, f"{verb}: {internal}"
    assert "--priority {emergency,high,normal,bulk}" in tocsin("send", "--help").stdout
    assert "{json,table}" in tocsin("--help").stdout
    assert "- is stdin" in tocsin("bulk", "--help").stdout


def test_a_value_outside_of_the_choices_is_a_usage_error():
    refused = tocsin("send", "--to", "x", "--text", "x", "--priority", "urgent")
    assert refused.returncode == 2
    assert refused.stderr.startswith("--priority: urgent is not one of emergency, high, normal, bulk\n")


def test_old_names_are_accepted_and_hidden():
    text = "".join(tocsin(*verb, "--help").stdout for verb in every_verb())
    for verb in OLD_VERBS:
        assert tocsin(*verb, "--help").returncode == 0
        assert verb not in every_verb()
    assert not OLD_OPTIONS & set(re.findall(r"--[a-z-]+", text))
    for shell in SHELLS:
        script = tocsin("completion", shell).stdout
        assert not OLD_OPTIONS & set(re.findall(r"--[a-z-]+", script))
        assert "'status'" not in script and "'dlq drop'" not in script


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completion_has_every_verb_and_is_valid(shell, tmp_path):
    script = tocsin("completion", shell).stdout
    for verb in verbs():
        assert f"'{verb}'" in script
        assert all(f"'{verb} {inner}'" in script for inner in verbs(verb))
    assert "--consistency-token" in script and "emergency high normal bulk" in script
    path = tmp_path / "script"
    path.write_text(script)
    if shutil.which(shell):  # the shell itself checks the syntax if it is installed
        read = subprocess.run([shell, "-n", str(path)], capture_output=True, text=True, timeout=30, check=False)
        assert read.returncode == 0, read.stderr


@pytest.mark.parametrize("words, expected", [
    (("send", "--priority", ""), ["emergency", "high", "normal", "bulk"]),
    (("send", "--priority", "h"), ["high"]),
    (("list", "--state", "sent"), ["sent", "sent_unconfirmed"]),
    (("list", "--state", "not"), ["not_acknowledged"]),
    (("ack", "x", "--p"), ["--person"]),
    (("dlq", "list", "--state", ""), ["open", "redriven", "discarded"]),
    (("dlq", "list", "--reason", "RETR"), ["RETRIES_EXHAUSTED"]),
    (("--output", ""), ["json", "table"]),
    (("get", "x", "--output", "j"), ["json"]),
    (("keyring", ""), ["init", "list", "--help", "--output"]),
    (("se",), ["send"]),
])
def test_bash_completes_verbs_and_values(script, words, expected):
    assert complete(script, *words) == expected


def test_bash_completes_files(script, tmp_path):
    (tmp_path / "alerts.csv").touch()
    for words in (("bulk",), ("send", "--text-file"), ("send", "--plan"), ("webhook", "sign", "--form"),
                  ("keyring", "init", "--out")):
        assert complete(script, *words, str(tmp_path / "al")) == [str(tmp_path / "alerts.csv")]
