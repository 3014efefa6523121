"""Disks of guests: qcow2 files, handled with qemu-img. Snapshots are stored inside them."""

import json
import xml.etree.ElementTree as ET

from ..lab import command

COPY_SECONDS = 600


def qemu_img(*words, seconds=COPY_SECONDS):
    return command.output([command.need("qemu-img", "kvm"), *words], seconds=seconds)


def create(disk, image, mib, full):
    """Makes a disk of that size with the image's content: an overlay over the image, or with `full` a copy."""
    if full:
        qemu_img("convert", "-O", "qcow2", image, disk)
    else:
        qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", image, disk)
    if mib * 2**20 > info(disk)["virtual-size"]:
        qemu_img("resize", "-q", disk, f"{mib}M")


def clone(disk, source, full):
    """Makes a disk that starts with the source's content: an overlay over it, or with `full` an independent copy."""
    if full:
        qemu_img("convert", "-O", "qcow2", source, disk)
    else:
        qemu_img("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", source, disk)


def info(disk):
    """What qemu-img reports about a disk, even while it is in use."""
    return json.loads(qemu_img("info", "--force-share", "--output=json", disk))


def snapshots(disk):
    """The labels of the snapshots, oldest first."""
    found = info(disk).get("snapshots", [])
    return [each["name"] for each in sorted(found, key=lambda each: int(each["id"]))]


def snapshot(disk, label):
    qemu_img("snapshot", "-q", "-c", label, disk)


def restore(disk, label):
    qemu_img("snapshot", "-q", "-a", label, disk)


def snapshot_running(daemon, name, label):
    """Takes a snapshot of a running domain's disk through QEMU, at one instant. It holds what a crash at that instant
    would leave."""
    drives = json.loads(daemon.virsh("qemu-monitor-command", name, json.dumps({"execute": "query-block"})))["return"]
    disk = ET.fromstring(daemon.virsh("dumpxml", name)).find("devices/disk/source").get("file")
    node = next(each["inserted"]["node-name"] for each in drives if each.get("inserted", {}).get("file") == disk)
    order = {"execute": "blockdev-snapshot-internal-sync", "arguments": {"device": node, "name": label}}
    daemon.virsh("qemu-monitor-command", name, json.dumps(order))
