"""Machines for deployment tests. Each is an LXC container with systemd as process 1, over a Debian root like that of
`make test-distributions`, on a separate bridge. The project is at /srv/river, and its release build at /srv/build."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from harness import ROOT

sys.path.insert(0, str(ROOT))

from platforms.lab import command, debian, release  # noqa: E402

BUILD = ROOT / "out" / "release"
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT_SECONDS = 120
CONFIG = """\
lxc.uts.name = {name}
lxc.rootfs.path = overlay:{root}:{folder}/upper
lxc.init.cmd = /sbin/init
lxc.autodev = 1
lxc.pty.max = 64
lxc.tty.max = 1
lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed
lxc.apparmor.profile = unconfined
lxc.console.logfile = {folder}/console
lxc.net.0.type = veth
lxc.net.0.link = {bridge}
lxc.net.0.name = eth0
lxc.net.0.flags = up
{addresses}
lxc.mount.entry = {project} srv/river none bind,ro,create=dir 0 0
lxc.mount.entry = {build} srv/build none bind,ro,create=dir 0 0
lxc.mount.entry = {shared} srv/shared none bind,create=dir 0 0
"""


class Machine:
    def __init__(self, machines, name, addresses):
        self.machines, self.name = machines, name
        self.folder = machines.folder / name
        self.log = self.folder / "lxc.log"
        (self.folder / name).mkdir(parents=True)
        (self.folder / "upper").mkdir()
        lines = "\n".join(f"lxc.net.0.ipv{6 if ':' in each else 4}.address = {each}" for each in addresses)
        (self.folder / name / "config").write_text(CONFIG.format(
            name=name, root=machines.root, folder=self.folder, bridge=machines.bridge, addresses=lines, project=ROOT, build=BUILD,
            shared=machines.shared))

    def lxc(self, program, *words, **options):
        return command.run([f"lxc-{program}", "-P", self.folder, "-n", self.name, *words], **options)

    def start(self):
        self.lxc("start", "-d", "-l", "WARN", "-o", self.log)
        self.await_boot()

    def await_boot(self):
        """Waits until systemd reports that the machine is up; some units may fail in a container."""
        deadline = time.monotonic() + BOOT_SECONDS
        while self.state() not in ("running", "degraded"):
            assert time.monotonic() < deadline, f"{self.name}: {self.state()}: {self.log.read_text()[-2000:]}"
            time.sleep(0.3)

    def state(self):
        return self.run("systemctl", "is-system-running", good=None).out.strip()

    def argv(self, *words):
        env = [f"PATH={PATHS}", "HOME=/root", "LANG=C.UTF-8", "IR_BUILD=/srv/build"]
        return ["lxc-attach", "-P", str(self.folder), "-n", self.name, "--clear-env", "--", "env", *env, *map(str, words)]

    def run(self, *words, seconds=60, good=(0,)):
        return command.run(self.argv(*words), seconds=seconds, good=good)

    def deploy(self, *words, seconds=600, good=(0,)):
        """Runs ir-deploy on the machine; returns its output."""
        done = self.run("/srv/river/platforms/ir-deploy", "/srv/shared/inventory.conf", self.name, *words, seconds=seconds, good=good)
        return done.out + done.err

    def reboot(self):
        """Reboots the machine in an orderly way."""
        before = self.init()
        self.run("systemctl", "reboot", good=None)
        deadline = time.monotonic() + BOOT_SECONDS
        while self.init() in (None, before):
            assert time.monotonic() < deadline, f"{self.name} does not come back"
            time.sleep(0.3)
        self.await_boot()

    def init(self):
        told = self.lxc("info", "-pH", good=None).out.strip()
        return int(told) if told.isdigit() else None

    def kill(self):
        """Kills the machine as a power cut does."""
        self.lxc("stop", "-k", good=None)


class Machines:
    def __init__(self, folder, subnet, *more):
        """`subnet`: the first three numbers of an IPv4 address. `more`: other addresses of the host on the bridge, each
        with its prefix length."""
        self.folder = folder
        self.addresses = [f"{subnet}.1/24", *more]
        self.bridge = f"irm{os.getpid() % 2**24:x}"
        self.shared = folder / "shared"
        self.made = []
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        command.run(["make", "-s", "-C", ROOT, "MODE=release", "build"], seconds=1200)
        self.shared.mkdir(parents=True)
        self.root = self.find_root()
        command.run(["ip", "link", "add", self.bridge, "type", "bridge"])
        self.stack.callback(command.run, ["ip", "link", "delete", self.bridge])
        for each in self.addresses:
            command.run(["ip", "address", "add", each, "dev", self.bridge, *(["nodad"] if ":" in each else [])])
        command.run(["ip", "link", "set", self.bridge, "up"])
        return self

    def find_root(self):
        """Returns the Debian root: IR_MACHINE_ROOT, or the one that `make test-distributions` made for the host's
        release."""
        if named := os.environ.get("IR_MACHINE_ROOT"):
            return Path(named)
        groups = subprocess.run(["make", "-s", "test-groups"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        return self.stack.enter_context(debian.Root(release.of_host(), groups)).path

    def __exit__(self, *_):
        for each in self.made:
            each.kill()
        self.stack.close()

    def make(self, name, *addresses):
        """Makes and starts a machine."""
        machine = Machine(self, name, addresses)
        self.made.append(machine)
        machine.start()
        return machine

    def replace(self, machine, *addresses):
        """Replaces a machine whose disk is lost with an empty one."""
        machine.kill()
        self.made.remove(machine)
        command.run(["rm", "-rf", machine.folder])
        return self.make(machine.name, *addresses)
