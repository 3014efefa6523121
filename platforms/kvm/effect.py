"""Reads the tuning that is in effect for a running domain: from the kernel (/proc, tc, the control group) and from
QEMU's monitor. Facts about devices come from the live domain's XML, because devices never change while a guest runs.

    in_effect(View(daemon, machine), ["cpu.pin", "cpu.quota"])    # {"cpu.pin": "0-1", "cpu.quota": 50}

A value that cannot be read is None, which never equals a requested value.
"""

import functools
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from until import wait_until

from ..lab import host, shaping, tuning
from ..lab.cgroup import Group
from ..lab.network import links
from .domain import IOTUNE, pins

KIB = 1024
MARK = "libvirt-qemu"  # suffix of the control group that libvirt makes for a domain
GUEST_SECONDS = 60


class View:
    """A snapshot of a running domain's state. Each piece of information is fetched only once."""

    def __init__(self, daemon, machine):
        self.daemon, self.machine = daemon, machine

    @functools.cached_property
    def xml(self):
        return ET.fromstring(self.daemon.virsh("dumpxml", self.machine.name))

    @functools.cached_property
    def pid(self):
        return self.daemon.pid_of(self.machine.name)

    @functools.cached_property
    def group(self):
        return Group(group_of(self.pid))

    @functools.cached_property
    def disk(self):
        """The first disk element: the guest's own disk."""
        return self.xml.find("devices/disk")

    @functools.cached_property
    def nic(self):
        return self.xml.find("devices/interface")

    @functools.cached_property
    def memory_map(self):
        return guest_memory(self.pid)

    def pairs(self, verb, *words):
        """Returns {name: value} of a virsh verb that prints `name : value` lines."""
        lines = self.daemon.virsh(verb, self.machine.name, *words).splitlines()
        return {key.strip(): value.strip() for key, colon, value in (line.partition(":") for line in lines) if colon}

    def monitor(self, verb):
        """The answer of QEMU's monitor."""
        text = self.daemon.virsh("qemu-monitor-command", self.machine.name, json.dumps({"execute": verb}))
        return json.loads(text)["return"]

    def status(self, key, thread=None):
        """A field of /proc/PID/status of QEMU or one of its threads."""
        path = Path(f"/proc/{self.pid}/task/{thread or self.pid}/status")
        found = re.search(rf"^{key}:\s*(.+)$", path.read_text(encoding="ascii"), re.M)
        return found.group(1) if found else None


