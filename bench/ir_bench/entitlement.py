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
    share is larger than what they take); what its twin takes. The twin may have half of what is left, or less if it takes less."""
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


def memory_knob(knobs):
    """A virtual machine gives memory back by its balloon; its limit may not be lower than what it has."""
    return "memory.balloon" if "memory.balloon" in knobs else "memory.limit"


# {name: (the stressor it is against, function of (tuning of the twin, bytes of its memory, knobs of its platform))}
LEVERS = {
    "shares": ("cpu", lambda tuning, memory, knobs: Lever({"cpu.shares": 102}, {"cpu.shares": 1024})),
    "quota": ("cpu", lambda tuning, memory, knobs: Lever({"cpu.quota": "25% of guest"}, {"cpu.quota": "100% of guest"})),
    "cpuset": ("cpu", lambda tuning, memory, knobs: Lever({"cpu.pin": second_half(tuning["cpu.pin"])},
                                                          {"cpu.pin": tuning["cpu.pin"]})),
    "memory-limit": ("memory", lambda tuning, memory, knobs: Lever({memory_knob(knobs): memory // 4}, {memory_knob(knobs): memory})),
    "io-throttle": ("disk", lambda tuning, memory, knobs: Lever({"disk.write-bps": 4 << 20, "disk.write-iops": 100},
                                                                {"disk.write-bps": UNBOUND_BYTES,
                                                                 "disk.write-iops": UNBOUND_OPERATIONS})),
    "shaping": ("network", lambda tuning, memory, knobs: Lever({"network.rate": 50 * 10**6}, {"network.rate": UNBOUND_BITS})),
}
