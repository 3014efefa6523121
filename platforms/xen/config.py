"""Writes the xl configuration of a guest from the guest's record alone, so that it can be tested without Xen.

    text = write(guest, Places(...))

The guest has its own memory size; `memory.limit` is its ceiling and `memory.balloon` its size at the start. With n
virtual CPUs, number i runs on the CPUs i, i + n, … of `cpu.pin`. So with as many CPUs as virtual ones, each virtual CPU
has its own.
"""

from pathlib import Path
from typing import NamedTuple

from ..lab.errors import LabError, Unsupported
from ..lab.network import split
from ..lab.tuning import AUTO, cpu_list, cpus

MIB = 2**20
SHARES_A_WEIGHT = 4  # the defaults are 1024 shares and weight 256
LARGEST_WEIGHT = 65535
RATE_INTERVAL_MS = 50  # netback counts the bytes of each such interval
EMULATED = "e1000"
HOTPLUG = Path(__file__).resolve().parent / "hotplug"


class Places(NamedTuple):
    """Paths that are not in the guest's record. `disks` are (format, path, writable), the root's disk first."""

    name: str
    kernel: str
    ramdisk: str
    disks: list
    bridge: str  # "" without a Xen interface
    interface: str
    console: str  # file for the output of an HVM guest's serial line


def write(guest, places):
    """The configuration as text."""
    settings = {
        "name": places.name,
        "type": guest.kind,
        "vcpus": guest.cpus,
        **memory(guest),
        "kernel": places.kernel,
        "ramdisk": places.ramdisk,
        "cmdline": command_line(guest),
        "disk": disks(guest, places),
        **interfaces(guest, places),
        **processors(guest),
        "on_poweroff": "destroy",
        "on_reboot": "restart",
        "on_crash": "destroy",
        **machine(guest, places),
    }
    return "".join(f"{key} = {value_text(key, value)}\n" for key, value in settings.items())


def value_text(key, value):
    if isinstance(value, list):
        return "[ " + ", ".join(value_text(key, each) for each in value) + " ]"
    if isinstance(value, int):
        return str(value)
    if any(each in value for each in "\"'\\\n"):
        raise LabError(f"{value}: xl's configuration ({key}) takes no quotes, backslashes or line breaks")
    return f'"{value}"'


def knob(guest, name):
    """The requested value; None when there is none or it is `auto`."""
    value = guest.tuning.get(name)
    return None if value == AUTO else value


# ---- memory ----


def whole_mib(name, value):
    if value % MIB or value == 0:
        raise LabError(f"{name} = {value}: Xen counts MiB; give a multiple of 1M")
    return value // MIB


def memory(guest):
    limit, balloon = knob(guest, "memory.limit"), knob(guest, "memory.balloon")
    most = whole_mib("memory.limit", limit) if limit else guest.memory_mib
    now = whole_mib("memory.balloon", balloon) if balloon else min(guest.memory_mib, most)
    if now > most:
        raise LabError(f"memory.balloon = {now}M: the guest has at most {most}M")
    return {"memory": now, "maxmem": most}


# ---- CPUs ----


def affinities(numbers, vcpus):
    """The CPU list of each virtual CPU."""
    step = min(vcpus, len(numbers))
    return [cpu_list(numbers[i % step :: step]) for i in range(vcpus)]


def weight(shares):
    if shares % SHARES_A_WEIGHT or not 1 <= shares // SHARES_A_WEIGHT <= LARGEST_WEIGHT:
        raise LabError(f"cpu.shares = {shares}: Xen's weights are a quarter of it, from 1 to {LARGEST_WEIGHT}; give a "
                       f"multiple of {SHARES_A_WEIGHT} up to {SHARES_A_WEIGHT * LARGEST_WEIGHT}")
    return shares // SHARES_A_WEIGHT


def cap(guest, quota):
    if quota > 100 * guest.cpus:
        raise LabError(f"cpu.quota = {quota}%: a guest of {guest.cpus} CPUs can have {100 * guest.cpus}% at most")
    return quota


def processors(guest):
    pin, node = knob(guest, "cpu.pin"), knob(guest, "numa.node")
    shares, quota = knob(guest, "cpu.shares"), knob(guest, "cpu.quota")
    settings = {}
    if pin is not None:
        settings["cpus"] = affinities(cpus(pin), guest.cpus)
    elif node is not None:
        settings["cpus"] = [f"node:{node}"] * guest.cpus
    if shares is not None:
        settings["cpu_weight"] = weight(shares)
    if quota is not None:
        settings["cap"] = cap(guest, quota)
    return settings


