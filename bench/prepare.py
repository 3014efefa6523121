"""Installs and builds what a measurement needs, so that each can run in a fresh clone."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def prepare(*groups):
    """`groups`: groups of tools/install, in addition to those of `make run`."""
    for argv in ([ROOT / "tools" / "install", "build", "run", *groups],
                 ["make", "-s", "-C", ROOT, "MODE=release", "build", "benches"]):
        done = subprocess.run(argv, check=False, stdout=sys.stderr)
        if done.returncode != 0:
            raise SystemExit(done.returncode)
