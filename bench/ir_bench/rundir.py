"""The folder of one run, which is never overwritten:

    experiment.toml   what was asked for, as it was
    plan.json         subjects, seed, rates, thresholds: fixed before the first block
    facts.json        the machine, once
    samples.jsonl     one line for each sample, flushed to disk as soon as it ended
    samples/NNN-SUBJECT/   what a sample left: histograms, logs, summaries
    status.json       running, done or failed, and why it ended
    checksums         SHA-256 of every other file, written when the run ends
"""

import datetime
import hashlib
import json
import os
import re
from pathlib import Path

SAMPLES = "samples.jsonl"
CHECKSUMS = "checksums"


class RunError(Exception):
    """A run's folder is not what it should be; the text is for the person who asked."""


class RunDir:
    def __init__(self, path):
        self.path = Path(path).resolve()

    @classmethod
    def create(cls, parent, name):
        """A new folder PARENT/TIME-NAME, and PARENT/latest, a link to it."""
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
            raise RunError(f"{parent}: too many runs begin in the same second")
        link = parent / "latest"
        fresh = parent / f".latest-{os.getpid()}"
        fresh.symlink_to(path.name)
        fresh.replace(link)
        return cls(path)

    @classmethod
    def open(cls, path):
        run = cls(path)
        if not (run.path / "plan.json").is_file():
            raise RunError(f"{path} is not the folder of a run: it has no plan.json")
        return run

    # ---- whole files ----

    def write(self, name, value):
        """A JSON file, replaced as a whole."""
        self.write_text(name, json.dumps(value, indent=2, sort_keys=True) + "\n")

    def write_text(self, name, text):
        fresh = self.path / f".{name}.new"
        with open(fresh, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.path / name)

    def read(self, name):
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(f"{self.path / name}: {error}") from error

    # ---- samples ----

    def sample_folder(self, block, subject):
        folder = self.path / "samples" / f"{block:03}-{re.sub('[^A-Za-z0-9_.-]', '_', subject)}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def append(self, sample):
        """On disk when this returns. A line that a crash cut in two is cut off first."""
        path = self.path / SAMPLES
        with open(path, "ab+") as file:
            file.seek(0)
            whole = file.read()
            file.truncate(whole.rfind(b"\n") + 1)
            file.write(json.dumps(sample, sort_keys=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def samples(self):
        """Every whole line; what a crash cut in two is left out."""
        try:
            lines = (self.path / SAMPLES).read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines[:-1]]

    def done(self):
        """The (block, subject) pairs that need no further try."""
        return {(each["block"], each["subject"]) for each in self.samples()}

    # ---- whether it is as it was ----

    def files(self):
        for path in sorted(self.path.rglob("*")):
            inside = path.relative_to(self.path)
            if path.is_file() and inside.parts[0] not in (CHECKSUMS, "report") and not path.name.startswith("."):
                yield inside, path

    def seal(self):
        lines = [f"{digest(path)}  {inside}\n" for inside, path in self.files()]
        self.write_text(CHECKSUMS, "".join(lines))

    def tampered(self):
        """What differs from the checksums: names with what is wrong. None: the run was never sealed."""
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
