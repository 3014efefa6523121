"""Podman: containers of the appliance's image, on the same network as all guests of the lab.

The image is the appliance. It is imported once and kept beside it, in a store that labs only read. A container's
process 1 is the appliance's init, as in the other platforms. Limits are set on a parent of the container's control
group, so they apply before its first process starts and can change while it runs. The recipe makes the network
namespace: Podman's own networks (CNI, netavark) support neither the lab's addresses nor its profiles.
"""

import contextlib
import os
import resource
from pathlib import Path

from until import wait_until

from ..lab import command, netns, network, processes
from ..lab.cgroup import LIMITS, Group, hierarchies
from ..lab.clean import Undo
from ..lab.container import Container, wanted_limits
from ..lab.errors import LabError, Unsupported
from ..lab.payload import write_tree
from ..lab.platform import ABSENT, FROZEN, RUNNING, STOPPED, ends
from . import engine, findings
from .engine import Engine

STATES = {"running": RUNNING, "stopping": RUNNING, "paused": FROZEN}
KILL_SECONDS = 20
IMAGE = "localhost/river-appliance"
# Capabilities that the appliance's init needs beyond Podman's defaults: it sets the guest's address, and it powers off,
# which only ends the container.
CAPABILITIES = ("NET_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE")


# Podman requests higher limits than some hosts grant to root. It then falls back to these values, and a container
# cannot raise them again.
MOST = {"nofile": (resource.RLIMIT_NOFILE, 1 << 20), "nproc": (resource.RLIMIT_NPROC, 1 << 15)}


def limit_words():
    """The host's own limits of open files and processes."""
    for name, (kind, most) in MOST.items():
        hard = resource.getrlimit(kind)[1]
        number = most if hard == resource.RLIM_INFINITY else min(hard, most)
        yield f"--ulimit={name}={number}:{number}"


