"""Measures the seconds of each platform verb by the host's clock, and what one more guest costs in memory and disk.

One sample makes its guests in its own lab, one after another. A guest without roles goes through every verb. With a
guest that has roles, the time until all roles are ready is measured. Then idle guests are added up to a limit. Finally
a few guests are promised more memory in total than the host has. For a verb that a platform lacks, the result is a
reason instead of a value.
"""

import time

import facts
from platforms.lab import Guest, LabError, verbs
from platforms.lab.errors import Unsupported
from platforms.lab.platform import RUNNING

from .. import footprint, sample
from . import base
from .base import Measure

MIB = 1 << 20
PAGE_BYTES = 4096
KSM_PAGES = "/sys/kernel/mm/ksm/pages_sharing"
# On a platform without machines (Platform.no_machine) the first of these verbs do nothing, or something different from other
# platforms. The others create and remove a folder; their times are recorded, but not compared with those of a machine.
OF_MACHINES = ("boot", "reboot", "snapshot", "restore", "clone", "migrate")
OF_FOLDERS = ("provision", "clone-full", "destroy")
# A shell that holds this many bytes in one variable, as identical pages.
FILL = ('nohup sh -c \'x=$(yes | head -c "$1"); : >"${RIVER_ROOT-}/run/filled"; sleep 3600; :\' sh "$1" '
        '</dev/null >/dev/null 2>&1 & until [ -e "${RIVER_ROOT-}/run/filled" ]; do sleep 0.1; done')
WRITE = 'head -c "$1" /dev/urandom >"${RIVER_ROOT-}/var/lib/river/written" && sync'
FILL_SECONDS = 120
LONGEST_REASON = 300  # characters; the end of an error is kept, because QEMU names the cause there
STRETCHES = {
    "provision": "to provision",
    "boot": "to boot until it answers",
    "ready": "to boot until every role is ready",
    "reboot": "to reboot",
    "migrate": "to migrate on this host",
    "stop": "to shut down",
    "snapshot": "for a snapshot",
    "restore": "to restore a snapshot",
    "clone": "to clone, copy-on-write",
    "clone-full": "to clone, a full copy",
    "destroy": "to destroy",
    "roles-first": "by the first guest with roles",
    "roles-second": "by the second guest with roles",
    "idle-first": "by the first idle guest",
    "idle-next": "by each further idle guest",
    "idle": "idle that fit into the given memory",
    "promised": "with more memory in total than the host has",
    "shared": "the same with KSM",
}


