"""A run: scouting, then blocks of samples until the precision or the time is reached, then the proofs and the report."""

import json
import os
import subprocess
import sys
import time

from . import ROOT, blocks, comparison, machine, proofs
from .rundir import RunDir, RunError
from .subjects import Subject

CANARY = ROOT / "out" / "release" / "bench" / "bench_canary"
SAMPLE_SECONDS = 420
CANARIES = 3
SCOUTING = -1  # the number of no block
MIB = 1 << 20


def say(text):
    print(f"bench: {text}", flush=True)


class Run:
    def __init__(self, folder, experiment, plan):
        self.folder = folder
        self.experiment = experiment
        self.plan = plan
        self.subjects = [Subject(**each) for each in plan["subjects"]]

    # ---- before the first block ----

    @classmethod
    def start(cls, parent, experiment, text, subjects, sizes, seed, facts):
        folder = RunDir.create(parent, experiment.name)
        folder.write_text("experiment.toml", text)
        folder.write("facts.json", facts)
        size = sizes[experiment.size]
        processors = min(size["cpus"], os.cpu_count())
        plan = {
            "experiment": experiment.name,
            "seed": seed,
            "subjects": [vars(each) for each in subjects],
            "tuning": {"cpu.pin": f"0-{processors - 1}" if processors > 1 else "0", "memory.limit": size["memory_mib"] * MIB},
            "begun": time.time(),
        }
        run = cls(folder, experiment, plan)
        folder.write("status.json", {"status": "running"})
        run.scout()
        return run

    @classmethod
    def resume(cls, folder, experiment):
        return cls(folder, experiment, folder.read("plan.json"))

    def scout(self):
        """What canaries say before anything runs, and what the kind must know before its first block. Written down, and never
        changed."""
        canaries = [machine.canary(CANARY, self.folder.path) for _ in range(CANARIES)]
        self.plan["thresholds"] = vars(machine.Thresholds.from_canaries(canaries))
        self.plan["scouted"] = self.experiment.of_kind.scout(self.experiment.parameters, self.once)
        self.folder.write("plan.json", self.plan)
        words = self.experiment.of_kind.stretches(self.plan["scouted"]).values()
        say(f"measured {', '.join(filter(None, words))}") if any(words) else None

    def once(self, scouted):
        """The measures of one sample of the reference that is in no block."""
        self.plan["scouted"] = scouted
        say(f"a first look at {self.subjects[0].name}")
        found = self.sample(SCOUTING, 0, self.subjects[0])
        if found["status"] != "ok":
            raise RunError(f"the first sample is {found['status']}, so nothing can be compared: {found['why']}")
        return found["measures"]

    # ---- samples ----

    def request(self, subject, block):
        return {
            "kind": self.experiment.kind,
            "parameters": self.experiment.parameters,
            "size": self.experiment.size,
            "scouted": self.plan["scouted"],
            "subject": vars(subject),
            "block": block,
            "again": subject.name == self.subjects[1].name,
            "seed": self.plan["seed"] * 1000 + (block + 1) * 100,
            "tuning": self.plan["tuning"],
            "thresholds": self.plan["thresholds"],
            "canary": str(CANARY),
        }

    def sample(self, block, position, subject):
        """Made by a process of its own; what it leaves is one line of samples.jsonl."""
        folder = self.folder.sample_folder(block, subject.name)
        (folder / "request.json").write_text(json.dumps(self.request(subject, block), indent=2) + "\n", encoding="utf-8")
        begun = time.time()
        argv = [sys.executable, "-m", "ir_bench.kinds", folder / "request.json", folder]
        with open(folder / "log", "wb") as log:
            child = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT / "bench",
                                     env={**os.environ, "IR_BENCH_BUILD": subject.build})
            try:
                status = child.wait(SAMPLE_SECONDS)
            except subprocess.TimeoutExpired:
                status = f"no end after {SAMPLE_SECONDS} s"
            finally:
                end(child)
        try:
            result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            result = {"status": "failed", "why": last_line(folder / "log") or f"status {status}"}
        line = {"block": block, "position": position, "subject": subject.name, "begun": begun,
                "seconds": time.time() - begun, **result}
        if block != SCOUTING:
            self.folder.append(line)
        return line

    def blocks(self, deadline):
        """Whole blocks only, so that each subject has been measured as often. Says why it ended."""
        names = [each.name for each in self.subjects]
        by_name = {each.name: each for each in self.subjects}
        longest = 0.0
        begun = time.monotonic()
        for block, position, name in blocks.remaining(names, self.plan["seed"], self.folder.done()):
            if position == 0:
                longest = max(longest, time.monotonic() - begun) if block else longest
                begun = time.monotonic()
                if self.precise():
                    return "precision"
                if time.time() + longest > deadline:
                    return "time"
                say(f"block {block + 1}; {max(deadline - time.time(), 0) / 60:.0f} minutes left")
            line = self.sample(block, position, by_name[name])
            told = line["why"] or ("disturbed: " + "; ".join(line["disturbed"]) if line.get("disturbed") else "quiet")
            say(f"  {name}: {line['status']}, {line['seconds']:.0f} s, {told}")
        return "time"

    def precise(self):
        """Whether every precision that was asked for is reached, against every subject."""
        done = blocks.complete([each.name for each in self.subjects], self.folder.samples())
        if len(done) < comparison.MIN_PAIRS or not self.experiment.precision:
            return False
        level = comparison.corrected_level(len(self.experiment.primary))
        for measure, wanted in self.experiment.precision.items():
            for subject in self.subjects[1:]:
                pairs = [(by[subject.against]["measures"].get(measure), by[subject.name]["measures"].get(measure))
                         for by in done.values()]
                pairs = [each for each in pairs if all(each)]
                if len(pairs) < comparison.MIN_PAIRS:
                    return False
                if comparison.ratio(*zip(*pairs), level).half_width > wanted:
                    return False
        return True

    # ---- the end ----

    def finish(self, why):
        self.folder.write("proofs.json", proofs.run(self.experiment.of_kind.proofs, self.subjects, self.folder.path / "proofs"))
        self.folder.write("status.json", {"status": "done", "ended_by": why, "ended": time.time()})
        self.folder.seal()


def end(child):
    """The sample takes its guests away when it is told to end."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def last_line(path):
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1][:400] if lines else ""
