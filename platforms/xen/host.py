"""Checks whether this host is a Xen dom0 with everything that guests need. Returns findings (each with a remedy) and
facts about the host."""

import functools
import os
import re
import shutil
from pathlib import Path

from ..lab import command
from ..lab.errors import LabError, Unsupported
from ..lab.finding import need, program, root_user
from . import disk, xl

PROGRAMS = ("xl", "xentop", "xenstore-read", "xenstore-write", "qemu-img", "losetup", "ip", "tc", "ssh", "mke2fs",
            "modprobe")
MODULES = ("xen_gntdev", "xen_evtchn", "xen_blkback", "xen_netback", "loop", "bridge")
DEVICE_MODELS = ("/usr/libexec/xen-qemu-system-i386", "/usr/lib/xen/bin/qemu-system-i386")
BOOT_XEN = ("boot the host under Xen: apt install xen-system-amd64 qemu-system-xen, choose 'Debian GNU/Linux, with Xen "
            "hypervisor' in GRUB, restart")


def read(path):
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def find_dom0():
    if "control_d" in read("/proc/xen/capabilities"):
        return need("Xen dom0", True, "", "")
    if read("/sys/hypervisor/type") != "xen":
        return need("Xen dom0", False, "this kernel does not run under Xen", BOOT_XEN)
    if not os.path.exists("/proc/xen/capabilities"):
        return need("Xen dom0", False, "xenfs is not mounted", "mount -t xenfs xenfs /proc/xen")
    return need("Xen dom0", False, "this is a guest of Xen, not dom0", "run this on the host that starts the guests")


def find_toolstack():
    remedy = "start xenstored and xenconsoled: service xen start (modules xen-privcmd, xen-evtchn, xen-gntdev)"
    try:
        xl.said("list")
        return need("toolstack", "xen_version" in xl.info(), "xl info prints no version", remedy)
    except LabError as error:
        return need("toolstack", False, str(error).splitlines()[0], remedy)


def find_modules():
    missing = [name for name in MODULES if not os.path.isdir(f"/sys/module/{name}") and not loadable(name)]
    return need("kernel modules", not missing, f"this kernel has no {', '.join(missing)}",
                "run dom0 on linux-image-amd64; the cloud kernel has no back ends")


def loadable(name):
    return shutil.which("modprobe") is not None and \
        command.run(["modprobe", "--dry-run", "--quiet", name], good=None).status == 0


def find_device_model():
    there = any(os.access(each, os.X_OK) for each in DEVICE_MODELS)
    return need("device model", there, "qemu for Xen is missing; qcow2 disks and HVM guests need it", command.install("xen"))


def find_namespace(netns):
    """Checks that the lab uses the host's own network namespace: Xen's network interfaces always appear there."""
    return need("network namespace", not netns, "Xen's interfaces appear only in the host's own network namespace",
                "do not use --netns and IR_LAB_NETNS")


def find_hvm():
    return need("HVM and PVH", "hvm" in capabilities(), "the CPU has no virtualization, or it is off: only PV guests can run",
                "switch VT-x or AMD-V on in the firmware", required=False)


def find_passthrough():
    if not any("directio" in each for each in capabilities()):
        return need("PCI passthrough", False, "the hypervisor has no IOMMU",
                    "switch VT-d or AMD-Vi on in the firmware; iommu=1 on Xen's command line", required=False)
    return need("PCI passthrough", os.path.isdir("/sys/bus/pci/drivers/pciback"), "xen-pciback is not loaded",
                "modprobe xen-pciback", required=False)


def find_volumes():
    remedy = f"set {disk.GROUP} to a volume group (vgs) to use root volume"
    try:
        disk.require_group()
        return need("LVM volumes", True, "", "", required=False)
    except LabError as error:
        return need("LVM volumes", False, str(error).splitlines()[0], remedy, required=False)


@functools.cache
def capabilities():
    """The hypervisor's capabilities, which do not change while it runs."""
    try:
        return xl.info().get("virt_caps", "").split()
    except LabError:
        return []


def findings(netns):
    """All findings. Those that need a running Xen are included only if it runs."""
    dom0 = find_dom0()
    programs = [*(program(name, "xen") for name in PROGRAMS), program("mmdebstrap", "platforms", required=False)]
    found = [dom0, root_user(), *programs, find_device_model(), find_modules(), find_namespace(netns)]
    if dom0.ok and programs[0].ok:
        found += [find_toolstack(), find_hvm(), find_passthrough(), find_volumes()]
    return found


def require_assignable(address, virtual):
    """Checks that a PCI device can be given to a guest, that is, that pciback holds it."""
    device = Path("/sys/bus/pci/devices") / address
    if not re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", address) or not device.exists():
        raise Unsupported(f"there is no PCI device '{address}' here", "write it as lspci -D does: 0000:03:00.0")
    if virtual and not (device / "physfn").exists():
        raise Unsupported(f"PCI device {address} is not a virtual function",
                          "echo 1 > /sys/class/net/DEVICE/device/sriov_numvfs")
    found = find_passthrough()
    if not found.ok:
        raise Unsupported(f"{found.what}: {found.reason}", found.remedy)
    if address not in xl.said("pci-assignable-list"):
        raise Unsupported(f"PCI device {address} belongs to a driver of dom0", f"xl pci-assignable-add {address}")


def emulated():
    """Whether the hypervisor itself runs on an emulated CPU."""
    return any(name in read("/proc/cpuinfo") for name in ("QEMU Virtual CPU", "QEMU TCG"))


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
        "emulated": emulated(),
    }
