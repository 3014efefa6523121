"""A run: scouting, then blocks of samples until the precision or the time is reached, then the proofs and the report."""

import json
import os
import subprocess
import sys
import time

from . import ROOT, blocks, comparison, machine, proofs
from .rundir import RunDir
from .subjects import AGAIN, REFERENCE, Subject

CANARY = ROOT / "out" / "release" / "bench" / "bench_canary"
SAMPLE_SECONDS = 420
CANARIES = 3
SCOUT_OBSERVATIONS = 200000
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
        """Bare metal's full speed, from which the rates and the fixed amount follow; and what canaries say before anything
        runs. Written down before the first block, and never changed."""
        canaries = [machine.canary(CANARY, self.folder.path) for _ in range(CANARIES)]
        self.plan["thresholds"] = vars(machine.Thresholds.from_canaries(canaries))
        self.plan["generator_ceiling"] = proofs.generator_ceiling(self.experiment)
        self.plan["fixed"], self.plan["full_observations"] = [], SCOUT_OBSERVATIONS
        say("finding bare metal's full speed")
        found = self.sample(-1, 0, self.subjects[0])
        if found["status"] == "failed":
            raise machine.CanaryError(f"the first sample failed, so nothing can be compared: {found['why']}")
        full = found["measures"]["full.rate"]
        self.plan["scouted_rate"] = full
        self.plan["fixed"] = [{"name": each.name, "rate": rounded(full * each.share), "seconds": each.seconds}
                              for each in self.experiment.fixed]
        self.plan["full_observations"] = rounded(full * self.experiment.full_seconds)
        self.folder.write("plan.json", self.plan)
        rates = ", ".join(f"{each['rate']:,}/s" for each in self.plan["fixed"])
        say(f"full speed is about {full:,.0f} observations/s; fixed rates {rates}; "
            f"fixed amount {self.plan['full_observations']:,}")

    # ---- samples ----

    def request(self, subject, block):
        asked = self.experiment
        return {
            "PLATFORM": subject.platform,
            "TOPOLOGY": asked.topology,
            "PROFILE": subject.profile,
            "DOCUMENTS": asked.documents,
            "GRAPH": asked.graph,
            "FORMATS": asked.formats,
            "via": asked.via,
            "motes": asked.motes,
            "records": asked.records,
            "seed": self.plan["seed"] * 1000 + (block + 1) * 100,
            "tuning": self.plan["tuning"],
            "warm_up_seconds": asked.warm_up_seconds,
            "fixed": self.plan["fixed"],
            "full_observations": self.plan["full_observations"],
            # The quota's proof needs one subject alone.
            "quota": subject.name == AGAIN and block >= 0,
            "thresholds": self.plan["thresholds"],
            "canary": str(CANARY),
        }

    def sample(self, block, position, subject):
        """Made by a process of its own; what it leaves is one line of samples.jsonl."""
        folder = self.folder.sample_folder(block, subject.name)
        (folder / "request.json").write_text(json.dumps(self.request(subject, block), indent=2) + "\n", encoding="utf-8")
        begun = time.time()
        argv = [sys.executable, "-m", "ir_bench.pipeline", folder / "request.json", folder]
        with open(folder / "log", "wb") as log:
            child = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT / "bench")
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
        if block >= 0:
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
                pairs = [(by[REFERENCE]["measures"].get(measure), by[subject.name]["measures"].get(measure))
                         for by in done.values()]
                pairs = [each for each in pairs if all(each)]
                if len(pairs) < comparison.MIN_PAIRS:
                    return False
                if comparison.ratio(*zip(*pairs), level).half_width > wanted:
                    return False
        return True

    # ---- the end ----

    def finish(self, why):
        self.folder.write("proofs.json", {"quota_loop": proofs.quota_loop(self.subjects, self.folder.path / "proofs")})
        self.folder.write("status.json", {"status": "done", "ended_by": why, "ended": time.time()})
        self.folder.seal()


def rounded(value):
    """To two figures, so that a rate can be spoken."""
    size = 10 ** max(len(str(int(value))) - 2, 0)
    return int(round(value / size) * size)


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
