"""The lab's network: one bridge, fixed addresses from one file (network.conf), and the ways to attach a guest.

A guest's `network` is a profile, or PROFILE:ARGUMENT:

    bridge              the lab's bridge, with a paravirtual NIC (virtio, Xen vif) or a veth pair; the default
    e1000               the lab's bridge, with an emulated NIC (e1000)
    private             a bridge for guests only: the host has no address on it
    host-bridge:BRIDGE  an existing bridge; it is used but never changed
    vlan:ID             the lab's bridge with VLAN filtering; guests with the same ID see only each other
    macvlan:DEVICE      a macvlan on a device of the host
    passthrough:PCI     the whole PCI NIC, by VFIO
    sriov:PCI           a virtual function of a NIC

Everything happens in the network namespace of the running program. If the lab has its own (IR_LAB_NETNS or --netns),
ir-platform makes it and enters it first; `destroy --all` deletes it.
"""

import ipaddress
import json
import re
import shutil
from pathlib import Path

from . import command
from .errors import LabError, Unsupported
from .settings import read_ini

PROFILES = ("bridge", "e1000", "private", "host-bridge", "vlan", "macvlan", "passthrough", "sriov")
NEED_ARGUMENT = ("host-bridge", "vlan", "macvlan", "passthrough", "sriov")


def split(text):
    """Splits "vlan:100" into ("vlan", "100")."""
    profile, _, argument = text.partition(":")
    return profile, argument


def links():
    """Returns {name: link} of this network namespace, from `ip -d -j link`. Empty when ip is missing: then the lab has
    no links."""
    if shutil.which("ip") is None:
        return {}
    return {each["ifname"]: each for each in json.loads(command.output(["ip", "-d", "-j", "link", "show"]) or "[]")}


def require(text):
    """Checks that the host has what a network profile needs; changes nothing. Raises Unsupported with the remedy, or
    LabError when the profile is malformed."""
    profile, argument = split(text)
    if profile not in PROFILES:
        raise LabError(f"network profile '{profile}': must be one of {', '.join(PROFILES)}")
    if (profile in NEED_ARGUMENT) != bool(argument):
        raise LabError(f"network '{text}': " + (f"write {profile}:ARGUMENT" if not argument else "accepts no argument"))
    REQUIREMENTS.get(profile, lambda _: None)(argument)


def require_bridge(name):
    if links().get(name, {}).get("linkinfo", {}).get("info_kind") != "bridge":
        raise Unsupported(f"there is no bridge {name} here", f"make it, or name another: host-bridge:NAME{see(bridges())}")


def require_device(name):
    if name not in links():
        raise Unsupported(f"there is no device {name} here", "name another: macvlan:DEVICE")


def require_vlan(number):
    if not re.fullmatch(r"[1-9]\d{0,3}", number) or int(number) > 4094:
        raise LabError(f"network 'vlan:{number}': the VLAN's number is from 1 to 4094")
    done = command.run(["ip", "link", "add", "irvlan0", "type", "bridge", "vlan_filtering", "1"], good=None)
    if done.status == 0:
        done = command.run(["bridge", "vlan", "add", "dev", "irvlan0", "vid", number, "self"], good=None)
        command.run(["ip", "link", "delete", "irvlan0"], good=None)
    if done.status != 0:
        raise Unsupported("this kernel's bridge does not filter VLANs", "use a kernel with CONFIG_BRIDGE_VLAN_FILTERING")


def require_pci(address):
    device = Path("/sys/bus/pci/devices") / address
    if not re.fullmatch(r"[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", address) or not device.exists():
        raise Unsupported(f"there is no PCI device '{address}' here", f"write it as 0000:03:00.0{see(pci_networks())}")
    if not (device / "iommu_group").exists():
        raise Unsupported("no IOMMU is on", "switch VT-d or AMD-Vi on in the firmware, boot with intel_iommu=on")
    if not Path("/sys/bus/pci/drivers/vfio-pci").exists():
        raise Unsupported("no VFIO here", "modprobe vfio-pci; this kernel may have been built without it")


def require_virtual_function(address):
    require_pci(address)
    if not (Path("/sys/bus/pci/devices") / address / "physfn").exists():
        raise Unsupported(f"{address} is not a virtual function", "echo 1 > /sys/class/net/DEVICE/device/sriov_numvfs")


REQUIREMENTS = {
    "host-bridge": require_bridge,
    "macvlan": require_device,
    "vlan": require_vlan,
    "passthrough": require_pci,
    "sriov": require_virtual_function,
}


def bridges():
    return [name for name, link in links().items() if link.get("linkinfo", {}).get("info_kind") == "bridge"]


