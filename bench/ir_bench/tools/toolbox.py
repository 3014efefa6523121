"""The tools of one guest. Each is prepared, then runs while both the guest's and the host's clock measure it. Its
output goes to the sample's folder.

    box = Toolbox(sample, guest, peers)
    box.take("primes", "sysbench-primes", {"threads": 2, "seconds": 12}, amount)

take fills sample.measures["primes.seconds"].
"""

import math
import os
import re
import signal
import subprocess
import threading
import time

from platforms.lab import LabError, command, verbs

from . import TOOLS
from .base import MEASURES, OutputError, Place

FOLDER = "/var/lib/river/tools"
LONGEST_SECONDS = 600
SHORTEST_SECONDS = 10  # a fixed amount of work must last at least this long
ROUNDS = 8
# The guest prints marks with its clock's time, and the host notes when it sees them. So both clocks measure the same
# stretch.
CLOCKED = f"""
mkdir -p {FOLDER} && cd {FOLDER} || exit 125
printf '@begin %s\\n' "$EPOCHREALTIME"
/bin/bash -c "$1" >out 2>err
status=$?
printf '@end %s\\n' "$EPOCHREALTIME"
cat out
((status == 0)) || tail -c 600 err >&2
exit $status
"""
# Prints one checksum covering each program and its linked libraries. PATH is extended because PostgreSQL's programs are
# not in the usual folders.
VERSIONS = r"""
PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"
for each in "$@"; do
    path=$(readlink -f "$(command -v "$each")") || exit 1
    package=$(dpkg-query -S "$path" "${path#/usr}" 2>/dev/null | head -n 1 | cut -d : -f 1)
    libraries=$(ldd "$path" 2>/dev/null | grep -o '/[^ ]*')
    echo "$each=$(dpkg-query -W -f '${Package} ${Version}' "$package"), $(cat "$path" $libraries | sha256sum | cut -c 1-16)"
done
"""


class Toolbox:
    def __init__(self, sample, guest, peers=None):
        record = guest.record
        limit = record.tuning.get("memory.limit", record.memory_mib << 20)
        self.sample = sample
        self.guest = guest
        self.place = Place(FOLDER, min(record.cpus, os.cpu_count()), limit >> 20, peers or {})

    def note_versions(self, names):
        """Records, for the sheet of likeness, the versions of all programs that these tools use."""
        programs = sorted({each for name in names for each in TOOLS[name].programs})
        for line in self.guest.run(["/bin/bash", "-c", VERSIONS, "bash", *programs]).splitlines():
            program, _, text = line.partition("=")
            self.sample.versions[program] = text

    def take(self, name, tool_name, options, amount=0):
        """Runs a tool and fills in the sample's measures NAME.WHAT. `amount` is the
        amount of work of a tool that has a fixed one."""
        tool = TOOLS[tool_name]
        with self.prepared(tool, options), self.sample.stretch(name, self.guest):
            text, inside = self.run(name, tool.command(options, self.place, amount))
        found = tool.parse(text, options)
        self.sample.measures.update({f"{name}.{what}": value for what, value in found.items() if what in MEASURES})
        used = self.sample.parts[name]
        notes = [tool.limited_by(text, options, used["busy"] / (used["wall"] * os.cpu_count()))]
        if tool.first_amount and inside < SHORTEST_SECONDS:
            notes.append(f"the work lasted only {inside:.1f} s")
        if any(notes):
            self.sample.notes[name] = "; ".join(filter(None, notes))

    def amount_for(self, name, tool_name, options):
        """How much work takes options["seconds"] here."""
        tool = TOOLS[tool_name]
        amount, wanted = tool.first_amount, options["seconds"]
        with self.prepared(tool, options):
            for _ in range(ROUNDS):
                _, seconds = self.run(name, tool.command(options, self.place, amount))
                if seconds >= wanted / 4:
                    return math.ceil(amount * wanted / seconds)
                amount = math.ceil(amount * min(10, wanted / 2 / max(seconds, 0.01)))
        raise OutputError(f"{name}: {amount} took {seconds:.2f} s; found no amount that takes {wanted} s")

    def prepared(self, tool, options):
        return Prepared(self, tool.prepare(options, self.place), tool.finish(options, self.place))

    def script(self, text):
        """Runs a script that is not measured."""
        if text:
            argv = ["/bin/bash", "-c", f"mkdir -p {FOLDER} && cd {FOLDER} && {{ {text}\n}}"]
            verbs.execute(self.guest.lab, self.guest.name, argv, seconds=LONGEST_SECONDS)

    def run(self, name, script):
        """Returns (output, seconds by the guest's clock) of a measured script."""
        text, inside, outside = clocked(self.guest.lab, self.guest.name, script)
        self.sample.keep(f"{self.guest.name}-{name}", text)
        self.sample.clocks_agree(name, inside, outside)
        return text, inside


class Prepared:
    """Sets up what a tool needs while it runs. Its servers are ended in any case."""

    def __init__(self, box, before, after):
        self.box, self.before, self.after = box, before, after

    def __enter__(self):
        self.box.script(self.before)

    def __exit__(self, kind, *_):
        try:
            self.box.script(self.after)
        except LabError:
            if kind is None:
                raise


def clocked(lab, name, script, seconds=LONGEST_SECONDS):
    """Runs a script in a guest: (its standard output, seconds by the guest's clock, seconds by the host's clock)."""
    argv = verbs.exec_argv(lab, name, ["/bin/bash", "-c", CLOCKED, "bash", script])
    child = command.start(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", preexec_fn=command.die_with_parent)
    watch = threading.Timer(seconds, os.killpg, (child.pid, signal.SIGKILL))
    watch.start()
    try:
        seen, lines = {}, []
        for line in child.stdout:
            if mark := re.fullmatch(r"@(begin|end) ([\d.]+)\n", line):
                seen[mark[1]] = (float(mark[2]), time.monotonic())
            else:
                lines.append(line)
        said = child.stderr.read()
        status = child.wait()
    finally:
        watch.cancel()
        if child.poll() is None:
            command.kill_group(child)
    if status != 0 or len(seen) < 2:
        raise LabError(f"{script[:120]}: exit status {status}: {said.strip()[-600:]}")
    inside, outside = (seen["end"][clock] - seen["begin"][clock] for clock in (0, 1))
    return "".join(lines), inside, outside
