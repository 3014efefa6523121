"""Control groups of version 1, version 2, or both, wherever the host has mounted each controller.

A limit is one row of LIMITS. It defines how a knob's value is written to and read from the file of either version. So
code that sets limits by other means (LXC's keys, libvirt) can read them back in the same way.
"""

import os
import re
import signal
from pathlib import Path
from typing import NamedTuple

from until import wait_until

from .errors import LabError, Unsupported
from .tuning import cpu_list, cpus

PERIOD_US = 100000
V2_CONTROLLER = {"blkio": "io", "cpuacct": "cpu", "freezer": "", "net_prio": None}


def hierarchies():
    """Returns {controller: folder} of the version 1 hierarchies, and {"": folder} of version 2 if mounted."""
    found = {}
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as table:
        for line in table:
            _, folder, kind, options = line.split()[:4]
            if kind == "cgroup2":
                found.setdefault("", Path(folder))
            elif kind == "cgroup":
                for controller in options.split(","):
                    found.setdefault(controller, Path(folder))
    return found


def version(controller):
    """The cgroup version (1 or 2) that has the controller on this host. Unsupported when neither has it."""
    mounted = hierarchies()
    if controller in mounted:
        return 1
    name = V2_CONTROLLER.get(controller, controller)
    if "" in mounted and name is not None:
        if name == "" or name in (mounted[""] / "cgroup.controllers").read_text(encoding="ascii").split():
            return 2
    raise Unsupported(f"this host has no cgroup controller '{controller}'", remedy(controller))


def remedy(controller):
    """The command that mounts a missing controller. A host that uses version 1 gets it as version 1; any other host
    gets version 2 with all controllers."""
    if [each for each in hierarchies() if each]:
        folder = f"/sys/fs/cgroup/{controller}"
        return f"mkdir -p {folder} && mount -t cgroup -o {controller} none {folder}, if the kernel has it"
    return "mount -t cgroup2 none /sys/fs/cgroup; a kernel with this controller (see /proc/cgroups)"


def has(controller):
    try:
        version(controller)
        return True
    except Unsupported:
        return False


# ---- limits ----


