"""Collects facts about the machine: a measured number is meaningless without them."""

import os
import platform as python_platform
import re
import subprocess
import time
from pathlib import Path

import servers

SERVERS = servers.DOCUMENT_SERVERS | servers.GRAPH_SERVERS
PACKAGES = ("rabbitmq-server", "haproxy", "librabbitmq4", "libserd-0-0", "libevent-2.1-7", "libjansson4",
            "libcbor0.8", "libcurl4", "libsqlite3-0",
            # Package names in Debian 13.
            "libevent-2.1-7t64", "libcbor0.10", "libcurl4t64",
            *(name for each in SERVERS.values() for name in each.libraries))
KVM = r"KVM|QEMU|Google|Amazon"
HYPERVISORS = KVM + r"|VMware|VirtualBox|innotek|Microsoft Corporation Virtual|Parallels|Bochs|BHYVE|OpenStack"


def read(path):
    try:
        return Path(path).read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""


def cpu():
    found = re.search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo"), re.M)
    return found.group(1) if found else python_platform.machine()


def memory_mib():
    found = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.M)
    return int(found.group(1)) // 1024 if found else 0


# The ids of the kernel's initial namespaces (linux/proc_ns.h).
FIRST_NAMESPACES = {"pid": 4026531836, "uts": 4026531838, "ipc": 4026531839, "cgroup": 4026531835}


def platform(root="/"):
    """Returns what the programs run on: bare, kvm, xen, vm (another hypervisor) or emulated; in a container "lxc in
    kvm", "docker in bare", "container in vm" … `root`: where the system's files are."""
    root = Path(root)
    inner, outer = container(root), machine(root)
    return f"{inner} in {outer}" if inner else outer


def container(root):
    """The kind of container; "container" if the kind is unknown; "" outside of one. A disk made from a container's
    image still carries its marks, so the kernel decides: in a container the processes are not in the initial
    namespaces."""
    shared = {name: os.path.islink(path) and os.readlink(path) == f"{name}:[{number}]"
              for name, number in FIRST_NAMESPACES.items() if os.path.islink(path := root / "proc/self/ns" / name)}
    kind = container_kind(root)
    if shared.get("pid") and (not kind or all(shared.values())):
        return ""
    return kind or ("container" if shared else "")


def container_kind(root):
    """The kind, by the container manager's variable or by marks in the file system."""
    around = re.search(r"(?:^|\0)container=([a-z-]+)", read(root / "proc/1/environ"))
    named = around.group(1) if around else read(root / "run/systemd/container").split(":")[0]
    if named:
        return named
    if (root / "run/.containerenv").exists():
        return "podman"
    if (root / ".dockerenv").exists():
        return "docker"
    found = re.search(r"/(lxc|docker|libpod|kubepods)\b", read(root / "proc/1/cgroup"))
    return found.group(1) if found else ""


def machine(root):
    info = read(root / "proc/cpuinfo")
    vendor = " ".join(read(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name"))
    model = re.search(r"^model name\s*:\s*(.*)$", info, re.M)
    if model and ("TCG" in model.group(1) or model.group(1).startswith("QEMU Virtual CPU")):
        return "emulated"
    if read(root / "sys/hypervisor/type") == "xen" or "Xen" in vendor:
        return "xen"
    if re.search(r"^flags\s*:", info, re.M):
        virtual = re.search(r"^flags\s*:.*\bhypervisor\b", info, re.M)
    else:  # not x86: decide by firmware and paravirtual devices
        virtual = re.search(HYPERVISORS, vendor) or any((root / "sys/bus/virtio/devices").glob("*"))
    if not virtual:
        return "bare"
    return "kvm" if re.search(KVM, vendor) else "vm"


def versions(documents, graph):
    found = {}
    query = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package} ${Version}\n", *PACKAGES]
    try:
        listing = subprocess.run(query, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        listing = ""
    for line in listing.splitlines():
        if line.startswith("ii "):
            name, version = line[3:].split(" ", 1)
            found[name] = version
    for name in (documents, graph):
        if name in SERVERS:
            found |= SERVERS[name].versions()
    return found


def commit(root):
    """The commit of the sources, marked when they have uncommitted changes."""
    head = servers.first_line("git", "-C", str(root), "rev-parse", "HEAD")
    changed = servers.first_line("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    return (head or "unknown") + ("+changes" if changed else "")


def collect(root, documents, graph):
    return {
        "commit": commit(root),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "host": python_platform.node(),
        "kernel": python_platform.release(),
        "machine": python_platform.machine(),
        "distribution": re.sub(r'.*PRETTY_NAME="([^"]*)".*', r"\1", read("/etc/os-release"), flags=re.S),
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "memory_mib": memory_mib(),
        "load": os.getloadavg()[0],
        "compiler": servers.first_line("gcc", "--version"),
        "versions": versions(documents, graph),
    }
