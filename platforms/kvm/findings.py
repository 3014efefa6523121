"""Checks what KVM guests need on a host, one requirement after another. Changes nothing."""

import os
import shutil
from pathlib import Path

from ..lab import command, host
from ..lab.finding import controller, mounted_root, need, program, root_user
from . import proof

PROGRAMS = ("libvirtd", "virtlogd", "virsh", "qemu-system-x86_64", "qemu-img", "ip", "ssh", "mke2fs", "cpio", "depmod")
SWITCH_ON = ("switch virtualisation on in the firmware or the outer hypervisor, modprobe kvm_intel or kvm_amd; until then "
             "guests are emulated, about 20 times slower, and marked as emulated")


def all_of(lab):
    found = [root_user(), mounted_root(), *(program(each, "kvm") for each in PROGRAMS)]
    found += [program(each, "platforms") for each in ("unshare", "mmdebstrap")]
    found.append(device("/dev/net/tun", "modprobe tun"))
    found += map(controller, ("cpu", "cpuset", "memory"))
    if all(each.ok for each in found if each.required):
        found += starts(lab)
    else:
        found.append(device("/dev/kvm", SWITCH_ON, required=False))
    return [*found, vhost(), huge_pages(), page_sharing(), iommu(), virtual_functions(), schema()]


def device(path, remedy, required=True):
    return need(path, os.path.exists(path), "not there", remedy, required)


# ---- whether a guest starts ----


def kernel_at_hand(lab):
    """A kernel of the appliance if one is built, otherwise the running host's; None when there is neither."""
    built = sorted(lab.image.directory.glob("kernel-*/vmlinuz"), key=lambda each: each.stat().st_mtime)
    own = Path(f"/boot/vmlinuz-{os.uname().release}")
    return built[-1] if built else own if os.access(own, os.R_OK) else None


def hardware(lab):
    """Whether a guest really starts with /dev/kvm. Fetches the appliance's kernel when there is no other to try."""
    if not os.path.exists("/dev/kvm"):
        return proof.Proof(False, "/dev/kvm is not there")
    return proof.prove(kernel_at_hand(lab) or lab.image.kernel("cloud")[0], "kvm")


def starts(lab):
    """Findings for hardware virtualisation and emulation; one of the two must work."""
    kernel = kernel_at_hand(lab)
    if kernel is None:
        return [need("a guest starts", False, "not tried: no kernel to boot yet", "ir-platform image kernel",
                     required=False)]
    by_hardware = hardware(lab)
    found = [need("a guest starts by hardware (kind kvm)", by_hardware.ok, by_hardware.reason,
                  SWITCH_ON, required=False)]
    if not by_hardware.ok:
        emulated = proof.prove(kernel, "tcg")
        found.append(need("a guest starts by emulation (kind qemu)", emulated.ok, emulated.reason,
                          "see the output of qemu-system-x86_64"))
    return found


# ---- what some profiles need ----


def vhost():
    return need("/dev/vhost-net", os.path.exists("/dev/vhost-net"), "network.vhost = yes is not possible",
                "modprobe vhost_net", required=False)


def huge_pages():
    kinds = Path("/proc/filesystems").read_text(encoding="ascii").split()
    return need("hugetlbfs", "hugetlbfs" in kinds, "memory.hugepages = static is not possible",
                "use a kernel with CONFIG_HUGETLBFS", required=False)


def page_sharing():
    return need("kernel samepage merging", host.KSM.exists(), "memory.ksm = yes is not possible",
                "use a kernel with CONFIG_KSM", required=False)


def iommu():
    groups = Path("/sys/kernel/iommu_groups")
    ok = groups.exists() and any(groups.iterdir()) and Path("/sys/bus/pci/drivers/vfio-pci").exists()
    return need("IOMMU and VFIO (passthrough, sriov)", ok, "guests cannot get PCI devices",
                "switch VT-d or AMD-Vi on in the firmware, boot with intel_iommu=on, modprobe vfio-pci", required=False)


def virtual_functions():
    totals = Path("/sys/bus/pci/devices").glob("*/sriov_totalvfs")
    return need("a NIC with virtual functions (sriov)", any(int(each.read_text()) > 0 for each in totals),
                "no PCI device here has any", "use a NIC with SR-IOV, switched on in the firmware", required=False)


def schema():
    name = "virt-xml-validate"
    return need(f"program {name}", shutil.which(name) is not None, "domain.xml is checked by libvirt alone",
                command.install("kvm"), required=False)
