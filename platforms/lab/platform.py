"""The interface of a platform, and what most platforms share.

A platform is a folder platforms/NAME/ with a recipe.py that defines `class Recipe(Platform)`; it is found by listing
the folders. The verbs (verbs.py) call these methods. Before each call they have checked the host, taken the locks and
looked at the guest's state, so a method does its one task and nothing else. Rules for all methods:

- `guest` is a Guest. The verb saves its record after the method returns. The platform keeps its own data in
  `guest.own` (JSON).
- Everything of a guest is below `self.lab.guest_directory(guest)`, or is named `self.lab.name(guest)` (container,
  domain, cgroup) or `self.lab.interface(guest)` (its network interface here, at most 15 characters).
- Errors are LabError, or Unsupported(reason, remedy) when this host or platform cannot do it at all. A method that
  fails removes what it made itself. `destroy` removes the rest of a provision that stopped half-way.
- Every wait has a limit. Signals arrive as SystemExit.
- Run programs of the host with command.run(); delete files with clean.remove_tree().
"""

import contextlib
import os
import shlex
from typing import NamedTuple

from . import command, host, network, way
from .errors import Unsupported
from .finding import Finding  # noqa: F401 - the type that check() returns

ABSENT, STOPPED, RUNNING, FROZEN = "absent", "stopped", "running", "frozen"
EMULATED_PATIENCE = 6  # factor by which guests are slower on an emulated CPU, or under a hypervisor that runs on one


class Stats(NamedTuple):
    """A guest as seen from the host. Counters run since the guest's start. None where the host does not know."""

    cpu_seconds: float
    memory_bytes: int  # now
    memory_peak_bytes: int
    disk_read_bytes: int
    disk_write_bytes: int
    network_in_bytes: int  # into the guest
    network_out_bytes: int
    processes: int


