"""The command line as it ships."""

import os
import pathlib
import subprocess

PROGRAM = pathlib.Path(os.environ.get("TOCSIN_BIN_DIR", "build/release/bin")).resolve() / "tocsin"
UNUSED = "127.0.0.1:1"  # no service listens there


def tocsin(*arguments, timeout=60, stdin="", **environment):
    """Runs the command. Its environment has PATH and the given variables only."""
    env = {"PATH": os.environ["PATH"]} | environment
    return subprocess.run([PROGRAM, *arguments], env=env, input=stdin, capture_output=True, text=True, timeout=timeout,
                          check=False, errors="surrogateescape")