# ---- disks ----


def bus(guest):
    return knob(guest, "disk.bus") or "xen"


def disks(guest, places):
    """The disk of the root and the disk of the payload. The first four disks of an HVM guest are also IDE disks, which
    are always writable, so its payload is the fifth. qemu serves qcow2, dom0's kernel everything else."""
    names = ("hda" if bus(guest) == "ide" else "xvda", "xvde" if guest.kind == "hvm" else "xvdb")
    return [disk(name, *each) for name, each in zip(names, places.disks)]


def disk(device, kind, path, writable):
    script = "" if kind == "qcow2" else f",script={field(HOTPLUG / 'disk')}"
    return f"format={kind},vdev={device},access={'rw' if writable else 'ro'}{script},target={field(path)}"


def field(value):
    """Checks a part of a specification, which must not contain commas: they separate the parts."""
    if "," in str(value):
        raise LabError(f"{value}: xl's configuration allows no comma here; set IR_LAB to a path without one")
    return value


# ---- network ----


def nic(guest):
    emulated = split(guest.network)[0] == "e1000"
    return knob(guest, "network.nic") or (EMULATED if emulated else "xen")


def interval_bytes(rate):
    """Converts bit/s to netback's unit."""
    amount, rest = divmod(rate * RATE_INTERVAL_MS, 8 * 1000)
    if rest or not amount:
        raise LabError(f"network.rate = {rate}: Xen counts bytes in {RATE_INTERVAL_MS} ms; give a multiple of "
                       f"{8 * 1000 // RATE_INTERVAL_MS} bit/s")
    return amount


def rate_text(rate):
    return f"rate={interval_bytes(rate) * 1000 // RATE_INTERVAL_MS}B/s@{RATE_INTERVAL_MS}ms"


def interfaces(guest, places):
    profile, argument = split(guest.network)
    if profile in ("passthrough", "sriov"):
        return {"vif": [], "pci": [argument]}
    rate = knob(guest, "network.rate")
    model = ["type=ioemu", f"model={EMULATED}"] if nic(guest) == EMULATED else ["type=vif"]
    words = [f"mac={guest.mac}", f"bridge={field(places.bridge)}", f"vifname={places.interface}",
             f"script={field(HOTPLUG / 'interface')}", *model, *([rate_text(rate)] if rate else [])]
    return {"vif": [",".join(words)]}


# ---- the rest ----


def machine(guest, places):
    """The emulated machine of an HVM guest: no screen, its serial line to a file."""
    if guest.kind != "hvm":
        return {}
    return {"serial": f"file:{places.console}", "vnc": 0, "sdl": 0, "nographic": 1, "vga": "none", "usb": 0}


def command_line(guest):
    """If paravirtual disks and NICs exist, Linux unplugs Xen's emulated ones, unless it is configured not to."""
    emulated_disk, emulated_nic = bus(guest) == "ide", nic(guest) == EMULATED
    words = ["root=LABEL=river-root", "rw", "quiet", f"console={'ttyS0' if guest.kind == 'hvm' else 'hvc0'}"]
    if emulated_disk or emulated_nic:
        unplug = "never" if emulated_disk and emulated_nic else "nics" if emulated_disk else "ide-disks"
        words.append(f"xen_emul_unplug={unplug}")
    return " ".join(words)


def require_possible(guest):
    """Refuses settings that this kind of guest does not support."""
    if guest.kind != "hvm" and bus(guest) == "ide":
        raise Unsupported(f"a {guest.kind} guest has no emulated disks", "choose kind hvm")
    if guest.kind != "hvm" and nic(guest) == EMULATED:
        raise Unsupported(f"a {guest.kind} guest has no emulated NIC", "choose kind hvm")
    if guest.kind == "pvh" and split(guest.network)[0] in ("passthrough", "sriov"):
        raise Unsupported("a pvh guest cannot be given PCI devices", "choose kind hvm or pv")
    if guest.root == "overlay" and knob(guest, "disk.cache") == "none":
        raise Unsupported("qemu for Xen is built without aio=native, so an overlay goes through dom0's page cache",
                          "choose --root copy or volume, or disk.cache=writeback")
    for name, good in (("disk.bus", ("xen", "ide")), ("disk.cache", ("none", "writeback")),
                       ("network.nic", ("xen", EMULATED))):
        if knob(guest, name) not in (None, *good):
            raise Unsupported(f"{name} = {knob(guest, name)}: Xen has {' and '.join(good)}", "choose another profile")
