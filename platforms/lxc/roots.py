"""The root filesystem of a container: a copy, or an overlay whose lower layers are never written to.

    overlay:   mounted on the folder `rootfs`, over the layers in guest.own["lowers"] (lowest first); the folder `upper`
               receives the container's writes. It is mounted in the mount namespace of the container's monitor, so the
               host has no such mount, and it ends with the monitor
    copy:      the folder `root`
"""

import shutil

from ..lab import command
from ..lab.clean import remove_tree
from ..lab.errors import LabError
from ..lab.image import shift_owners
from ..lab.payload import write_settings, write_tree

COPY_SECONDS = 900


class Roots:
    def __init__(self, recipe, guest):
        self.recipe, self.guest = recipe, guest
        self.folder = recipe.lab.guest_directory(guest)
        self.first_id = recipe.first_id(guest)

    @property
    def writable(self):
        """The folder that the container writes to and that receives the payload."""
        return self.folder / ("root" if self.guest.root == "copy" else "upper")

    def lowers(self):
        """The lower layers, lowest first; empty for a copied root."""
        return self.guest.own["lowers"]

    def path(self):
        """The path of the root that LXC is given."""
        return self.writable if self.guest.root == "copy" else self.folder / "rootfs"

    def mount_argv(self):
        """The command that mounts the overlay; None for a copied root."""
        if self.guest.root == "copy":
            return None
        work = self.folder / "work"
        for each in (self.path(), work):
            each.mkdir(exist_ok=True)
        layers = [*reversed(self.lowers()), str(self.writable)]
        if wrong := [each for each in layers if any(c in each for c in ",:\\")]:
            raise LabError(f"{wrong[0]}: an overlay's path must not contain a comma, colon or backslash; use --root copy, or "
                           "set IR_LAB to another path")
        lower = ":".join(layers[:-1])
        return ["mount", "-t", "overlay", "-o", f"lowerdir={lower},upperdir={self.writable},workdir={work}", "overlay",
                str(self.path())]

    def make(self):
        image = self.recipe.lab.image.root(self.first_id, self.guest.appliance)
        if self.guest.root == "copy":
            self.guest.own["lowers"] = []
            copy(image, self.writable)
        else:
            self.guest.own["lowers"] = [str(image)]
            self.make_upper()
        self.inject()

    def make_upper(self):
        self.writable.mkdir()
        shift_owners(self.writable, self.first_id)

    def inject(self):
        for name in ("opt", "etc"):
            if not (self.writable / name).exists():
                (self.writable / name).mkdir()
                shift_owners(self.writable / name, self.first_id)
        write_tree(self.recipe.lab, self.guest, self.writable, self.first_id)

    def make_from(self, source, full):
        """Makes the root from another container's: a copy, or an overlay over it."""
        if full:
            self.guest.own["lowers"] = list(source.lowers())
            copy(source.writable, self.writable)
        else:
            self.guest.root = "overlay"
            self.guest.own["lowers"] = [*source.lowers(), str(source.writable)]
            self.make_upper()
        self.rename()

    def rename(self):
        """Writes the name, address and hosts of a clone. Its programs stay those of its source."""
        for name in ("etc", "etc/river"):
            if not (self.writable / name).exists():
                (self.writable / name).mkdir()
                shift_owners(self.writable / name, self.first_id)
        write_settings(self.recipe.lab, self.guest, self.writable / "etc" / "river", self.first_id)

    # ---- snapshots: copies of the writable folder ----

    def snapshots(self):
        folder = self.folder / "snapshots"
        if not folder.exists():
            return []
        return [each.name for each in sorted(folder.iterdir(), key=lambda each: each.stat().st_ctime)]

    def snapshot(self, label):
        target = self.folder / "snapshots" / label
        target.parent.mkdir(exist_ok=True)
        part = self.folder / "snapshot.part"
        remove_tree(part)
        copy(self.writable, part)
        part.rename(target)

    def restore(self, label):
        part, old = self.folder / "restore.part", self.folder / "restore.old"
        for each in (part, old):
            remove_tree(each)
        copy(self.folder / "snapshots" / label, part)
        self.writable.rename(old)
        part.rename(self.writable)
        remove_tree(old)

    def remove(self):
        for name in ("root", "rootfs", "upper", "work", "snapshots", "snapshot.part", "restore.part", "restore.old"):
            remove_tree(self.folder / name)


def copy(source, target):
    """Copies a folder with owners, modes, attributes and devices. Blocks are shared if the filesystem can."""
    if target.exists():
        shutil.rmtree(target)
    command.run(["cp", "-a", "--reflink=auto", source, target], seconds=COPY_SECONDS)
