"""Builds the libvirt domain XML of a guest from the request: sizes, tuning and network.

    text(Machine(guest, name, "kvm", files, "ir1234-br", "ir1234-g64", "/ir1234"))

It reads and changes nothing on the host, so the same request gives the same text everywhere. Elements and units follow
libvirt's documentation of the domain format. Tests validate the text of every profile against libvirt's own schema.
"""

import uuid
import xml.etree.ElementTree as ET
from typing import NamedTuple

from ..lab import tuning
from ..lab.cgroup import PERIOD_US, shares_to_weight
from ..lab.errors import LabError, Unsupported
from ..lab.guest import Guest
from ..lab.network import split

MIB = 2**20
OVERHEAD_MIB = 384  # upper limit of QEMU's own memory, including translated code
TRANSLATION_MIB = 128
LEAST_MIB = 256
NICS = ("virtio", "e1000")
TARGETS = {"virtio": "vd", "scsi": "sd", "ide": "hd"}
COMMAND_LINE = "root=LABEL=river-root rw console=ttyS0 quiet"
IOTUNE = {"disk.read-bps": "read_bytes_sec", "disk.write-bps": "write_bytes_sec",
          "disk.read-iops": "read_iops_sec", "disk.write-iops": "write_iops_sec"}


class Files(NamedTuple):
    """The absolute paths of a domain's files."""

    kernel: str
    initrd: str
    disk: str  # qcow2
    payload: str  # raw
    console: str  # log


class Machine(NamedTuple):
    """A guest, and those of its properties that the lab and the host determine instead of the request."""

    guest: Guest
    name: str  # name of the domain
    kind: str  # "kvm" or "qemu"
    files: Files
    bridge: str  # "": no bridge
    interface: str  # name of the tap interface
    partition: str  # cgroup
    cgroup_version: int = 1  # version of the CPU controller; it determines the unit of weights
    node_cpus: str = ""  # CPUs of the requested NUMA node

    def knob(self, name):
        """The requested value; None if there is none or it is "auto"."""
        value = self.guest.tuning.get(name)
        return None if value == tuning.AUTO else value

    @property
    def profile(self):
        """(network profile, argument)."""
        return split(self.guest.network)

    @property
    def needs_many_drivers(self):
        """Whether the guest has hardware for which the cloud kernel has no drivers."""
        return self.bus == "ide" or self.nic == "e1000" or self.profile[0] in ("passthrough", "sriov")

    @property
    def bus(self):
        return self.knob("disk.bus") or "virtio"

    @property
    def nic(self):
        if self.profile[0] == "e1000":
            return "e1000"
        return self.knob("network.nic") or "virtio"


def put(parent, tag, text=None, **attributes):
    """Appends a child element and returns it."""
    child = ET.SubElement(parent, tag, {key: str(value) for key, value in attributes.items() if value is not None})
    child.text = None if text is None else str(text)
    return child


def text(machine):
    """Returns the domain's XML."""
    root = build(machine)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def require_models(machine):
    """Refuses values that only other platforms support."""
    for knob, value, known in (("disk.bus", machine.bus, TARGETS), ("network.nic", machine.nic, NICS)):
        if value not in known:
            raise Unsupported(f"{knob} = {value}: a KVM guest has no such device", f"it has {', '.join(known)}")


def build(machine):
    """Builds the `domain` element."""
    require_models(machine)
    root = ET.Element("domain", type=machine.kind)
    put(root, "name", machine.name)
    put(root, "uuid", uuid.uuid5(uuid.NAMESPACE_URL, f"file://{machine.files.disk}"))
    for part in (add_memory, add_cpus, add_boot, add_numa, add_lifecycle, add_devices):
        part(root, machine)
    return root


# ---- memory ----


def memory_mib(machine):
    """The guest's memory. A limit includes QEMU's own memory, so the guest gets at most the rest."""
    asked, limit = machine.guest.memory_mib, machine.knob("memory.limit")
    if limit is None:
        return asked
    left = limit // MIB - OVERHEAD_MIB
    if left < LEAST_MIB:
        raise LabError(f"memory.limit = {limit // MIB}M: a virtual machine needs at least "
                       f"{OVERHEAD_MIB + LEAST_MIB}M, {OVERHEAD_MIB}M of them for QEMU itself")
    return min(asked, left)


