"""The share that a guest is entitled to beside its twin, and the levers that limit the twin.

If two guests of equal shares both want all processors, each is entitled to a half. The loss of the other half is not
the platform's fault. Only a further loss is called interference.
"""

from dataclasses import dataclass

from platforms.lab.tuning import cpu_list, cpus

UNBOUND_BYTES = 1 << 40  # bytes per second; more than any disk can do
UNBOUND_OPERATIONS = 10**9
UNBOUND_BITS = 10**11


def fair_rate(processors, victim, outside, twin):
    """The fraction of its rate, at most 1, that a guest keeps by shares alone. All arguments are numbers of processors.
    `processors`: those of the host. `victim`: those that the guest kept busy when alone. `outside`: those that
    processes outside the guest, such as the generator, kept busy for its load. They need processors in proportion to
    the load, and always get them, because they need less than their share. `twin`: those that the twin keeps busy. It
    is entitled to half of the rest, or to what it uses if that is less."""
    if victim <= 0:
        return 1.0
    # In the first case r * victim = (processors - r * outside) / 2; in the second r * victim = processors - r * outside
    # - twin.
    half = processors / (2 * victim + outside)
    rest = max(processors - twin, 0) / (victim + outside)
    return min(1.0, max(half, rest))


def interference(kept, fair):
    """Returns the factor by which the loss exceeds what shares alone explain; 1 means no interference."""
    return fair / kept


# ---- levers ----


@dataclass(frozen=True)
class Lever:
    """A limit of the twin. `on` holds it back; `off` is the same limit, so wide that it has no effect."""

    on: dict
    off: dict


def second_half(pinned):
    """The second half of a list of CPUs."""
    numbers = cpus(pinned)
    return cpu_list(numbers[len(numbers) // 2:])


def shares(_tuning, _memory, _knobs):
    return Lever({"cpu.shares": 102}, {"cpu.shares": 1024})


def quota(_tuning, _memory, _knobs):
    return Lever({"cpu.quota": "25% of guest"}, {"cpu.quota": "100% of guest"})


def cpuset(tuning, _memory, _knobs):
    return Lever({"cpu.pin": second_half(tuning["cpu.pin"])}, {"cpu.pin": tuning["cpu.pin"]})


def memory_limit(_tuning, memory, knobs):
    """The memory limit. A virtual machine is limited with its balloon, because its limit may not be lower than the
    memory it has."""
    knob = "memory.balloon" if "memory.balloon" in knobs else "memory.limit"
    return Lever({knob: memory // 4}, {knob: memory})


def io_throttle(_tuning, _memory, _knobs):
    return Lever({"disk.write-bps": 4 << 20, "disk.write-iops": 100},
                 {"disk.write-bps": UNBOUND_BYTES, "disk.write-iops": UNBOUND_OPERATIONS})


def shaping(_tuning, _memory, _knobs):
    return Lever({"network.rate": 50 * 10**6}, {"network.rate": UNBOUND_BITS})


# {name: (the stressor it acts against, function of the twin's tuning, its memory in bytes, its platform's knobs)}
LEVERS = {
    "shares": ("cpu", shares), "quota": ("cpu", quota), "cpuset": ("cpu", cpuset), "memory-limit": ("memory", memory_limit),
    "io-throttle": ("disk", io_throttle), "shaping": ("network", shaping),
}
