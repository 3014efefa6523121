"""Changes limits of a running domain with virsh."""

from ..lab import tuning
from ..lab.cgroup import PERIOD_US, shares_to_weight
from ..lab.errors import LabError, Unsupported
from .domain import IOTUNE, MIB, OVERHEAD_MIB, TARGETS, memory_mib, pins, require_iothread, require_online


def change(connection, machine, asked):
    """Applies {knob: value}. Translates all of them before it applies the first."""
    others = {knob: value for knob, value in asked.items() if knob not in IOTUNE}
    orders = [order for knob, value in others.items() for order in order_of(machine, knob, value)]
    orders += throttle(machine, {knob: value for knob, value in asked.items() if knob in IOTUNE})
    for verb, *words in orders:
        apply(connection, [verb, machine.name, *map(str, words), "--live"])


def apply(connection, words):
    """Runs the command. A guest may take longer to release a CPU than libvirt waits; the caller reads the effect
    afterwards."""
    done = connection.call(words, good=None)
    if done.status != 0 and "unplug request timed out" not in done.err:
        raise LabError(f"virsh {' '.join(words)}: {done.err.strip()}")


def order_of(machine, knob, value):
    if value == tuning.AUTO:
        return []
    if knob not in ORDERS:
        raise Unsupported(f"{knob} cannot change while a KVM guest runs", "provision it anew with this value")
    return ORDERS[knob](machine, value)


def pin(machine, cpus):
    return [("vcpupin", i, cpuset) for i, cpuset in enumerate(pins(cpus, machine.guest.cpus))]


def online(machine, number):
    require_online(machine.guest, number)
    return [("setvcpus", number)]


def emulator_pin(_machine, cpus):
    return [("emulatorpin", cpus)]


def io_pin(machine, cpus):
    require_iothread(machine, "cpu.io-pin")
    return [("iothreadpin", 1, cpus)]


def shares(machine, number):
    return [("schedinfo", f"cpu_shares={number if machine.cgroup_version == 1 else shares_to_weight(number)}")]


def quota(_machine, percent):
    return [("schedinfo", f"global_period={PERIOD_US}", f"global_quota={percent * PERIOD_US // 100}")]


def limit(machine, size):
    """Refuses a limit below the memory that the guest already has: it would be killed."""
    least = memory_mib(machine) + OVERHEAD_MIB
    if size < least * MIB:
        raise LabError(f"memory.limit = {size // MIB}M: {machine.guest.name} has memory that needs {least}M with QEMU; "
                       "set memory.balloon to take some back")
    return [("memtune", "--hard-limit", size // 1024)]


def balloon(machine, size):
    most = memory_mib(machine) * MIB
    if size > most:
        raise LabError(f"memory.balloon = {size // MIB}M is more than the guest's {most // MIB} MiB")
    return [("setmem", size // 1024)]


def throttle(machine, asked):
    """Sets all limits of the disk at once, because virsh removes every limit that is left out."""
    if not asked:
        return []
    limits = {knob: value for knob, value in {**machine.guest.tuning, **asked}.items() if value != tuning.AUTO}
    words = [word for knob, tag in IOTUNE.items() if knob in limits
             for word in (f"--{tag.replace('_', '-')}", limits[knob])]
    return [("blkdeviotune", f"{TARGETS[machine.bus]}a", *words)]


ORDERS = {
    "cpu.online": online,
    "cpu.pin": pin,
    "cpu.emulator-pin": emulator_pin,
    "cpu.io-pin": io_pin,
    "cpu.shares": shares,
    "cpu.quota": quota,
    "memory.limit": limit,
    "memory.balloon": balloon,
}
