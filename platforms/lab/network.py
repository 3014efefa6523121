"""The lab's network: one bridge, fixed addresses from one file (network.conf), and the ways a guest can be attached.

A guest's `network` is a profile, or PROFILE:ARGUMENT:

    bridge              the lab's bridge, a paravirtual NIC (virtio, Xen vif) or a veth pair; the usual one
    emulated            the lab's bridge, an emulated NIC (e1000)
    private             a bridge of the guests alone: the host has no address on it
    host-bridge:BRIDGE  a bridge that is there already; it is used, never changed
    vlan:ID             the lab's bridge with VLAN filtering; guests of one ID see each other only
    macvlan:DEVICE      a macvlan over a device of the host
    passthrough:PCI     the whole PCI NIC, by VFIO
    sriov:PCI           a virtual function of a NIC

Everything happens in the network namespace in which the program runs; with a netns of the lab's own (IR_LAB_NETNS or
--netns) ir-platform makes it, enters it first, and `destroy --all` takes it away.
"""

PROFILES = ("bridge", "emulated", "private", "host-bridge", "vlan", "macvlan", "passthrough", "sriov")


class Network:
    """`bridge` is the name, `host_address`, `prefix_length` the host's end of it."""

    def __init__(self, lab, path):
        self.lab, self.path = lab, path

    def up(self):
        """Makes the bridge, if missing."""
        raise NotImplementedError

    def down(self):
        """Takes the bridge away, if it is there and nothing is attached."""
        raise NotImplementedError

    def bridge_for(self, guest):
        """Name of the bridge that the guest's interface is to be put on (profiles bridge, emulated, private,
        host-bridge, vlan), made if missing."""
        raise NotImplementedError

    def attach(self, interface, guest):
        """Puts an interface that is there (veth, tap, vif) on the guest's bridge, up, with its VLAN."""
        raise NotImplementedError
