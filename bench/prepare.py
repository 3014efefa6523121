"""Installs and builds what a measurement needs, so that each can run in a fresh clone."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from ir_bench import ROOT
from ir_bench.needs import PYTHON


def install(*groups):
    """`groups`: groups of tools/install."""
    run([ROOT / "tools" / "install", *groups])


def prepare(*groups):
    """`groups`: groups of tools/install, in addition to those of `make run`."""
    install("build", "run", *groups)
    run(["make", "-s", "-C", ROOT, "MODE=release", "build", "benches"])


def with_packages(*modules):
    """Starts the program again with the tests' Python, if this one lacks a module."""
    if Path(sys.executable) != PYTHON and not all(importlib.util.find_spec(module) for module in modules):
        install("test")
        os.execv(PYTHON, [PYTHON, *sys.argv])


def run(argv):
    done = subprocess.run(argv, check=False, stdout=sys.stderr)
    if done.returncode != 0:
        raise SystemExit(done.returncode)
