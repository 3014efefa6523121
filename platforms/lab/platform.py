"""The contract of a platform, and what most of them have in common.

A platform is a folder platforms/NAME/ with recipe.py, in which a class `Recipe(Platform)` stands; it is found by
looking through the folders. The verbs (verbs.py) call these methods; they have checked the host, taken the locks,
and looked at the guest's state before, so a method does its one thing and nothing else. Rules for all of them:

- `guest` is a Guest; its record is saved by the verb after the method returns. What the platform wants to
  remember goes to `guest.own` (JSON).
- Everything a guest has is below `self.lab.guest_directory(guest)` or carries `self.lab.name(guest)` as its name
  (container, domain, cgroup), or `self.lab.interface(guest)` (at most 15 characters: its network interface here).
- Errors are LabError; Unsupported(reason, remedy) when this host or platform cannot do it at all. A method that
  fails leaves nothing behind of what it alone has made; `destroy` takes away what half a provision has left.
- Every wait is bounded. Signals come as SystemExit.
- Programs of the host are run by command.run(), files are taken away by clean.remove_tree().
"""

import contextlib
import os
import shlex
from typing import NamedTuple

from . import command, host, network, way
from .errors import Unsupported
from .finding import Finding  # noqa: F401 - what check() returns

ABSENT, STOPPED, RUNNING, FROZEN = "absent", "stopped", "running", "frozen"
EMULATED_PATIENCE = 6  # of guests, or a hypervisor, that run by emulation


class Stats(NamedTuple):
    """A guest as the host sees it; None where the host cannot tell. Counters since the guest's start."""

    cpu_seconds: float
    memory_bytes: int  # now
    memory_peak_bytes: int
    disk_read_bytes: int
    disk_write_bytes: int
    network_in_bytes: int  # into the guest
    network_out_bytes: int
    processes: int


