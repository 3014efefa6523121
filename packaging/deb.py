#!/usr/bin/env python3
"""Builds the Debian packages for a release, in a root filesystem of that release without a network, and checks them
with lintian.

    packaging/deb.py [RELEASE]      bookworm or trixie; default: the host's release

The packages are written to out/deb/RELEASE, with build.log and lintian.log. Exit status: 0 success; 1 the build failed
or lintian reported something; 77 this host cannot make the root.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import changelog

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from platforms.lab import LabError, clean, debian, release, sandbox  # noqa: E402
from platforms.lab.state import locked  # noqa: E402

GROUPS = ("build", "unit", "deb")
SECONDS = 3600
# The version suffix of each release's packages. Those of a later release count as newer.
SUFFIXES = {"bookworm": "~deb12u1", "trixie": "~deb13u1"}
INSIDE = Path("/srv/deb")
LINTIAN = ("lintian", "--no-cfg", "--fail-on", "error,warning", "--tag-display-limit", "0", "--info")


def folder(suite):
    return ROOT / "out" / "deb" / suite


def version(suite):
    return changelog.version() + SUFFIXES[suite]


def packages(suite):
    """The built packages, without those of debugging symbols."""
    return sorted(each for each in folder(suite).glob(f"*_{version(suite)}_*.deb") if "-dbgsym_" not in each.name)


def root(suite):
    return debian.Root(suite, GROUPS)


def build(suite):
    """Rebuilds the packages; returns their folder."""
    out = folder(suite)
    with locked(out.with_suffix(".lock"), SECONDS), root(suite) as base:
        clean.remove_tree(out)
        copy_sources(out / "source", suite)
        inside = base.sandbox(out / "layer", [("rw", out, INSIDE)])
        try:
            call(inside, out / "build.log", "dpkg-buildpackage", "--unsigned-source", "--unsigned-changes", cwd=INSIDE / "source")
            call(inside, out / "lintian.log", *LINTIAN, *(INSIDE / each.name for each in out.glob("*.changes")))
        finally:
            inside.discard()
            clean.remove_tree(out / "source")
    return out


def copy_sources(target, suite):
    """Copies the files tracked by git, with uncommitted changes, and sets up debian/ for dpkg-buildpackage."""
    names = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"], check=True,
                           capture_output=True, timeout=60).stdout.decode().split("\0")
    for name in filter(None, names):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    shutil.copytree(ROOT / "packaging" / "debian", target / "debian")
    (target / "debian" / "changelog").write_text(changelog.debian(SUFFIXES[suite]), encoding="utf-8")


def call(inside, log, *words, cwd=Path("/")):
    if inside.run(["env", "-C", cwd, *words], log, seconds=SECONDS) != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise LabError(f"{words[0]} failed; the end of {log}:\n" + "\n".join(lines[-20:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", nargs="?", metavar="RELEASE")
    suite = parser.parse_args().release or release.of_host()
    if suite not in SUFFIXES:
        print(f"deb: RELEASE={suite}: must be one of {', '.join(SUFFIXES)}", file=sys.stderr)
        return 2
    clean.end_on_signals()
    try:
        sandbox.require(folder(suite).parent)
        print(f"deb: building for {suite} (log: {folder(suite) / 'build.log'}) …", flush=True)
        build(suite)
    except LabError as error:
        print(f"deb: {error}", file=sys.stderr)
        return error.status
    for each in packages(suite):
        print(each)
    return 0


if __name__ == "__main__":
    sys.exit(main())
