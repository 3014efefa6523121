"""LXC 5: privileged containers and containers with a user namespace, over the appliance's folder.

Limits are cgroup settings. LXC writes them at the start, under the names that this host has; they are read back from
the cgroup's files. Everything of a container is in the guest's folder, including its configuration (LXC's path is that
folder). So the host's /var/lib/lxc and /etc/lxc are not touched.
"""

import os
import re
import shlex
import sys
from pathlib import Path

from until import wait_until

from ..lab import command, network, processes, shaping
from ..lab.cgroup import LIMITS, Group, has, hierarchies, limit_file
from ..lab.clean import remove_tree
from ..lab.container import Container
from ..lab.errors import LabError, Unsupported
from ..lab.platform import ABSENT, FROZEN, RUNNING, STOPPED, ends
from . import config, findings
from .roots import Roots

STATES = {"RUNNING": RUNNING, "STOPPED": STOPPED, "FROZEN": FROZEN}
BRIDGED = ("bridge", "private", "host-bridge", "vlan")
START_SECONDS = 60
KILL_SECONDS = 20
SUBID_FILES = ("/etc/subuid", "/etc/subgid")
DEFAULT_FIRST_ID = 0x70000000
ENVIRONMENT = ["--set-var", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "--set-var", "HOME=/root",
               "--set-var", "LANG=C.UTF-8"]


def roots_range():
    """The first id of a large enough range that both /etc/subuid and /etc/subgid grant to root, or None."""
    firsts = set()
    for path in map(Path, SUBID_FILES):
        text = path.read_text(encoding="ascii") if path.exists() else ""
        found = re.search(r"^root:(\d+):(\d+)$", text, re.M)
        firsts.add(int(found.group(1)) if found and int(found.group(2)) >= config.UNPRIVILEGED_IDS else None)
    return firsts.pop() if len(firsts) == 1 else None


