"""What a sample or a proof that was killed has left on the host: processes, guests, networks, control groups, mounts. All is
found by the lab in its own folder, never by a name."""

import shutil
import signal
import sys

from platforms.lab import Lab, command
from platforms.lab.cgroup import Group
from platforms.lab.clean import wait_until
from platforms.lab.state import PLATFORMS

DESTROY_SECONDS = 300
KILL_ROUNDS = 50


def lab_of(folder):
    """The lab of a sample, which its folder of guests holds."""
    return Lab(folder / "guests" / "lab", netns="")


def labs_of(folder):
    """That, and those of its stacks, each in a folder of its own."""
    return [Lab(path, netns="") for path in sorted([*folder.glob("guests/lab"), *folder.glob("guests/*/lab")])]


def generator_of(folder):
    """The control group of a sample's generator and measuring programs."""
    return Group(f"{lab_of(folder).prefix}-generator")


def ir_platform(lab, netns, *words, seconds=DESTROY_SECONDS):
    """One of its verbs, in a program of its own, so that this one stays in its network namespace."""
    inside = [f"--netns={netns}"] if netns else []
    command.run([sys.executable, "-B", PLATFORMS / "ir-platform", f"--lab={lab.directory}", *inside, *words], seconds=seconds)


def clear(folder):
    """Nothing of the sample runs afterwards, and its guests' files are gone. Raises LabError when something stays."""
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
    """Of an experiment's folder: every sample and every proof that has a lab."""
    cleared = [each.parent for each in sorted(part.path.glob("*/*/guests"))]
    for folder in cleared:
        clear(folder)
    return len(cleared)
