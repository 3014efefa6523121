"""A run as a whole: its experiments one after the other, each with its share of the time. Also resumes an interrupted
run."""

import contextlib
import fcntl
import math
import subprocess
import time

import facts
from platforms.lab import LabError

from . import ROOT, experiment, leftovers, machine, neighbour, proofs
from .course import Course, say
from .rundir import FORMAT, RunDir, RunError
from .subjects import Subject

LEAST_BLOCKS = 6
LEAST_MINUTES = 20
PROOF_SECONDS = 60  # of the loop's proof, for each platform


@contextlib.contextmanager
def alone(parent):
    """Prevents a second run: two runs would disturb each other, and resuming one would destroy the guests of the
    other."""
    parent.mkdir(parents=True, exist_ok=True)
    with open(parent / "lock", "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(f"another run is measuring ({parent / 'lock'} is held); wait until it ends") from None
        yield


def seconds_wanted(asked, subjects):
    """The seconds for six blocks, with scouting and proofs."""
    samples = LEAST_BLOCKS * sum(each.slowness() for each in subjects) + 1
    return samples * asked.sample_seconds + proof_seconds(asked, subjects)


def minutes_needed(planned):
    """The minutes that a run needs, so that each of [(Experiment, Subjects)] has time for one block. Each experiment
    gets a share of the run's time in proportion to seconds_wanted()."""
    total = sum(seconds_wanted(*each) for each in planned)
    return math.ceil(max((seconds_least(*each) / seconds_wanted(*each) for each in planned), default=0) * total / 60)


def seconds_least(asked, subjects):
    """The seconds for one block, with scouting and proofs."""
    return (sum(each.slowness() for each in subjects) + 1) * asked.sample_seconds + proof_seconds(asked, subjects)


def proof_seconds(asked, subjects):
    """The seconds for the loop's proof on each platform."""
    proven = {each.platform for each in subjects if each.slowness() == 1}
    return PROOF_SECONDS * len(proven) if proofs.LOOP in asked.of_kind.proofs else 0


def minutes_for(planned, asked):
    """Returns the requested minutes, otherwise those that six blocks of each [(Experiment, Subjects)] take."""
    return asked or max(LEAST_MINUTES, math.ceil(sum(seconds_wanted(*each) for each in planned) / 60))


def announce(planned, minutes, seed):
    """Prints the minutes of each experiment, and of each further platform. `planned` is the argument of Run.start."""
    total = 0
    for asked, _, subjects, why in planned:
        if why:
            say(f"{asked.name}: skipped: {why}")
            continue
        wanted = seconds_wanted(asked, subjects) / 60
        total += wanted
        say(f"{asked.name}: {asked.title}: {', '.join(each.name for each in subjects)}; six blocks take {wanted:.0f} minutes, "
            f"each further platform {LEAST_BLOCKS * asked.sample_seconds / 60:.0f} more")
    say(f"at most {minutes:.0f} minutes; seed {seed}")
    if minutes < total:
        say(f"{minutes:.0f} minutes are fewer than {total:.0f}; fewer than {LEAST_BLOCKS} blocks give values but no verdict")


class Run:
    def __init__(self, folder):
        self.folder = folder
        self.asked = folder.read("run.json")

    @classmethod
    def start(cls, parent, planned, sizes, asked):
        """`planned`: [(Experiment, its text, Subjects, why it is skipped)]."""
        names = [each[0].name for each in planned]
        folder = RunDir.create(parent, names[0] if len(names) == 1 else "several")
        folder.write("facts.json", facts_of(asked for asked, _, _, why in planned if not why))
        folder.write("status.json", {"status": "running"})
        folder.write("run.json", {**asked, "format": FORMAT, "experiments": names, "subjects": {
            each[0].name: [vars(subject) for subject in each[2]] for each in planned}, "sizes": sizes})
        for part, (_, text, _, why) in zip(folder.parts(), planned):
            part.write_text("experiment.toml", text)
            part.write("status.json", {"status": "skipped", "why": why} if why else {"status": "not begun"})
        return cls(folder)

    @classmethod
    def resume(cls, folder):
        """Resumes a run. First removes what the killed run left on the host."""
        run = cls(folder)
        if count := sum(leftovers.clear_all(part) for part in folder.parts()):
            say(f"removed the remains of {count} interrupted samples")
        return run

    def waiting(self):
        """The experiments that are neither done nor skipped."""
        return [part for part in self.folder.parts() if part.status["status"] not in ("done", "skipped")]

    def go_on(self, minutes):
        """Gives each waiting experiment its share of the remaining time."""
        with neighbour.running(self.asked.get("beside", "")):
            self.each(minutes)
        self.folder.write("status.json", {"status": "done", "ended": time.time()})
        self.folder.seal()

    def each(self, minutes):
        end = time.time() + minutes * 60
        waiting = self.waiting()
        for number, part in enumerate(waiting):
            wanted = [seconds_wanted(*self.planned(each)) for each in waiting[number:]]
            share = (end - time.time()) * wanted[0] / sum(wanted)
            try:
                end += self.one(part, time.time() + share)
            except (RunError, machine.CanaryError, LabError, OSError, subprocess.SubprocessError) as error:
                say(f"{part.name}: failed: {error}")
                part.write("status.json", {"status": "failed", "why": str(error)})

    def planned(self, part):
        return experiment.of(part), [Subject(**each) for each in self.asked["subjects"][part.name]]

    def one(self, part, deadline):
        """Runs an experiment. Returns the seconds for making images, which do not count towards its time."""
        asked, subjects = self.planned(part)
        if part.has("plan.json"):
            course, prepared = Course(part, asked, part.read("plan.json")), 0
        else:
            course = Course.begin(part, asked, subjects, self.asked["sizes"][asked.size], self.asked["seed"])
            prepared = sum(course.plan["prepared_seconds"].values())
        why = course.blocks(deadline + prepared - proof_seconds(asked, subjects), self.asked["repeats"])
        course.finish(why)
        say(f"{part.name}: ended by {why}")
        return prepared


def facts_of(experiments):
    """The machine's facts, with the versions of all servers that the experiments use."""
    told = {**facts.collect(ROOT, "", ""), "platform": facts.platform()}
    for asked in experiments:
        told["versions"].update(facts.versions(asked.parameters.get("documents", ""), asked.parameters.get("graph", "")))
    return told