class Recipe(Container):
    about = "a Linux container (LXC), which shares the kernel of the host"
    kinds = ("privileged", "unprivileged")
    networks = ("bridge", "private", "host-bridge", "vlan", "macvlan", "passthrough", "sriov")
    knobs = Container.knobs | {"network.priority"}

    # ---- the host ----

    def check(self):
        return findings.all_of()

    def kinds_here(self):
        return self.kinds if findings.user_namespaces().ok else self.kinds[:1]

    def facts(self):
        version = command.run(["lxc-start", "--version"], good=None).out.strip()
        return {"emulated": False, "kernel": os.uname().release, "lxc": version,
                "cgroup_version": 1 if "cpu" in hierarchies() else 2}

    def require_network(self, text):
        """A container needs no VFIO to get a NIC of the host: the NIC is moved into its network namespace."""
        profile, argument = network.split(text)
        if profile in ("passthrough", "sriov"):
            self.device_of_pci(argument)
        else:
            network.require(text)

    @staticmethod
    def device_of_pci(address):
        """The network device with that PCI address on this host."""
        found = [each.name for each in Path("/sys/bus/pci/devices").glob(f"{address}/net/*")]
        if not re.fullmatch(r"[0-9a-f:.]+", address) or not found:
            raise Unsupported(f"PCI device '{address}' has no network device here",
                              f"write it as 0000:03:00.0{network.see(network.pci_networks())}")
        return found[0]

    # ---- parts of a guest ----

    def monitor(self, guest):
        """The id of the container's monitor: the LXC process that waits for its end."""
        return Group(f"{self.group(guest).path}-monitor")

    def roots_of(self, guest):
        return Roots(self, guest)

    def console_path(self, guest):
        return self.lab.guest_directory(guest) / "console"

    def config_path(self, guest):
        return self.lab.guest_directory(guest) / self.lab.name(guest) / "config"

    def script_path(self, guest):
        return self.config_path(guest).with_name("attach")

    @staticmethod
    def first_id(guest):
        """The host's id for the container's root: root's range of /etc/subuid, or a range far from all users."""
        if guest.kind != "unprivileged":
            return 0
        return roots_range() or DEFAULT_FIRST_ID

    def start_words(self, guest):
        """A command prefix for lxc-start. It mounts the root, visible only to the container's monitor. If /etc/subuid
        has no range for root, it also mounts files that grant one, because LXC requires a range if newuidmap is
        installed."""
        mounts = [self.roots_of(guest).mount_argv()]
        if guest.kind == "unprivileged" and not roots_range():
            path = self.lab.guest_directory(guest) / "subids"
            path.write_text(f"root:{DEFAULT_FIRST_ID}:{config.UNPRIVILEGED_IDS}\n", encoding="ascii")
            mounts += [["mount", "--bind", str(path), each] for each in SUBID_FILES if Path(each).exists()]
        script = " && ".join([*(shlex.join(each) for each in mounts if each), 'exec "$@"'])
        return [command.need("unshare", "platforms"), "--mount", "/bin/sh", "-c", script, "sh"]

    def lxc(self, program, guest, *words, **options):
        return command.run([*self.lxc_argv(program, guest), *words], **options)

    def lxc_argv(self, program, guest):
        return [command.need(f"lxc-{program}", "lxc"), "-P", str(self.lab.guest_directory(guest)), "-n", self.lab.name(guest)]

    # ---- life of a guest ----

    def provision(self, guest):
        self.open_way(guest)
        self.roots_of(guest).make()

    def open_way(self, guest):
        """Makes every folder above the container's root searchable (x) for others, because the container's ids must
        reach the root."""
        if guest.kind == "unprivileged":
            for folder in [self.lab.guest_directory(guest), *self.lab.guest_directory(guest).parents]:
                if not folder.stat().st_mode & 0o001:
                    if self.lab.directory not in (folder, *folder.parents):
                        raise LabError(f"{folder}: other users have no access, so unprivileged containers cannot run below "
                                       "it; chmod o+x, or set IR_LAB to another folder")
                    folder.chmod(folder.stat().st_mode | 0o011)

    def inject(self, guest):
        self.roots_of(guest).inject()

    def write_config(self, guest):
        path = self.config_path(guest)
        path.parent.mkdir(exist_ok=True)
        path.write_text(config.text(self, guest), encoding="utf-8")
        if network.split(guest.network)[0] in BRIDGED:
            self.write_script(guest)

    def write_script(self, guest):
        """LXC runs this script each time it has made the veth pair, including when the container reboots itself."""
        commands = self.lab.network.attach_commands(self.lab.interface(guest), guest)
        path = self.script_path(guest)
        path.write_text("#!/bin/sh\nset -e\n" + "".join(f"{shlex.join(each)}\n" for each in commands), encoding="utf-8")
        path.chmod(0o755)

    def start(self, guest):
        self.write_config(guest)
        for path in (self.console_path(guest), self.log_path(guest)):
            path.unlink(missing_ok=True)
        before = processes.share_equal_pages if guest.tuning.get("memory.ksm") else None
        argv = [*self.start_words(guest), *self.lxc_argv("start", guest), "-d", "-l", "WARN", "-o", self.log_path(guest)]
        done = command.run(argv, seconds=START_SECONDS, good=None, before=before)
        if done.status != 0:
            raise LabError(f"LXC cannot start {guest.name}:\n{self.console(guest)}")
        if not wait_until(lambda: self.state(guest) == RUNNING, START_SECONDS):
            raise LabError(f"{guest.name} does not start:\n{self.console(guest)}")
        if rate := guest.tuning.get("network.rate"):
            self.shape(guest, rate)
        if priority := guest.tuning.get("network.priority"):
            self.prefer(guest, priority)

    def prefer(self, guest, priority):
        """Sets the network priority. The map names an interface of the container, so it is written from the container's
        network namespace."""
        if not has("net_prio"):
            raise Unsupported("network.priority: no cgroup controller net_prio is mounted here",
                              "mount -t cgroup -o net_prio none /sys/fs/cgroup/net_prio, on kernels with cgroup v1")
        path = self.group(guest).folder("net_prio") / "net_prio.ifpriomap"
        command.run([*shaping.within(self.init(guest)), "tee", path], text=f"eth0 {priority}\n")

    def preferred(self, guest):
        path = self.group(guest).folder("net_prio") / "net_prio.ifpriomap"
        text = command.output([*shaping.within(self.init(guest)), "cat", path])
        found = re.search(r"^eth0 (\d+)$", text, re.M)
        return int(found.group(1)) if found else None

    def stop(self, guest, seconds):
        if self.state(guest) in (ABSENT, STOPPED):
            return self.remove_group(guest)
        if seconds:
            self.lxc("attach", guest, "--", "/sbin/init", "0", good=None, seconds=seconds)
            wait_until(lambda: self.state(guest) == STOPPED, seconds)
        self.lxc("stop", guest, "-k", good=None, seconds=KILL_SECONDS)
        if not wait_until(lambda: self.state(guest) == STOPPED, KILL_SECONDS):
            raise LabError(f"{guest.name} does not stop; see {self.log_path(guest)}")
        return self.remove_group(guest)

    def remove_group(self, guest):
        """Removes the cgroup. LXC does this itself unless its monitor was killed."""
        for group in (self.group(guest), self.monitor(guest)):
            if group.exists():
                group.signal(9)
                group.remove()

    def destroy(self, guest):
        self.lab.network.remove_interface(guest)
        self.roots_of(guest).remove()
        remove_tree(self.config_path(guest).parent)

    def state(self, guest):
        if not self.roots_of(guest).writable.exists():
            return ABSENT
        if not self.config_path(guest).exists():
            return STOPPED
        told = self.lxc("info", guest, "-sH", good=None).out.strip()
        return STATES.get(told, RUNNING if told else STOPPED)

    # ---- within a guest ----

    def init(self, guest):
        """The host's id of the container's process 1; None when it does not run."""
        told = self.lxc("info", guest, "-pH", good=None).out.strip()
        return int(told) if told.isdigit() and int(told) > 0 else None

    def exec_argv(self, guest, argv):
        return [*self.lxc_argv("attach", guest), "--clear-env", *ENVIRONMENT, "--", *argv]

    def log_path(self, guest):
        return self.lab.guest_directory(guest) / "lxc.log"

    def console(self, guest):
        return ends(self.console_path(guest), self.log_path(guest), most=1500)

    # ---- as the host sees it ----

    def processes(self, guest):
        return [*super().processes(guest), *self.monitor(guest).processes()]

    def tuning_in_effect(self, guest):
        told = super().tuning_in_effect(guest)
        if "network.priority" in guest.tuning:
            told["network.priority"] = self.preferred(guest)
        return told

    # ---- live changes ----

    def set(self, guest, tuning):
        for knob, value in tuning.items():
            if knob == "network.rate":
                self.shape(guest, value)
            elif knob in LIMITS:
                _, _, file = limit_file(knob)
                self.lxc("cgroup", guest, file.name, file.write(value, self.device(knob)))
            else:
                raise Unsupported(f"{knob} cannot change while the container runs", "provision the guest anew")

    # ---- copies ----

    def clone(self, guest, source, full):
        self.open_way(guest)
        self.roots_of(guest).make_from(self.roots_of(source), full)

    def snapshots(self, guest):
        return self.roots_of(guest).snapshots()

    def snapshot(self, guest, label):
        """Copies a consistent state of the files: a running container's processes are frozen meanwhile."""
        running = self.state(guest) == RUNNING
        if running:
            self.lxc("freeze", guest)
        try:
            self.roots_of(guest).snapshot(label)
        finally:
            if running:
                self.lxc("unfreeze", guest)

    def restore(self, guest, label):
        self.roots_of(guest).restore(label)

    # ---- elsewhere ----

    def migrate(self, guest, target):
        """Migrates with CRIU: saves the frozen container to `target` (an empty folder) and resumes it from there, on
        this host or on one that shares the lab's directory."""
        criu = findings.criu()
        if not criu.ok:
            raise Unsupported(f"containers migrate by CRIU: {criu.reason}", criu.remedy)
        if has("net_prio") and "network.priority" in guest.tuning:
            print("ir-platform: migration does not keep network.priority", file=sys.stderr)
        self.lxc("checkpoint", guest, "-s", "-D", target, seconds=300)
        self.lxc("checkpoint", guest, "-r", "-D", target, seconds=300)

    def target_here(self, guest):
        folder = self.lab.guest_directory(guest) / "checkpoint"
        remove_tree(folder)
        folder.mkdir()
        return str(folder)
