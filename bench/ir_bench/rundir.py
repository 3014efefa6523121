"""The folder of one run. It is never overwritten:

    run.json          format of the folder; the request: experiments, platforms, profiles, repeats, seed
    facts.json        the machine, recorded once
    status.json       running or done
    checksums         SHA-256 of every other file except the report, written when the run ends
    report/           written from the other files, as often as wanted
    EXPERIMENT/
        experiment.toml   the experiment as it was
        plan.json         subjects, rates, thresholds: fixed before the first block
        samples.jsonl     one line per sample, flushed to disk as soon as it ends
        samples/NNN-SUBJECT/   files of a sample: histograms, logs, summaries
        proofs.json       results of the proofs that need their own guests
        status.json       running, done, skipped or failed, and why
"""

import datetime
import hashlib
import json
import os
import re
from pathlib import Path

import atomic
import guard

FORMAT = 1  # increases with every change of these files that another version of this package cannot read
SAMPLES = "samples.jsonl"
CHECKSUMS = "checksums"
LATEST = "latest"  # the link to the last run


class RunError(guard.Fault):
    """A run's folder cannot be used; the text tells the user why."""


class Folder:
    """A folder of files that are each replaced atomically."""

    def __init__(self, path):
        self.path = Path(path).resolve()

    def write(self, name, value):
        self.write_text(name, json.dumps(value, indent=2, sort_keys=True) + "\n")

    def write_text(self, name, text):
        atomic.write(self.path / name, text, atomic.PUBLIC)

    def has(self, name):
        return (self.path / name).is_file()

    def read(self, name):
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / name}: {error}") from error


class Part(Folder):
    """The folder of one experiment within a run."""

    def __init__(self, run, name):
        super().__init__(run.path / name)
        self.run = run
        self.name = name
        self.path.mkdir(exist_ok=True)

    @property
    def status(self):
        return self.read("status.json") if self.has("status.json") else {"status": "not begun"}

    def sample_folder(self, block, subject):
        folder = self.path / "samples" / f"{block:03}-{re.sub('[^A-Za-z0-9_.-]', '_', subject)}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def append(self, sample):
        """Appends a sample, and returns when it is on disk. First removes an incomplete line that a crash left."""
        path = self.path / SAMPLES
        with open(path, "ab+") as file:
            file.seek(0)
            whole = file.read()
            file.truncate(whole.rfind(b"\n") + 1)
            file.write(json.dumps(sample, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def samples(self):
        """Returns every complete line; skips an incomplete line that a crash left."""
        try:
            lines = (self.path / SAMPLES).read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[:-1]]

    def done(self):
        """Returns the (block, subject) pairs that need no further attempt."""
        return {(each["block"], each["subject"]) for each in self.samples()}


class RunDir(Folder):
    @classmethod
    def create(cls, parent, name):
        """Makes a new folder PARENT/TIME-NAME, and the link PARENT/latest to it."""
        parent = Path(parent)
        parent.mkdir(parents=True, exist_ok=True)
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        for attempt in range(100):
            path = parent / (f"{stamp}-{name}" + (f"-{attempt + 1}" if attempt else ""))
            try:
                path.mkdir()
                break
            except FileExistsError:
                continue
        else:
            raise RunError(f"{parent}: too many runs started in the same second")
        link = parent / LATEST
        fresh = parent / f".latest-{os.getpid()}"
        fresh.symlink_to(path.name)
        fresh.replace(link)
        return cls(path)

    @classmethod
    def open(cls, path):
        run = cls(path)
        if not run.has("run.json"):
            raise RunError(f"{path} is not the folder of a run: it has no run.json")
        if (made := run.read("run.json").get("format")) != FORMAT:
            commit = run.read("facts.json").get("commit") or "that made it"
            raise RunError(f"{path} has {f'format {made}' if made else 'no format'}, and this version reads format {FORMAT}; "
                           f"use the version of commit {commit}")
        return run

    def parts(self):
        """The folders of the run's experiments, in order."""
        return [Part(self, name) for name in self.read("run.json")["experiments"]]

    # ---- checksums ----

    def files(self):
        for path in sorted(self.path.rglob("*")):
            inside = path.relative_to(self.path)
            if path.is_file() and inside.parts[0] not in (CHECKSUMS, "report") and not path.name.startswith("."):
                yield inside, path

    def seal(self):
        lines = [f"{digest(path)}  {inside}\n" for inside, path in self.files()]
        self.write_text(CHECKSUMS, "".join(lines))

    def tampered(self):
        """The files that differ from the checksums, each with the kind of difference. None: there are no checksums,
        because the run never ended."""
        try:
            text = (self.path / CHECKSUMS).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        expected = {name: sha for sha, _, name in (line.partition("  ") for line in text.splitlines())}
        present = {str(inside): path for inside, path in self.files()}
        wrong = [f"{name}: missing" for name in expected if name not in present]
        wrong += [f"{name}: not there when the run ended" for name in present if name not in expected]
        wrong += [f"{name}: changed" for name, path in present.items() if name in expected and digest(path) != expected[name]]
        return sorted(wrong)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
