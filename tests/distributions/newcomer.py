#!/usr/bin/env python3
"""Follows README.md like a new user. Each command is searched in the README; if it is no longer there, that is a
failure. newcomer.sh calls this program in a fresh clone. It installs missing packages and writes below the clone. Its
last line has the number of passed checks."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 1200
TAIL_LINES = 30

GAUGES = """\
@prefix ir: <https://intelligent-river.example/ns#> .
@prefix sosa: <http://www.w3.org/ns/sosa/> .
@prefix qudt: <http://qudt.org/schema/qudt/> .
@prefix unit: <http://qudt.org/vocab/unit/> .
<mote/elbe> a sosa:Platform ; ir:moteId "elbe" ; ir:featureOfInterest <feature/elbe> .
<sensor/elbe-level> a sosa:Sensor ; sosa:isHostedBy <mote/elbe> ; ir:senmlName "elbe/level" ;
    sosa:observes <property/level> ; qudt:hasUnit unit:M .
"""
# An environment that many programs do not expect: a locale without µ, no HOME, a temporary folder with a space in its
# name.
UNFRIENDLY = {"LC_ALL": "POSIX", "HOME": None, "TMPDIR": "odd place"}


class Newcomer:
    def __init__(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        blocks = re.findall(r"^```sh\n(.*?)^```", readme, re.M | re.S)
        self.known = {re.sub(r"\s+#.*", "", line).strip() for block in blocks for line in block.splitlines()}
        self.passed = self.failed = 0

    def tell(self, what, fault, begin, text=""):
        self.passed, self.failed = self.passed + (fault is None), self.failed + (fault is not None)
        print(f"{'ok    ' if fault is None else 'FAILED'} {time.monotonic() - begin:7.1f} s  {what}{f': {fault}' if fault else ''}",
              flush=True)
        if fault:
            print("\n".join(f"    {line}" for line in text.splitlines()[-TAIL_LINES:]), flush=True)

    def paste(self, command, environment=None, good=(0,), seconds=SECONDS):
        """Runs the command in a shell; returns what it printed."""
        begin = time.monotonic()
        done = subprocess.run(["bash", "-c", f"timeout {seconds} bash -c \"$0\"", command], cwd=ROOT, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        text = done.stdout.decode(errors="replace")
        fault = f"status {done.returncode}" if done.returncode not in good else "a traceback" if "Traceback" in text else None
        self.tell(command.splitlines()[0][:100], fault, begin, text)
        return text

    def follow(self, command, good=(0,)):
        """Runs the command if the README has it; otherwise reports a failure."""
        if command in self.known:
            return self.paste(command, good=good)
        self.tell(command, "README.md has no such command", time.monotonic())
        return ""

    def check(self, what, good):
        self.tell(what, None if good else "it is not so", time.monotonic())

    # ---- commands that `make up` prints ----

    def send(self, text):
        for name, command in re.findall(r"^# (\w+), with \w+\n(.*?)(?=^# \w+, with|^$)", text, re.M | re.S):
            self.check(f"make up shows how to send by {name}", True)
            self.paste(command.strip(), seconds=60)

    def paste_queries(self, text):
        """Runs each command below "Look at it:". ir-tap and the last command run until they are stopped."""
        shown = text.partition("Look at it:\n")[2]
        listening = re.search(r"^# what is published again.*?\n(.*)", shown, re.M | re.S)
        self.check("make up shows what to look at", listening is not None)
        for command in re.findall(r"^(?!#)(\S.*)$", shown[: listening.start()] if listening else "", re.M):
            self.listen(command) if "/ir-tap " in command else self.paste(command, seconds=60)
        if listening:
            self.listen(listening.group(1).strip())

    def listen(self, command):
        self.paste(command, good=(124,), seconds=5)


def private(path):
    return path.stat().st_mode & 0o077 == 0


def river(one):
    (ROOT / "gauges.ttl").write_text(GAUGES, encoding="utf-8")
    text = one.follow("make up REGISTRY=gauges.ttl")
    one.send(text)
    time.sleep(2)
    one.paste_queries(text)
    one.check("secrets are the user's own", all(map(private, [ROOT / "river" / "mote-tokens", ROOT / "river" / "brokers" / "passwords"])))
    one.follow("make registry FILE=gauges.ttl")
    load(one)
    one.follow("make down")
    one.check("make up continues", "continuing with" in one.paste("make up"))
    one.paste("make down")


def load(one):
    """A busy machine may not reach the rate. The command must then say so."""
    text = one.follow("make load MOTES=1000 RATE=5000 DURATION=30", good=(0, 2))
    one.check("the load says whether it kept the rate", ("NOT COMPLETE" in text) == ("make: ***" in text))
    one.check("the load lost nothing", "0 missing, 0 doubled, 0 foreign" in text)


def unfriendly(one):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / UNFRIENDLY["TMPDIR"]).mkdir()
        changed = {**UNFRIENDLY, "TMPDIR": str(Path(folder) / UNFRIENDLY["TMPDIR"])}
        environment = {key: value for key, value in {**os.environ, **changed}.items() if value is not None}
        one.paste("ulimit -Sn 256; make run MESSAGES=500", environment)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    one = Newcomer()
    text = one.follow("make run")
    one.check("the run says how to look at the data", "Look at the data:" in text)
    for command in re.findall(r"^  (sqlite3 .*|grep .*|out/.*)$", text.partition("Look at the data:")[2], re.M):
        one.paste(command, seconds=60)
    river(one)
    unfriendly(one)
    one.paste("make test-unit", seconds=3600)  # builds everything twice, in two more modes
    print(f"{one.passed} passed, {one.failed} failed, 0 skipped")
    return 1 if one.failed else 0


if __name__ == "__main__":
    sys.exit(main())
