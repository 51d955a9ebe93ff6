"""Waiting for conditions. Nothing in these tests sleeps in place of one."""

import time

PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 120  # for what takes moments on a machine that is not busy


def until(what, check, seconds=PATIENCE_SECONDS):
    """Asks check() until its answer is true and gives that answer; fails when the time is up."""
    answer = within(seconds, check)
    assert answer, f"not within {seconds:.0f} s: {what}; last seen: {answer!r}"
    return answer


def within(seconds, check):
    """Asks check() until its answer is true or the time is up; the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := check()) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    return answer
