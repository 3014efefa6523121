"""Reads the tuning in effect for a running guest from the hypervisor, xenstore and dom0's kernel.

    in_effect(guest, name, interface)       {knob: value}, normalised as in tuning.KNOBS; None: not in effect
"""

import os
from pathlib import Path

from ..lab import shaping
from ..lab.tuning import AUTO, cpu_list, cpus
from . import config, xl

KIB, MIB = 2**10, 2**20
ROOT_DEVICE = {"xvda": 51712, "hda": 768}  # numbers of Xen's block interface
EVERYWHERE = "all"


def backend(number, kind, device):
    """The xenstore folder of a back end in dom0."""
    for folder in (kind, "qdisk") if kind == "vbd" else (kind,):
        path = f"/local/domain/0/backend/{folder}/{number}/{device}"
        if xl.store(path) is not None:
            return path
    return None


# ---- CPUs and memory ----


def pin(guest, name):
    """The host CPUs of all virtual CPUs together, if each virtual CPU is where the configuration placed it."""
    there = xl.affinities(name)
    if EVERYWHERE in there:
        return None
    together = sorted({n for text in there for n in cpus(text)})
    wanted = config.affinities(together, guest.cpus)
    return cpu_list(together) if there == wanted else " ".join(there)


def node(name):
    """The NUMA node that has all CPUs and all memory of the guest."""
    nodes = xl.node_cpus()
    on_nodes = set(xl.memory_nodes(xl.domain(name).number))
    allowed = {n for text in xl.affinities(name) for n in (cpus(text) if text != EVERYWHERE else ())}
    fitting = [number for number, members in nodes.items() if allowed and allowed <= members and on_nodes == {number}]
    if len(nodes) == 1 and on_nodes <= set(nodes):
        return next(iter(nodes))
    return fitting[0] if fitting else None


def shares(name):
    return xl.schedule(name)[0] * config.SHARES_A_WEIGHT


def quota(name):
    """The cap in percent of one CPU; None without a cap."""
    return xl.schedule(name)[1] or None


def limit(name):
    return xl.config(name)["b_info"]["max_memkb"] * KIB


def balloon(name):
    return xl.domain(name).memory_mib * MIB


# ---- disk ----


def disk_cache(number, bus):
    """Returns "none" if dom0 bypasses its page cache for the root disk."""
    path = backend(number, "vbd", ROOT_DEVICE["hda" if bus == "ide" else "xvda"])
    if path is None:
        return None
    if "/qdisk/" in path:
        return "none" if xl.store(f"{path}/direct-io-safe") == "1" else "writeback"
    node_path = xl.store(f"{path}/node") or ""
    loop = Path("/sys/block") / os.path.basename(node_path) / "loop" / "dio"
    return "writeback" if loop.exists() and loop.read_text().strip() == "0" else "none"


def disk_bus(name):
    """Returns "ide" while the guest sees an emulated disk."""
    devices = [each.get("vdev", "") for each in xl.config(name).get("disks", [])]
    return "ide" if devices and devices[0].startswith("hd") else "xen"


# ---- network ----


def rate_out(number):
    """The limit of netback for what the guest sends, in bit/s; None without a limit."""
    text = xl.store(f"/local/domain/0/backend/vif/{number}/0/rate")
    if not text:
        return None
    amount, interval_us = (int(each) for each in text.split(","))
    return amount * 8 * 1_000_000 // interval_us if interval_us else None


def rate(number, interface):
    """One number if both directions have the same rate, else both as text."""
    out, into = rate_out(number), shaping.limited(interface)
    return out if out == into else f"out {out}, in {into}"


def nic(name):
    devices = xl.config(name).get("nics", [])
    if not devices:
        return None
    return config.EMULATED if devices[0].get("model") == config.EMULATED else "xen"


# ---- all of them ----


def readers(guest, name, interface):
    number = xl.domain(name).number
    return {
        "cpu.pin": lambda: pin(guest, name),
        "cpu.shares": lambda: shares(name),
        "cpu.quota": lambda: quota(name),
        "numa.node": lambda: node(name),
        "memory.limit": lambda: limit(name),
        "memory.balloon": lambda: balloon(name),
        "disk.bus": lambda: disk_bus(name),
        "disk.cache": lambda: disk_cache(number, config.bus(guest)),
        "network.nic": lambda: nic(name),
        "network.rate": lambda: rate(number, interface),
    }


def in_effect(guest, name, interface):
    """Reads the requested knobs, and others only if reading them is cheap."""
    known = readers(guest, name, interface)
    return {knob: known[knob]() for knob in guest.tuning if knob in known and guest.tuning[knob] != AUTO}
