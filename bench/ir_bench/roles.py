"""Measures each role of the guests: processor time of its services with all their children, and bytes of the stores.

Read inside the guest, from /proc/PID/stat (proc(5), fields 4 and 14 to 17) and with du. The time of an ended child
counts once it was waited for.
"""

from platforms.lab import verbs

from .machine import TICKS

PROCESSES = ('cd "${RIVER_ROOT-}/run/river/service" && for each in *; do echo "$each $(cat "$each/supervise/pid")"; done; '
             "cat /proc/[0-9]*/stat 2>/dev/null; true")
# {kind: (store, its path below var/lib/river)}. MongoDB's journal has a fixed size.
STORES = {"sqlite": ("documents", "stores/documents.sqlite"), "nquads": ("graph", "stores/graph"),
          "mongodb": ("documents", "documents/db"), "fuseki": ("graph", "graph/db"), "oxigraph": ("graph", "graph/db")}
COPIES = ("mongodb",)  # each guest holds all data
BYTES = 'cd "${RIVER_ROOT-}/var/lib/river" && du -s -B1 --exclude=journal "$1" 2>/dev/null | cut -f1'


def cpu_seconds(lab, guests):
    """Returns {role: seconds}."""
    total = {}
    for guest in guests:
        of_service = by_service(verbs.execute(lab, guest.name, ["/bin/sh", "-c", PROCESSES]).out)
        for name, role in guest.services():
            total[role] = total.get(role, 0) + of_service.get(name, 0)
    return total


def by_service(text):
    """Returns {service: seconds}, from lines "NAME PID" and the lines of /proc/PID/stat."""
    services, parents, ticks = {}, {}, {}
    for line in text.splitlines():
        before, bracket, after = line.rpartition(")")
        if bracket:
            words, pid = after.split(), int(before.split(" ", 1)[0])
            parents[pid], ticks[pid] = int(words[1]), sum(map(int, words[11:15]))
        elif line.partition(" ")[2]:
            services[int(line.split()[1])] = line.split()[0]
    seconds = dict.fromkeys(services.values(), 0)
    for pid, used in ticks.items():
        while pid and pid not in services:
            pid = parents.get(pid)
        if pid:
            seconds[services[pid]] += used / TICKS
    return seconds


def store_bytes(lab, guests, kinds):
    """Returns {store: bytes of one copy}. Stop the services that have the stores open first: only then are all data in
    the files."""
    found = {}
    for kind in kinds:
        if kind in STORES:
            store, place = STORES[kind]
            told = [verbs.execute(lab, guest.name, ["/bin/sh", "-c", BYTES, "sh", place]).out.strip() for guest in guests]
            sizes = [int(each or 0) for each in told]
            found[store] = max(sizes) if kind in COPIES else sum(sizes)
    return found
