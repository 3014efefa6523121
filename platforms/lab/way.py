"""Reaches guests by ssh on networks where the host has no address (profiles private, vlan, macvlan). For each such
network a small network namespace holds the host's address on it and nothing else. It is made when first needed; the
host itself stays without an address there.
"""

import hashlib
import re

from . import command, netns
from .clean import Undo
from .network import split

PROFILES = ("private", "vlan", "macvlan")
INSIDE = "way0"


def name_of(lab, guest):
    return f"{lab.prefix}-w{hashlib.sha256(guest.network.encode()).hexdigest()[:4]}"


def words(lab, guest):
    """A command prefix for reaching the guest; empty if the host reaches it directly."""
    if split(guest.network)[0] not in PROFILES:
        return []
    name = name_of(lab, guest)
    with lab.lock("way"):
        if not netns.exists(name):
            make(lab, guest, name)
    return netns.words_in(name)


def make(lab, guest, name):
    """Makes the namespace and attaches it to the guest's network as a guest would be."""
    address = f"{lab.network.host_address}/{lab.network.prefix_length}"
    with Undo() as undo:
        undo.add(delete, name)
        command.run(["ip", "netns", "add", name])
        profile, device = split(guest.network)
        if profile == "macvlan":
            command.run(["ip", "link", "add", "link", device, "name", name, "type", "macvlan", "mode", "bridge"])
            command.run(["ip", "link", "set", name, "netns", name, "name", INSIDE])
        else:
            command.run(["ip", "link", "add", name, "type", "veth", "peer", "name", INSIDE, "netns", name])
            lab.network.attach(name, guest)
        command.run([*netns.words_in(name), "ip", "address", "add", address, "dev", INSIDE])
        command.run([*netns.words_in(name), "ip", "link", "set", INSIDE, "up"])
        undo.keep()


def delete(name):
    """Deletes the namespace. The interfaces in it, and the other end of a pair, end with it."""
    command.run(["ip", "netns", "delete", name], good=None)


def remove_all(lab):
    if netns.FOLDER.exists():
        for each in netns.FOLDER.iterdir():
            if re.fullmatch(rf"{lab.prefix}-w[0-9a-f]{{4}}", each.name):
                delete(each.name)
