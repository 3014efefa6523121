"""The peer for network tests: servers in a network namespace of this host, which a guest reaches in two ways.

    bridge   an address in the lab's subnet, on the lab's bridge
    nat      an address on another subnet; the host forwards the packets and replaces the guest's address by its own

All packets stay on this machine. On bare metal they pass the same bridge and the same rules, but are sent by the host
itself. The servers are the appliance's programs, and their processor time counts as the generator's.
"""

import contextlib
import os
import socket
import subprocess
from pathlib import Path

from platforms.lab import LabError, command, rooted, verbs
from until import wait_until

NUMBER = 2  # the peer's number in the lab's subnet; guests have higher numbers
NAT_HOST, NAT_PEER, NAT_PREFIX = "198.18.0.1", "198.18.0.2", 30  # in the address range for benchmarks (RFC 2544)
SECOND = 5202  # port of a second iperf3, because each serves one client at a time
SERVERS = f"iperf3 --server & iperf3 --server --port {SECOND} & qperf & wait"
PORTS = (5201, SECOND, 19765)
START_SECONDS = 20
ROUTE = f'ip route get {NAT_PEER} >/dev/null 2>&1 || ip route add {NAT_PEER} via "$1"'


@contextlib.contextmanager
def running(lab, guest, folder):
    """Yields {"bridge": ADDRESS, "nat": ADDRESS} of servers that answer a guest during the block. This process must be
    in the lab's network."""
    own = folder / "peer"
    rooted.make_folders(own)
    inside = rooted.argv(lab.image.root(variant="tools"), own, ["/bin/bash", "-c", SERVERS])
    with open(folder / "peer.log", "ab") as log:
        child = command.start(["unshare", "--net", "unshare", "--pid", "--fork", "--kill-child", *inside],
                              stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=command.die_with_parent)
    try:
        addresses = connect(lab, child.pid)
        verbs.execute(lab, guest, ["/bin/sh", "-c", ROUTE, "sh", lab.network.host_address])
        if not wait_until(lambda: all(answers(addresses["bridge"], port) for port in PORTS), START_SECONDS):
            raise LabError(f"the network's peer does not answer: {(folder / 'peer.log').read_text(errors='replace')[-300:]}")
        yield addresses
    finally:
        command.kill_group(child)
        command.run(["nft", "delete", "table", "ip", f"{lab.prefix}-peer"], good=None)


def connect(lab, process):
    """Connects the namespace of a process to the lab in both ways, bridge and NAT. The interfaces are removed with the
    namespace."""
    own = os.stat("/proc/self/ns/net").st_ino
    if not wait_until(lambda: os.stat(f"/proc/{process}/ns/net").st_ino != own, START_SECONDS):
        raise LabError("the peer of the network tools did not get its own network namespace")
    bridged = str(lab.network.subnet[NUMBER])
    for name, device in ((f"{lab.prefix}-pb", "eth0"), (f"{lab.prefix}-pn", "eth1")):
        command.run(["ip", "link", "add", name, "type", "veth", "peer", "name", device, "netns", process])
    command.run(["ip", "link", "set", f"{lab.prefix}-pb", "master", lab.network.bridge, "up"])
    command.run(["ip", "address", "add", f"{NAT_HOST}/{NAT_PREFIX}", "dev", f"{lab.prefix}-pn"])
    command.run(["ip", "link", "set", f"{lab.prefix}-pn", "up"])
    addresses = {"lo": "", "eth0": f"{bridged}/{lab.network.prefix_length}", "eth1": f"{NAT_PEER}/{NAT_PREFIX}"}
    for device, address in addresses.items():
        there = ["nsenter", f"--net=/proc/{process}/ns/net", "ip"]
        if address:
            command.run([*there, "address", "add", address, "dev", device])
        command.run([*there, "link", "set", device, "up"])
    translate(lab)
    return {"bridge": bridged, "nat": NAT_PEER}


def translate(lab):
    """Enables forwarding in the lab's network, and address translation on the way to the peer."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n", encoding="ascii")
    table = f"{lab.prefix}-peer"
    rules = (f"add table ip {table}\n"
             f"add chain ip {table} post {{ type nat hook postrouting priority srcnat; }}\n"
             f"add rule ip {table} post oifname {lab.prefix}-pn masquerade\n")
    command.run([command.need("nft", "tools"), "-f", "-"], text=rules)


def answers(address, port):
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False
