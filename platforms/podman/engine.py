"""Runs Podman with separate storage, locks and state. It neither sees nor changes the host's containers and images.
Deleting the two folders removes everything.

    FOLDER/storage     images and containers (containers-storage.conf(5), driver overlay)
    FOLDER/*.conf      the configuration files that Podman reads instead of the host's
    RUN                sockets and state; short, since a socket's path has at most 107 bytes
"""

import shutil
from pathlib import Path

import atomic

from ..lab import command
from ..lab.access import pipe
from ..lab.clean import mounts, remove_tree
from ..lab.image import digest

SECONDS = 120
IMPORT_SECONDS = 900
# runc first: crun refuses hosts that mount cgroups of version 1 and 2 side by side.
RUNTIMES = ("runc", "crun")
STORAGE = """\
[storage]
driver = "overlay"
graphroot = "{folder}/storage"
runroot = "{run}/storage"

[storage.options]
additionalimagestores = [{stores}]
"""
ENGINE = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
runtime = "{runtime}"
static_dir = "{folder}/storage/libpod"
tmp_dir = "{run}/state"
volume_path = "{folder}/storage/volumes"
"""


def runtime():
    """The name of the program that starts containers; None when there is none."""
    return next(filter(shutil.which, RUNTIMES), None)


class Engine:
    """`stores`: storage folders of other engines. Their images can be used here and are never written to."""

    def __init__(self, folder, run, stores=()):
        self.folder, self.runs, self.stores = Path(folder), Path(run), stores

    def argv(self, *words):
        """The command for the host."""
        stores = ", ".join(f'"{each}/storage"' for each in self.stores if each.exists())
        storage = self.settings("storage", STORAGE.format(folder=self.folder, run=self.runs, stores=stores))
        own = self.settings("engine", ENGINE.format(folder=self.folder, run=self.runs, runtime=runtime()))
        podman = command.need("podman", "podman")
        return ["/usr/bin/env", f"CONTAINERS_STORAGE_CONF={storage}", f"CONTAINERS_CONF={own}", podman, *map(str, words)]

    def settings(self, name, text):
        """Returns the path of a file with this text. Its name is derived from the text, so the file is written only
        once."""
        path = self.folder / f"{name}-{digest(text)}.conf"
        if not path.exists():
            atomic.write(path, text, atomic.PUBLIC, lasting=False)
        return path

    def run(self, *words, seconds=SECONDS, **options):
        return command.run(self.argv(*words), seconds=seconds, **options)

    def import_tree(self, tree, tag, changes=()):
        """Makes an image of a folder of the host. `changes`: lines as in a Containerfile."""
        pack = ["tar", "-c", "--numeric-owner", "--xattrs", "-C", str(tree), "."]
        words = [f"--change={each}" for each in changes]
        pipe(pack, self.argv("import", *words, "-", tag), f"the image {tag} of {tree}", IMPORT_SECONDS)

    def import_container(self, source, tag):
        """Makes an image with all files of a stopped container, in one layer."""
        pipe(self.argv("export", source), self.argv("import", "-", tag), f"the image {tag} of {source}", IMPORT_SECONDS)

    def close(self):
        """Unmounts what killed containers and Podman left mounted."""
        for point in sorted(mounts(), reverse=True):
            if Path(point).is_relative_to(self.folder) or Path(point).is_relative_to(self.runs):
                command.run(["umount", "--lazy", point], good=None)
        remove_tree(self.runs)

    def remove(self):
        self.close()
        remove_tree(self.folder)
