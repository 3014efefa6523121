"""Installs and builds what a measurement needs, so that each can run in a fresh clone."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from ir_bench import ROOT, needs


def install(*groups):
    """`groups`: groups of tools/install."""
    if faults := needs.install(groups):
        raise SystemExit("\n".join(faults))


def prepare(*groups):
    """`groups`: groups of tools/install, in addition to those of `make run`."""
    install("build", "run", *groups)
    subprocess.run(["make", "-s", "-C", ROOT, "MODE=release", "build", "benches"], check=True, stdout=sys.stderr)


def with_packages(*modules):
    """Starts the program again with the tests' Python, if this one lacks a module."""
    if Path(sys.executable) != needs.PYTHON and not all(importlib.util.find_spec(module) for module in modules):
        install("test")
        os.execv(needs.PYTHON, [needs.PYTHON, *sys.argv])
