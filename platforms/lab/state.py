"""The lab: one directory that holds all its files, and the names it uses on this host.

    guests/NAME/guest.json   the guest's record; beside it the platform's files of the guest
    images/                  cached appliances, unless IR_IMAGES names a folder that several labs share
    key, key.pub             the ssh key, made at first use
    locks/                   one file per guest and one for the lab, locked while a verb works on it
    network.conf             replaces the project's file, if present

Names of bridges, interfaces, cgroups, domains and containers begin with `ir` and four hexadecimal digits derived from
the directory's path. So two labs on one host do not collide.
"""

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

from .errors import LabError
from .guest import Guest

PLATFORMS = Path(__file__).resolve().parent.parent
PROJECT = PLATFORMS.parent
LOCK_SECONDS = 120


def default_directory():
    """$IR_LAB; else out/lab below the sources, or /var/lib/ir-lab when installed."""
    if named := os.environ.get("IR_LAB"):
        return Path(named)
    return PROJECT / "out" / "lab" if (PROJECT / "Makefile").exists() else Path("/var/lib/ir-lab")


@contextlib.contextmanager
def locked(path, seconds=LOCK_SECONDS):
    """Holds a lock file. Waits for it, for a limited time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabError(f"{path}: held by another ir-platform for {seconds} s") from None
                time.sleep(0.05)
        yield


class Lab:
    def __init__(self, directory=None, netns=None):
        self.directory = Path(directory or default_directory()).resolve()
        self.netns = netns if netns is not None else os.environ.get("IR_LAB_NETNS", "")
        self.prefix = "ir" + hashlib.sha256(str(self.directory).encode()).hexdigest()[:4]
        self.clusters = {}  # {name: Services} clusters planned as a whole, before their guests exist

    # ---- parts, made when first asked for ----

    @functools.cached_property
    def network(self):
        from .network import Network

        own = self.directory / "network.conf"
        return Network(self, own if own.exists() else PLATFORMS / "network.conf")

    @functools.cached_property
    def image(self):
        from .image import Image

        return Image(Path(os.environ.get("IR_IMAGES") or self.directory / "images").resolve())

    @functools.cached_property
    def key(self):
        from .ssh import Key

        return Key(self.directory)

    def services(self, guest):
        """The Services of the guest's cluster: as planned, or else those of its existing guests."""
        from .registry import of
        from .services import Services

        if guest.cluster in self.clusters:
            return self.clusters[guest.cluster]
        others = [each for each in self.guests() if each.cluster == guest.cluster != "" and each.name != guest.name]
        return Services(self.directory, [guest, *others], patience=of(self, guest).patience(guest))

    # ---- names ----

    def name(self, guest):
        """The name of the guest's container, domain or cgroup."""
        return f"{self.prefix}-{guest.name}"

    def interface(self, guest):
        """The name of the host's end of a guest's network; at most 15 characters."""
        return f"{self.prefix}-g{guest.number}"

    def guest_directory(self, guest):
        return self.directory / "guests" / guest.name

    # ---- records ----

    def guests(self, platform=None):
        """All guests, sorted by name."""
        found = [self.load(path.parent.name) for path in sorted(self.directory.glob("guests/*/guest.json"))]
        return [each for each in found if platform in (None, each.platform)]

    def has(self, name):
        return (self.directory / "guests" / name / "guest.json").exists()

    def load(self, name):
        path = self.directory / "guests" / name / "guest.json"
        try:
            return Guest.from_json(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise LabError(f"there is no guest '{name}' in {self.directory}; ir-platform list shows them") from None
        except (OSError, ValueError, TypeError) as error:
            raise LabError(f"{path}: {error}; repair it, or remove the folder after looking what runs") from error

    def save(self, guest):
        directory = self.guest_directory(guest)
        directory.mkdir(parents=True, exist_ok=True)
        part = directory / "guest.json.part"
        part.write_text(json.dumps(guest.to_json(), indent=2) + "\n", encoding="utf-8")
        os.replace(part, directory / "guest.json")

    def forget(self, guest):
        """Deletes the guest's folder. Unmount everything below it first."""
        from .clean import remove_tree

        remove_tree(self.guest_directory(guest))

    # ---- locks ----

    def lock(self, name="lab"):
        """Allows one verb at a time on a guest ("guest-NAME") or on shared parts ("lab")."""
        return locked(self.directory / "locks" / name)

    def remove(self):
        """Deletes the directory, including images and key."""
        shutil.rmtree(self.directory, ignore_errors=True)
