"""The payload that a guest gets at provisioning: our programs, the scripts that run the roles, and /etc/river.

    opt/river/bin/            the programs (ir-worker, …) of out/release or of the installed project; for a guest of
                              another Debian release they are built in a root of that release (out/RELEASE)
    opt/river/share/          the registry
    opt/river/roles/ROLE/     run: becomes the role's process; ready: exits with 0 when the role is ready; reload, if
                              it exists: makes the role read again what needs no restart
    opt/river/ready           exits with 0 when every service of the guest is ready
    opt/river/stop            ends the services, last first
    etc/river/guest.conf      shell assignments: NAME, ADDRESS, PREFIX_LENGTH, GATEWAY, CPUS, MEMORY_MIB, …
    etc/river/authorized_keys the lab's public key
    etc/river/hosts           names and addresses of all guests
    etc/river/order           the services in the order of their start (roles.py)
    etc/river/services/NAME/  one folder per process: `role`, and the configuration it runs with
    etc/river/version         changes whenever any of the others changes

Containers and bare metal get it as files below their root (write_tree). Virtual machines get it as a small ext4 disk
labelled "river-payload" (write_drive). At each start the appliance's init compares versions and, if they differ, copies
the payload to the root.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import atomic

from . import command, debian, release
from .errors import LabError
from .finding import need
from .image import FOREIGN, find_foreign
from .places import PLATFORMS, PROJECT, locked

LABEL = "river-payload"
PROGRAMS = ("ir-worker", "ir-store", "ir-annotate", "ir-ingest")
REQUIRED = "ir-worker"
SCRIPTS = PLATFORMS / "appliance" / "river"
BUILD_SECONDS = 1800
READY_COMMAND = "exec ${{RIVER_ROOT-}}/opt/river/ready {seconds}"


def program_folder(suite=""):
    """The folder with the programs for a guest of that release ("": the host's): $IR_BUILD, the build, or the installed
    programs beside this folder. For a release other than the host's they are built first, unless IR_BUILD is set."""
    named = os.environ.get("IR_BUILD")
    if suite and not named and suite != release.of_host():
        return build_for(suite)
    for folder in (*([Path(named)] if named else []), PROJECT / "out" / "release", PROJECT.parent.parent / "bin"):
        if (folder / REQUIRED).exists():
            return folder
    raise LabError("the project's programs are not built; run make build")


def build_for(suite):
    """Runs `make build` in a root of that release, because the libraries of another release may be missing or unfit.
    Keeps what is already built."""
    if not (PROJECT / "Makefile").exists():
        raise LabError(f"the installed programs are for {release.of_host()}, the guest is of {suite}: build them on a host of "
                       f"{suite} and set IR_BUILD to their folder, or set {release.VARIABLE}={release.of_host()}")
    out = PROJECT / "out" / suite
    with locked(PROJECT / "out" / f"{suite}.lock", BUILD_SECONDS), debian.Root(suite, ["build"]) as root:
        out.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root.folder) as layer:
            sandbox = root.sandbox(layer, [("ro", PROJECT, debian.SOURCES), ("rw", out, f"{debian.SOURCES}/out")])
            log = out / "build.log"
            log.unlink(missing_ok=True)
            if sandbox.run(["make", "-s", "-C", debian.SOURCES, "MODE=release", "build"], log, seconds=BUILD_SECONDS) != 0:
                raise LabError(f"the programs cannot be built for {suite}: {debian.last_line(log)} (all of it: {log})")
    return out / "release"


def find_programs():
    """A finding for `check`: whether the programs exist."""
    try:
        return need("the project's programs", bool(program_folder()), "", "")
    except LabError:
        return need("the project's programs", False, "not built", "make build")


def registry_file():
    for path in (PROJECT / "loadgen" / "usgs_river.ttl", PROJECT / "usgs_river.ttl"):
        if path.exists():
            return path
    raise LabError("usgs_river.ttl is missing; the project is incomplete")


