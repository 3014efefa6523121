"""Checks what an experiment needs on the host; describes what is missing."""

import os
import shutil
import subprocess

import facts
import servers

from . import ROOT

INSTALL_SECONDS = 1200
PYTHON = servers.cache_directory() / "venv" / "bin" / "python"  # it has the packages of the tests


def unmet(experiment, place):
    """Returns [reason]. `place`: the folder for the guests' disks."""
    needs = experiment.needs
    found = []
    for what, unit, there in (("cores", "cores", os.cpu_count()), ("memory_mib", "MiB of memory", facts.memory_mib()),
                              ("disk_mib", "MiB of free disk", shutil.disk_usage(place).free >> 20)):
        if (wanted := needs.get(what, 0)) > there:
            found.append(f"it needs {wanted} {unit}, this host has {there}")
    if groups := needs.get("install"):
        found += install(groups)
    return found or experiment.of_kind.missing(experiment)


def install(groups):
    """Installs groups of tools/install; returns a description of what could not be installed."""
    done = subprocess.run([ROOT / "tools" / "install", *groups], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=INSTALL_SECONDS, check=False)
    return [f"tools/install {' '.join(groups)}: {done.stdout.strip().splitlines()[-1]}"] if done.returncode else []
