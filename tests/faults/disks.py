"""A small ext4 file system, in a file, for each server that keeps data. So one disk can be full, broken or slow without
the others. The file systems are mounted in the runner's own mount namespace, and the mounts end with it."""

import os
import subprocess
from pathlib import Path

import servers

from .places import run

FILLER = "filler"
UNMOUNT_SECONDS = 20  # children of a killed server may keep files open for a moment


class Disk:
    """A disk, mounted at `directory`."""

    def __init__(self, directory, mebibytes):
        self.directory = Path(directory)
        self.image = self.directory.with_name(self.directory.name + ".disk")
        self.mebibytes = mebibytes

    def make(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        with open(self.image, "wb") as file:
            file.truncate(self.mebibytes * 2**20)
        run("mkfs.ext4", "-q", self.image)
        self.mount()

    def mount(self):
        # Makes the file system read-only on an error, as on a failed device.
        run("mount", "-o", "loop,errors=remount-ro", self.image, self.directory)

    def fill(self):
        """Fills the disk to the last byte."""
        with open(self.directory / FILLER, "wb") as file:
            size = 2**28
            while size >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)
                except OSError:
                    size //= 2

    def empty(self):
        (self.directory / FILLER).unlink()

    def device(self):
        """Returns the device's name below /dev."""
        return Path(run("findmnt", "-n", "-o", "SOURCE", "--mountpoint", self.directory).strip()).name

    def break_down(self):
        """Simulates an error of the device: the kernel makes the file system read-only while programs write to it. The
        file system is frozen during the change. Otherwise the kernel may report an fdatasync(2) in progress as
        successful and lose its data. (This happened in one of twelve trials with Linux 6.18, in a file with
        preallocated blocks, such as MongoDB's journal.)"""
        run("fsfreeze", "--freeze", self.directory)
        try:
            Path(f"/sys/fs/ext4/{self.device()}/trigger_fs_error").write_text("faults\n")
        finally:
            run("fsfreeze", "--unfreeze", self.directory)

    def unmount(self):
        return subprocess.run(["umount", self.directory], capture_output=True, timeout=60, check=False).returncode == 0

    def repair(self):
        """Repairs the file system. No process may be using it."""
        if not servers.wait_until(self.unmount, UNMOUNT_SECONDS, pause=0.2):
            raise servers.ServerError(f"{self.directory} stays in use")
        run("sh", "-c", 'e2fsck -fy "$1" || [ $? -lt 4 ]', "sh", self.image)
        self.mount()