class Sample(sample.Sample):
    lab_of_sample = None
    platform = None

    def measure(self):
        lab = self.lab_of_sample = self.lab()
        self.platform = verbs.registry.load(self.subject["platform"].partition(":")[0], lab)
        try:
            # A lab creates its network, key and daemon with its first guest and keeps them while it has any. This extra guest
            # keeps that one-time cost out of the first measurement.
            self.add("keep")
            verbs.stop(lab, "keep")
            self.life()
            self.ready()
            self.idle()
            self.promised("promised", {})
            self.shared()
        finally:
            verbs.destroy_all(lab)

    # ---- guests ----

    def asked(self, name, roles=(), tuning=None, **fields):
        platform, _, kind = self.subject["platform"].partition(":")
        profile = self.subject["profile"]
        return Guest(name=name, platform=platform, kind=kind, profile=profile, size=self.request["size"], roles=list(roles),
                     tuning={**self.tuning(profile), **(tuning or {})}, **fields)

    def add(self, name, **fields):
        """Adds a running guest."""
        verbs.provision(self.lab_of_sample, self.asked(name, **fields))
        return verbs.boot(self.lab_of_sample, name)

    def run_in(self, name, script, number):
        verbs.execute(self.lab_of_sample, name, ["/bin/sh", "-c", script, "sh", str(number)],
                      seconds=FILL_SECONDS * self.platform.patience(self.lab_of_sample.load(name)))

    # ---- verbs ----

    def timed(self, what, verb, *words, **options):
        """Measures the seconds of a verb, or notes why there are none. Returns whether the platform has the verb."""
        if (why := self.platform.no_machine) and what in OF_MACHINES:
            self.notes[what] = f"not applicable: {why}"
        if why and what in OF_FOLDERS:
            self.no_ratio[what] = why
        begun = time.monotonic()
        try:
            verb(self.lab_of_sample, *words, **options)
        except Unsupported as error:
            self.notes.setdefault(what, str(error))
            return False
        if what not in self.notes:
            self.measures[f"{what}.seconds"] = time.monotonic() - begun
        return True

    def life(self):
        """Runs every verb once. The guest has no roles, and has written some data to its disk."""
        self.timed("provision", verbs.provision, self.asked("one"))
        self.timed("boot", verbs.boot, "one")
        self.run_in("one", WRITE, self.parameters["written_mib"] * MIB)
        self.timed("reboot", verbs.reboot, "one")
        self.timed("migrate", self.migrate, "one")
        verbs.stop(self.lab_of_sample, "one")
        if self.timed("snapshot", verbs.snapshot, "one", "before"):
            self.timed("restore", verbs.restore, "one", "before")
        else:
            self.notes["restore"] = self.notes["snapshot"]
        for what, full in (("clone", False), ("clone-full", True)):
            self.timed(what, verbs.clone, "one", "two", full=full)
            verbs.destroy(self.lab_of_sample, "two")
        self.timed("destroy", verbs.destroy, "one")

    def migrate(self, lab, name):
        """Migrates a guest to the target that the experiment names for its platform, otherwise on this host."""
        named = self.parameters["migration_targets"].get(self.platform.name)
        verbs.migrate(lab, name, named or self.platform.target_here(lab.load(name)))

    def ready(self):
        """Guests with roles: the time until all roles are ready, the cost of the first and the second guest, and an
        orderly stop."""
        roles = self.parameters["roles"]
        lab = self.lab_of_sample
        for name in ("first", "second"):
            before = self.memory()
            seconds = self.add(name, roles=roles)
            self.cost(f"roles-{name}", before)
            blocks = footprint.disk_bytes(lab.guest_directory(lab.load(name)))
            self.measures[f"roles-{name}.disk_mib"] = blocks / MIB
            if name == "first":
                self.measures["ready.seconds"] = seconds
                self.describe(lab, [lab.load(name)])
        self.timed("stop", verbs.stop, "first")
        for name in ("first", "second"):
            verbs.destroy(lab, name)

    # ---- the cost of a guest ----

    def memory(self):
        """Returns (bytes left on the host, bytes that the processes of all guests here hold)."""
        guests = [each for each in self.lab_of_sample.guests() if self.platform.state(each) == RUNNING]
        processes = [each for guest in guests for each in self.platform.processes(guest)]
        return self.platform.free_memory(), footprint.proportional_bytes(processes)

    def cost(self, stretch, before, guests=1):
        """The cost per guest added since `before`."""
        free, proportional = self.memory()
        for what, taken in (("memory_mib", before[0] - free), ("pss_mib", proportional - before[1])):
            if taken > 0:
                self.measures[f"{stretch}.{what}"] = taken / MIB / guests
        if free > before[0]:
            self.notes[f"{stretch}.memory_mib"] = "no value: other processes on the host freed memory meanwhile"

    def idle(self):
        """Adds idle guests until they take the given memory of the host, or reach the given number."""
        bound, most = self.parameters["idle_mib"] * MIB, self.parameters["idle_guests"]
        start = self.memory()
        names, taken = [], 0
        while len(names) < most and taken <= bound:
            names.append(f"idle-{len(names) + 1}")
            self.add(names[-1])
            if len(names) == 1:
                self.cost("idle-first", start)
                first = self.memory()
            taken = start[0] - self.platform.free_memory()
        fit = len(names) - (taken > bound)
        self.measures["idle.guests"] = fit
        if taken <= bound:
            self.no_ratio["idle"] = f"at least {fit}: no more were tried, and they took {taken / MIB:.0f} MiB"
        if len(names) > 1:
            self.cost("idle-next", first, len(names) - 1)
        for name in names:
            verbs.destroy(self.lab_of_sample, name)

    # ---- more memory than the host has ----

    def promised(self, stretch, tuning):
        """Starts guests that are promised more memory in total than the host has, and that each use a little of it.
        Measures how many start and answer, and what the host provides."""
        count, touched = self.parameters["promised_guests"], self.parameters["touched_mib"] * MIB
        each = int(facts.memory_mib() * self.parameters["promised_times"] / count)
        before = self.memory()
        names = []
        try:
            for number in range(count):
                name = f"promised-{number + 1}"
                self.add(name, memory_mib=each, tuning={**tuning, "memory.limit": each * MIB})
                self.run_in(name, FILL, touched)
                names.append(name)
        except LabError as error:
            self.notes[stretch] = f"{len(names)} of {count}: {' '.join(str(error).split())[-LONGEST_REASON:]}"
        self.await_sharing(tuning)
        self.measures[f"{stretch}.guests"] = sum(verbs.execute(self.lab_of_sample, name, ["true"], good=None).status == 0
                                                 for name in names)
        self.cost(stretch, before)
        if tuning:
            self.measures[f"{stretch}.shared_mib"] = shared_pages() * PAGE_BYTES / MIB
        for number in range(count):
            verbs.destroy(self.lab_of_sample, f"promised-{number + 1}")

    def shared(self):
        """Returns the memory while KSM merges equal pages. KSM scans memory that programs offer; a virtual machine
        offers all of its memory."""
        if self.platform.shares_kernel:
            self.notes["shared"] = "not applicable: KSM merges memory of virtual machines; programs here offer none"
        elif "memory.ksm" not in self.platform.knobs:
            self.notes["shared"] = self.platform.refused.get("memory.ksm", f"{self.platform.name} has no KSM")
        else:
            self.promised("shared", {"memory.ksm": True})

    def await_sharing(self, tuning):
        """Waits until KSM finds hardly any further equal pages per second."""
        if not tuning:
            return
        deadline = time.monotonic() + self.parameters["sharing_seconds"]
        before, now = -1, 0
        while time.monotonic() < deadline and (now > 1.01 * before or not now):
            time.sleep(1)
            before, now = now, shared_pages()