def fields_of(pid):
    """The sizes in /proc/PID/status, in bytes."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return {key: int(kib) * KIB for key, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.M)}


def guest_memory(pid):
    """The fields in /proc/PID/smaps of the largest readable mapping, which is the guest's memory. (Threads reserve
    larger mappings, but these are not readable.) The field VmFlags becomes a set of words."""
    best, size = {}, 0
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for fields in mappings(file):
            fields["VmFlags"] = set(fields["VmFlags"].split())
            if "rd" in fields["VmFlags"] and int(fields["Size"].split()[0]) > size:
                best, size = fields, int(fields["Size"].split()[0])
    return best


def mappings(lines):
    """Yields one dict per mapping; VmFlags is its last line."""
    fields = {}
    for line in lines:
        key, _, value = line.partition(":")
        fields[key] = value.strip()
        if key == "VmFlags":
            yield fields
            fields = {}


def group_of(pid):
    """The domain's control group. QEMU's main thread is in a subgroup of it, which libvirt makes."""
    lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii").splitlines()
    path = next(line.split(":", 2)[2] for line in lines if f".{MARK}" in line)
    return path[: path.index(MARK) + len(MARK)].lstrip("/")


# ---- limits ----


def in_group(knob):
    return lambda view: view.group.get(knob, view.machine.knob(knob))


# ---- CPU ----


def vcpu_pin(view):
    """The requested value, if every plugged-in virtual CPU runs on the host CPU that this value assigns to it."""
    threads = [each["thread-id"] for each in sorted(view.monitor("query-cpus-fast"), key=lambda cpu: cpu["cpu-index"])]
    allowed = [view.status("Cpus_allowed_list", thread) for thread in threads]
    asked = view.machine.knob("cpu.pin")
    agrees = asked and allowed == pins(asked, view.machine.guest.cpus)[: len(allowed)]
    return asked if agrees else " | ".join(allowed)


def online(view):
    """The number of CPUs online. A guest releases a CPU at its own pace, so this waits, for a limited time."""
    asked = view.machine.knob("cpu.online")
    wait_until(lambda: len(view.monitor("query-cpus-fast")) == asked, GUEST_SECONDS, pause=0.5)
    return len(view.monitor("query-cpus-fast"))


def emulator_pin(view):
    return tuning.a_cpuset(view.status("Cpus_allowed_list"))


def io_pin(view):
    threads = [each["thread-id"] for each in view.monitor("query-iothreads")]
    return tuning.a_cpuset(view.status("Cpus_allowed_list", threads[0])) if threads else None


def node(view):
    memory = view.status("Mems_allowed_list")
    threads = view.monitor("query-cpus-fast")
    own = set(tuning.cpus(view.machine.node_cpus)) if view.machine.node_cpus else set()
    strays = [each for each in threads if set(tuning.cpus(view.status("Cpus_allowed_list", each["thread-id"]))) - own]
    return int(memory) if memory.isdigit() and not strays else f"memory of {memory}, {len(strays)} CPUs elsewhere"


# ---- memory ----


def hugepages(view):
    if int(view.memory_map["KernelPageSize"].split()[0]) > 4:
        return "static"
    mode = host.current(host.THP)
    advised = "hg" in view.memory_map["VmFlags"]
    return "transparent" if mode == "always" or (mode == "madvise" and advised) else "off"


def ksm(view):
    return "mg" in view.memory_map["VmFlags"] and host.current(host.KSM) == "1"


def balloon(view):
    """The guest returns its memory gradually, so this waits, for a limited time."""

    def actual():
        lines = view.daemon.virsh("dommemstat", view.machine.name).splitlines()
        return int(dict(line.split() for line in lines)["actual"])

    asked = view.machine.knob("memory.balloon")
    wait_until(lambda: asked is None or actual() * KIB == asked, GUEST_SECONDS, pause=0.5)
    return actual() * KIB


# ---- disk ----


def disk_driver(attribute):
    return lambda view: view.disk.find("driver").get(attribute)


def bus(view):
    return view.disk.find("target").get("bus")


def disk_or_controller(view):
    """The element that carries queues and thread: the disk's, or that of its SCSI controller."""
    element = view.xml.find("devices/controller[@type='scsi']/driver") if bus(view) == "scsi" else None
    return view.disk.find("driver") if element is None else element


def iothread(view):
    return disk_or_controller(view).get("iothread") is not None and bool(view.monitor("query-iothreads"))


def disk_queues(view):
    return int(disk_or_controller(view).get("queues") or 1)


def throttle(field):
    def read(view):
        return int(view.pairs("blkdeviotune", view.disk.find("target").get("dev"))[field]) or None

    return read


# ---- network ----


def attach(view):
    """The network profile, if the guest's interface is attached as the profile requires."""
    guest = view.machine.guest
    if not view.machine.bridge:
        return guest.network if view.xml.find("devices/hostdev") is not None or view.nic is not None else None
    master = links().get(view.machine.interface, {}).get("master")
    return guest.network if master == view.machine.bridge else f"on {master}"


def nic(view):
    return view.nic.find("model").get("type")


def nic_queues(view):
    driver = view.nic.find("driver")
    return int(driver.get("queues") or 1) if driver is not None else 1


def vhost(view):
    folder = f"/proc/{view.pid}/fd"
    return any(os.readlink(f"{folder}/{each}") == "/dev/vhost-net" for each in os.listdir(folder))


def rate(view):
    """Returns the rate in bit/s, if it is the same in both directions."""
    to, back = shaping.limited(view.machine.interface), shaping.limited_received(view.machine.interface)
    return to if to == back else f"{to} to the guest, {back} from it"


READERS = {
    "cpu.online": online,
    "cpu.pin": vcpu_pin,
    "cpu.emulator-pin": emulator_pin,
    "cpu.io-pin": io_pin,
    "cpu.shares": in_group("cpu.shares"),
    "cpu.quota": in_group("cpu.quota"),
    "numa.node": node,
    "memory.limit": in_group("memory.limit"),
    "memory.hugepages": hugepages,
    "memory.ksm": ksm,
    "memory.balloon": balloon,
    "disk.bus": bus,
    "disk.cache": disk_driver("cache"),
    "disk.io": disk_driver("io"),
    "disk.iothread": iothread,
    "disk.queues": disk_queues,
    **{knob: throttle(field) for knob, field in IOTUNE.items()},
    "network.attach": attach,
    "network.nic": nic,
    "network.queues": nic_queues,
    "network.vhost": vhost,
    "network.rate": rate,
}


def in_effect(view, knobs):
    """Returns {knob: value} for the given knobs that this module can read."""
    return {knob: READERS[knob](view) for knob in knobs if knob in READERS}
