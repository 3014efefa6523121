"""Runs one experiment of a run: scouting (measurements before the first block); blocks of samples until the precision,
the number of repeats or the time limit is reached; then the proofs that need their own guests."""

import itertools
import os
import shutil
import time

from platforms.lab import LabError

from . import ROOT, blocks, child, comparison, experiment, leftovers, machine, proofs, sample
from .rundir import RunError
from .subjects import Subject

CANARY = ROOT / "out" / "release" / "bench" / "bench_canary"
CANARIES = 5
PREPARE_SECONDS = 1200
LOOP = "loop"  # the experiment that is made again as a proof
SCOUTING = -1  # used in place of a block's number
PATIENCE = 6  # the time limit of a sample is its usual seconds times this, plus PATIENCE_SECONDS
PATIENCE_SECONDS = 300  # time for a guest that does not boot
FREE_MIB = 1024  # free disk space that a sample needs to start
GIVEN_UP = 2  # a subject that fails this many times in a row is left out
MIB = 1 << 20


def say(text):
    print(f"bench: {text}", flush=True)


def confine(size):
    """Returns (tuning of the guests, tuning of the generator). All guests get the same CPUs and memory. The generator
    gets its own processors if the host has three or more."""
    cores = os.cpu_count()
    taken = min(size["cpus"], cores - 1 if cores > 2 else cores)
    rest = range(taken, cores) if cores > 2 else range(cores)
    guests = {"cpu.pin": span(range(taken)), "memory.limit": size["memory_mib"] * MIB}
    return guests, {"cpu.pin": span(rest), "cpu.shares": 1024}


def span(numbers):
    return f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])


