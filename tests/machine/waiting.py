"""Waiting for what must come to pass."""

import time


class Failed(Exception):
    """What was to be proven is not so."""


def until(what, condition, patience=60):
    """Returns what `condition` finds, once it finds something."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise Failed(f"waited {patience} s for {what}")
        time.sleep(0.05)
    return found


def holds(what, condition, seen=""):
    if not condition:
        raise Failed(f"{what}: {seen}" if seen != "" else what)
