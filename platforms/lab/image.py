"""The appliance: one root filesystem for every platform. mmdebstrap makes it from the host's own apt sources. It is
cached by content: its name is a digest of its inputs, so changed inputs make a new one and old ones are found again.
Its Debian release is the host's, or the one that IR_APPLIANCE_RELEASE names (release.py).

    root()          folder with the root filesystem, for containers
    root(first_id)  the same with owners shifted by first_id, for user namespaces
    disk(kind)      qcow2 image of the same files plus the modules of kernel(kind); guests lay an overlay over it.
                    One ext4 filesystem without partitions, labelled "river-root"
    root(variant="tools"), disk(kind, "tools")
                    the same plus appliance/packages-tools and extra_tools(); "" is the usual variant
    kernel(kind)    (vmlinuz, initrd) for direct boot; kind "cloud" (KVM) or "generic" (Xen, bare hardware). The initrd
                    loads the drivers of disks and NICs, mounts the ext4 filesystem that `root=` on the kernel's
                    command line names (/dev/… or LABEL=…), and runs its /sbin/init

A host that cannot make the appliance (a dom0 without mmdebstrap or mirror) uses one that another host made. given.json
in the folder names its files: {"disk": {KIND: FILE}, "kernel": {KIND: [VMLINUZ, INITRD]}}. Our programs must be built
for its release. The disk of a variant is KIND-VARIANT.

Programs, services and addresses are not in the appliance: they form the payload (payload.py), which each guest gets.
Servers without a Debian package (mongod, Fuseki, Oxigraph) are included if tools/install has fetched them. All these
files are read-only: a guest never writes to them.
"""

import contextlib
import functools
import hashlib
import json
import lzma
import os
import re
import shutil
import tempfile
import sys
import time
from pathlib import Path
from typing import NamedTuple

from cache import cache_directory

from . import command, netns, release
from .clean import Undo, remove_tree
from .errors import LabError
from .release import Apt
from .places import PLATFORMS, locked

APPLIANCE = PLATFORMS / "appliance"
BUILD_SECONDS = 1800
ROOT_LABEL = "river-root"
DISK_MIB = 4096  # size of the image itself; provisioning grows larger overlays
KERNELS = {"cloud": "linux-image-cloud-amd64", "generic": "linux-image-amd64"}
BUSYBOX = "busybox-static"  # not the host's busybox: it may need libraries that the initrd lacks
# Modules that a guest needs to find its root and network, before it can load modules from the root.
MODULES = ("crc32c_generic", "ext4", "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi", "virtio_net", "sd_mod",
           "ata_piix", "ahci", "e1000", "xen-blkfront", "xen-netfront", "virtio_balloon", "virtio_rng")


class Foreign(NamedTuple):
    """A server without a Debian package."""

    variable: str  # environment variable with its path, on the host and in guests that see the host's files
    place: str  # path in the root
    cached: str  # path below cache_directory(), if tools/install has fetched it


FOREIGN = (
    Foreign("MONGOD", "usr/local/bin/mongod", "bin/mongod"),
    Foreign("MONGOS", "usr/local/bin/mongos", "bin/mongos"),
    Foreign("OXIGRAPH", "usr/local/bin/oxigraph", "bin/oxigraph"),
    Foreign("FUSEKI_JAR", "usr/local/share/fuseki/fuseki-server.jar", "fuseki/fuseki-server.jar"),
)


def find_foreign(server):
    """Returns its file on the host: the one that its variable names, the downloaded one, or the one on the path; None
    if there is none."""
    candidates = (os.environ.get(server.variable), cache_directory() / server.cached, shutil.which(Path(server.place).name))
    return next((Path(each) for each in candidates if each and Path(each).is_file()), None)


def extra_servers():
    """Returns {path in the root: file of the host} of the installed servers that have no Debian package."""
    return {each.place: found for each in FOREIGN if (found := find_foreign(each))}


def extra_tools():
    """Returns {path in the root: folder or file of the host} of the measuring tools without a Debian package that are
    on the host."""
    cache = cache_directory()
    places = {"usr/local/lib/pyperformance": cache / "pyperformance", "usr/local/share/php/bench.php": cache / "php" / "bench.php"}
    return {target: source for target, source in places.items() if source.exists()}


