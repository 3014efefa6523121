#!/usr/bin/env python3
"""Builds the Debian packages for each release; installs, upgrades, removes and purges them in a fresh root of it
(inside.sh); starts the services under systemd (started.sh); makes an image of the packages and runs it with Podman;
validates the Kubernetes manifests.

    run.py [RELEASE]        bookworm or trixie; default: both

Prints the count in the last line. Exit status: 0 all passed; 1 something failed; 77 this host cannot do it.
"""

import argparse
import contextlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "packaging")]

import changelog  # noqa: E402
import deb  # noqa: E402
import image  # noqa: E402
from machine import Machine  # noqa: E402
from platforms.lab import LabError, clean, debian, netns, sandbox  # noqa: E402
from platforms.podman import findings  # noqa: E402
from platforms.podman.engine import Engine  # noqa: E402
from platforms.podman.recipe import limit_words  # noqa: E402

FOLDER = Path(__file__).resolve().parent
OUT = ROOT / "out" / "packages"
SECONDS = 1800
REGISTRY = "/usr/share/intelligent-river/usgs_river.ttl"


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def step(self, what, call, *words):
        """Runs a step, which raises LabError with the fault, or Unsupported."""
        try:
            self.passed += call(*words) or 1
            print(f"ok: {what}", flush=True)
        except LabError as error:
            self.failed += error.status != 77
            self.skipped += error.status == 77
            print(f"{'skipped' if error.status == 77 else 'FAILED'}: {what}: {error}", flush=True)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def told(log, status):
    """Prints a script's output; returns how many of its checks passed."""
    text = log.read_text(encoding="utf-8", errors="replace")
    print(text, end="", flush=True)
    if status != 0:
        raise LabError(f"see {log}")
    return text.count("ok: ")


@contextlib.contextmanager
def fresh(suite, name):
    """Yields (root, sandbox over it with the packages and the tests, log). What the sandbox writes is deleted at the
    end."""
    log = OUT / f"{suite}-{name}.log"
    log.unlink(missing_ok=True)
    with debian.Root(suite, []) as root:
        binds = [("ro", deb.folder(suite), "/srv/deb"), ("ro", FOLDER, "/srv/packages"), *debian.client_binds(root.path)]
        inside = sandbox.Sandbox(root.path, OUT / f"{suite}-{name}.layer", suite, binds, debian.environment())
        inside.discard()
        try:
            yield root, inside, log
        finally:
            inside.discard()


def call(inside, log, *words):
    return inside.run(words, log, network=True, seconds=SECONDS, before=netns.outside_argv())


def install(suite):
    """Runs inside.sh; returns the number of its checks."""
    with fresh(suite, "install") as (_, inside, log):
        return told(log, call(inside, log, "/srv/packages/inside.sh", changelog.version()))


def start(suite):
    """Runs started.sh in the same way, under systemd."""
    with fresh(suite, "start") as (root, inside, log):
        script = ("apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install systemd curl dbus "
                  "/srv/deb/intelligent-river_*.deb")
        if call(inside, log, "sh", "-c", script) != 0:
            raise LabError(f"the package cannot be installed; see {log}")
        folder = OUT / f"{suite}-start.machine"
        clean.remove_tree(folder)
        with Machine(folder, root=root.path, layer=inside.layer, debs=deb.folder(suite), tests=FOLDER) as machine:
            done = machine.run("/srv/packages/started.sh", seconds=SECONDS)
        log.write_text(done.out + done.err, encoding="utf-8")
        return told(log, done.status)


def run_image(suite):
    """Loads the archive as a user would, and runs its programs with only the rights that the manifests grant."""
    if missing := [each.what for each in findings.all_of() if each.required and not each.ok]:
        raise LabError(f"Podman cannot run here: {', '.join(missing)}")
    archive = image.make(suite)
    with clean.Undo() as undo:
        podman = Engine(OUT / f"{suite}.podman", Path("/run") / f"ir-packages-{suite}")
        undo.add(podman.remove)
        podman.run("load", "--quiet", "--input", archive, seconds=SECONDS)
        words = ("run", "--rm", "--network=none", "--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", *limit_words(),
                 "--volume=stores:/var/lib/intelligent-river", f"{image.NAME}:{changelog.version()}")
        expect(podman.run(*words, "ir-worker", "--version").out, f"ir-worker {changelog.version()}\n")
        expect(podman.run(*words, "id", "-u").out, f"{image.USER}\n")
        podman.run(*words, "ir-store", "init", f"--registry={REGISTRY}")
        told = podman.run(*words, "ir-store", "status", "--json").out
        if '"observations"' not in told:
            raise LabError(f"ir-store status says {told!r}")


def expect(told, wanted):
    if told != wanted:
        raise LabError(f"{told!r} in place of {wanted!r}")


def check_manifests():
    folder = debian.cache_directory() / "kubernetes"
    done = subprocess.run(["python3", FOLDER / "manifests.py"], env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True,
                          text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise LabError(done.stdout + done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("releases", nargs="*", metavar="RELEASE")
    suites = [each for each in parser.parse_args().releases if each]
    clean.end_on_signals()
    OUT.mkdir(parents=True, exist_ok=True)
    total = Count()
    total.step("the manifests are as Kubernetes publishes them", check_manifests)
    for suite in suites or deb.SUFFIXES:
        total.step(f"{suite}: the packages are built, and lintian has nothing to say", lambda name=suite: deb.build(name) and None)
        total.step(f"{suite}: the packages are installed, upgraded, removed and purged", install, suite)
        total.step(f"{suite}: the services start, are upgraded and stop", start, suite)
        total.step(f"{suite}: the image runs", run_image, suite)
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