def add_memory(root, machine):
    """Adds the memory elements, but not the limit. With the limit in the XML, libvirt would also let QEMU lock that
    much memory, which root may not do on every host. The limit is set before the guest runs."""
    mib, balloon = memory_mib(machine), machine.knob("memory.balloon")
    put(root, "memory", mib, unit="MiB")
    if balloon is not None:
        if balloon > mib * MIB:
            raise LabError(f"memory.balloon = {balloon // MIB}M is more than the guest's {mib} MiB")
        put(root, "currentMemory", balloon // 1024, unit="KiB")
    add_backing(root, machine)


def add_backing(root, machine):
    static = machine.knob("memory.hugepages") == "static"
    if not static and machine.knob("memory.ksm") is not False:
        return
    backing = put(root, "memoryBacking")
    if static:
        put(backing, "hugepages")
    if machine.knob("memory.ksm") is False:
        put(backing, "nosharepages")


# ---- CPU ----


def pins(cpus, n_vcpus):
    """The host CPUs of each vCPU, as cpuset text. The n-th vCPU goes to the n-th CPU. With fewer CPUs than vCPUs some
    are shared; with more, some vCPUs get several."""
    numbers = tuning.cpus(cpus)
    if len(numbers) < n_vcpus:
        return [str(numbers[i % len(numbers)]) for i in range(n_vcpus)]
    return [tuning.cpu_list(numbers[i::n_vcpus]) for i in range(n_vcpus)]


def require_online(guest, number):
    if number is not None and not 1 <= number <= guest.cpus:
        raise LabError(f"cpu.online = {number}: {guest.name} has {guest.cpus} CPUs")


def add_cpus(root, machine):
    online = machine.knob("cpu.online")
    require_online(machine.guest, online)
    put(root, "vcpu", machine.guest.cpus, placement="static", cpuset=machine.node_cpus or None, current=online)
    if machine.knob("disk.iothread"):
        put(root, "iothreads", 1)
    put(put(root, "resource"), "partition", machine.partition)
    put(root, "cpu", mode="host-passthrough" if machine.kind == "kvm" else "maximum")
    cputune = ET.Element("cputune")
    add_pins(cputune, machine)
    add_shares(cputune, machine)
    if len(cputune):
        root.append(cputune)


def add_pins(cputune, machine):
    if pin := machine.knob("cpu.pin"):
        for i, cpuset in enumerate(pins(pin, machine.guest.cpus)):
            put(cputune, "vcpupin", vcpu=i, cpuset=cpuset)
    if pin := machine.knob("cpu.emulator-pin"):
        put(cputune, "emulatorpin", cpuset=pin)
    if pin := machine.knob("cpu.io-pin"):
        require_iothread(machine, "cpu.io-pin")
        put(cputune, "iothreadpin", iothread=1, cpuset=pin)


def require_iothread(machine, knob):
    if not machine.knob("disk.iothread"):
        raise LabError(f"{knob} needs disk.iothread = yes: without it the disk has no separate thread")


def add_shares(cputune, machine):
    shares, quota = machine.knob("cpu.shares"), machine.knob("cpu.quota")
    if shares is not None:
        put(cputune, "shares", shares if machine.cgroup_version == 1 else shares_to_weight(shares))
    if quota is not None:
        put(cputune, "global_period", PERIOD_US)
        put(cputune, "global_quota", quota * PERIOD_US // 100)


def add_numa(root, machine):
    node = machine.knob("numa.node")
    if node is not None:
        put(put(root, "numatune"), "memory", mode="strict", nodeset=node)


# ---- boot and life ----


def add_boot(root, machine):
    system = put(root, "os")
    put(system, "type", "hvm", arch="x86_64", machine="pc" if machine.bus == "ide" else "q35")
    put(system, "kernel", machine.files.kernel)
    put(system, "initrd", machine.files.initrd)
    put(system, "cmdline", COMMAND_LINE)
    features = put(root, "features")
    put(features, "acpi")
    put(features, "apic")
    if machine.kind == "qemu":
        put(put(features, "tcg"), "tb-cache", TRANSLATION_MIB, unit="MiB")


def add_lifecycle(root, _machine):
    put(root, "clock", offset="utc")
    put(root, "on_poweroff", "destroy")
    put(root, "on_reboot", "restart")
    put(root, "on_crash", "destroy")


# ---- devices ----


def add_devices(root, machine):
    devices = put(root, "devices")
    put(devices, "controller", type="usb", model="none")
    if machine.bus == "scsi":
        add_scsi_controller(devices, machine)
    add_disk(devices, machine)
    add_payload(devices, machine)
    add_network(devices, machine)
    serial = put(devices, "serial", type="pty")
    put(serial, "log", file=machine.files.console, append="on")
    put(put(devices, "rng", model="virtio"), "backend", "/dev/urandom", model="random")
    put(put(devices, "memballoon", model="virtio"), "stats", period=2)


def add_scsi_controller(devices, machine):
    controller = put(devices, "controller", type="scsi", model="virtio-scsi")
    iothread = 1 if machine.knob("disk.iothread") else None
    if iothread or machine.knob("disk.queues"):
        put(controller, "driver", queues=machine.knob("disk.queues"), iothread=iothread)


def require_bus(machine):
    """Refuses impossible disk settings. For example, an IDE disk has only one queue, which QEMU's main thread
    serves."""
    if machine.bus == "ide" and (machine.knob("disk.iothread") or (machine.knob("disk.queues") or 1) > 1):
        raise LabError("disk.bus = ide supports neither disk.iothread nor disk.queues; use disk.bus = virtio")
    if machine.knob("disk.io") == "native" and machine.knob("disk.cache") not in ("none", "directsync"):
        raise LabError("disk.io = native needs disk.cache = none or directsync")


def add_disk(devices, machine):
    require_bus(machine)
    virtio = machine.bus == "virtio"
    disk = put(devices, "disk", type="file", device="disk")
    put(disk, "driver", name="qemu", type="qcow2", cache=machine.knob("disk.cache"), io=machine.knob("disk.io"),
        discard="unmap", iothread=1 if virtio and machine.knob("disk.iothread") else None,
        queues=machine.knob("disk.queues") if virtio else None)
    put(disk, "source", file=machine.files.disk)
    put(disk, "target", dev=TARGETS[machine.bus] + "a", bus=machine.bus)
    limits = {tag: machine.knob(knob) for knob, tag in IOTUNE.items() if machine.knob(knob) is not None}
    if limits:
        iotune = put(disk, "iotune")
        for tag, value in limits.items():
            put(iotune, tag, value)


def add_payload(devices, machine):
    disk = put(devices, "disk", type="file", device="disk")
    put(disk, "driver", name="qemu", type="raw")
    put(disk, "source", file=machine.files.payload)
    put(disk, "target", dev=TARGETS[machine.bus] + "b", bus=machine.bus)
    if machine.bus != "ide":  # an IDE disk cannot be read-only
        put(disk, "readonly")


def add_network(devices, machine):
    profile, argument = machine.profile
    if profile == "passthrough":
        hostdev = put(devices, "hostdev", mode="subsystem", type="pci", managed="yes")
        put(hostdev, "driver", name="vfio")
        put(put(hostdev, "source"), "address", **pci_address(argument))
    elif profile == "sriov":
        nic = put(devices, "interface", type="hostdev", managed="yes")
        put(nic, "mac", address=machine.guest.mac)
        put(nic, "driver", name="vfio")
        put(put(nic, "source"), "address", type="pci", **pci_address(argument))
    else:
        add_nic(devices, machine, profile, argument)


def pci_address(text_of_it):
    """A PCI address such as 0000:03:00.1 as libvirt's attributes."""
    domain, bus, rest = text_of_it.split(":")
    slot, function = rest.split(".")
    return {"domain": f"0x{domain}", "bus": f"0x{bus}", "slot": f"0x{slot}", "function": f"0x{function}"}


def add_nic(devices, machine, profile, argument):
    direct = profile == "macvlan"
    nic = put(devices, "interface", type="direct" if direct else "bridge")
    put(nic, "mac", address=machine.guest.mac)
    if direct:
        put(nic, "source", dev=argument, mode="bridge")
    else:
        put(nic, "source", bridge=machine.bridge)
    put(nic, "target", dev=machine.interface)
    put(nic, "model", type=machine.nic)
    add_nic_driver(nic, machine)


def add_nic_driver(nic, machine):
    vhost, queues = machine.knob("network.vhost"), machine.knob("network.queues")
    if machine.nic != "virtio":
        if vhost or (queues or 1) > 1:
            raise LabError(f"network.nic = {machine.nic} supports neither vhost nor queues; use network.nic = virtio")
        return
    if vhost is not None or queues is not None:
        put(nic, "driver", name=None if vhost is None else "vhost" if vhost else "qemu", queues=queues)
