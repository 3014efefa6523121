"""Reads, from /proc, facts about the processes of a guest that shares the host's kernel."""

import ctypes
import re
from pathlib import Path

from . import host
from .tuning import cpu_list, cpus

PR_SET_MEMORY_MERGE = 67
HUGE_PAGES_PER_WORKER = 32  # number of 2 MiB pages reserved per worker that uses static huge pages
TUNABLES = {"1": "transparent", "2": "static"}


def share_equal_pages():
    """Allows KSM to merge all anonymous memory of this process and its children (Linux 6.4). False where not
    supported."""
    return ctypes.CDLL(None).prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) == 0


def read(process, name):
    try:
        return Path(f"/proc/{process}/{name}").read_bytes().decode(errors="replace")
    except OSError:
        return ""


class Inside:
    """The guest's processes; `processes` are their ids on the host."""

    def __init__(self, processes):
        self.processes = processes

    def named(self, name):
        """The processes that run the program of that name, of which the kernel keeps only 15 characters."""
        return [each for each in self.processes if read(each, "comm").strip() == name[:15]]

    def effect(self, guest):
        """Returns {knob: value} for the requested knobs that can be read from the processes."""
        readers = {
            "inside.worker-pin": self.worker_pin,
            "inside.broker-schedulers": self.schedulers,
            "inside.hugepages": lambda: host.current(host.THP),
            "memory.hugepages": self.malloc_pages,
            "memory.ksm": self.merging,
        }
        return {knob: reader() for knob, reader in readers.items() if knob in guest.tuning}

    def worker_pin(self):
        lists = [re.search(r"^Cpus_allowed_list:\s*(\S+)", read(each, "status"), re.M) for each in self.named("ir-worker")]
        allowed = {cpu_list(cpus(each.group(1))) for each in lists if each}
        return ", ".join(sorted(allowed)) or None

    def schedulers(self):
        """The number of schedulers of the broker. erl passes "+S" on as "-S"."""
        found = {int(each.group(1)) for process in self.named("beam.smp")
                 if (each := re.search(r"\0-S\0(\d+):", read(process, "cmdline")))}
        return found.pop() if len(found) == 1 else None

    def malloc_pages(self):
        """The kind of pages behind the workers' malloc. "static" counts only if huge pages are really in use."""
        kinds = set()
        for process in self.named("ir-worker"):
            found = re.search(r"glibc\.malloc\.hugetlb=(\d)", read(process, "environ"))
            kind = TUNABLES.get(found.group(1) if found else "", "off")
            held = re.search(r"^HugetlbPages:\s*([1-9]\d*)", read(process, "status"), re.M)
            kinds.add(kind if kind != "static" or held else "off")
        kind = ", ".join(sorted(kinds)) or None
        return "off" if kind == "transparent" and host.current(host.THP) == "never" else kind

    def merging(self):
        """Whether KSM runs and may merge the memory of every process of the guest's services."""
        running = host.current(host.KSM) == "1"
        return running and all("ksm_merge_any: yes" in read(each, "ksm_stat") for each in self.named("ir-worker"))


def host_settings(guest):
    """Settings of the kernel that host and guest share; see host.py."""
    settings = {}
    if "inside.hugepages" in guest.tuning:
        settings[host.THP] = guest.tuning["inside.hugepages"]
    elif guest.tuning.get("memory.hugepages") == "transparent":
        settings[host.THP] = "madvise"
    return settings


def host_pages(guest):
    if guest.tuning.get("memory.hugepages") != "static":
        return 0
    return HUGE_PAGES_PER_WORKER * sum(role == "worker" for _, role in guest.services())
