"""The pipeline in guests, as samples need it: the same CPUs and memory limit on every platform, the registry of the
simulated motes, and stores that can be emptied between two loads."""

import guests
import stack
from platforms.lab import payload, verbs

READY_SECONDS = 120
MIB = 1 << 20
STORES = ("documents", "graph")
WORKER = "worker."  # prefix of ir-worker's settings in a subject's settings
DO = ('cd "${RIVER_ROOT-}/run/river/service" && verb=$1 && shift && '
      'for each in "$@"; do sv -w 30 "$verb" "$PWD/$each"; done')
# Also removes each worker's note that its stores were set up: a worker with this note would refuse empty stores.
EMPTY = 'cd "${RIVER_ROOT-}/var/lib/river" && rm -rf stores && for each in "$@"; do rm -rf "$each/db" "$each/stores"; done'


class BenchStack(guests.GuestStack):
    """`topology`: text that replaces a file of platforms/topologies/. If `stored` is false, workers write nothing,
    although the stores' servers run. A sample may start several stacks one after the other, each in its own
    `folder`."""

    def __init__(self, made_for, registry, topology="", stored=True, folder="stack"):
        parameters, subject = made_for.parameters, made_for.subject
        environment = {"PLATFORM": subject["platform"], "PROFILE": subject["profile"],
                       **{key.upper(): parameters[key] for key in ("topology", "documents", "graph", "formats")}}
        super().__init__(guests.Settings(environment), made_for.folder / "guests" / folder)
        self.made_for = made_for
        self.registry = registry
        self.topology = topology
        self.stored = stored

    def topology_file(self):
        if not self.topology:
            return super().topology_file()
        path = self.out / "own.conf"
        path.write_text(self.topology, encoding="utf-8")
        return path

    def plan(self, platform, kind):
        super().plan(platform, kind)
        for guest in self.guests:
            guest.tuning = self.made_for.tuning(guest.profile)
            for name, role in guest.services():
                if role in ("worker", "gateway"):
                    guest.files[f"services/{name}/registry.ttl"] = self.registry
                if role == "worker":
                    guest.files.update(self.worker_settings(guest, f"services/{name}/river.conf"))

    def worker_settings(self, guest, file):
        """Returns {file: text} with the workers' own settings appended to those of the stack, if there are any."""
        own = {key.removeprefix(WORKER): value for key, value in self.made_for.parameters.items() if key.startswith(WORKER)}
        own.update({} if self.stored else {"documents": "null:", "graph": "null:"})
        return {file: self.services.files(guest)[file] + payload.section("ir-worker", own)} if own else {}

    # ---- its use of processors and memory ----

    def cpu_seconds(self):
        return sum(verbs.stats(self.lab, guest.name).cpu_seconds for guest in self.guests)

    def peaks_mib(self):
        """Returns {guest: peak memory in MiB}."""
        return {guest.name: (verbs.stats(self.lab, guest.name).memory_peak_bytes or 0) / MIB for guest in self.guests}

    def batches(self):
        return sum(each.metric("ir_batches_total") for each in self.workers)

    # ---- services ----

    def names(self, guest, roles):
        return [name for name, role in guest.services() if role in roles]

    def each_guest(self, script, roles, *words):
        """Runs a script in every guest that has services of these roles, with their names as arguments."""
        for guest in self.guests:
            if names := self.names(guest, roles):
                verbs.execute(self.lab, guest.name, ["/bin/sh", "-c", script, "sh", *words, *names], seconds=120)

    def stop_stores(self):
        """Stops workers and stores. Afterwards all data is in the store files; nothing waits in a write-ahead log."""
        self.each_guest(DO, ("worker",), "stop")
        self.each_guest(DO, STORES, "stop")

    def empty_stores(self):
        """Resets all stores to the empty state that they had after the boot."""
        self.stop_stores()
        self.each_guest(EMPTY, (*STORES, "worker"))
        self.each_guest(DO, STORES, "start")
        self.each_guest(DO, ("worker",), "start")
        stack.await_true(lambda: all(each.not_ready() is None for each in self.workers), READY_SECONDS, lambda: None,
                         "the workers are not ready again")
        stack.await_membership(self.workers, READY_SECONDS, self.check)