def pci_networks():
    """The PCI addresses of the NICs."""
    devices = Path("/sys/bus/pci/devices").glob("*")
    return sorted(each.name for each in devices if (each / "class").read_text().startswith("0x02"))


def see(names):
    return f"; this host has {', '.join(names)}" if names else "; this host has none"


class Network:
    """Made by Lab. `bridge` is its name; `host_address` and `prefix_length` are the host's address on it."""

    def __init__(self, lab, path):
        self.lab = lab
        self.path = path
        self.bridge = f"{lab.prefix}-br"
        self.private_bridge = f"{lab.prefix}-priv"
        self.read(read_ini(path))

    def read(self, values):
        try:
            section = values["network"]
            self.subnet = ipaddress.ip_network(section["subnet"])
            self.first = int(section["first"])
            self.host_address = str(self.subnet[int(section["host"])])
            self.fixed = {name: int(text) for name, text in values.get("addresses", {}).items()}
        except (KeyError, ValueError, IndexError) as error:
            raise LabError(f"{self.path}: {error}; see the commented file platforms/network.conf") from error
        self.prefix_length = self.subnet.prefixlen

    # ---- places ----

    def place(self, guest, others):
        """Assigns a guest a number, an address and a MAC that no other guest has."""
        taken = {each.number for each in others if each.name != guest.name}
        free = (n for n in range(self.first, self.subnet.num_addresses - 1) if n not in taken)
        guest.number = self.fixed.get(guest.name) or next(free, 0)
        if guest.number in taken or not guest.number:
            raise LabError(f"no address is left for {guest.name} in {self.subnet}; see {self.path}")
        guest.address = str(self.subnet[guest.number])
        tail = self.lab.prefix[2:]
        guest.mac = f"02:{tail[:2]}:{tail[2:]}:00:{guest.number >> 8:02x}:{guest.number & 255:02x}"

    # ---- the bridge ----

    def up(self):
        """Makes the lab's bridge with the host's address, if missing."""
        if self.bridge not in links():
            self.require_free()
        self.make_bridge(self.bridge)
        address = f"{self.host_address}/{self.prefix_length}"
        command.run(["ip", "address", "replace", address, "dev", self.bridge])

    @staticmethod
    def make_bridge(name):
        if name not in links():
            command.run(["ip", "link", "add", name, "type", "bridge", "stp_state", "0", "forward_delay", "0"])
        command.run(["ip", "link", "set", name, "up"])

    def require_free(self):
        """Refuses a subnet that a route of this host already covers."""
        for route in json.loads(command.output(["ip", "-j", "route", "show", "table", "all"]) or "[]"):
            target = "0.0.0.0/0" if route["dst"] == "default" else route["dst"]
            try:
                other = ipaddress.ip_network(target, strict=False)
            except ValueError:
                continue
            if other.version == 4 and other.prefixlen > 0 and other.overlaps(self.subnet):
                raise LabError(f"{self.subnet} is in use here: route to {route['dst']} over {route.get('dev', '?')}; "
                               f"set another subnet in {self.lab.directory}/network.conf (copy {self.path}), or give "
                               "the lab a network namespace: --netns NAME")

    def down(self):
        """Deletes the lab's bridges."""
        for name in (self.bridge, self.private_bridge):
            if name in links():
                command.run(["ip", "link", "delete", name])

    def bridge_for(self, guest):
        """The name of the bridge for the guest's interface (profiles bridge, e1000, private, host-bridge, vlan). Makes
        it if missing."""
        profile, argument = split(guest.network)
        if profile == "host-bridge":
            return argument
        if profile == "private":
            self.make_bridge(self.private_bridge)
            return self.private_bridge
        self.up()
        return self.bridge

    def attach(self, interface, guest):
        """Puts an existing interface (veth, tap, vif) on the guest's bridge, brings it up and sets its VLAN."""
        for argv in self.attach_commands(interface, guest):
            command.run(argv)

    def attach_commands(self, interface, guest):
        """The commands that attach() runs, for code that must run them later."""
        bridge = self.bridge_for(guest)
        commands = [["ip", "link", "set", interface, "master", bridge, "up"]]
        profile, number = split(guest.network)
        if profile == "vlan":
            commands += [["ip", "link", "set", bridge, "type", "bridge", "vlan_filtering", "1"],
                         ["bridge", "vlan", "delete", "dev", interface, "vid", "1"],
                         ["bridge", "vlan", "add", "dev", interface, "vid", number, "pvid", "untagged"]]
        return commands

    def remove_interface(self, guest):
        """Deletes the host's end of a guest's network, if it still exists."""
        name = self.lab.interface(guest)
        if name in links():
            command.run(["ip", "link", "delete", name], good=None)
