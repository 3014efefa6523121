"""Finds the programs that the servers run, and their versions."""

import shutil
import subprocess

from .process import ServerError


def first_line(*argv):
    """The first line that a command prints, or ""."""
    try:
        done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).splitlines() if done.returncode == 0 else []
    return lines[0] if lines else ""


def find_program(name, package, *more):
    """The path of a program; an error names the package it belongs to."""
    for candidate in (*more, name):
        path = shutil.which(candidate)
        if path:
            return path
    raise ServerError(f"{name} is not there; run tools/install {package}")