def shares_to_weight(shares):
    """Converts shares to a weight by the mapping of the kernel's documentation and of systemd."""
    return max(1, min(10000, 1 + (shares - 2) * 9999 // 262142))


def write_quota_v1(percent, _device):
    return str(percent * PERIOD_US // 100)


def read_quota_v1(text, _asked, _device):
    return None if int(text) < 0 else int(text) * 100 // PERIOD_US


def read_quota_v2(text, _asked, _device):
    quota, period = text.split()
    return None if quota == "max" else int(quota) * 100 // int(period)


def read_weight(text, asked, _device):
    """Converts a weight to shares. Several numbers of shares map to one weight; returns the requested number if it is
    one of them."""
    weight = int(text)
    if isinstance(asked, int) and shares_to_weight(asked) == weight:
        return asked
    return (weight - 1) * 262142 // 9999 + 2


def read_memory(text, asked, _device):
    """Parses a memory limit. The kernel rounds limits down to whole pages, so the result is the requested value if that
    rounds to the limit."""
    if text == "max" or int(text) >= 2**62:
        return None
    page = os.sysconf("SC_PAGE_SIZE")
    return asked if isinstance(asked, int) and asked // page * page == int(text) else int(text)


def write_io_v1(value, device):
    return f"{device} {value}"


def read_io_v1(text, _asked, device):
    found = re.search(rf"^{device} (\d+)$", text, re.M)
    return int(found.group(1)) if found else None


def io_v2(key):
    def write(value, device):
        return f"{device} {key}={value}"

    def read(text, _asked, device):
        found = re.search(rf"^{device} .*\b{key}=(\d+)", text, re.M)
        return int(found.group(1)) if found else None

    return File("io.max", write, read)


def plain(value, _device):
    return str(value)


def read_number(text, _asked, _device):
    return int(text)


def read_cpus(text, _asked, _device):
    return cpu_list(cpus(text)) if text else None


class File(NamedTuple):
    name: str
    write: object  # (value, device) -> text
    read: object  # (text, asked, device) -> value, None when there is no limit


class Limit(NamedTuple):
    controller: str
    v1: File
    v2: File


LIMITS = {
    "cpu.pin": Limit("cpuset", File("cpuset.cpus", plain, read_cpus), File("cpuset.cpus", plain, read_cpus)),
    "cpu.shares": Limit("cpu", File("cpu.shares", plain, read_number),
                        File("cpu.weight", lambda value, _: str(shares_to_weight(value)), read_weight)),
    "cpu.quota": Limit("cpu", File("cpu.cfs_quota_us", write_quota_v1, read_quota_v1),
                       File("cpu.max", lambda value, _: f"{value * PERIOD_US // 100} {PERIOD_US}", read_quota_v2)),
    "numa.node": Limit("cpuset", File("cpuset.mems", plain, read_number), File("cpuset.mems", plain, read_number)),
    "memory.limit": Limit("memory", File("memory.limit_in_bytes", plain, read_memory),
                          File("memory.max", plain, read_memory)),
    **{f"disk.{key}": Limit("blkio", File(f"blkio.throttle.{old}_device", write_io_v1, read_io_v1), io_v2(new))
       for key, old, new in (("read-bps", "read_bps", "rbps"), ("write-bps", "write_bps", "wbps"),
                             ("read-iops", "read_iops", "riops"), ("write-iops", "write_iops", "wiops"))},
}


def limit_file(knob):
    """Returns (controller, version, File) of a knob on this host."""
    limit = LIMITS[knob]
    found = version(limit.controller)
    return limit.controller, found, limit.v1 if found == 1 else limit.v2


def node_cpus(node):
    """The CPUs of a NUMA node, as a CPU list."""
    path = Path(f"/sys/devices/system/node/node{node}/cpulist")
    if not path.exists():
        raise Unsupported(f"this host has no NUMA node {node}", "numa.node = 0 is there on every host")
    return path.read_text(encoding="ascii").strip()


# ---- a group ----


class Group:
    """One group in every mounted hierarchy. `path` is relative to their roots, for example "ir1234/one"."""

    USED = ("cpu", "cpuacct", "cpuset", "memory", "blkio", "pids", "freezer")

    def __init__(self, path):
        self.path = path

    def folders(self):
        """Every folder of the group, each once."""
        mounted = hierarchies()
        roots = {mounted[each] for each in self.USED if each in mounted}
        if "" in mounted and (not roots or self.controllers_of_v2(mounted[""])):
            roots.add(mounted[""])
        return [root / self.path for root in sorted(roots)]

    def everywhere(self):
        """The group's folders in all hierarchies, including folders that others (LXC) made."""
        return [root / self.path for root in sorted(set(hierarchies().values()))]

    @staticmethod
    def controllers_of_v2(root):
        return (root / "cgroup.controllers").read_text(encoding="ascii").split()

    def folder(self, controller):
        mounted = hierarchies()
        return (mounted[controller] if version(controller) == 1 else mounted[""]) / self.path

    def make(self):
        """Makes all folders and prepares them for processes."""
        for folder in self.folders():
            folder.mkdir(parents=True, exist_ok=True)
        if version("cpuset") == 1:
            self.inherit_cpuset()
        else:
            self.delegate()

    def inherit_cpuset(self):
        """Fills a new cpuset of version 1, which starts empty."""
        folder = self.folder("cpuset")
        top = hierarchies()["cpuset"]
        for part in reversed([folder, *folder.parents[: len(folder.relative_to(top).parts) - 1]]):
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not (part / name).read_text(encoding="ascii").strip():
                    write(part / name, (part.parent / name).read_text(encoding="ascii").strip())

    def delegate(self):
        """Enables the controllers for child groups; version 2 does not do so by default."""
        folder = self.folder("cpuset")
        top = hierarchies()[""]
        wanted = " ".join(f"+{each}" for each in ("cpu", "cpuset", "memory", "io", "pids"))
        for part in reversed(folder.parents[: len(folder.relative_to(top).parts)]):
            write(part / "cgroup.subtree_control", wanted)

    def exists(self):
        return any(folder.exists() for folder in self.everywhere())

    def processes(self):
        """The ids of the processes in the group and below it."""
        found = set()
        for folder in self.everywhere():
            for path in folder.rglob("cgroup.procs"):
                try:
                    found.update(int(each) for each in path.read_text(encoding="ascii").split())
                except OSError:
                    continue
            if folder.exists():
                found.update(int(each) for each in (folder / "cgroup.procs").read_text(encoding="ascii").split())
        return sorted(found)

    def enter_argv(self):
        """A command prefix: a shell that enters the group and then becomes the command."""
        procs = " ".join(f"'{folder}/cgroup.procs'" for folder in self.folders())
        return ["/bin/sh", "-c", f'for each in {procs}; do echo $$ >"$each" || exit 125; done; exec "$@"', "sh"]

    def signal(self, number):
        for process in self.processes():
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue

    def kill(self, seconds=10):
        """Kills all processes in the group and below it, including those that they start meanwhile. Returns False if
        some remain."""

        def none_left():
            self.signal(signal.SIGKILL)
            return not self.processes()

        return wait_until(none_left, seconds)

    def remove(self, seconds=10):
        """Removes the empty folders, from the bottom up."""
        wait_until(lambda: not self.processes(), seconds)
        for folder in self.everywhere():
            if folder.exists():
                remove_folder(folder, seconds)

    def set(self, knob, value, device=None):
        controller, _, file = limit_file(knob)
        folder, text = self.folder(controller), file.write(value, device)
        if controller == "cpuset" and version("cpuset") == 1:
            self.set_below(folder, file.name, text)
        write(folder / file.name, text)

    @staticmethod
    def set_below(folder, name, text):
        """Changes the CPU set of a group and of all groups below it that have the same set. In version 1 the groups
        below do not follow by themselves, and a new set is refused while a child's set is not within it. So all groups
        first get the old and the new set together, from the top down."""
        old = read(folder / name)
        below = [each for each in sorted(folder.rglob("*")) if each.is_dir() and read(each / name) == old]
        for each in (folder, *below):
            write(each / name, ",".join(filter(None, (old, text))))
        for each in reversed(below):
            write(each / name, text)

    def get(self, knob, asked=None, device=None):
        """The value in effect; None when there is no limit or no such group."""
        controller, _, file = limit_file(knob)
        text = read(self.folder(controller) / file.name)
        return None if text is None else file.read(text, asked, device)

    def stats(self):
        """The kernel's counters as a dict: cpu_seconds, memory_bytes, memory_peak_bytes, disk_read_bytes,
        disk_write_bytes, processes."""
        disk_read, disk_write = self.disk_bytes()
        old = version("memory") == 1
        memory = self.folder("memory")
        now = read(memory / ("memory.usage_in_bytes" if old else "memory.current"))
        peak = read(memory / ("memory.max_usage_in_bytes" if old else "memory.peak"))
        return {
            "cpu_seconds": self.cpu_seconds(),
            "memory_bytes": int(now) if now else None,
            "memory_peak_bytes": int(peak) if peak else None,
            "disk_read_bytes": disk_read,
            "disk_write_bytes": disk_write,
            "processes": len(self.processes()),
        }

    def cpu_seconds(self):
        if version("cpuacct") == 1:
            text = read(self.folder("cpuacct") / "cpuacct.usage")
            return int(text) / 1e9 if text else None
        found = re.search(r"^usage_usec (\d+)", read(self.folder("cpu") / "cpu.stat") or "", re.M)
        return int(found.group(1)) / 1e6 if found else None

    def disk_bytes(self):
        if not has("blkio"):
            return None, None
        if version("blkio") == 1:
            text = read(self.folder("blkio") / "blkio.throttle.io_service_bytes_recursive") or ""
            return total(text, r"^\d+:\d+ Read (\d+)"), total(text, r"^\d+:\d+ Write (\d+)")
        text = read(self.folder("blkio") / "io.stat") or ""
        return total(text, r"\brbytes=(\d+)"), total(text, r"\bwbytes=(\d+)")


def total(text, pattern):
    return sum(int(each) for each in re.findall(pattern, text, re.M))


def remove_folder(folder, seconds):
    below = sorted((each.parent for each in folder.rglob("cgroup.procs")), key=lambda each: -len(each.parts))
    for each in [*below, folder]:
        if not wait_until(lambda each=each: removed(each), seconds):
            raise LabError(f"{each}: still in use")


def removed(folder):
    try:
        folder.rmdir()
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True


def read(path):
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None


def write(path, text):
    try:
        path.write_text(f"{text}\n", encoding="ascii")
    except OSError as error:
        raise LabError(f"{path}: cannot write '{text}': {error.strerror}") from error
