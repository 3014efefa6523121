"""The lab: one directory that holds all its files, and the names it uses on this host.

    guests/NAME/guest.json   the guest's record; beside it the platform's files of the guest
    images/                  cached appliances, unless IR_IMAGES names a folder that several labs share
    key, key.pub             the ssh key, made at first use
    locks/                   one file per guest and one for the lab, locked while a verb works on it
    network.conf             replaces the project's file, if present

Names of bridges, interfaces, cgroups, domains and containers begin with `ir` and four hexadecimal digits derived from
the directory's path. So two labs on one host do not collide.
"""

import functools
import hashlib
import json
import os
import shutil
from pathlib import Path

import atomic

from .clean import remove_tree
from .errors import LabError
from .guest import Guest
from .image import Image
from .network import Network
from .places import PLATFORMS, default_directory, locked
from .registry import of
from .services import Services
from .ssh import Key


class Lab:
    def __init__(self, directory=None, netns=None):
        self.directory = Path(directory or default_directory()).resolve()
        self.netns = netns if netns is not None else os.environ.get("IR_LAB_NETNS", "")
        self.prefix = "ir" + hashlib.sha256(str(self.directory).encode()).hexdigest()[:4]
        self.clusters = {}  # {name: Services} of clusters that are planned as a whole, before their guests exist

    # ---- parts, made when first asked for ----

    @functools.cached_property
    def network(self):
        own = self.directory / "network.conf"
        return Network(self, own if own.exists() else PLATFORMS / "network.conf")

    @functools.cached_property
    def image(self):
        return Image(Path(os.environ.get("IR_IMAGES") or self.directory / "images").resolve())

    @functools.cached_property
    def key(self):
        return Key(self.directory)

    def services(self, guest):
        """The Services of the guest's cluster: as planned, or else those of its existing guests."""
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
            raise LabError(f"{path}: {error}; repair it, or check what still runs and remove the folder") from error

    def save(self, guest):
        text = json.dumps(guest.to_json(), indent=2) + "\n"
        atomic.write(self.guest_directory(guest) / "guest.json", text, atomic.PUBLIC, lasting=False)

    def forget(self, guest):
        """Deletes the guest's folder. Unmount everything below it first."""
        remove_tree(self.guest_directory(guest))

    # ---- locks ----

    def lock(self, name="lab"):
        """Allows one verb at a time on a guest ("guest-NAME") or on shared parts ("lab")."""
        return locked(self.directory / "locks" / name)

    def remove(self):
        """Deletes the directory, including images and key."""
        shutil.rmtree(self.directory, ignore_errors=True)
