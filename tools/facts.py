"""The facts of the machine, without which a number says nothing."""

import os
import platform as python_platform
import re
import subprocess
import time
from pathlib import Path

import servers

PACKAGES = ("rabbitmq-server", "haproxy", "librabbitmq4", "libmongoc-1.0-0", "libserd-0-0", "libevent-2.1-7", "libjansson4",
            "libcbor0.8", "libcurl4", "libsqlite3-0", "virtuoso-opensource-7-bin")


def read(path):
    try:
        return Path(path).read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""


def output(*argv):
    """The first line that a command prints, or ""."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).splitlines() if done.returncode == 0 else []
    return lines[0] if lines else ""


def cpu():
    found = re.search(r"^model name\s*:\s*(.*)$", read("/proc/cpuinfo"), re.M)
    return found.group(1) if found else python_platform.machine()


def memory_mib():
    found = re.search(r"^MemTotal:\s*(\d+)", read("/proc/meminfo"), re.M)
    return int(found.group(1)) // 1024 if found else 0


def platform():
    """bare, lxc, container, kvm, xen, vm (another hypervisor) or emulated."""
    around = read("/proc/1/environ")
    vendor = read("/sys/class/dmi/id/sys_vendor") + " " + read("/sys/class/dmi/id/product_name")
    if "container=lxc" in around:
        return "lxc"
    if "container=" in around or Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return "container"
    if "TCG" in cpu() or cpu().startswith("QEMU Virtual CPU"):
        return "emulated"
    if read("/sys/hypervisor/type") == "xen" or "Xen" in vendor:
        return "xen"
    if not re.search(r"^flags\s*:.*\bhypervisor\b", read("/proc/cpuinfo"), re.M):
        return "bare"
    return "kvm" if re.search(r"KVM|QEMU|Google|Amazon", vendor) else "vm"


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
    if documents == "mongodb":
        found["mongod"] = output(servers.MongoDB.program(), "--version").removeprefix("db version v")
    if graph == "oxigraph":
        found["oxigraph"] = output(servers.Oxigraph.program(), "--version").removeprefix("oxigraph ")
    if graph == "fuseki":
        found["fuseki"] = output("java", "-jar", str(servers.Fuseki.jar()), "--version")
        found["java"] = output("java", "--version")
    return found


def commit(root):
    """Of the sources, marked when they are not as committed."""
    head = output("git", "-C", str(root), "rev-parse", "HEAD")
    changed = output("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
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
        "compiler": output("gcc", "--version"),
        "versions": versions(documents, graph),
    }