def write_tree(lab, guest, root, owner=0):
    """Writes the payload below `root`, replacing an earlier one. All files get this id as user and group."""
    root = Path(root)
    for name in ("opt/river", "etc/river"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir(parents=True)
    write_programs(root / "opt" / "river", guest.release)
    write_settings(lab, guest, root / "etc" / "river", owner)
    if owner:
        give(root / "opt" / "river", owner)


def give(folder, owner):
    os.chown(folder, owner, owner)
    for base, folders, files in os.walk(folder):
        for name in folders + files:
            os.chown(os.path.join(base, name), owner, owner, follow_symlinks=False)


def write_programs(folder, suite=""):
    shutil.copytree(SCRIPTS, folder, dirs_exist_ok=True)
    source = program_folder(suite)
    for name in ("bin", "share"):
        (folder / name).mkdir(exist_ok=True)
    for name in PROGRAMS:
        if (source / name).exists():
            strip(source / name, folder / "bin" / name)
    shutil.copy(registry_file(), folder / "share")


def strip(source, target):
    """Copies a program, without debugging symbols if strip is available. The target may be running."""
    with atomic.replacing(target, lasting=False) as part:
        shutil.copy(source, part)
        if shutil.which("strip"):
            command.run(["strip", "--strip-debug", part])


def write_settings(lab, guest, folder, owner=0):
    """Writes only /etc/river, over the existing files."""
    write_files(folder, settings(lab, guest))
    (folder / "version").write_text(version(folder.parent.parent) + "\n", encoding="ascii")
    if owner:
        give(folder, owner)


def version(root):
    """The version of the payload below `root`: a digest of names, modes and contents of all its files."""
    digest = hashlib.sha256()
    for path in sorted([*(root / "etc" / "river").rglob("*"), *(root / "opt" / "river").rglob("*")]):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name != "etc/river/version":
            status = path.stat()
            digest.update(f"{name}\0{status.st_mode & 0o7777:o}\0{status.st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def write_files(folder, files):
    """Writes {path: text} below a folder. Only the owner may read the services' files, because they may contain
    passwords."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600 if name.startswith("services/") else 0o644)


def settings(lab, guest):
    """Returns {path below etc/river: text}."""
    others = [each for each in lab.guests() if each.name != guest.name]
    hosts = "".join(f"{each.address} {each.name}\n" for each in [guest, *others])
    return {
        "guest.conf": assignments(variables(lab, guest)),
        "authorized_keys": lab.key.public() + "\n",
        "hosts": hosts,
        **lab.services(guest).files(guest),
        **guest.files,
    }


def assignments(values):
    """Formats values as shell assignments."""
    return "".join(f"{key}='{value}'\n" for key, value in values.items())


def section(name, values):
    """A section of river.conf."""
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


def server_variables():
    """Paths of the servers without a Debian package, for guests that see the host's files."""
    return {each.variable: found for each in FOREIGN if (found := find_foreign(each))}


def variables(lab, guest):
    tuning = guest.tuning
    return {
        "NAME": guest.name,
        "ADDRESS": guest.address,
        "PREFIX_LENGTH": lab.network.prefix_length,
        "GATEWAY": lab.network.host_address,
        "MAC": guest.mac,
        "CPUS": guest.cpus,
        "MEMORY_MIB": guest.memory_mib,
        "WORKER_PIN": tuning.get("inside.worker-pin", ""),
        "BROKER_SCHEDULERS": tuning.get("inside.broker-schedulers", ""),
        "HUGEPAGES": tuning.get("inside.hugepages", ""),
        "MALLOC_HUGEPAGES": tuning.get("memory.hugepages", ""),
    }


def write_drive(lab, guest, path):
    """Writes the payload as a raw ext4 image."""
    path = Path(path)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder, atomic.replacing(path, lasting=False) as part:
        os.chmod(folder, 0o755)
        write_tree(lab, guest, folder)
        used = sum(each.stat().st_size + 4096 for each in Path(folder).rglob("*"))
        size = (used * 5 // 4 >> 20) + 4
        mke2fs = [command.need("mke2fs", "platforms"), "-q", "-t", "ext4", "-L", LABEL, "-O", "^has_journal"]
        command.run([*mke2fs, "-E", "root_owner=0:0", "-d", folder, part, f"{size}M"])
