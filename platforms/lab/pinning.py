"""Chooses CPUs for a guest whose tuning says `auto`: the next ones in turn, so that guests are spread over the host.

    cpu.pin                   as many host CPUs as the guest has, after those of the last guest
    cpu.emulator-pin, io-pin  a CPU that is not among them, if the host has one
    inside.worker-pin         the last of the guest's CPUs, in the guest's numbering
    inside.broker-schedulers  one per CPU of the guest that the workers do not have, at least one
"""

import os

from .tuning import AUTO, cpu_list, cpus


def resolve(guest, others, shares_kernel):
    """Replaces `auto` by numbers in guest.tuning. `shares_kernel`: the guest numbers CPUs as the host does."""
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
    """`count` host CPUs after the first `skip`, wrapping around; no more than the host has."""
    return [host[(skip + i) % len(host)] for i in range(min(count, len(host)))]
