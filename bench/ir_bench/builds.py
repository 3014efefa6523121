"""The two sides of `ir-bench compare` as subjects of one run: commits, settings, or both.

A side is COMMIT, KEY=VALUE or COMMIT,KEY=VALUE,…; "." is the working folder. A commit is unpacked into
out/bench/builds/COMMIT and built there. Its programs run in its guests. Its tools/ and platforms/ make the guests, so
broker settings and balancer rules also come from the commit. The measuring code (generator, canary, this package) comes
from the working folder for both sides. A key is a parameter of the experiment, `profile`, or worker.SETTING of
ir-worker.
"""

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import guard

from . import ROOT
from .subjects import Subject

HERE = "."
BUILD_SECONDS = 1800
CCACHE = "/usr/lib/ccache"
WORKER = "worker."


class SideError(guard.Fault):
    """A side cannot be made; the text says why."""

    status = 2


def subjects(first, second, asked, platform, folder):
    """The first side, its repetition, and the second side. `asked`: the experiment. Builds go below `folder`."""
    if first == second:
        raise SideError(f"both sides are '{first}'; there is nothing to compare, since every run measures the first side "
                        "twice anyway")
    one, other = (side(each, asked, platform, folder) for each in (first, second))
    return [dataclasses.replace(each, name=name, against=first)
            for each, name in ((one, first), (one, f"{first}-again"), (other, second))]


def side(text, asked, platform, folder):
    words = text.split(",")
    commit = words.pop(0) if "=" not in words[0] else HERE
    settings = dict(setting(each, asked) for each in words)
    profile = settings.pop("profile", "default")
    return Subject(text, platform, profile, settings=settings, build=build(commit, folder))


def setting(word, asked):
    """Returns (key, value) of KEY=VALUE, with the type of the experiment's parameter."""
    key, equals, value = word.partition("=")
    if not equals:
        raise SideError(f"'{word}' is not KEY=VALUE")
    if key == "profile":
        return key, value
    if key.startswith(WORKER):
        check_worker(key.removeprefix(WORKER), value)
        return key, value
    known = {name: kind for name, kind in asked.of_kind.parameters.items() if not isinstance(kind, (list, dict))}
    if key not in known:
        raise SideError(f"'{key}' is profile, {WORKER}SETTING, or one of {', '.join(known)}")
    try:
        return key, value if known[key] is str else type(asked.parameters[key])(value)
    except ValueError as error:
        raise SideError(f"{word}: {error}") from error


def check_worker(name, value):
    """Lets ir-worker check the value."""
    argv = [ROOT / "out" / "release" / "ir-worker", f"--{name}={value}", "--print-settings"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SideError(done.stderr.strip().removeprefix("ir-worker: "))


# ---- builds ----


def build(commit, folder):
    """The folder of a built checkout; "" for this folder."""
    if commit == HERE:
        return ""
    named = git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")
    if named.returncode != 0:
        raise SideError(f"'{commit}' is neither a commit of this repository, nor KEY=VALUE, nor the folder of a run")
    place = Path(folder) / named.stdout.strip()[:12]
    if not place.exists():
        part = place.with_name(f"{place.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        unpack(named.stdout.strip(), part)
        make(part)
        part.replace(place)
    return str(place)


def git(*words):
    return subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)


def unpack(commit, folder):
    archive = subprocess.Popen(["git", "-C", ROOT, "archive", commit], stdout=subprocess.PIPE)
    status = subprocess.run(["tar", "-x", "-C", folder], stdin=archive.stdout, check=False).returncode
    if archive.wait() or status:
        raise SideError(f"{commit} cannot be unpacked into {folder}")


def make(folder):
    """Builds its programs, with the compiler cache if there is one."""
    environment = {**os.environ, "PATH": f"{CCACHE}:{os.environ['PATH']}"}
    done = subprocess.run(["make", "-s", "-C", folder, "MODE=release", "build"], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode != 0:
        raise SideError(f"{folder.name} cannot be built: {' '.join(done.stdout.strip().splitlines()[-3:])[:500]}")
