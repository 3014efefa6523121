"""Stressors for a guest's twin: each loads one resource until it is stopped. The processes run in the twin, so the
twin's shares and limits apply to them."""

import contextlib
import subprocess
import time

from platforms.lab import LabError, command, verbs
from until import wait_until

from .tools.peer import SECOND

FOLDER = "/var/lib/river/stress"
LONGEST_SECONDS = 900
END_SECONDS = 20
START = f'mkdir -p {FOLDER} && cd {FOLDER} && echo $$ >leader && exec timeout {LONGEST_SECONDS} /bin/sh -c "exec $1"'
# Kills the process group of the session leader, which is all that it started. The number is checked first, because -1
# would kill everything.
END = f'read -r leader <{FOLDER}/leader && [ "$leader" -gt 1 ] && kill -- "-$leader"'


# ---- commands, of tools.base.Place ----


def every_processor(place):
    return f"stress-ng --quiet --cpu {place.cpus} --cpu-method matrixprod"


def half_of_the_memory(place):
    """One process overwrites half of the guest's memory again and again."""
    return f"stress-ng --quiet --vm 1 --vm-bytes {place.memory_mib // 2}m --vm-method write64 --vm-keep"


def the_disk(_place):
    """Keeps 16 writes of 64 KiB in flight, at random places, each flushed."""
    return ("fio --name=stress --filename=data --size=512m --rw=randwrite --bs=64k --direct=1 --fdatasync=1 --ioengine=libaio "
            f"--iodepth=16 --time_based --runtime={LONGEST_SECONDS} --output=log")


def the_network(place):
    """Two streams to the peer."""
    return f"iperf3 --client {place.peers['bridge']} --port {SECOND} --parallel 2 --time {LONGEST_SECONDS}"


STRESSORS = {"cpu": every_processor, "memory": half_of_the_memory, "disk": the_disk, "network": the_network}


@contextlib.contextmanager
def running(guest, place, name, settle_seconds):
    """Runs a stressor in a guest (sample.BenchGuest). Yields a function that returns how it ended, or "" while it
    runs."""
    words = ["setsid", "--wait", "/bin/sh", "-c", START, "sh", STRESSORS[name](place)]
    argv = verbs.exec_argv(guest.lab, guest.name, words)
    log = guest.sample.folder / f"{guest.name}-{name}.log"
    with open(log, "ab") as said:
        child = command.start(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, preexec_fn=command.die_with_parent)
    try:
        time.sleep(settle_seconds)
        if child.poll() is not None:
            raise LabError(f"{guest.name}: the stressor of {name} ended at once: {log.read_text(errors='replace')[-300:]}")
        yield lambda: "" if child.poll() is None else f"the stressor ended early, with status {child.returncode}"
    finally:
        end(guest, child)


def end(guest, child):
    """Stops it inside the guest, where its processes are; then removes what is left here."""
    verbs.execute(guest.lab, guest.name, ["/bin/sh", "-c", END], good=None)
    if not wait_until(lambda: child.poll() is not None, END_SECONDS):
        command.kill_group(child)
