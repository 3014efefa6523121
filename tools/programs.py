"""Starts the project's own programs, for runs and tests."""

import csv
import http.client
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import servers
from servers import atomic


class Endpoint:
    """Fetches /metrics, /healthz and /readyz of a program. OSError if there is no complete answer."""

    def __init__(self, address):
        self.address = address

    def get(self, path):
        """Returns (status, text)."""
        try:
            with urllib.request.urlopen(self.address + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise ConnectionError(f"{self.address}{path}: {error!r}") from error

    def not_ready(self):
        """The reasons why it is not ready, or None."""
        try:
            status, text = self.get("/readyz")
        except OSError as error:
            return str(error)
        return None if status == 200 else text.strip()

    def answers(self):
        """Whether it answers at all."""
        try:
            self.get("/healthz")
        except OSError:
            return False
        return True

    def metrics(self):
        """Returns {series: value}; a series includes its labels as printed."""
        values = {}
        for line in self.get("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                values[series] = float(value)
        return values

    def metric(self, series):
        return self.metrics().get(series, 0)


class Program(Endpoint):
    """One process of a serving program, and its endpoint: at `address`, or at the address in its log."""

    program = None

    def __init__(self, build, name, log, arguments, env=None, cwd=None, address=None, words_before=()):
        """`words_before`: a prefix for its command, such as one that enters a network namespace."""
        super().__init__(address)
        self.name = name
        self.log = Path(log)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # Lines of an earlier process stay in the log and must not count as this one's.
        self.begin = self.log.stat().st_size if self.log.exists() else 0
        argv = [*words_before, Path(build) / self.program, *self.arguments(arguments)]
        self.process = servers.Process(argv, self.log, env=env, cwd=cwd)

    def arguments(self, more):
        return more

    def get(self, path):
        if not self.find_address():
            raise ConnectionError("does not listen yet")
        return super().get(path)

    def text(self):
        """Returns what it has logged."""
        return self.log.read_bytes()[self.begin :].decode(errors="replace")

    def check(self):
        """Raises unless it runs."""
        if not self.process.alive():
            raise self.error(f"ended with status {self.process.child.returncode}")

    def error(self, what):
        return servers.ServerError(f"{self.name} {what}; {self.log} ends:\n{servers.tail(self.log)}")

    def find_address(self):
        """Looks for its address in the log; returns whether it was found."""
        found = None if self.address else re.search(r"listening on (http://\S+)", self.text())
        self.address = found.group(1) if found else self.address
        return self.address is not None

    def await_listening(self, seconds=60):
        if not servers.wait_until(self.find_address, seconds, self.check, 0.02):
            raise self.error(f"does not listen after {seconds} s")

    def await_ready(self, seconds=60):
        """Waits until its /readyz says that it is ready."""
        self.await_listening(seconds)
        if not servers.wait_until(lambda: self.not_ready() is None, seconds, self.check, 0.02):
            raise self.error(f"is not ready after {seconds} s: {self.not_ready()}")

    def stop(self, seconds=60):
        """Sends TERM; returns the exit status."""
        return self.process.stop(seconds)

    def kill(self):
        return self.process.kill()


class Worker(Program):
    program = "ir-worker"

    def arguments(self, more):
        return [f"--name={self.name}", *more]


class Gateway(Program):
    program = "ir-ingest"


def issue_tokens(build, motes, tokens):
    """Returns {mote: token}; writes their hashes to the file `tokens`."""
    argv = [str(Path(build) / "ir-ingest"), "--issue-tokens=-", f"--tokens={tokens}"]
    done = subprocess.run(argv, input="".join(f"{mote}\n" for mote in motes), capture_output=True, text=True,
                          timeout=60, check=False)
    if done.returncode != 0:
        raise servers.ServerError(f"ir-ingest --issue-tokens ended with {done.returncode}: {done.stderr}")
    return dict(line.split() for line in done.stdout.splitlines())


def write_tokens(path, tokens):
    """Writes tokens in the form that ir-loadgen reads."""
    atomic.write(path, "".join(f"{mote} {token}\n" for mote, token in tokens.items()), atomic.PRIVATE)


def drop_tokens(path, prefix):
    """Removes from a file of tokens, or of their hashes, those of motes whose names begin with the prefix."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    kept = [each for each in lines if not each.startswith(prefix)]
    if kept != lines:
        atomic.write(path, "".join(kept), atomic.PRIVATE)


@dataclass(frozen=True)
class Sensor:
    """A sensor in a registry."""

    mote: str
    name: str
    property: str
    unit: str  # "": its values are not numbers


def registered(build, files):
    """The sensors of a registry of these files, in their order."""
    argv = [str(Path(build) / "ir-annotate"), f"--registry={','.join(map(str, files))}", "--list"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        raise servers.ServerError(re.sub("^ir-annotate: ", "", done.stderr.strip(), flags=re.MULTILINE))
    return [Sensor(**row) for row in csv.DictReader(done.stdout.splitlines())]


def hang_up(listed):
    os.kill(listed["pid"], signal.SIGHUP)


def reload(listed, counter, signal_one=hang_up, seconds=60):
    """Makes each listed program read its file again, and waits until the metric `counter` shows that it has."""
    series = f'{counter}{{result="done"}}'
    ends = [Endpoint(each["address"]) for each in listed]
    before = [end.metric(series) for end in ends]
    for each in listed:
        signal_one(each)
    for each, end, count in zip(listed, ends, before):
        if not servers.wait_until(lambda end=end, count=count: end.metric(series) != count, seconds):
            raise servers.ServerError(f"{each['name']} did not read its file again within {seconds} s; see its log")


def call(argv, log, cwd=None, env=None, seconds=600):
    """Returns (status, standard output) of a program that runs to its end; its other output goes to the log. After
    `seconds` it is stopped, which is an error."""
    process = servers.Process(argv, log, cwd=cwd, env=env, stdout=subprocess.PIPE)
    try:
        text = process.child.communicate(timeout=seconds)[0].decode()
    except subprocess.TimeoutExpired:
        process.kill()
        name = Path(argv[0]).name
        raise servers.ServerError(f"{name} did not end within {seconds} s; {log} ends:\n{servers.tail(log)}") from None
    return process.stop(), text
