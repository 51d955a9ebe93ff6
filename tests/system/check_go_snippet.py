"""The Go program of docs/snippets, built by scripts/lib/go_snippet.sh. Only in scripts/test --full: it downloads modules
from the Go proxy and takes minutes. Q4."""

import subprocess

import stack as stacks

TO = "+15558675309"
BUILD_SECONDS = 1800


def test_the_go_snippet_sends_an_alert_and_can_repeat_it(stack, tmp_path):
    subprocess.run([stacks.ROOT / "scripts/lib/go_snippet.sh", tmp_path], check=True, timeout=BUILD_SECONDS)
    first, repeated = (subprocess.run([tmp_path / "send", "from-go", TO, "Pump 3 has stopped"], capture_output=True,
                                   text=True, env=stack.environment | stack.env, timeout=60, check=False)
                    for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[0].startswith("accepted ")
    assert first.stdout.splitlines()[0] == repeated.stdout.splitlines()[0], "the same key is the same alert"
