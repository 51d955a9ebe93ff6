"""The command line as it ships, run without a service."""

import os
import pathlib
import subprocess

PROGRAM = pathlib.Path(os.environ.get("TOCSIN_BIN_DIR", "build/release/bin")) / "tocsin"


def tocsin(*arguments, timeout=60, **environment):
    """What became of the call; of the caller's variables only PATH is passed on."""
    env = {"PATH": os.environ["PATH"]} | environment
    return subprocess.run([PROGRAM, *arguments], env=env, capture_output=True, text=True, timeout=timeout,
                          check=False)