def extras(variant):
    return {**extra_servers(), **(extra_tools() if variant == "tools" else {})}


def variants():
    """Returns the names of the appliance's variants other than the usual one."""
    return sorted(path.name.removeprefix("packages-") for path in APPLIANCE.glob("packages-*"))


def packages(suite, variant=""):
    """The packages for a release. A line is "PACKAGE", or "PACKAGE RELEASE" for a package of that release only."""
    files = [APPLIANCE / name for name in ("packages", *([f"packages-{variant}"] if variant else []))]
    lines = [line.split("#")[0].split() for file in files for line in file.read_text(encoding="ascii").splitlines()]
    return sorted(words[0] for words in lines if words and words[1:] in ([], [suite]))


def digest(*parts):
    """A short name derived from texts and files (a file by its path, size and time)."""
    made = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            status = part.stat()
            part = f"{part} {status.st_size} {status.st_mtime_ns}"
        made.update(f"{part}\0".encode())
    return made.hexdigest()[:12]


def files_digest(folder):
    """A short name derived from all files below a folder, by content and mode."""
    parts = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        parts.append(f"{path.relative_to(folder)} {path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return digest(*parts)


class Image:
    """Made by Lab. `seconds` records what this program made and how long it took."""

    def __init__(self, directory):
        self.directory = directory
        self.seconds = {}

    # ---- names ----

    def root_name(self, variant=""):
        files = extras(variant)
        suite = release.of_appliance()
        return "root-" + digest(suite, *packages(suite, variant), files_digest(APPLIANCE / "root"),
                                *[f"{target}" for target in sorted(files)], *sorted(files.values()))

    def release(self):
        """The appliance's release; "" for one that was made elsewhere."""
        return "" if self.given_path().exists() else release.of_appliance()

    def given_path(self):
        return self.directory / "given.json"

    # ---- cached images ----

    def root(self, first_id=0, variant=""):
        """The folder of the root; made if missing."""
        name = self.root_name(variant)
        base = self.kept(name, lambda part: self.make_root(part, variant))
        if not first_id:
            return base
        return self.kept(f"{name}-{first_id}", lambda part: self.make_shifted(base, part, first_id))

    def given(self, what, kind):
        """The entry of given.json, or None."""
        path = self.given_path()
        return json.loads(path.read_text(encoding="utf-8")).get(what, {}).get(kind) if path.exists() else None

    def disk(self, kind, variant=""):
        """The qcow2 file; made if missing."""
        if given := self.given("disk", "-".join(filter(None, (kind, variant)))):
            return Path(given)
        base, kernel = self.root(variant=variant), self.kernel_folder(kind)
        return self.kept(f"{base.name}-{kernel.name}.qcow2", lambda part: self.make_disk(base, kernel, part))

    def kernel(self, kind):
        """Returns (vmlinuz, initrd); made if missing."""
        if given := self.given("kernel", kind):
            return tuple(map(Path, given))
        folder = self.kernel_folder(kind)
        return folder / "vmlinuz", folder / "initrd"

    def kernel_folder(self, kind):
        suite = release.of_appliance()
        apt = self.apt(suite)
        package = newest_kernel(apt, KERNELS[kind])
        name = "kernel-" + digest(suite, package, BUSYBOX, files_digest(APPLIANCE / "initrd"), *MODULES)
        return self.kept(name, lambda part: self.make_kernel(apt, package, part))

    def apt(self, suite):
        """Returns the host's apt, or, for a different release, one with separate lists."""
        return Apt(suite, None if suite == release.of_host() else self.directory / f"apt-{suite}", netns.outside_argv())

    def kept(self, name, make):
        """The path images/NAME. A missing one is made beside it and then renamed, so it is never incomplete."""
        target = self.directory / name
        if target.exists():
            return target
        with locked(self.directory / "lock", BUILD_SECONDS), Undo() as undo:
            if target.exists():
                return target
            part = self.directory / f"part-{name}"
            discard(part)
            undo.add(discard, part)
            begin = time.monotonic()
            print(f"ir-platform: making {name}; this takes minutes, once", file=sys.stderr, flush=True)
            make(part)
            os.rename(part, target)
            self.seconds[name] = round(time.monotonic() - begin, 1)
            undo.keep()
        return target

    def remove(self):
        remove_tree(self.directory)

    # ---- building an image ----

    def make_root(self, part, variant):
        suite = release.of_appliance()
        # Runs in separate namespaces: if it is killed, no mount and no process remains.
        alone = [*netns.outside_argv(), command.need("unshare", "platforms"), "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        argv = [*alone, command.need("mmdebstrap", "platforms"), "--variant=minbase", "--quiet", "--format=directory",
                '--aptopt=Apt::Install-Recommends "false"', '--dpkgopt=path-exclude=/usr/share/doc/*',
                "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/locale/*",
                # Java's package places links there.
                '--setup-hook=mkdir -p "$1/usr/share/man/man1"',
                *(f"--aptopt={line}" for line in release.settings()), f"--include={','.join(packages(suite, variant))}", suite, part]
        with tempfile.TemporaryDirectory() as sources:
            self.build([*argv, *release.write_sources(suite, Path(sources))])
        shutil.copytree(APPLIANCE / "root", part, dirs_exist_ok=True)
        for target, source in extras(variant).items():
            (part / target).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, part / target)
        # The services' user. The image contains no key and no password; every guest makes its own host key.
        command.run(["chroot", part, "useradd", "--system", "--home-dir", "/var/lib/river", "--shell", "/usr/sbin/nologin", "river"])
        for key in part.glob("etc/ssh/ssh_host_*"):
            key.unlink()
        for name in ("var/lib/river", "var/log/river", "opt/river", "etc/river", "root/.ssh"):
            (part / name).mkdir(parents=True, exist_ok=True)
        (part / "etc" / "machine-id").write_text("", encoding="ascii")
        (part / "etc" / "fstab").write_text("", encoding="ascii")

    def build(self, argv):
        """Runs mmdebstrap. Keeps all its output, because the reason of a failure is far from the end."""
        done = command.run(argv, seconds=BUILD_SECONDS, good=None)
        log = self.directory / "build.log"
        log.write_text(done.out + done.err, encoding="utf-8")
        if done.status != 0:
            told = [line for line in done.err.splitlines() if re.search(r"^E:|error", line)]
            raise LabError(f"mmdebstrap could not make the appliance: {' '.join(told[:3])[:500]} (all of it: {log})")

    def make_shifted(self, base, part, first_id):
        command.run(["cp", "-a", "--reflink=auto", base, part], seconds=BUILD_SECONDS)
        shift_owners(part, first_id)

    def make_disk(self, base, kernel, part):
        raw = part.with_suffix(".raw")
        with contextlib.ExitStack() as stack:
            stack.callback(discard, raw)
            tree = part.with_suffix(".tree")
            stack.callback(discard, tree)
            command.run(["cp", "-al", base, tree], seconds=BUILD_SECONDS)
            modules = next((kernel / "modules").iterdir())
            command.run(["cp", "-a", modules, ensure(tree / "usr" / "lib" / "modules")])
            mke2fs = [command.need("mke2fs", "platforms"), "-q", "-t", "ext4", "-L", ROOT_LABEL, "-E", "root_owner=0:0"]
            command.run([*mke2fs, "-d", tree, raw, f"{DISK_MIB}M"], seconds=BUILD_SECONDS)
            command.run([command.need("qemu-img", "kvm"), "convert", "-O", "qcow2", raw, part], seconds=BUILD_SECONDS)

    def make_kernel(self, apt, package, part):
        tree = unpack(apt, package, ensure(part / "package"))
        os.rename(next(tree.glob("boot/vmlinuz-*")), part / "vmlinuz")
        os.rename(merged(tree, "lib/modules"), part / "modules")
        shutil.rmtree(part / "package")
        version = next((part / "modules").iterdir()).name
        (part / "lib").mkdir()
        os.rename(part / "modules", part / "lib" / "modules")
        command.run([command.need("depmod", "kvm"), "-b", part, version])
        os.rename(part / "lib" / "modules", part / "modules")
        (part / "lib").rmdir()
        make_initrd(apt, part, version)


