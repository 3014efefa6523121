"""The variables of make's command line: which target takes them, and what each may be.

    variables.check("run", "DOCUMENTS=mongodb RATE=5")      UsageError names the error and the nearest valid word
    variables.read(os.environ, "BROKERS", "run")            a checked value, or the default

    python3 tools/variables.py "TARGET …" "NAME=VALUE …"    the same check for the Makefile: prints the error, if any
"""

import argparse
import difflib
import ipaddress
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ingest"))

import guard  # noqa: E402
import servers  # noqa: E402


class UsageError(guard.Fault):
    """The request is impossible; nothing was started."""

    status = 2


class Words:
    """One of several words; the first one is the default."""

    def __init__(self, *words):
        self.words = words
        self.initial = words[0]

    def read(self, name, text):
        if text not in self.words:
            near = nearest(text, self.words)
            raise UsageError(f"{name}={text}: must be one of {', '.join(dict.fromkeys(self.words))}{near}")
        return text


class Several(Words):
    """Some of these words, separated by blanks; an empty value means all."""

    def __init__(self, *words):
        super().__init__(*words)
        self.initial = ""

    def read(self, name, text):
        return [super(Several, self).read(name, word) for word in text.split()]


class Number:
    """A whole number within bounds."""

    def __init__(self, initial, low, high):
        self.initial, self.low, self.high = str(initial), low, high

    def read(self, name, text):
        if not re.fullmatch(r"\d{1,9}", text) or not self.low <= int(text) <= self.high:
            raise UsageError(f"{name}={text}: must be a whole number from {self.low} to {self.high}")
        return int(text)


class Address:
    """An address of this machine, IPv4 or IPv6."""

    def __init__(self, initial):
        self.initial = initial

    def read(self, name, text):
        try:
            return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))
        except ValueError:
            raise UsageError(f"{name}={text}: must be an address, such as 192.0.2.1 or ::1 (`ip address` shows those of this "
                             "machine)") from None


class Text:
    """Any text; the code that uses it checks it."""

    def __init__(self, initial=""):
        self.initial = initial

    def read(self, _name, text):
        return text


TEXT = Text()
SWITCH = Number(0, 0, 1)

# (name, targets that accept it, allowed values). guests.py limits the stores further.
VARIABLES = (
    ("BROKERS", "run up soak", Words("1", "3", "5", "7")),
    ("GATEWAYS", "run up faults soak", Number(2, 0, 16)),
    ("WORKERS", "run up faults soak", Number(2, 1, 64)),
    ("DOCUMENTS", "run up soak", Words("sqlite", *servers.DOCUMENT_SERVERS, "null")),
    ("GRAPH", "run up soak", Words("nquads", *servers.GRAPH_SERVERS, "null")),
    ("FORMATS", "run up soak", Text("jsonld,senml")),
    ("VIA", "run load find-max", Words("mix", "amqp", "mqtt", "http")),
    ("REPEAT", "run", Number(1, 1, 100000)),
    ("KEEP", "run", SWITCH),
    ("MESSAGES", "run", Number(0, 0, 100000000)),
    ("PLATFORM", "run", TEXT),
    ("TOPOLOGY", "run", TEXT),
    ("PROFILE", "run", TEXT),
    ("REGISTRY", "up", TEXT),
    ("FRESH", "up", SWITCH),
    ("LISTEN", "up", Address("127.0.0.1")),
    ("DATA", "up down registry load find-max monitor backup restore", Text("river")),
    ("PACE", "monitor", Number(1, 1, 300)),
    ("FILE", "registry", TEXT),
    ("TO", "backup", TEXT),
    ("COPIES", "backup", Number(0, 0, 100000)),
    ("FROM", "restore", TEXT),
    ("STORE", "restore", Words("both", "documents", "graph")),
    ("MOTES", "load find-max", Number(1000, 1, 1000000)),
    ("RATE", "run", Number(0, 0, 10000000)),
    ("RATE", "load", Number(1000, 1, 10000000)),
    ("DURATION", "load", Number(30, 1, 10000000)),
    ("EXPERIMENTS", "bench bench-ten", TEXT),
    ("PLATFORMS", "bench bench-ten test-platforms", TEXT),
    ("PROFILES", "bench", TEXT),
    ("REPEATS", "bench", TEXT),
    ("MINUTES", "bench bench-ten", TEXT),
    ("RUNS", "bench-ten", Number(10, 1, 1000)),
    ("SEED", "bench", TEXT),
    ("RELEASE", "test-distributions test-newcomer deb image test-packages", Several("bookworm", "trixie")),
    ("STEPS", "test-distributions", TEXT),
    ("TESTS", "test-slow", TEXT),
    ("SECONDS", "fuzz", Number(60, 1, 10000000)),
    ("CORPUS", "fuzz", TEXT),
    ("TARGETS", "fuzz", TEXT),
    ("SEED", "faults", Number(0, 0, 999999999)),
    ("FAULTS", "faults", Number(100, 1, 100000)),
    ("OBSERVATIONS", "faults", Number(1000000, 1000, 999999999)),
    ("MINUTES", "faults", Number(0, 0, 100000)),
    ("MINUTES", "soak", Number(30, 1, 100000)),
    ("RATE", "soak", Number(0, 0, 10000000)),
    ("RATE", "faults", Number(500, 10, 1000000)),
    ("PATIENCE", "faults", Number(1, 1, 100)),
    ("LONGEST", "faults", Number(90, 1, 3600)),
    ("COMPARE", "faults", Number(1, 1, 1000)),
    ("KINDS", "faults", TEXT),
    ("OUT", "faults", TEXT),
)
# Variables that every target accepts: those of the build.
BUILD = {"MODE": Words("release", "asan", "tsan", "check"), "CC": TEXT, "CPPFLAGS": TEXT, "CFLAGS": TEXT, "LDFLAGS": TEXT,
         "LDLIBS": TEXT, "PREFIX": TEXT, "SYSCONFDIR": TEXT, "DESTDIR": TEXT}


