"""What a guest is entitled to beside its twin, and the levers that hold the twin back.

Two guests of equal shares: when both want all processors, each is due a half. A loss of that size is no fault of the
platform; only what goes beyond it is called interference.
"""

from dataclasses import dataclass

from platforms.lab.tuning import cpu_list, cpus

UNBOUND_BYTES = 1 << 40  # a second: more than any disk does
UNBOUND_OPERATIONS = 10**9
UNBOUND_BITS = 10**11


def fair_rate(processors, victim, outside, twin):
    """What of its rate a guest keeps by shares alone, at most 1. In processors: how many there are; what the guest used
    when it was alone, and what those outside used then for its load (they grow and shrink with it, and come first, as their
    share is larger than what they take); what its twin takes. The twin is due half of the rest, or less if it takes less."""
    if victim <= 0:
        return 1.0
    # r * victim = (processors - r * outside) / 2, and r * victim = processors - r * outside - twin
    half = processors / (2 * victim + outside)
    rest = max(processors - twin, 0) / (victim + outside)
    return min(1.0, max(half, rest))


def interference(kept, fair):
    """How many times more is lost than shares alone explain: 1 is none."""
    return fair / kept


# ---- levers ----


@dataclass(frozen=True)
class Lever:
    """A limit of the twin: with `on` it is held back; `off` is the same limit, so wide that it holds nothing."""

    on: dict
    off: dict


def second_half(pinned):
    """Of the CPUs of a list, the last ones."""
    numbers = cpus(pinned)
    return cpu_list(numbers[len(numbers) // 2:])


def shares(_tuning, _memory, _knobs):
    return Lever({"cpu.shares": 102}, {"cpu.shares": 1024})


def quota(_tuning, _memory, _knobs):
    return Lever({"cpu.quota": "25% of guest"}, {"cpu.quota": "100% of guest"})


def cpuset(tuning, _memory, _knobs):
    return Lever({"cpu.pin": second_half(tuning["cpu.pin"])}, {"cpu.pin": tuning["cpu.pin"]})


def memory_limit(_tuning, memory, knobs):
    """A virtual machine gives memory back by its balloon; its limit may not be lower than what it has."""
    knob = "memory.balloon" if "memory.balloon" in knobs else "memory.limit"
    return Lever({knob: memory // 4}, {knob: memory})


def io_throttle(_tuning, _memory, _knobs):
    return Lever({"disk.write-bps": 4 << 20, "disk.write-iops": 100},
                 {"disk.write-bps": UNBOUND_BYTES, "disk.write-iops": UNBOUND_OPERATIONS})


def shaping(_tuning, _memory, _knobs):
    return Lever({"network.rate": 50 * 10**6}, {"network.rate": UNBOUND_BITS})


# {name: (the stressor it is against, function of the twin's tuning, bytes of its memory, knobs of its platform)}
LEVERS = {
    "shares": ("cpu", shares), "quota": ("cpu", quota), "cpuset": ("cpu", cpuset), "memory-limit": ("memory", memory_limit),
    "io-throttle": ("disk", io_throttle), "shaping": ("network", shaping),
}
