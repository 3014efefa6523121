"""A server's files: the wanted ones and the existing ones.

All files are first made in a separate folder. Then only those that differ are put in place, each by a rename, so that a
service that starts meanwhile finds complete files. Modes depend neither on the umask nor on the modes of the sources.
"""

import hashlib
import os
import shutil
from pathlib import Path

import atomic

PARTS = ("opt/river", "etc/river")
SERVERS = "opt/river/servers/"  # large programs of other vendors: compared by size and time
SECRET = "etc/river/services/"


class Tree:
    """`wanted`: {path below the root: its source}. `owner`: user and group of the files that only services may read;
    None: the caller's."""

    def __init__(self, root, wanted, owner=None):
        self.root, self.wanted, self.owner = root, wanted, owner

    def changes(self):
        """Returns {path: "new", "changed" or "gone"}."""
        found = {path: self.change(path) for path in self.wanted}
        return {path: change for path, change in found.items() if change} | {path: "gone" for path in self.left_over()}

    def change(self, path):
        there = self.root / path
        if not there.is_file():
            return "new"
        status = there.stat()
        right = status.st_mode & 0o7777 == self.mode(path) and self.owner_of(path) in (None, (status.st_uid, status.st_gid))
        return "" if right and digest(path, there) == digest(path, self.wanted[path]) else "changed"

    def left_over(self):
        """Returns the files of an earlier deployment that are no longer wanted."""
        found = [each for part in PARTS for each in (self.root / part).rglob("*") if not each.is_dir()]
        return sorted({str(each.relative_to(self.root)) for each in found} - set(self.wanted))

    def mode(self, path):
        if path.startswith(SECRET):
            return 0o600
        return 0o755 if os.access(self.wanted[path], os.X_OK) else 0o644

    def owner_of(self, path):
        return self.owner if path.startswith(SECRET) else None

    def put(self, changes):
        caller = os.geteuid(), os.getegid()
        for path, change in changes.items():
            there = self.root / path
            if change == "gone":
                there.unlink(missing_ok=True)
                continue
            self.make_folder(there.parent)
            with atomic.replacing(there, self.mode(path), self.owner_of(path) or caller, lasting=False) as part:
                shutil.copy2(self.wanted[path], part)
        for part in PARTS:
            for folder in sorted((self.root / part).rglob("*/"), reverse=True):
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()

    def make_folder(self, folder):
        if not folder.exists():
            self.make_folder(folder.parent)
            folder.mkdir()
            folder.chmod(0o755)


def digest(path, file):
    """The digest of a file, in the form that common.sh records."""
    if path.startswith(SERVERS):
        return size_and_time(file)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def size_and_time(file):
    status = os.stat(file)
    return f"{status.st_size}-{int(status.st_mtime)}"


def staged(folder):
    """Returns {path below the folder: file} of all files in a folder."""
    return {str(each.relative_to(folder)): each for part in PARTS for each in (folder / part).rglob("*") if each.is_file()}