def unpack(apt, package, folder):
    """Unpacks the current version of a Debian package into an empty folder; returns the path of the files."""
    apt.run("apt-get", "download", "-q", package, cwd=folder)
    tree = folder / "tree"
    command.run(["dpkg-deb", "-x", next(folder.glob("*.deb")), tree], seconds=300)
    return tree


def merged(tree, path):
    """The path of a package's file: since Debian 13 it is below usr."""
    return tree / path if (tree / path).exists() else tree / "usr" / path


@functools.cache
def newest_kernel(apt, metapackage):
    """The package that a kernel's metapackage currently depends on."""
    text = apt.run("apt-cache", "depends", "--no-recommends", "--no-suggests", metapackage)
    found = re.search(r"Depends: (linux-image-\d\S+)", text)
    if not found:
        raise LabError(f"apt knows no {metapackage} of {apt.release}; run apt-get update")
    return found.group(1)


def make_initrd(apt, folder, version):
    """Makes a small initial filesystem: busybox, the required modules, and appliance/initrd/init."""
    tree = folder / "initrd.tree"
    for name in ("bin", "dev", "proc", "sys", "root"):
        (tree / name).mkdir(parents=True)
    shutil.copy(merged(unpack(apt, BUSYBOX, ensure(folder / "package")), "bin/busybox"), tree / "bin" / "busybox")
    shutil.rmtree(folder / "package")
    shutil.copy(APPLIANCE / "initrd" / "init", tree / "init")
    os.chmod(tree / "init", 0o755)
    modules = needed_modules(folder / "modules" / version)
    for number, path in enumerate(modules):
        # Busybox may be unable to load compressed modules, which Debian 13 has.
        plain = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
        (ensure(tree / "modules") / f"{number:02d}-{path.name.removesuffix('.xz')}").write_bytes(plain)
    listing = "\n".join(str(each.relative_to(tree)) for each in sorted(tree.rglob("*"))) + "\n"
    archive = command.need("cpio", "kvm")
    with open(folder / "initrd", "wb") as out:
        packer = command.start([archive, "-o", "-H", "newc", "--quiet", "-R", "0:0"], stdin=-1, stdout=out, cwd=tree)
        packer.communicate(listing.encode(), timeout=60)
    if packer.returncode != 0:
        raise LabError("cpio could not write the initrd")
    shutil.rmtree(tree)


