"""A guest's disk in dom0: a qcow2 overlay over the appliance, a raw file, or an LVM volume.

    disk = of(guest, directory, name)      one of KINDS by guest.root
    disk.make(image, mib)                  makes it from the appliance's qcow2 file, with at least that file's size
    disk.clone(source, full)               makes it from another guest's disk
    disk.keep(path), disk.put_back(path)   saves a copy of the content, and restores it
    disk.spec()                            (format, path) for xl
    disk.remove()                          deletes the disk, if it exists

Files are in the guest's folder, which its owner removes. A volume is named after the guest.
"""

import json
import os
from pathlib import Path

import atomic

from ..lab.command import need, output, run
from ..lab.errors import LabError, Unsupported

COPY_SECONDS = 1800
GROUP = "IR_XEN_VOLUME_GROUP"
MIB = 2**20


def qemu_img(*words):
    run([need("qemu-img", "xen"), *words], seconds=COPY_SECONDS)


def bytes_of(path, kind):
    told = output([need("qemu-img", "xen"), "info", "--output=json", "-f", kind, path])
    return json.loads(told)["virtual-size"]


def copy_file(source, target):
    """Copies a file, sharing blocks if the filesystem can and keeping holes. The target appears only when complete."""
    with atomic.replacing(target, lasting=False) as part:
        run(["cp", "--reflink=auto", "--sparse=always", source, part], seconds=COPY_SECONDS)


def overlay_over(backing, kind, target, size=None):
    qemu_img("create", "-q", "-f", "qcow2", "-b", backing, "-F", kind, target, *([str(size)] if size else []))


def detach(path):
    """Detaches loop devices that a killed program left on a file."""
    for line in output([need("losetup", "xen"), "--noheadings", "--output", "NAME", "--associated", path]).split():
        run([need("losetup", "xen"), "--detach", line])


class Overlay:
    """A qcow2 overlay over the appliance's image. Making it is instant, whatever the size. qemu in dom0 serves its
    blocks."""

    format = "qcow2"

    def __init__(self, directory, _name):
        self.path = str(directory / "disk.qcow2")

    def make(self, image, mib):
        overlay_over(image, "qcow2", self.path, max(mib * MIB, bytes_of(image, "qcow2")))

    def clone(self, source, full):
        if full:
            copy_file(source.path, self.path)
        else:
            overlay_over(source.path, source.format, self.path)

    def keep(self, path):
        copy_file(self.path, path)

    def put_back(self, path):
        copy_file(path, self.path)

    def spec(self):
        return self.format, self.path

    def remove(self):
        Path(self.path).unlink(missing_ok=True)


class Copy(Overlay):
    """A raw file. Dom0's kernel serves its blocks through a loop device."""

    format = "raw"

    def __init__(self, directory, name):
        super().__init__(directory, name)
        self.path = str(directory / "disk.raw")

    def make(self, image, mib):
        qemu_img("convert", "-q", "-O", "raw", image, self.path)
        if os.path.getsize(self.path) < mib * MIB:
            os.truncate(self.path, mib * MIB)

    def clone(self, source, full):
        if not full:
            raise Unsupported("a clone of a raw file is a copy", "make a full clone, or provision with root overlay")
        copy_file(source.path, self.path)


class Volume(Copy):
    """A logical volume, which Xen calls `phy`. It has the least overhead. IR_XEN_VOLUME_GROUP names the volume
    group."""

    def __init__(self, directory, name):
        super().__init__(directory, name)
        self.name = name
        self.path = f"/dev/{self.group()}/{name}"

    @staticmethod
    def group():
        return os.environ.get(GROUP, "")

    def create(self, size):
        if not self.group():
            raise Unsupported("no volume group is named for root volume", f"set {GROUP} to one of `vgs`")
        run([need("lvcreate", "xen"), "-q", "-y", "-W", "n", "-n", self.name, "-L", f"{-(-size // MIB)}m",
             self.group()])

    def fill(self, source, kind):
        qemu_img("convert", "-q", "-n", "-f", kind, "-O", "raw", source, self.path)

    def make(self, image, mib):
        self.create(max(mib * MIB, bytes_of(image, "qcow2")))
        self.fill(image, "qcow2")

    def clone(self, source, full):
        if full:
            self.create(bytes_of(source.path, "raw"))
            self.fill(source.path, "raw")
        else:
            size = -(-bytes_of(source.path, "raw") // MIB)
            run([need("lvcreate", "xen"), "-q", "-y", "-s", "-n", self.name, "-L", f"{size}m", source.path[5:]])

    def keep(self, path):
        qemu_img("convert", "-q", "-f", "raw", "-O", "qcow2", self.path, path)

    def put_back(self, path):
        self.fill(path, "qcow2")

    def remove(self):
        if self.group() and os.path.exists(self.path):
            run([need("lvremove", "xen"), "-q", "-y", self.path[5:]])


KINDS = {"overlay": Overlay, "copy": Copy, "volume": Volume}


def of(guest, directory, name):
    return KINDS[guest.root](directory, name)


def require_group():
    """The volume group, for `check`. LabError when it cannot be used."""
    group = Volume.group()
    if not group:
        raise LabError(f"{GROUP} names none")
    run([need("vgs", "xen"), group])
    return group
