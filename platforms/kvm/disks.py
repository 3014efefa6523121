"""Disks of guests: qcow2 files, made and looked at by qemu-img; snapshots are kept inside them."""

import json
import xml.etree.ElementTree as ET

from ..lab import command

COPY_SECONDS = 600


def qemu_img(*words, seconds=COPY_SECONDS):
    return command.output([command.need("qemu-img", "kvm"), *words], seconds=seconds)


def create(disk, image, mib, full):
    """A disk of that size with what the image holds: an overlay over it, or a copy of its own."""
    if full:
        qemu_img("convert", "-O", "qcow2", image, disk)
    else:
        qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", image, disk)
    if mib * 2**20 > info(disk)["virtual-size"]:
        qemu_img("resize", "-q", disk, f"{mib}M")


def clone(disk, source, full):
    """A disk that begins as the source: an overlay over it, or a copy that needs no other file."""
    if full:
        qemu_img("convert", "-O", "qcow2", source, disk)
    else:
        qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", source, disk)


def info(disk):
    """What qemu-img tells of a disk, also of one in use."""
    return json.loads(qemu_img("info", "--force-share", "--output=json", disk))


def snapshots(disk):
    """Labels, oldest first."""
    found = info(disk).get("snapshots", [])
    return [each["name"] for each in sorted(found, key=lambda each: int(each["id"]))]


def snapshot(disk, label):
    qemu_img("snapshot", "-q", "-c", label, disk)


def restore(disk, label):
    qemu_img("snapshot", "-q", "-a", label, disk)


def snapshot_running(daemon, name, label):
    """The same of a running domain, at one instant, by QEMU itself: what a crash at that instant would have left."""
    drives = json.loads(daemon.virsh("qemu-monitor-command", name, json.dumps({"execute": "query-block"})))["return"]
    disk = ET.fromstring(daemon.virsh("dumpxml", name)).find("devices/disk/source").get("file")
    node = next(each["inserted"]["node-name"] for each in drives if each.get("inserted", {}).get("file") == disk)
    order = {"execute": "blockdev-snapshot-internal-sync", "arguments": {"device": node, "name": label}}
    daemon.virsh("qemu-monitor-command", name, json.dumps(order))
