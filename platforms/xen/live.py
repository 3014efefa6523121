"""Changes a running guest, and applies the settings that a guest needs right after its start."""

import contextlib

from until import wait_until

from ..lab import shaping
from ..lab.command import need, run
from ..lab.errors import LabError, Unsupported
from ..lab.tuning import AUTO, cpus
from . import config, effect, xl

BALLOON_SECONDS = 120


def bypass_cache(number, bus):
    """Makes the loop device under a raw file bypass dom0's page cache. Other disks do so by their configuration."""
    path = effect.backend(number, "vbd", effect.ROOT_DEVICE["hda" if bus == "ide" else "xvda"])
    device = xl.store(f"{path}/node") if path else None
    if device and device.startswith("/dev/loop"):
        run([need("losetup", "xen"), "--direct-io=on", device])


@contextlib.contextmanager
def held_still(name, running):
    """Pauses a running guest during the block and writes cached blocks to its disk's file. The file then has the
    content that a power failure would leave."""
    if not running:
        yield
        return
    xl.call("pause", name)
    try:
        with served_by_nobody(name):
            yield
    finally:
        xl.call("unpause", name)


@contextlib.contextmanager
def served_by_nobody(name):
    """If qemu serves the disk, stops it during the block. When qemu stops, it writes out the cached parts of a qcow2
    file."""
    number = xl.domain(name).number
    if xl.store(f"/local/domain/0/backend/qdisk/{number}") is None:
        run(["sync"])
        yield
        return
    xl.call("qemu-monitor-command", name, "stop")
    try:
        yield
    finally:
        xl.call("qemu-monitor-command", name, "cont")


# ---- limits ----


def pin(guest, name, _interface, value):
    for i, text in enumerate(config.affinities(cpus(value), guest.cpus)):
        xl.call("vcpu-pin", name, str(i), text)


def shares(_guest, name, _interface, value):
    xl.call("sched-credit2", "-d", name, "-w", str(config.weight(value)))


def quota(guest, name, _interface, value):
    xl.call("sched-credit2", "-d", name, "-c", str(config.cap(guest, value)))


def limit(_guest, name, _interface, value):
    mib = config.whole_mib("memory.limit", value)
    if mib < xl.domain(name).memory_mib:
        raise LabError(f"memory.limit = {mib}M: the guest has {xl.domain(name).memory_mib}M now; set a smaller memory.balloon first")
    xl.call("mem-max", name, str(mib))


def balloon(_guest, name, _interface, value):
    mib = config.whole_mib("memory.balloon", value)
    xl.call("mem-set", name, f"{mib}m")
    if not wait_until(lambda: xl.domain(name).memory_mib == mib, BALLOON_SECONDS, pause=0.5):
        raise LabError(f"{name}: the guest's balloon is at {xl.domain(name).memory_mib}M, not at {mib}M, after "
                       f"{BALLOON_SECONDS} s; it may have no more to give")


def rate(_guest, name, interface, value):
    amount = config.interval_bytes(value)
    path = f"/local/domain/0/backend/vif/{xl.domain(name).number}/0/rate"
    xl.store_write(path, f"{amount},{config.RATE_INTERVAL_MS * 1000}")
    shaping.limit(interface, value)


CHANGES = {
    "cpu.pin": pin,
    "cpu.shares": shares,
    "cpu.quota": quota,
    "memory.limit": limit,
    "memory.balloon": balloon,
    "network.rate": rate,
}


def change(guest, name, interface, asked):
    for knob in asked:
        if knob not in CHANGES:
            raise Unsupported(f"{knob} cannot change while a guest runs", "provision it anew with this value")
    for knob, value in asked.items():
        if value != AUTO:
            CHANGES[knob](guest, name, interface, value)
