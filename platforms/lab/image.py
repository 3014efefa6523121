"""The appliance: one root filesystem for every platform, made by mmdebstrap from the host's own apt sources and kept
by content: what it is made from names it, so a changed input makes a new one and an old one is found again. It is of
the host's Debian release, or of the one that IR_APPLIANCE_RELEASE names (release.py).

    root()          folder with the root filesystem, for containers
    root(first_id)  the same with owners moved up by first_id, for user namespaces
    disk(kind)      qcow2 image of the same files with the modules of kernel(kind); guests lay an overlay over it.
                    One ext4 filesystem without partitions, labelled "river-root"
    root(variant="tools"), disk(kind, "tools")
                    the same with what appliance/packages-tools and extra_tools() add; "" is the usual one
    kernel(kind)    (vmlinuz, initrd) for direct boot; kind "cloud" (KVM) or "generic" (Xen, bare hardware). The initrd
                    loads what disks and NICs need and mounts `root=` of the kernel's command line (/dev/… or LABEL=…),
                    ext4, and becomes /sbin/init there

A host that cannot make it (a dom0 without mmdebstrap or mirror) takes what another has made: given.json in the folder,
{"disk": {KIND: FILE}, "kernel": {KIND: [VMLINUZ, INITRD]}}; our programs must fit it. A variant's disk is KIND-VARIANT.

Programs, services and addresses are not in it: they are the payload (payload.py), given to each guest. Servers that are
no Debian packages (mongod, Fuseki, Oxigraph) are put in when tools/install has fetched them.
All of them are read only: a guest never writes there.
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
import time
from pathlib import Path

from . import command, netns, release
from .clean import Undo, remove_tree
from .errors import LabError
from .release import Apt
from .state import PLATFORMS, locked

APPLIANCE = PLATFORMS / "appliance"
BUILD_SECONDS = 1800
ROOT_LABEL = "river-root"
DISK_MIB = 4096  # of the image itself; an overlay may be larger, and is grown at provisioning
KERNELS = {"cloud": "linux-image-cloud-amd64", "generic": "linux-image-amd64"}
BUSYBOX = "busybox-static"  # the host's own may want libraries that the initrd has not
# What a guest needs to find its root and its network, before any module can be read from the root.
MODULES = ("crc32c_generic", "ext4", "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi", "virtio_net", "sd_mod",
           "ata_piix", "ahci", "e1000", "xen-blkfront", "xen-netfront", "virtio_balloon", "virtio_rng")


def cache_directory():
    """Where tools/install keeps what is no Debian package."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intelligent-river"
    return Path(os.environ.get("IR_CACHE") or default)


def extra_servers():
    """{path in the root: file of the host} of the servers that are no Debian packages and are there."""
    cache = cache_directory()
    places = {
        "usr/local/bin/mongod": [os.environ.get("MONGOD"), cache / "bin" / "mongod", shutil.which("mongod")],
        "usr/local/bin/mongos": [os.environ.get("MONGOS"), shutil.which("mongos")],
        "usr/local/bin/oxigraph": [cache / "bin" / "oxigraph", shutil.which("oxigraph")],
        "usr/local/share/fuseki/fuseki-server.jar": [os.environ.get("FUSEKI_JAR"), cache / "fuseki" / "fuseki-server.jar"],
    }
    found = {}
    for target, candidates in places.items():
        there = [Path(each) for each in candidates if each and Path(each).is_file()]
        if there:
            found[target] = there[0]
    return found


def extra_tools():
    """{path in the root: folder or file of the host} of the measuring tools that are no Debian packages and are there."""
    cache = cache_directory()
    places = {"usr/local/lib/pyperformance": cache / "pyperformance", "usr/local/share/php/bench.php": cache / "php" / "bench.php"}
    return {target: source for target, source in places.items() if source.exists()}


def extras(variant):
    return {**extra_servers(), **(extra_tools() if variant == "tools" else {})}


def variants():
    """What an appliance may be besides the usual one."""
    return sorted(path.name.removeprefix("packages-") for path in APPLIANCE.glob("packages-*"))


def packages(suite, variant=""):
    """Those of a release: lines "PACKAGE", or "PACKAGE RELEASE" where the names differ."""
    files = [APPLIANCE / name for name in ("packages", *([f"packages-{variant}"] if variant else []))]
    lines = [line.split("#")[0].split() for file in files for line in file.read_text(encoding="ascii").splitlines()]
    return sorted(words[0] for words in lines if words and words[1:] in ([], [suite]))


def digest(*parts):
    """A short name made from texts and files (a file counts by its path, size and time)."""
    made = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            status = part.stat()
            part = f"{part} {status.st_size} {status.st_mtime_ns}"
        made.update(f"{part}\0".encode())
    return made.hexdigest()[:12]