class Course:
    def __init__(self, part, asked, plan):
        self.part = part
        self.asked = asked
        self.plan = plan
        self.subjects = [Subject(**each) for each in plan["subjects"]]

    # ---- before the first block ----

    @classmethod
    def begin(cls, part, asked, subjects, size, seed):
        """Raises an error when the reference cannot be measured."""
        guests, generator = confine(size)
        plan = {"experiment": asked.name, "seed": seed, "subjects": [vars(each) for each in subjects], "tuning": guests,
                "generator": generator, "begun": time.time()}
        part.write("status.json", {"status": "running"})
        course = cls(part, asked, plan)
        course.prepare()
        course.scout()
        return course

    def prepare(self):
        """Makes the images before anything is measured, and times that separately. If it fails, the samples report the
        reason."""
        self.plan["prepared_seconds"] = {}
        for platform in dict.fromkeys(each.platform for each in self.subjects):
            name, _, kind = platform.partition(":")
            folder = self.part.path / "prepared" / platform.replace(":", "_")
            words = ["provision", name, "image", f"--kind={kind}"]
            if self.asked.of_kind.appliance:
                words.append(f"--appliance={self.asked.of_kind.appliance}")
            begun = time.monotonic()
            try:
                leftovers.ir_platform(leftovers.lab_of(folder), f"irbench{os.getpid()}", *words, seconds=PREPARE_SECONDS)
            except LabError as error:
                say(f"{platform}: {error}")
            leftovers.clear(folder)
            self.plan["prepared_seconds"][platform] = time.monotonic() - begun

    def scout(self):
        """Records the canaries' results before anything runs, and the values that the kind needs before its first
        block. These values never change."""
        machine.settle(self.part.path)
        machine.await_quiet(sample.QUIET_SECONDS)
        canaries = [machine.canary(CANARY, self.part.path) for _ in range(CANARIES)]
        self.plan["thresholds"] = vars(machine.Thresholds.from_canaries(canaries))
        self.plan["scouted"] = self.asked.of_kind.scout(self.asked.parameters, self.once)
        self.part.write("plan.json", self.plan)
        if words := [each for each in self.asked.of_kind.stretches(self.plan["scouted"]).values() if each]:
            say(f"measured {', '.join(words)}")

    def once(self, scouted):
        """The measures of one sample of the reference, outside of any block."""
        self.plan["scouted"] = scouted
        say(f"a first look at {self.subjects[0].name}")
        found = self.sample(SCOUTING, 0, self.subjects[0])
        if found["status"] != "ok":
            raise RunError(f"the first sample is {found['status']}, so nothing can be compared: {found['why']}")
        return found["measures"]

    # ---- samples ----

    def request(self, subject, block):
        return {
            "kind": self.asked.kind,
            "parameters": self.asked.parameters,
            "size": self.asked.size,
            "scouted": self.plan["scouted"],
            "subject": vars(subject),
            "block": block,
            "again": subject.name == self.subjects[1].name,
            "seed": self.plan["seed"] * 1000 + (block + 1) * 100,
            "tuning": self.plan["tuning"],
            "generator": self.plan["generator"],
            "thresholds": self.plan["thresholds"],
            "canary": str(CANARY),
        }

    def sample(self, block, position, subject):
        """Makes one sample: one line of samples.jsonl."""
        free = shutil.disk_usage(self.part.path).free // MIB
        if free < FREE_MIB:
            result = {"begun": time.time(), "seconds": 0, "status": "failed",
                      "why": f"the disk is full: {free} MiB are free; a sample needs {FREE_MIB}"}
        else:
            patience = PATIENCE_SECONDS + PATIENCE * self.asked.sample_seconds
            result = child.run(self.request(subject, block), self.part.sample_folder(block, subject.name),
                               patience * subject.slowness(), subject.build)
        why = " ".join(result["why"].split())  # as one line; the sample's log has the whole text
        line = {"block": block, "position": position, "subject": subject.name, **result, "why": why}
        if block != SCOUTING:
            self.part.append(line)
        return line

    def left_out(self, samples):
        """The subjects without further blocks: those that cannot run here, and those that failed repeatedly."""
        gone = set()
        for subject in self.subjects:
            own = [each["status"] for each in samples if each["subject"] == subject.name]
            if "skipped" in own or own[-GIVEN_UP:] == ["failed"] * GIVEN_UP:
                gone.add(subject.name)
        return gone

    def blocks(self, deadline, repeats):
        """Runs whole blocks only, so that each subject is measured equally often. Returns why it ended. `repeats`: the
        least and the largest number of blocks."""
        by_name = {each.name: each for each in self.subjects}
        longest = sum(each.slowness() for each in self.subjects) * self.asked.sample_seconds
        for block in itertools.count():
            samples = self.part.samples()
            todo = blocks.left(by_name, block, self.plan["seed"], self.part.done())
            todo = [each for each in todo if each[1] not in self.left_out(samples)]
            if len(todo) == len(by_name) - len(self.left_out(samples)) and (why := self.enough(samples, block, repeats)):
                return why
            if not todo:
                continue
            if time.time() + longest > deadline:
                return "time"
            say(f"{self.part.name}: block {block + 1}; {max(deadline - time.time(), 0) / 60:.0f} minutes left")
            begun = time.monotonic()
            for position, name in todo:
                tell(self.sample(block, position, by_name[name]))
            longest = max(longest if block else 0, time.monotonic() - begun)

    def enough(self, samples, block, repeats):
        """Why no further block is started; "" when one is."""
        if self.left_out(samples) & {each.name for each in self.subjects[:2]}:
            return "failure of the reference"
        if block >= min(repeats[1], self.asked.of_kind.blocks_most or repeats[1]):
            return "repeats"
        return "precision" if block >= repeats[0] and self.precise(samples) else ""

    def precise(self, samples):
        """Whether the requested precision of every measure is reached, for every subject that has the measure."""
        good = blocks.good(samples)
        level = comparison.corrected_level(len(self.asked.primary))
        for measure, wanted in self.asked.precision.items():
            for subject in self.subjects[1:]:
                names = (subject.against, subject.name)
                both = [[good[block][name]["measures"].get(measure) for name in names] for block in blocks.pairs(good, *names)]
                both = [each for each in both if all(each)]
                if both and len(both) < comparison.MIN_PAIRS:
                    return False
                if both and comparison.ratio(*zip(*both), level).half_width > wanted:
                    return False
        return bool(self.asked.precision) and len(good) >= comparison.MIN_PAIRS

    # ---- the end ----

    def finish(self, why):
        if not self.part.has("proofs.json"):
            self.part.write("proofs.json", {proofs.LOOP: self.loops()} if proofs.LOOP in self.asked.of_kind.proofs else {})
        self.part.write("status.json", {"status": "done", "ended_by": why, "ended": time.time()})

    def loops(self):
        """Returns {platform: result of the loop's proof} for every platform that was measured to the end. Emulated
        guests need no proof, because no ratio includes their figures."""
        found = {}
        gone = self.left_out(self.part.samples())
        for subject in self.subjects:
            if subject.name not in gone and subject.platform not in found and subject.slowness() == 1:
                folder = self.part.path / "proofs" / subject.platform.replace(":", "_")
                folder.mkdir(parents=True, exist_ok=True)
                request = self.request(Subject(LOOP, subject.platform), SCOUTING)
                loop = experiment.read(LOOP)[0]
                found[subject.platform] = child.run({**request, "kind": loop.kind, "parameters": loop.parameters}, folder,
                                                    PATIENCE_SECONDS + PATIENCE * loop.sample_seconds)
        return found


def tell(line):
    """Describes a sample in one line."""
    reasons = sorted({each for some in line.get("disturbed", {}).values() for each in some})
    told = line["why"] or ("disturbed: " + "; ".join(reasons) if reasons else "quiet")
    say(f"  {line['subject']}: {line['status']}, {line['seconds']:.0f} s, {told}")
