"""An unrelated load on the host that comes and goes during a run, to test what the run then reports. It is one process
outside of the run's control groups, so the run sees it like any other program of the host."""

import contextlib
import subprocess
import sys
import time

from platforms.lab import command

from . import ROOT, child

BURST_SECONDS, PAUSE_SECONDS = 20, 30
BLOCK_BYTES = 64 << 20  # larger than the second-level cache of any processor


def compute():
    sum(range(100000))


def copy(block=bytearray(BLOCK_BYTES)):
    bytes(block)


WORK = {"cpu": compute, "memory": copy}


@contextlib.contextmanager
def running(name):
    """Runs the load during the block; "" runs none."""
    if not name:
        yield
        return
    program = f"from {__name__} import come_and_go; come_and_go({name!r})"
    load = subprocess.Popen([sys.executable, "-B", "-c", program], cwd=ROOT / "bench", stdin=subprocess.DEVNULL,
                            preexec_fn=command.die_with_parent)
    try:
        yield
    finally:
        child.end(load)


def come_and_go(name):
    """Alternates work and pauses until the process is ended."""
    while True:
        end = time.monotonic() + BURST_SECONDS
        while time.monotonic() < end:
            WORK[name]()
        time.sleep(PAUSE_SECONDS)