def nearest(text, words):
    """Returns "; did you mean …?", or nothing if no word is similar."""
    found = difflib.get_close_matches(text.lower(), [word.lower() for word in words], 1, 0.6)
    return "".join(f"; did you mean {word}?" for word in words if found and word.lower() == found[0])


def taken_by(targets):
    """Returns {name: allowed values} of the variables that one of the targets accepts."""
    return {name: kind for name, takers, kind in VARIABLES if set(takers.split()) & set(targets)}


def read(environment, name, target):
    """Returns the value of a variable that `target` takes. An empty value counts as not given."""
    kind = taken_by([target])[name]
    return kind.read(name, environment.get(name) or kind.initial)


def choice(environment, name, *words):
    """Returns the value of a variable that is limited to these words here. An empty value means the first word."""
    return Words(*words).read(name, environment.get(name) or words[0])


def refuse_given(environment, names, why):
    """Refuses variables that would be ignored silently."""
    given = [name for name in names if environment.get(name)]
    if given:
        raise UsageError(f"{given[0]}={environment[given[0]]}: {why}")


def assignments(overrides):
    """Returns [(name, value)] of make's MAKEOVERRIDES, in which blanks and backslashes of a value have a backslash
    before them."""
    words = re.findall(r"(?:\\.|[^\s\\])+", overrides)
    pairs = [re.sub(r"\\(.)", r"\1", word).partition("=") for word in words]
    return [(name.rstrip(":+?"), value.replace("$$", "$")) for name, _, value in pairs]


def check_one(name, value, targets):
    known = {**taken_by(targets), **BUILD}
    if name in known:
        if value:
            known[name].read(name, value)
        return
    asked = "make " + " ".join(targets)
    takers = [f"make {target}" for other, those, _ in VARIABLES if other == name for target in those.split()]
    if takers:
        raise UsageError(f"{name}={value}: {asked} does not accept it, only {' and '.join(takers)}")
    near = nearest(name, known) or f"; it takes {', '.join(known)}"
    raise UsageError(f"{name}={value}: {asked} has no variable of this name{near}")


def check(targets, overrides):
    """Checks that each assignment is for a variable of one of the targets (default: build), and that its value is
    allowed."""
    for name, value in assignments(overrides):
        check_one(name, value, targets.split() or ["build"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", metavar="TARGETS")
    parser.add_argument("overrides", metavar="OVERRIDES")
    words = parser.parse_args()
    try:
        check(words.targets, words.overrides)
    except UsageError as error:
        print(error)
        return error.status
    return 0


if __name__ == "__main__":
    guard.run("make", main)