class Recipe(Container):
    about = "a container of an OCI image (Podman), which shares the kernel of the host"
    networks = ("bridge", "private", "host-bridge", "vlan", "macvlan")
    refused = {**Container.refused, "network.priority": "containers of Podman have no control group for the network"}

    # ---- the host ----

    def check(self):
        return findings.all_of()

    def facts(self):
        versions = {name: (command.run([name, "--version"], good=None).out.splitlines() or [""])[0]
                    for name in ("podman", engine.runtime() or engine.RUNTIMES[0])}
        return {"emulated": False, "kernel": os.uname().release, **versions,
                "cgroup_version": 1 if "cpu" in hierarchies() else 2}

    # ---- parts of a guest ----

    def engine(self, variant=""):
        """Returns the Podman engine of this lab with the image's store, which is made if missing."""
        images = self.lab.image
        store = images.directory / f"{images.root_name(variant)}.podman"
        return Engine(self.lab.directory / "podman", Path("/run") / f"{self.lab.prefix}-podman", [store])

    def image(self, guest):
        """The tag of the appliance's image."""
        root = self.lab.image.root(variant=guest.appliance)
        self.lab.image.kept(f"{root.name}.podman", lambda part: self.make_store(root, part))
        return f"{IMAGE}:{root.name}"

    def make_store(self, root, part):
        maker = Engine(part, Path("/run") / f"{self.lab.prefix}-podman-image")
        with contextlib.ExitStack() as stack:
            stack.callback(maker.close)
            maker.import_tree(root, f"{IMAGE}:{root.name}")

    def podman(self, guest, *words, **options):
        return self.engine(guest.appliance).run(*words, **options)

    def argv(self, guest, *words):
        return self.engine(guest.appliance).argv(*words)

    def tag(self, guest, label):
        return f"localhost/{self.lab.name(guest)}:{label}"

    def console_path(self, guest):
        return self.lab.guest_directory(guest) / "console"

    def netns(self, guest):
        return f"{self.lab.prefix}-p{guest.number}"

    # ---- life of a guest ----

    def provision(self, guest):
        tag = self.image(guest)
        if guest.root == "copy":
            tag = self.tag(guest, "base")
            self.engine(guest.appliance).import_tree(self.lab.image.root(variant=guest.appliance), tag)
        self.create(guest, tag)
        self.inject(guest)

    def create(self, guest, tag):
        words = ["create", "--name", self.lab.name(guest), "--hostname", guest.name, "--tty", "--systemd=false", "--no-hosts",
                 "--network", f"ns:{netns.FOLDER / self.netns(guest)}", "--cgroup-parent", f"/{self.group(guest).path}",
                 *limit_words(), "--pids-limit=-1", "--tmpfs", "/run:mode=755,exec", "--env", "HOME=/root", "--env", "LANG=C.UTF-8",
                 "--log-driver=k8s-file", "--log-opt", f"path={self.console_path(guest)}",
                 *(f"--cap-add={each}" for each in CAPABILITIES)]
        with contextlib.ExitStack() as stack:
            stack.callback(self.unplug, guest)
            command.run(["ip", "netns", "add", self.netns(guest)])  # `podman create` checks that it exists
            self.podman(guest, *words, tag, "/sbin/init")

    def inject(self, guest):
        name = self.lab.name(guest)
        try:
            write_tree(self.lab, guest, self.podman(guest, "mount", name).out.strip())
        finally:
            self.podman(guest, "unmount", name, good=None)

    def start(self, guest):
        before = processes.share_equal_pages if guest.tuning.get("memory.ksm") else None
        self.console_path(guest).unlink(missing_ok=True)
        with Undo() as undo:
            undo.add(self.stop, guest, 0)
            self.limit(guest, wanted_limits(guest))
            self.plug(guest)
            command.run([*self.starter(guest).enter_argv(), *self.argv(guest, "start", self.lab.name(guest))], seconds=engine.SECONDS,
                        before=before)
            if rate := guest.tuning.get("network.rate"):
                self.shape(guest, rate)
            undo.keep()

    def limit(self, guest, asked):
        group = self.group(guest)
        group.make()
        for knob, value in asked.items():
            group.set(knob, value, self.device(knob))

    def plug(self, guest):
        """Makes the guest's network namespace, and eth0 in it."""
        self.unplug(guest)
        name, interface = self.netns(guest), self.lab.interface(guest)
        inside = ["name", "eth0", "address", guest.mac, "netns", name]
        command.run(["ip", "netns", "add", name])
        profile, device = network.split(guest.network)
        if profile == "macvlan":
            command.run(["ip", "link", "add", "link", device, *inside, "type", "macvlan", "mode", "bridge"])
        else:
            command.run(["ip", "link", "add", interface, "type", "veth", "peer", *inside])
            self.lab.network.attach(interface, guest)

    def unplug(self, guest):
        """Deletes the namespace; the interface in it, and the other end of a pair, end with it."""
        if netns.exists(self.netns(guest)):
            command.run(["ip", "netns", "delete", self.netns(guest)], good=None)
        self.lab.network.remove_interface(guest)

    def stop(self, guest, seconds):
        name, state = self.lab.name(guest), self.state(guest)
        if state == FROZEN:
            self.podman(guest, "unpause", name, good=None)
        if state in (RUNNING, FROZEN):
            if seconds:
                self.podman(guest, "exec", name, "/sbin/init", "0", good=None, seconds=seconds + KILL_SECONDS)
                wait_until(lambda: self.state(guest) == STOPPED, seconds)
            self.podman(guest, "kill", name, good=None)
            if not wait_until(lambda: self.state(guest) == STOPPED, KILL_SECONDS):
                raise LabError(f"{guest.name} does not stop:\n{self.console(guest)}")
        self.unplug(guest)
        group = self.group(guest)
        if group.exists():
            group.kill()
            group.remove()
        if state != ABSENT:
            self.forget_half_started(guest)

    def starter(self, guest):
        """The control group in which Podman starts the container. If Podman is killed, the container's monitor (conmon)
        survives and would still start the container. So all of them are in a group whose processes stop() kills."""
        group = Group(f"{self.group(guest).path}/starter")
        group.make()
        return group

    def forget_half_started(self, guest):
        """Removes what an interrupted start left in the runtime. Podman does not know of it, and the next start would
        fail."""
        number = self.podman(guest, "container", "inspect", "--format={{.Id}}", self.lab.name(guest)).out.strip()
        command.run([engine.runtime(), "delete", "--force", number], good=None)
        self.podman(guest, "container", "cleanup", self.lab.name(guest), good=None)

    def destroy(self, guest):
        if self.lab.directory.joinpath("podman").exists():
            name = self.lab.name(guest)
            self.podman(guest, "rm", "--force", "--ignore", "--time=0", name)
            tags = [self.tag(guest, "base"), *(self.tag(guest, label) for label in self.snapshots(guest))]
            for tag in tags:
                self.podman(guest, "rmi", "--ignore", tag, good=None)
        self.unplug(guest)

    def destroy_common(self):
        super().destroy_common()
        self.engine().remove()

    def state(self, guest):
        if not self.lab.directory.joinpath("podman").exists():
            return ABSENT
        done = self.podman(guest, "container", "inspect", "--format={{.State.Status}}", self.lab.name(guest), good=None)
        if done.status != 0 and "no such container" not in done.err.lower():
            raise LabError(f"Podman cannot determine whether {guest.name} runs: {done.err.strip()}")
        return STATES.get(done.out.strip(), STOPPED) if done.status == 0 else ABSENT

    # ---- within a guest ----

    def init(self, guest):
        told = self.podman(guest, "container", "inspect", "--format={{.State.Pid}}", self.lab.name(guest), good=None).out.strip()
        return int(told) if told.isdigit() and int(told) > 0 else None

    def exec_argv(self, guest, argv):
        return self.argv(guest, "exec", "--interactive", self.lab.name(guest), *argv)

    def console(self, guest):
        return ends(self.console_path(guest), most=1500)

    # ---- live changes ----

    def set(self, guest, tuning):
        for knob in tuning:
            if knob not in LIMITS and knob != "network.rate":
                raise Unsupported(f"{knob} cannot change while the container runs", "provision the guest anew")
        self.limit(guest, {knob: value for knob, value in tuning.items() if knob in LIMITS})
        if "network.rate" in tuning:
            self.shape(guest, tuning["network.rate"])

    # ---- copies: images of the layer that a container wrote ----

    def clone(self, guest, source, full):
        tag, name = self.tag(guest, "base"), self.lab.name(source)
        if full:
            self.engine(source.appliance).import_container(name, tag)
        else:
            self.podman(source, "commit", "--quiet", name, tag, seconds=engine.IMPORT_SECONDS)
        self.create(guest, tag)
        self.inject(guest)

    def snapshots(self, guest):
        return guest.own.get("snapshots", [])

    def snapshot(self, guest, label):
        """Copies a consistent state of the files: the processes of a running container are frozen meanwhile."""
        words = ("commit", "--quiet", "--pause", self.lab.name(guest), self.tag(guest, label))
        self.podman(guest, *words, seconds=engine.IMPORT_SECONDS)
        guest.own["snapshots"] = [*self.snapshots(guest), label]

    def restore(self, guest, label):
        self.podman(guest, "rm", self.lab.name(guest))
        self.create(guest, self.tag(guest, label))

    def migrate(self, guest, target):
        raise Unsupported("Podman migrates containers with CRIU, which is not supported here", "clone --full, or another platform")
