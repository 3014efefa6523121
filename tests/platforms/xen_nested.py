"""`make test-xen`: every verb of the Xen platform, in the dom0 of a nested machine (xen_machine.py).

A separate disk contains what dom0 needs: the project with its programs, and the appliance, which dom0 cannot make
itself. xen_verbs.py runs in dom0, calls the verbs and checks the results. This program copies it there, passes its
output on, and ends with its totals.

    IR_TEST_XEN_KINDS=pv,pvh      hvm is the slow one
    IR_TEST_XEN_TURNS=2           how often in a row
    IR_TEST_XEN_ROLES=            broker,worker: with the pipeline's own processes, minutes more
    IR_TEST_XEN_MINUTES=25        steps that have not begun by then are skipped, with a message
"""

import argparse
import compileall
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from xen_machine import ROOT, Machine, boot_files, end_on_signals

sys.path.insert(0, str(ROOT))
from platforms.lab import payload, release  # noqa: E402 - puts ingest/ on the module path
from platforms.lab.state import Lab  # noqa: E402

import guard  # noqa: E402

SUPPLY = "/srv/supply"
LAB = "/var/lib/ir-test"  # the lab of xen_verbs.py
LAB_BYTES = 8 * 2**30  # full copies of disks and states of memory
LOGIN_SECONDS = 600
SPARE_SECONDS = 900  # for the step in progress when the time is over
WORDS = {"KINDS": "pv,pvh", "TURNS": "2", "ROLES": "", "MINUTES": "25"}


def appliance(folder):
    """The appliance of kind generic as images/ of the supply, with given.json for a host that cannot make it."""
    os.environ.setdefault("IR_IMAGES", str(ROOT / "out" / "lab" / "images"))
    image = Lab().image
    kernel, initrd = image.kernel("generic")
    images = folder / "images"
    images.mkdir()
    for source, name in ((image.disk("generic"), "disk.qcow2"), (kernel, "vmlinuz"), (initrd, "initrd")):
        os.link(source, images / name) if same_device(source, images) else shutil.copy(source, images / name)
    place = f"{SUPPLY}/images"
    given = {"disk": {"generic": f"{place}/disk.qcow2"}, "kernel": {"generic": [f"{place}/vmlinuz", f"{place}/initrd"]}}
    (images / "given.json").write_text(json.dumps(given), encoding="utf-8")


def same_device(one, other):
    return os.stat(one).st_dev == os.stat(other).st_dev


def project(folder):
    """The files of the project that ir-platform needs, with compiled Python, because compiling is slow under
    emulation."""
    target = folder / "project"
    ignored = shutil.ignore_patterns("__pycache__", "nested")
    shutil.copytree(ROOT / "platforms", target / "platforms", ignore=ignored)
    kinds = ("*.py", "*.json", "*.erl")
    configuration = (path.relative_to(ROOT) for kind in kinds for path in (ROOT / "ingest").glob(kind))
    load = ("loadgen/usgs_river.ttl", "loadgen/usgs_river_observations.csv.gz")
    for name in ("Makefile", *load, "tests/platforms/xen_verbs.py", *configuration):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name)
    (target / "out" / "release").mkdir(parents=True)
    # The guests' programs are built for the appliance's release, the others for this host's.
    guests = payload.program_folder(release.of_appliance())
    for program in sorted((ROOT / "out" / "release").glob("ir-*")):
        if program.is_file() and not program.suffix:
            source = guests / program.name if program.name in payload.PROGRAMS else program
            stripped = target / "out" / "release" / program.name
            subprocess.run(["strip", "--strip-debug", "-o", stripped, source], check=True)
    copy_libraries(ROOT / "out" / "release" / "ir-loadgen", target / "out" / "libraries")
    for name in ("platforms", "ingest"):
        compileall.compile_dir(target / name, quiet=2, stripdir=target, prependdir=f"{SUPPLY}/project",
                               invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)


def copy_libraries(program, folder):
    """The libraries of a program, for a dom0 that lacks them."""
    folder.mkdir()
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    for words in map(str.split, told.splitlines()):
        if "=>" in words:
            shutil.copy(words[words.index("=>") + 1], folder)


def make_supply(folder):
    """The supply as an ext4 image; its path."""
    tree = folder / "tree"
    tree.mkdir()
    appliance(tree)
    project(tree)
    size = sum(each.stat().st_size for each in tree.rglob("*") if each.is_file()) * 11 // 10 + 64 * 2**20
    path = file_system(folder / "supply.raw", size, "-d", tree)
    shutil.rmtree(tree)
    return path


def file_system(path, size, *words):
    """Makes an image of ext4; its path."""
    path.touch()
    os.truncate(path, size)
    subprocess.run(["mke2fs", "-q", "-F", "-t", "ext4", "-m", "0", *words, path], check=True)
    return path


def test(folder):
    words = {name: os.environ.get(f"IR_TEST_XEN_{name}", usual) for name, usual in WORDS.items()}
    begin = time.monotonic()
    files = boot_files()
    supply = make_supply(folder)
    size = supply.stat().st_size / 2**20
    print(f"prepared in {time.monotonic() - begin:.0f} s: {files.name}, {size:.0f} MiB", flush=True)
    begin = time.monotonic()
    lab = file_system(folder / "lab.raw", LAB_BYTES)
    with Machine(files, [(supply, "on"), (lab, "off")], folder) as machine:
        machine.await_login(LOGIN_SECONDS)
        print(f"dom0 answers after {time.monotonic() - begin:.0f} s", flush=True)
        machine.run(f"mkdir -p {SUPPLY} {LAB} && mount -o ro /dev/vdb {SUPPLY} && mount /dev/vdc {LAB}", 120)
        left = max(1, int(float(words["MINUTES"]) * 60 - (time.monotonic() - begin)))
        script = f"{SUPPLY}/project/tests/platforms/xen_verbs.py"
        argv = f"python3 {script} {words['KINDS']} {words['TURNS']} {left} '{words['ROLES']}'"
        status = machine.run_through(argv, left + SPARE_SECONDS)
        if status:
            print(machine.said(), flush=True)
    return status


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    end_on_signals()
    out = ROOT / "out" / "test-xen"
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        return test(Path(folder))


if __name__ == "__main__":
    guard.run("make test-xen", main)