def shared_pages():
    with open(KSM_PAGES, encoding="ascii") as file:
        return int(file.read())


class Kind(base.Kind):
    Sample = Sample
    parameters = {
        "roles": [str],
        "written_mib": int,  # bytes that a guest has written before it is copied
        "migration_targets": dict,  # {platform: target of its verb `migrate`}; by default a target on this host
        "idle_mib": int, "idle_guests": int,  # limits for adding idle guests
        "promised_times": base.NUMBER, "promised_guests": int,  # this multiple of the host's memory, for this many guests
        "touched_mib": int,  # the part of its memory that each guest uses
        "sharing_seconds": base.NUMBER,  # maximum wait for KSM
    }
    measures = {
        "seconds": Measure("time", "s", 2, "lower"),
        "memory_mib": Measure("host's memory taken", "MiB", 1, "lower"),
        "pss_mib": Measure("memory of the guest's processes", "MiB", 1, "lower"),
        "disk_mib": Measure("disk blocks", "MiB", 1, "lower"),
        "guests": Measure("guests", "", 0, "higher"),
        "shared_mib": Measure("equal pages kept once", "MiB", 1, "higher"),
    }

    def check(self, parameters):
        for key in ("idle_guests", "promised_guests", "written_mib", "touched_mib"):
            if parameters[key] < 1:
                raise ValueError(f"'{key}' is at least 1")
        if not 1 < parameters["promised_times"] <= 4:
            raise ValueError("'promised_times' lies between 1 and 4")

    def stretches(self, scouted):
        return STRETCHES
