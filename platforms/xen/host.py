"""Whether this host is a Xen dom0, with all that guests need: the findings of `check`, each with its remedy, and facts."""

import functools
import os
import re
import shutil
from pathlib import Path

from ..lab import command
from ..lab.errors import LabError, Unsupported
from ..lab.platform import Finding
from . import disk, xl

HOTPLUG_PROGRAMS = ("xenstore-read", "xenstore-write", "ip", "losetup", "tc")
MODULES = ("xen_gntdev", "xen_evtchn", "xen_blkback", "xen_netback", "loop", "bridge")
DEVICE_MODELS = ("/usr/libexec/xen-qemu-system-i386", "/usr/lib/xen/bin/qemu-system-i386")
INSTALL = "apt install xen-system-amd64 qemu-system-xen"
BOOT_XEN = f"boot the host under Xen: {INSTALL}, choose 'Debian GNU/Linux, with Xen hypervisor' in GRUB, restart"


def read(path):
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def find_dom0():
    if "control_d" in read("/proc/xen/capabilities"):
        return Finding("Xen dom0", True)
    kind = read("/sys/hypervisor/type")
    if kind != "xen":
        return Finding("Xen dom0", False, "this kernel does not run under Xen", BOOT_XEN)
    if not os.path.exists("/proc/xen/capabilities"):
        return Finding("Xen dom0", False, "xenfs is not mounted", "mount -t xenfs xenfs /proc/xen")
    return Finding("Xen dom0", False, "this is a guest of Xen, not its dom0", "work on the host that starts the guests")


def program_path(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def find_program(name, package):
    path = program_path(name)
    return Finding(name, bool(path), "" if path else "not installed", "" if path else f"apt install {package}")


def find_toolstack():
    try:
        version = xl.info().get("xen_version", "")
        xl.said("list")
        return Finding("toolstack", bool(version), "" if version else "xl info tells no version")
    except LabError as error:
        return Finding("toolstack", False, str(error).splitlines()[0],
                       "start xenstored and xenconsoled: service xen start (modules xen-privcmd, xen-evtchn, xen-gntdev)")


def find_modules():
    """Of those that are not there, which cannot be had."""
    missing = [name for name in MODULES if not os.path.isdir(f"/sys/module/{name}") and not loadable(name)]
    if not missing:
        return Finding("kernel modules", True)
    return Finding("kernel modules", False, f"this kernel has no {', '.join(missing)}",
                   "run dom0 on linux-image-amd64; the cloud kernel has no back ends")


def loadable(name):
    done = command.run(["modprobe", "--dry-run", "--quiet", name], good=None)
    return done.status == 0


def find_scripts():
    """The programs that our own hotplug scripts call."""
    missing = [name for name in HOTPLUG_PROGRAMS if not program_path(name)]
    if missing:
        return Finding("hotplug programs", False, f"not installed: {', '.join(missing)}",
                       "apt install xenstore-utils iproute2 mount")
    return Finding("hotplug programs", True)


def find_device_model():
    if any(os.access(each, os.X_OK) for each in DEVICE_MODELS):
        return Finding("device model", True)
    return Finding("device model", False, "no qemu for Xen: it serves qcow2 disks and HVM guests",
                   "apt install qemu-system-xen")


def find_namespace(netns):
    """Back ends of the kernel always appear in the host's own network namespace."""
    reason = "Xen's interfaces appear in the host's own network namespace alone" if netns else ""
    return Finding("network namespace", not netns, reason, "leave --netns and IR_LAB_NETNS out" if netns else "")


def find_hvm():
    able = "hvm" in capabilities()
    reason = "the CPU has no virtualization, or it is off: PV guests alone"
    return Finding("HVM and PVH", able, "" if able else reason, "" if able else "switch VT-x or AMD-V on in the firmware",
                   required=False)


def find_passthrough():
    if not any("directio" in each for each in capabilities()):
        return Finding("PCI passthrough", False, "the hypervisor has no IOMMU",
                       "switch VT-d or AMD-Vi on in the firmware; iommu=1 on Xen's command line", required=False)
    if not os.path.isdir("/sys/bus/pci/drivers/pciback"):
        return Finding("PCI passthrough", False, "xen-pciback is not loaded", "modprobe xen-pciback", required=False)
    return Finding("PCI passthrough", True, required=False)


def require_assignable(address, virtual):
    """That a PCI device can be given to a guest: it is in the hands of pciback."""
    device = Path("/sys/bus/pci/devices") / address
    if not re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", address) or not device.exists():
        raise Unsupported(f"there is no PCI device '{address}' here", "write it as lspci -D does: 0000:03:00.0")
    if virtual and not (device / "physfn").exists():
        raise Unsupported(f"PCI device {address} is no virtual function", "echo 1 > /sys/class/net/DEVICE/device/sriov_numvfs")
    found = find_passthrough()
    if not found.ok:
        raise Unsupported(f"{found.what}: {found.reason}", found.remedy)
    if address not in xl.said("pci-assignable-list"):
        raise Unsupported(f"PCI device {address} belongs to a driver of dom0", f"xl pci-assignable-add {address}")


def find_volumes():
    try:
        disk.require_group()
        return Finding("LVM volumes", True, required=False)
    except LabError as error:
        return Finding("LVM volumes", False, str(error).splitlines()[0], f"set {disk.GROUP} to a volume group (vgs) to use "
                       "root volume", required=False)


@functools.cache
def capabilities():
    """Of the hypervisor; they do not change while it runs."""
    try:
        return xl.info().get("virt_caps", "").split()
    except LabError:
        return []


def findings(netns):
    """Everything; what needs a running Xen only where there is one."""
    dom0 = find_dom0()
    found = [dom0, find_program("xl", "xen-utils-4.17"), find_program("qemu-img", "qemu-utils"), find_device_model(),
             find_scripts(), find_modules(), find_namespace(netns)]
    if dom0.ok and found[1].ok:
        found += [find_toolstack(), find_hvm(), find_passthrough(), find_volumes()]
    return found


def emulated():
    """Whether the hypervisor itself runs on a CPU that is emulated."""
    return "QEMU Virtual CPU" in read("/proc/cpuinfo") or "QEMU TCG" in read("/proc/cpuinfo")


def facts():
    told = xl.info()
    return {
        "hypervisor": f"Xen {told.get('xen_version')}",
        "scheduler": told.get("xen_scheduler"),
        "virt_caps": told.get("virt_caps", "").split(),
        "cpus": int(told.get("nr_cpus", 0)),
        "nodes": int(told.get("nr_nodes", 0)),
        "memory_mib": int(told.get("total_memory", 0)),
        "memory_free_mib": int(told.get("free_memory", 0)),
        "command_line": told.get("xen_commandline"),
        "dom0_kernel": told.get("release"),
        "nested": read("/sys/class/dmi/id/sys_vendor") in ("QEMU", "Xen", "Amazon EC2", "Microsoft Corporation"),
        "emulated": emulated(),
    }
