"""Waiting for conditions. Nothing in these tests sleeps in place of one."""

import time

PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 120  # for what takes moments on a machine that is not busy


def until(what, check, seconds=PATIENCE_SECONDS):
    """Asks check() until its answer is true and gives that answer; fails when the time is up."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}; last seen: {answer!r}")
        time.sleep(PAUSE_SECONDS)
