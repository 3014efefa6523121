"""Runs xl and related programs and parses their output. All values come from the hypervisor or xenstore."""

import json
import os
import re
from pathlib import Path
from typing import NamedTuple

from ..lab.command import need, run

SECTOR_BYTES = 512
LOGS = "/var/log/xen"


class Domain(NamedTuple):
    number: int
    memory_mib: int
    vcpus: int
    flags: str  # the letters r (running) b (blocked) p (paused) s (shut down) c (crashed) d (dying)
    cpu_seconds: float


def call(*words, seconds=60, good=(0,)):
    """Runs an xl command; returns a Done."""
    return run([need("xl", "xen"), *words], seconds=seconds, good=good)


def said(*words, seconds=60):
    return call(*words, seconds=seconds).out


def parse_list(text):
    """Returns {name: Domain} of `xl list`."""
    found = {}
    for line in text.splitlines()[1:]:
        name, number, memory, vcpus, flags, seconds = line.rsplit(None, 5)
        found[name.strip()] = Domain(int(number), int(memory), int(vcpus), flags.replace("-", ""), float(seconds))
    return found


def domain(name):
    """The Domain of that name, or None. A dying domain counts as gone."""
    found = parse_list(said("list")).get(name)
    return None if found is None or "d" in found.flags else found


def keepers(name):
    """The ids of the xl processes that wait for the domain's end, to remove or restart it. They are the processes that
    write its log."""
    return [int(each.parts[2]) for each in Path("/proc").glob("[0-9]*/fd/1") if link(each) == f"{LOGS}/xl-{name}.log"]


def link(path):
    try:
        return os.readlink(path)
    except OSError:
        return None


def parse_info(text):
    """Returns {key: text} of `xl info`. Indented lines and lines without a key are left out."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line and not line.startswith(" "))
    return {key.strip(): value.strip() for key, value in pairs}


def info():
    return parse_info(said("info"))


def parse_node_cpus(text):
    """Returns {node: set of CPUs} from the cpu_topology table of `xl info -n`."""
    nodes, inside = {}, False
    for line in text.splitlines():
        if not line.startswith((" ", "cpu:")):
            inside = line.startswith("cpu_topology")
        elif inside and not line.startswith("cpu:"):
            cpu, _, rest = line.partition(":")
            nodes.setdefault(int(rest.split()[2]), set()).add(int(cpu))
    return nodes


def node_cpus():
    return parse_node_cpus(said("info", "-n"))


def parse_affinities(text):
    """The hard affinity of each vCPU, from `xl vcpu-list NAME`: a list of texts such as "0-1" or "all"."""
    return [line.rsplit(" / ", 1)[0].split()[-1] for line in text.splitlines()[1:]]


def affinities(name):
    return parse_affinities(said("vcpu-list", name))


def parse_schedule(text):
    """Returns (weight, cap) from `xl sched-credit2 -d NAME`."""
    weight, cap = text.splitlines()[-1].split()[-2:]
    return int(weight), int(cap)


def schedule(name):
    return parse_schedule(said("sched-credit2", "-d", name))


def config(name):
    """The domain's configuration, which libxl collects from hypervisor and xenstore."""
    return json.loads(said("list", "-l", name))[0]["config"]


def parse_top(text, name):
    """Returns {column: text} of a domain from `xentop -b`. The name comes first, then the state as one word."""
    lines = text.splitlines()
    columns = lines[0].split()
    for line in lines[1:]:
        values = line.split()
        if values and values[0] == name:
            return dict(zip(columns, values))
    return None


def top(name):
    return parse_top(run([need("xentop", "xen"), "-b", "-f", "-i", "1"], seconds=60).out, name)


def parse_block_stats(text):
    """Returns (bytes read, bytes written) of all disks that qemu serves for a guest, from its monitor's `info
    blockstats`."""
    return tuple(sum(map(int, re.findall(rf"\b{word}_bytes=(\d+)", text))) for word in ("rd", "wr"))


def block_stats(name):
    return parse_block_stats(said("qemu-monitor-command", name, "info blockstats"))


def parse_memory_nodes(text, number):
    """Returns {node: pages} of a domain, from the latest answer to the hypervisor's debug key "u"."""
    nodes, inside = {}, False
    for line in text.rpartition("Memory location of each domain")[2].splitlines():
        words = line.replace("(XEN)", "").split()
        if words[:1] == ["Domain"]:
            inside = words[1] == str(number)
        elif inside and words[:1] == ["Node"]:
            nodes[int(words[1].rstrip(":"))] = int(words[2])
    return {node: pages for node, pages in nodes.items() if pages}


def memory_nodes(number):
    call("debug-keys", "u")
    return parse_memory_nodes(said("dmesg"), number)


def store(path):
    """The value of a xenstore key, or None."""
    done = run([need("xenstore-read", "xen"), path], good=None)
    return done.out.strip() if done.status == 0 else None


def store_write(path, value):
    run([need("xenstore-write", "xen"), path, value])