def files_digest(folder):
    """The same of all files below a folder, by content and mode."""
    parts = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        parts.append(f"{path.relative_to(folder)} {path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    return digest(*parts)


class Image:
    """Made by Lab. `seconds` tells what was made by this program and how long it took."""

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
        """Of the appliance; "" for one that was made elsewhere."""
        return "" if self.given_path().exists() else release.of_appliance()

    def given_path(self):
        return self.directory / "given.json"

    # ---- what is kept ----

    def root(self, first_id=0, variant=""):
        """The folder; made when missing."""
        name = self.root_name(variant)
        base = self.kept(name, lambda part: self.make_root(part, variant))
        if not first_id:
            return base
        return self.kept(f"{name}-{first_id}", lambda part: self.make_shifted(base, part, first_id))

    def given(self, what, kind):
        """What given.json says, None without."""
        path = self.given_path()
        return json.loads(path.read_text(encoding="utf-8")).get(what, {}).get(kind) if path.exists() else None

    def disk(self, kind, variant=""):
        """The qcow2 file; made when missing."""
        if given := self.given("disk", "-".join(filter(None, (kind, variant)))):
            return Path(given)
        base, kernel = self.root(variant=variant), self.kernel_folder(kind)
        return self.kept(f"{base.name}-{kernel.name}.qcow2", lambda part: self.make_disk(base, kernel, part))

    def kernel(self, kind):
        """(vmlinuz, initrd), made when missing."""
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
        """The host's own, or for another release one with lists of its own."""
        return Apt(suite, None if suite == release.of_host() else self.directory / f"apt-{suite}", netns.outside_argv())

    def kept(self, name, make):
        """images/NAME; when missing it is made beside and put in its place, so it is whole or not there."""
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
            make(part)
            os.rename(part, target)
            self.seconds[name] = round(time.monotonic() - begin, 1)
            undo.keep()
        return target

    def remove(self):
        remove_tree(self.directory)

    # ---- how it is made ----

    def make_root(self, part, variant):
        suite = release.of_appliance()
        # In namespaces of its own, so that neither a mount nor a process stays of one that is killed.
        alone = [*netns.outside_argv(), command.need("unshare", "platforms"), "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        argv = [*alone, command.need("mmdebstrap", "platforms"), "--variant=minbase", "--quiet", "--format=directory",
                '--aptopt=Apt::Install-Recommends "false"', '--dpkgopt=path-exclude=/usr/share/doc/*',
                "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/locale/*",
                # Java's alternatives want to lay their links there.
                '--setup-hook=mkdir -p "$1/usr/share/man/man1"',
                *(f"--aptopt={line}" for line in release.settings()), f"--include={','.join(packages(suite, variant))}", suite, part]
        with tempfile.TemporaryDirectory() as sources:
            self.build([*argv, *release.write_sources(suite, Path(sources))])
        shutil.copytree(APPLIANCE / "root", part, dirs_exist_ok=True)
        for target, source in extras(variant).items():
            (part / target).parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if source.is_dir() else shutil.copy)(source, part / target)
        # The services' user; no key and no password is in the image, every guest makes its own host key.
        command.run(["chroot", part, "useradd", "--system", "--home-dir", "/var/lib/river", "--shell", "/usr/sbin/nologin", "river"])
        for key in part.glob("etc/ssh/ssh_host_*"):
            key.unlink()
        for name in ("var/lib/river", "var/log/river", "opt/river", "etc/river", "root/.ssh"):
            (part / name).mkdir(parents=True, exist_ok=True)
        (part / "etc" / "machine-id").write_text("", encoding="ascii")
        (part / "etc" / "fstab").write_text("", encoding="ascii")

    def build(self, argv):
        """Runs mmdebstrap; what it says is kept, since the reason of a failure stands far before the end."""
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
    """The files of a Debian package, as apt has it now, below a folder that has nothing else; where they are."""
    apt.run("apt-get", "download", "-q", package, cwd=folder)
    tree = folder / "tree"
    command.run(["dpkg-deb", "-x", next(folder.glob("*.deb")), tree], seconds=300)
    return tree


def merged(tree, path):
    """A path of a package's files, which since Debian 13 lie below usr."""
    return tree / path if (tree / path).exists() else tree / "usr" / path


@functools.cache
def newest_kernel(apt, metapackage):
    """The package that a kernel's metapackage depends on now."""
    text = apt.run("apt-cache", "depends", "--no-recommends", "--no-suggests", metapackage)
    found = re.search(r"Depends: (linux-image-\d\S+)", text)
    if not found:
        raise LabError(f"apt knows no {metapackage} of {apt.release}; run apt-get update")
    return found.group(1)


def make_initrd(apt, folder, version):
    """A small initial filesystem: busybox, the modules that are needed, and appliance/initrd/init."""
    tree = folder / "initrd.tree"
    for name in ("bin", "dev", "proc", "sys", "root"):
        (tree / name).mkdir(parents=True)
    shutil.copy(merged(unpack(apt, BUSYBOX, ensure(folder / "package")), "bin/busybox"), tree / "bin" / "busybox")
    shutil.rmtree(folder / "package")
    shutil.copy(APPLIANCE / "initrd" / "init", tree / "init")
    os.chmod(tree / "init", 0o755)
    modules = needed_modules(folder / "modules" / version)
    for number, path in enumerate(modules):
        # Busybox may load none that are compressed, as those of Debian 13 are.
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
    """Files of MODULES and what they depend on, in the order of loading; those that are built in are left out."""
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
    """Owners and groups moved up, of a file with several names once. Changing an owner clears set-uid bits, so modes
    are set again."""
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
    """A file or folder that may be there."""
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)
