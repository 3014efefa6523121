"""Waiting with a limit."""

import time


def wait_until(condition, seconds, check=lambda: None, pause=0.05):
    """Whether the condition became true within `seconds`. Meanwhile check() may raise."""
    deadline = time.monotonic() + seconds
    while not condition():
        check()
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