def needed_modules(folder):
    """The files of MODULES and their dependencies, in loading order. Built-in ones are left out."""
    depends = {}
    for line in (folder / "modules.dep").read_text(encoding="ascii").splitlines():
        file, _, others = line.partition(":")
        depends[file] = others.split()
    by_name = {Path(file).name.split(".ko")[0].replace("-", "_"): file for file in depends}
    ordered = []
    for name in MODULES:
        file = by_name.get(name.replace("-", "_"))
        for each in [*reversed(depends.get(file, [])), file]:
            if each and folder / each not in ordered:
                ordered.append(folder / each)
    return ordered


def shift_owners(tree, first_id):
    """Shifts owners and groups, once per file even if a file has several names. A change of the owner clears set-uid
    bits, so the modes are set again."""
    if not first_id:
        return
    done = set()
    for base, folders, files in os.walk(tree):
        for name in folders + files:
            shift_owner(os.path.join(base, name), first_id, done)
    shift_owner(tree, first_id, done)


def shift_owner(path, first_id, done):
    status = os.lstat(path)
    if status.st_ino in done:
        return
    if status.st_nlink > 1:
        done.add(status.st_ino)
    os.lchown(path, status.st_uid + first_id, status.st_gid + first_id)
    if status.st_mode & 0o6000 and not os.path.islink(path):
        os.chmod(path, status.st_mode & 0o7777)


def ensure(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def discard(path):
    """Deletes a file or folder if it exists."""
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)