class Platform:
    """`lab` is the Lab (state.py): lab.network, lab.image, lab.key, lab.guest_directory(), lab.name()."""

    name = ""  # the folder's
    about = ""  # REQUIRED. What a guest is, in words that a reader of a report understands
    kinds = ("",)  # what `kind` may be, the usual one first
    emulated_kinds = ()  # of these, those whose CPU is emulated: to be asked for by name
    networks = ("bridge",)  # network profiles it can do, see network.py
    roots = ("overlay", "copy")
    shares_kernel = False  # the guest numbers CPUs and sees kernel settings as the host does
    knobs = frozenset()  # names of tuning.KNOBS it can do
    refused = {}  # knob: why this platform has no such thing; others are refused in general words

    def __init__(self, lab):
        self.lab = lab

    # ---- the host ----

    def check(self):
        """REQUIRED. A list of Finding, of everything that the platform needs. Changes nothing (or undoes it)."""
        raise NotImplementedError

    def kinds_here(self):
        """The kinds that this host can do, of self.kinds."""
        return self.kinds

    def release(self):
        """The Debian release of a new guest's root; "" when it has none of its own."""
        return self.lab.image.release()

    def require_network(self, text):
        """Unsupported when the host lacks what a network profile needs; looks only."""
        network.require(text)

    def facts(self):
        """REQUIRED. A dict (JSON) about the platform on this host: versions, kinds, emulated: true|false."""
        raise NotImplementedError

    def host_settings(self, guest):
        """{path: text} of host-wide settings (host.py) that the guest's tuning needs while it runs."""
        settings = {}
        if guest.tuning.get("memory.ksm"):
            settings[host.KSM] = "1"
        if "disk.scheduler" in guest.tuning:
            settings[host.disk_of(self.lab.directory) / "queue" / "scheduler"] = guest.tuning["disk.scheduler"]
        return settings

    def host_effect(self, guest):
        """{knob: value} of those settings, read from the host."""
        told = {}
        if "disk.scheduler" in guest.tuning:
            told["disk.scheduler"] = host.current(host.disk_of(self.lab.directory) / "queue" / "scheduler")
        return told

    def host_pages(self, guest):
        """Huge pages of 2 MiB that are reserved on the host while it runs."""
        return 0

    def free_memory(self):
        """Bytes that the host could still give to guests."""
        return host.available_memory()

    def destroy_common(self):
        """Takes away what the platform has made for all guests of the lab (a daemon, a parent cgroup). There are no
        guests any more. Fine when there is nothing."""

    def patience(self, guest):
        """How many times longer than usual one waits for a guest: more where it runs by emulation."""
        return 1

    # ---- life of a guest ----

    def provision(self, guest):
        """REQUIRED. Makes a stopped guest out of the appliance, with self.lab.payload(guest) in it (inject), of
        guest.cpus, memory_mib, disk_mib, kind, root, network, tuning. The folder of the guest exists."""
        raise NotImplementedError

    def inject(self, guest):
        """REQUIRED. Gives a stopped guest its payload anew (programs, services, /etc/river): see payload.py."""
        raise NotImplementedError

    def start(self, guest):
        """REQUIRED. Starts a stopped guest with all its tuning; returns when it is under way (not: ready). On
        failure it is stopped again."""
        raise NotImplementedError

    def stop(self, guest, seconds):
        """REQUIRED. Ends a running guest: asks it to shut down, and after `seconds` (0: at once) takes it away.
        Fine when it does not run."""
        raise NotImplementedError

    def destroy(self, guest):
        """REQUIRED. Takes away a stopped, half-made or broken guest: interface, mount, cgroup, disk, definition.
        Fine when there is nothing. The verb then removes the guest's folder."""
        raise NotImplementedError

    def state(self, guest):
        """REQUIRED. ABSENT, STOPPED, RUNNING or FROZEN."""
        raise NotImplementedError

    def reboot(self, guest, seconds):
        """Returns when it is under way again. A platform with a reboot of its own may do better."""
        self.stop(guest, seconds)
        self.start(guest)

    # ---- within a guest ----

    def exec_argv(self, guest, argv):
        """REQUIRED. The host's command that runs `argv` (exact words) as root in the running guest, with standard
        input, output and exit status passed through. Must work as soon as the guest answers; until then it fails."""
        raise NotImplementedError

    def console(self, guest):
        """The end of what the guest's console said (text), for messages."""
        return ""

    # ---- as the host sees it ----

    def stats(self, guest):
        """REQUIRED. Stats of a running guest."""
        raise NotImplementedError

    def processes(self, guest):
        """Ids of the processes on this host that a running guest consists of; none where the host does not see it so."""
        return []

    def tuning_in_effect(self, guest):
        """REQUIRED. {knob: value} of a running guest, read from kernel, cgroup or hypervisor - never from what was
        written down when it was made -, normalised as tuning.KNOBS says; at least each knob of guest.tuning."""
        raise NotImplementedError

    # ---- where the platform has it ----

    def clone(self, guest, source, full):
        """Makes the stopped `guest` out of `source`: full (a copy of its own) or copy-on-write over it, in which case
        the verb sees to it that the source stays stopped and is not destroyed before. Payload injected anew, since
        name and address differ."""
        raise Unsupported(f"{self.name} cannot clone a guest")

    def snapshot(self, guest, label):
        """Keeps the disk state of a stopped or running (if the platform can) guest under a label."""
        raise Unsupported(f"{self.name} has no snapshots")

    def restore(self, guest, label):
        """Puts a stopped guest back to a snapshot."""
        raise Unsupported(f"{self.name} has no snapshots")

    def snapshots(self, guest):
        """Labels, oldest first."""
        return []

    def set(self, guest, tuning):
        """Changes limits of a running guest: {knob: value}, already checked against self.knobs. Unsupported for a
        knob that cannot change while it runs."""
        raise Unsupported(f"{self.name} cannot change limits of a running guest")

    def migrate(self, guest, target):
        """Moves the running guest to another host or daemon, `target` as the platform's document says."""
        raise Unsupported(f"{self.name} cannot migrate a guest")


class SshPlatform(Platform):
    """What guests reached over the lab's network by ssh have in common."""

    def exec_argv(self, guest, argv):
        return [*way.words(self.lab, guest), *self.lab.key.ssh_argv(guest.address, shlex.join(argv))]


def ends(*paths, most=4096):
    """The last `most` bytes of each file that can be read, as one text."""
    texts = []
    for path in paths:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most))
            texts.append(file.read().decode(errors="replace"))
    return "\n".join(texts)


def interfaces_bytes(interface):
    """(received, sent) of an interface here, as this side sees it; (None, None) when there is none."""
    import json

    done = command.run(["ip", "-j", "-s", "link", "show", "dev", interface], good=None)
    if done.status != 0:
        return None, None
    counters = json.loads(done.out)[0]["stats64"]
    return counters["rx"]["bytes"], counters["tx"]["bytes"]
