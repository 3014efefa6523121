"""Runs commands in a guest and copies files to and from it, the same way on every platform."""

import os
import subprocess
import tempfile

from . import command, registry
from .errors import LabError
from .platform import RUNNING


def require_running(platform, guest):
    state = platform.state(guest)
    if state != RUNNING:
        raise LabError(f"{guest.name} is {state}; run ir-platform boot {guest.platform} {guest.name}")


def exec_argv(lab, name, argv):
    """The command for the host that runs argv in the guest."""
    guest = lab.load(name)
    platform = registry.of(lab, guest)
    require_running(platform, guest)
    return platform.exec_argv(guest, [str(word) for word in argv])


def execute(lab, name, argv, seconds=60, good=(0,), text=None):
    """Runs a command in a guest until it ends. Returns a command.Done."""
    return command.run(exec_argv(lab, name, argv), seconds=seconds, good=good, text=text)


def execute_through(lab, name, argv):
    """Like execute(), but with this program's standard streams and without a time limit. Returns the exit status."""
    return subprocess.run(exec_argv(lab, name, argv), check=False).returncode


def push(lab, name, source, target):
    """Copies a file or folder of the host into a folder of the guest (made if missing), with tar over exec."""
    unpack = exec_argv(lab, name, ["/bin/sh", "-c", 'mkdir -p "$1" && exec tar -x -C "$1"', "sh", str(target)])
    pack = ["tar", "-c", "--owner=0", "--group=0", "-C", str(source.parent), source.name]
    pipe(pack, unpack, f"push {source} to {name}:{target}")


def pull(lab, name, source, target):
    """Copies a file or folder of the guest into a folder of the host (made if missing)."""
    target.mkdir(parents=True, exist_ok=True)
    pack = exec_argv(lab, name, ["tar", "-c", "-C", str(source.parent), source.name])
    pipe(pack, ["tar", "-x", "--no-same-owner", "-C", str(target)], f"pull {name}:{source}")


def pipe(producer, consumer, what, seconds=600):
    """Runs producer | consumer; both must succeed. Their error output goes to a file, because an unread pipe would
    block them."""
    running = []
    with tempfile.TemporaryFile() as said:
        try:
            reading, writing = os.pipe()
            with open(reading, "rb") as source, open(writing, "wb") as target:
                running.append(command.start(producer, stdin=subprocess.DEVNULL, stdout=target, stderr=said))
                running.append(command.start(consumer, stdin=source, stdout=subprocess.DEVNULL, stderr=said))
            statuses = (running[1].wait(timeout=seconds), running[0].wait(timeout=10))
        except subprocess.TimeoutExpired:
            raise LabError(f"{what}: did not end within {seconds} s") from None
        finally:
            for each in running:
                if each.poll() is None:
                    command.kill_group(each)
        if statuses != (0, 0):
            raise LabError(f"{what}: {last_words(said) or 'failed'}")


def last_words(file, size=600):
    """Returns the end of a file that other processes wrote to."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - size))
    return file.read().decode(errors="replace").strip()
