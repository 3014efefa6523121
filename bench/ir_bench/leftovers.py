"""Removes what a killed sample or proof left on the host: processes, guests, networks, control groups, mounts. The lab
finds all of this through its own folder, never by name."""

import shutil
import signal
import sys

from platforms.lab import Lab, command
from platforms.lab.cgroup import Group
from platforms.lab.places import PLATFORMS
from until import wait_until

DESTROY_SECONDS = 300
KILL_ROUNDS = 50


def lab_of(folder):
    """The lab of a sample, found in its folder of guests."""
    return Lab(folder / "guests" / "lab", netns="")


def labs_of(folder):
    """The labs of a sample: its own, and those of its stacks, each in a separate folder."""
    return [Lab(path, netns="") for path in sorted([*folder.glob("guests/lab"), *folder.glob("guests/*/lab")])]


def generator_of(folder):
    """The control group of a sample's generator and measuring programs."""
    return Group(f"{lab_of(folder).prefix}-generator")


def ir_platform(lab, netns, *words, seconds=DESTROY_SECONDS):
    """Runs a verb in a separate program, so that this one stays in its network namespace."""
    inside = [f"--netns={netns}"] if netns else []
    command.run([sys.executable, "-B", PLATFORMS / "ir-platform", f"--lab={lab.directory}", *inside, *words], seconds=seconds)


def clear(folder):
    """Ends all processes of the sample that still run and deletes its guests' files. LabError if something remains."""
    group = generator_of(folder)
    for _ in range(KILL_ROUNDS):
        if not group.processes():
            break
        group.signal(signal.SIGKILL)
        wait_until(lambda: not group.processes(), 0.2)
    for lab in labs_of(folder):
        made = lab.directory / "netns"
        ir_platform(lab, made.read_text(encoding="ascii").strip() if made.exists() else "", "destroy", "--all")
    if group.exists():
        group.remove()
    shutil.rmtree(folder / "guests", ignore_errors=True)


def clear_all(part):
    """Clears every sample and every proof with a lab in an experiment's folder."""
    cleared = [each.parent for each in sorted(part.path.glob("*/*/guests"))]
    for folder in cleared:
        clear(folder)
    return len(cleared)
