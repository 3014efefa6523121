"""Within a running guest: commands, and files to and fro, alike on every platform."""

import subprocess

from . import command, registry
from .errors import LabError
from .platform import RUNNING


def require_running(platform, guest):
    state = platform.state(guest)
    if state != RUNNING:
        raise LabError(f"{guest.name} is {state}; ir-platform boot {guest.platform} {guest.name}")


def exec_argv(lab, name, argv):
    """The host's command that runs argv in the guest."""
    guest = lab.load(name)
    platform = registry.of(lab, guest)
    require_running(platform, guest)
    return platform.exec_argv(guest, [str(word) for word in argv])


def execute(lab, name, argv, seconds=60, good=(0,), text=None):
    """Runs a command in a guest to its end: command.Done."""
    return command.run(exec_argv(lab, name, argv), seconds=seconds, good=good, text=text)


def execute_through(lab, name, argv):
    """The same with this program's own standard streams and no bound; returns the exit status."""
    return subprocess.run(exec_argv(lab, name, argv), check=False).returncode


def push(lab, name, source, target):
    """A file or folder of the host to a folder of the guest (made when missing), by tar through exec."""
    unpack = exec_argv(lab, name, ["/bin/sh", "-c", 'mkdir -p "$1" && exec tar -x -C "$1"', "sh", str(target)])
    pack = ["tar", "-c", "--owner=0", "--group=0", "-C", str(source.parent), source.name]
    pipe(pack, unpack, f"push {source} to {name}:{target}")


def pull(lab, name, source, target):
    """A file or folder of the guest into a folder of the host (made when missing)."""
    target.mkdir(parents=True, exist_ok=True)
    pack = exec_argv(lab, name, ["tar", "-c", "-C", str(source.parent), source.name])
    pipe(pack, ["tar", "-x", "--no-same-owner", "-C", str(target)], f"pull {name}:{source}")


def pipe(producer, consumer, what, seconds=600):
    """producer | consumer, both ending well."""
    with command.start(producer, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        try:
            second = command.start(consumer, stdin=first.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            first.stdout.close()
            with second:
                try:
                    error = second.communicate(timeout=seconds)[1] + first.stderr.read()
                    statuses = (first.wait(timeout=10), second.returncode)
                except BaseException:
                    command.kill_group(second)
                    raise
        except subprocess.TimeoutExpired:
            raise LabError(f"{what}: did not end within {seconds} s") from None
        finally:
            if first.poll() is None:
                command.kill_group(first)
    if statuses != (0, 0):
        raise LabError(f"{what}: {error.decode(errors='replace').strip()[-600:] or 'failed'}")
