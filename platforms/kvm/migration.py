"""Live migration of a guest to another libvirtd, and back.

    shared:URI    the other host has the lab's directory at the same path (NFS, for example)
    copy:URI      without a shared directory: kernel, initrd, payload and disk are copied, the disk while the guest runs
    home          back to the lab's own libvirtd

URI is a virsh URI such as qemu+ssh://root@HOST/system. The other host needs a bridge with the name of the lab's bridge,
on the same network. While a guest is on another host, `guest.own` records that host ("away") and how its disk got there
("storage"). If the guest stops there, a copied disk is fetched back.
"""

import os
import tempfile
import urllib.parse
import xml.etree.ElementTree as ET
from pathlib import Path

import atomic

from ..lab import network
from ..lab.clean import Undo, attempt
from ..lab.errors import LabError, Unsupported
from .daemon import Connection

SECONDS = 1800
WAYS = ("shared", "copy")


def move(recipe, guest, target):
    """Moves the running guest. On failure it keeps running where it was."""
    if network.split(guest.network)[0] in ("passthrough", "sriov"):
        raise Unsupported(f"{guest.name} has a PCI device of this host, which cannot move")
    if target == "home":
        return move_home(recipe, guest)
    way, _, uri = target.partition(":")
    if way not in WAYS or "://" not in uri:
        raise LabError(f"target '{target}': must be shared:URI, copy:URI or home")
    if guest.own.get("away"):
        raise LabError(f"{guest.name} is on {guest.own['away']}; migrate it home first")
    other = Connection(uri)
    other.alive()
    with Undo() as undo:
        if way == "copy":
            undo.add(Depot(recipe, guest, other).clear)
            Depot(recipe, guest, other).fill()
        hand_over(recipe, guest, recipe.daemon, other, way)
        undo.keep()
    guest.own.update(away=uri, storage=way)


def move_home(recipe, guest):
    if not guest.own.get("away"):
        return
    other, way = Connection(guest.own["away"]), guest.own["storage"]
    recipe.start_daemon()
    hand_over(recipe, guest, other, recipe.daemon, way)
    if way == "copy":
        attempt(Depot(recipe, guest, other).clear)
    forget(guest)


def hand_over(recipe, guest, source, target, way):
    """Runs virsh migrate."""
    name = recipe.lab.name(guest)
    sockets = [recipe.lab.directory / f"{name}.{each}" for each in ("memory", "disk")]
    words = ["migrate", "--live", "--auto-converge", "--abort-on-error", name, target.uri]
    words += ["--copy-storage-all"] if way == "copy" else []
    with tempfile.NamedTemporaryFile("w", suffix=".xml", encoding="utf-8") as file, Undo() as undo:
        if is_local(source.uri) and is_local(target.uri):
            words += local_way(sockets, way)
        else:
            file.write(without_partition(source.virsh("dumpxml", name, "--migratable")))
            file.flush()
            words += ["--xml", file.name, "--migrateuri", f"tcp://{host_of(target.uri)}"]
        undo.add(lambda: source.call(["domjobabort", name], good=None))
        source.virsh(*words, seconds=SECONDS)
        undo.keep()
    for each in sockets:
        each.unlink(missing_ok=True)


def local_way(sockets, way):
    """Migrates between two libvirtd on one machine through Unix sockets, whatever network namespaces they are in. Both
    use the same page cache, so every cache mode of the disk is safe."""
    memory, disk = sockets
    words = ["--unsafe", "--migrateuri", f"unix://{memory}"]
    return words + ["--disks-uri", f"unix://{disk}"] if way == "copy" else words


def host_of(uri):
    return urllib.parse.urlsplit(uri).hostname


def is_local(uri):
    """Whether the URI is qemu:///system or qemu+unix:///system?socket=…"""
    return uri.partition("://")[2].startswith("/")


def without_partition(xml):
    """Removes the lab's control group from a domain's XML, because it exists on this host only."""
    root = ET.fromstring(xml)
    for each in root.findall("resource"):
        root.remove(each)
    return ET.tostring(root, encoding="unicode")


def forget(guest):
    guest.own.pop("away", None)
    guest.own.pop("storage", None)


def came_home(recipe, guest):
    """Marks a stopped guest as being at home; fetches its disk if it was copied."""
    if guest.own.get("storage") == "copy":
        depot = Depot(recipe, guest, Connection(guest.own["away"]))
        depot.fetch()
        depot.clear()
    forget(guest)


class Depot:
    """Copies of the guest's files on another host, in folders with the same paths as here. That host's libvirtd has
    them as storage pools."""

    def __init__(self, recipe, guest, connection):
        self.connection = connection
        self.disk = recipe.disk(guest)
        self.pool = f"{recipe.lab.name(guest)}-files"
        self.boot_pool = f"{recipe.lab.name(guest)}-boot"
        self.boot_files = [Path(guest.own[key]) for key in ("kernel", "initrd")]

    def fill(self):
        """Uploads what must exist before the migration. The disk itself is made and copied by libvirt."""
        self.open(self.pool, self.disk.parent)
        self.put(self.pool, self.disk.parent / "payload.img")
        self.open(self.boot_pool, self.boot_files[0].parent)
        for each in self.boot_files:
            self.put(self.boot_pool, each)

    def open(self, pool, folder):
        self.connection.virsh("pool-define-as", pool, "dir", "--target", str(folder))
        self.connection.virsh("pool-build", pool)
        self.connection.virsh("pool-start", pool)

    def put(self, pool, path):
        if self.connection.call(["vol-info", "--pool", pool, path.name], good=None).status == 0:
            return
        self.connection.virsh("vol-create-as", pool, path.name, str(os.path.getsize(path)), "--format", "raw")
        self.connection.virsh("vol-upload", "--pool", pool, path.name, str(path), seconds=SECONDS)

    def fetch(self):
        """Fetches the disk and replaces the old one here."""
        self.connection.virsh("pool-refresh", self.pool)
        with atomic.replacing(self.disk, lasting=False) as part:
            words = ["vol-download", "--sparse", "--pool", self.pool, self.disk.name, str(part)]
            self.connection.virsh(*words, seconds=SECONDS)

    def clear(self):
        """Deletes the guest's own files on the other host. Kernel and initrd stay for the next guest."""
        self.connection.call(["pool-refresh", self.pool], good=None)
        for name in (self.disk.name, "payload.img"):
            self.connection.call(["vol-delete", "--pool", self.pool, name], good=None)
        for pool in (self.pool, self.boot_pool):
            self.connection.call(["pool-destroy", pool], good=None)
            self.connection.call(["pool-undefine", pool], good=None)