class Platform:
    """The base class of the recipes. `lab` is the Lab (state.py)."""

    name = ""  # the name of the platform's folder
    about = ""  # REQUIRED. A description of a guest for readers of a report
    kinds = ("",)  # values of `kind`, the usual one first
    emulated_kinds = ()  # kinds with an emulated CPU; used only on request
    networks = ("bridge",)  # supported network profiles, see network.py
    roots = ("overlay", "copy")
    shares_kernel = False  # the guest has the host's CPU numbers and kernel settings
    no_machine = ""  # why a guest is not a separate machine; "" if it is
    knobs = frozenset()  # supported knobs of tuning.KNOBS
    refused = {}  # {knob: why the platform lacks it}; other missing knobs are refused with a general reason

    def __init__(self, lab):
        self.lab = lab

    # ---- the host ----

    def check(self):
        """REQUIRED. A list with a Finding for each requirement of the platform. Changes nothing, or undoes it."""
        raise NotImplementedError

    def kinds_here(self):
        """Returns those of self.kinds that this host supports."""
        return self.kinds

    def release(self):
        """The Debian release of a new guest's root; "" when the guest uses the host's files."""
        return self.lab.image.release()

    def require_network(self, text):
        """Raises Unsupported when the host lacks what a network profile needs. Changes nothing."""
        network.require(text)

    def facts(self):
        """REQUIRED. A dict (JSON) about the platform on this host: versions, kinds, emulated: true|false."""
        raise NotImplementedError

    def host_settings(self, guest):
        """Returns {path: text} of the host-wide settings (host.py) that the guest's tuning needs while it runs."""
        settings = {}
        if guest.tuning.get("memory.ksm"):
            settings[host.KSM] = "1"
        if "disk.scheduler" in guest.tuning:
            settings[host.disk_of(self.lab.directory) / "queue" / "scheduler"] = guest.tuning["disk.scheduler"]
        return settings

    def host_effect(self, guest):
        """Returns {knob: value} of those settings, as the host has them now."""
        told = {}
        if "disk.scheduler" in guest.tuning:
            told["disk.scheduler"] = host.current(host.disk_of(self.lab.directory) / "queue" / "scheduler")
        return told

    def host_pages(self, guest):
        """The number of 2 MiB huge pages to reserve on the host while the guest runs."""
        return 0

    def free_memory(self):
        """The bytes that the host can still give to guests."""
        return host.available_memory()

    def destroy_common(self):
        """Removes what the platform made for all guests together (a daemon, a parent cgroup). Called when no guest is
        left. Nothing to remove is fine."""

    def patience(self, guest):
        """The factor by which waits for a guest are longer than usual; more than 1 for emulated guests."""
        return 1

    # ---- life of a guest ----

    def provision(self, guest):
        """REQUIRED. Makes a stopped guest from the appliance and injects its payload, according to guest.cpus,
        memory_mib, disk_mib, kind, root, network and tuning. The guest's folder exists."""
        raise NotImplementedError

    def inject(self, guest):
        """REQUIRED. Replaces the payload of a stopped guest (programs, services, /etc/river): see payload.py."""
        raise NotImplementedError

    def start(self, guest):
        """REQUIRED. Starts a stopped guest with all its tuning. Returns when it has started, not when it is ready.
        After a failure it is stopped again."""
        raise NotImplementedError

    def stop(self, guest, seconds):
        """REQUIRED. Stops a running guest: asks it to shut down, and kills it after `seconds` (0: at once). Does
        nothing when it does not run."""
        raise NotImplementedError

    def destroy(self, guest):
        """REQUIRED. Removes a stopped, half-made or broken guest: interface, mount, cgroup, disk, definition. Nothing
        to remove is fine. The verb then deletes the guest's folder."""
        raise NotImplementedError

    def state(self, guest):
        """REQUIRED. Returns ABSENT, STOPPED, RUNNING or FROZEN."""
        raise NotImplementedError

    def reboot(self, guest, seconds):
        """Stops and starts the guest. Returns when it has started again. A platform with a real reboot may override
        this."""
        self.stop(guest, seconds)
        self.start(guest)

    # ---- within a guest ----

    def exec_argv(self, guest, argv):
        """REQUIRED. The command for the host that runs `argv` (exact words) as root in the running guest. It passes
        standard input, output and the exit status through. It must work as soon as the guest answers, and fail until
        then."""
        raise NotImplementedError

    def console(self, guest):
        """Returns the end of the guest's console output (text), for messages."""
        return ""

    # ---- as the host sees it ----

    def stats(self, guest):
        """REQUIRED. The Stats of a running guest."""
        raise NotImplementedError

    def processes(self, guest):
        """The ids of the host's processes that make up a running guest; empty where the host cannot see them."""
        return []

    def tuning_in_effect(self, guest):
        """REQUIRED. {knob: value} of a running guest, for at least every knob of guest.tuning. Values are read from
        kernel, cgroup or hypervisor, never from what was recorded earlier, and normalised as in tuning.KNOBS."""
        raise NotImplementedError

    # ---- optional methods ----

    def clone(self, guest, source, full):
        """Makes the stopped `guest` from `source`: with `full` as a complete copy, otherwise as copy-on-write over it.
        The verb ensures that the source of a copy-on-write clone stays stopped and is not destroyed first. The payload
        is injected again, because name and address differ."""
        raise Unsupported(f"{self.name} cannot clone a guest")

    def snapshot(self, guest, label):
        """Saves the disk of a guest under a label. The guest is stopped or, if the platform supports it, running."""
        raise Unsupported(f"{self.name} has no snapshots")

    def restore(self, guest, label):
        """Resets a stopped guest's disk to a snapshot."""
        raise Unsupported(f"{self.name} has no snapshots")

    def snapshots(self, guest):
        """The labels of the snapshots, oldest first."""
        return []

    def set(self, guest, tuning):
        """Changes limits of a running guest: {knob: value}, already checked against self.knobs. Raises Unsupported for
        a knob that cannot change at run time."""
        raise Unsupported(f"{self.name} cannot change limits of a running guest")

    def migrate(self, guest, target):
        """Moves the running guest to another host or daemon. The platform defines the form of `target`."""
        raise Unsupported(f"{self.name} cannot migrate a guest")

    def target_here(self, guest):
        """Returns a target of migrate() that needs no second host, and prepares it below the guest's folder. "" if the
        platform cannot migrate at all; Unsupported if it needs a second host."""
        return ""


class SshPlatform(Platform):
    """Code shared by the platforms that reach guests by ssh over the lab's network."""

    def exec_argv(self, guest, argv):
        return [*way.words(self.lab, guest), *self.lab.key.ssh_argv(guest.address, shlex.join(argv))]


def ends(*paths, most=4096):
    """The last `most` bytes of each readable file, joined."""
    texts = []
    for path in paths:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most))
            texts.append(file.read().decode(errors="replace"))
    return "\n".join(texts)


def interfaces_bytes(interface):
    """Returns (received, sent) in bytes of an interface on this host; (None, None) when it does not exist."""
    import json

    done = command.run(["ip", "-j", "-s", "link", "show", "dev", interface], good=None)
    if done.status != 0:
        return None, None
    counters = json.loads(done.out)[0]["stats64"]
    return counters["rx"]["bytes"], counters["tx"]["bytes"]
