"""Reads the tuning in effect inside a guest that has its own kernel, by commands in the guest."""

from . import command
from .errors import LabError
from .tuning import a_cpuset

KNOBS = frozenset(("inside.worker-pin", "inside.broker-schedulers", "inside.hugepages"))

# Prints lines "knob value", one per process found.
LOOK = r"""
for file in $(grep -lxE "ir-worker|beam.smp" /proc/[0-9]*/comm 2>/dev/null); do
    process=${file%/comm}
    read -r name <"$file"
    case $name in
    ir-worker) sed -n "s/^Cpus_allowed_list:[[:space:]]*/inside.worker-pin /p" "$process/status" ;;
    beam.smp) tr "\0" " " <"$process/cmdline" | sed -n "s/.* +S \([0-9]*\):.*/inside.broker-schedulers \1/p" ;;
    esac
done
sed -n "s/.*\[\(.*\)\].*/inside.hugepages \1/p" /sys/kernel/mm/transparent_hugepage/enabled
"""
SECONDS = 60
PARSERS = {"inside.worker-pin": a_cpuset, "inside.broker-schedulers": int, "inside.hugepages": str}


def effect(platform, guest):
    """Returns {knob: value} for the requested knobs that are in KNOBS. None when the guest has no such process; a text
    with all values when processes differ."""
    asked = KNOBS & guest.tuning.keys()
    if not asked:
        return {}
    done = command.run(platform.exec_argv(guest, ["/bin/sh", "-c", LOOK]),
                       seconds=SECONDS * platform.patience(guest), good=None)
    if done.status != 0:
        raise LabError(f"{guest.name} does not report its tuning: {done.err.strip()}")
    found = {knob: set() for knob in KNOBS}
    for line in done.out.splitlines():
        knob, _, text = line.partition(" ")
        found[knob].add(PARSERS[knob](text.strip()))
    return {knob: one_of(found[knob]) for knob in asked}


def one_of(values):
    if len(values) == 1:
        return next(iter(values))
    return ", ".join(sorted(map(str, values))) or None
