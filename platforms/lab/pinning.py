"""Which CPUs a guest gets when its tuning says `auto`: the next ones in turn, so that guests spread over the host.

    cpu.pin                   as many of the host's CPUs as the guest has, following those of the last guest
    cpu.emulator-pin, io-pin  a CPU that is not among them, if the host has one
    inside.worker-pin         the last of the guest's CPUs, as the guest numbers them
    inside.broker-schedulers  one for each CPU of the guest that the workers do not have, at least one
"""

import os

from .tuning import AUTO, cpu_list, cpus


def resolve(guest, others, shares_kernel):
    """Puts numbers in the place of `auto` in guest.tuning. `shares_kernel`: the guest numbers CPUs as the host does."""
    tuning = guest.tuning
    host = sorted(os.sched_getaffinity(0))
    if tuning.get("cpu.pin") == AUTO:
        tuning["cpu.pin"] = cpu_list(next_cpus(host, guest.cpus, sum(each.cpus for each in others)))
    own = cpus(tuning["cpu.pin"]) if "cpu.pin" in tuning else host[: guest.cpus]
    rest = [each for each in host if each not in own] or host
    for knob in ("cpu.emulator-pin", "cpu.io-pin"):
        if tuning.get(knob) == AUTO:
            tuning[knob] = str(rest[0])
    inside = own if shares_kernel else list(range(guest.cpus))
    if tuning.get("inside.worker-pin") == AUTO:
        tuning["inside.worker-pin"] = str(inside[-1])
    if tuning.get("inside.broker-schedulers") == AUTO:
        tuning["inside.broker-schedulers"] = max(1, len(inside) - 1)


def next_cpus(host, count, skip):
    """`count` of the host's CPUs after the first `skip`, in turn; no more than there are."""
    return [host[(skip + i) % len(host)] for i in range(min(count, len(host)))]
