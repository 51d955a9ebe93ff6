"""Waiting for conditions. The tests never sleep for a fixed time instead."""

import time

PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 120  # for conditions that take moments on an idle machine


def until(condition, check, seconds=PATIENCE_SECONDS):
    """Calls check() until its result is true, and returns that result. Fails after `seconds`."""
    result = within(seconds, check)
    assert result, f"not within {seconds:.0f} s: {condition}; last result: {result!r}"
    return result


def within(seconds, check):
    """Calls check() until its result is true or the time is up. Returns the last result."""
    deadline = time.monotonic() + seconds
    while not (result := check()) and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)
    return result
