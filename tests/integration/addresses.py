"""Gives each test process its own addresses. The ports of a deployment and the names of its brokers follow from its
addresses, so two checkouts or two test processes need different ones. Each process claims a unique number. The claim is
an abstract socket (unix(7)): like the addresses it belongs to the network namespace, and it ends with the process."""

import socket

EACH = 8  # how many addresses of 127.0.0.0/24 each process gets
CLAIM = socket.socket(socket.AF_UNIX)


def claim():
    for number in range(1, 256 // EACH):
        try:
            CLAIM.bind(f"\0ir-test-addresses-{number}")
            return number
        except OSError:
            continue
    raise OSError("no addresses are free: too many test processes are running")


NUMBER = claim()
LOOPBACK = [f"127.0.0.{EACH * NUMBER + each}" for each in range(EACH)]
LOOPBACK_V6 = f"fd00:127::{EACH * NUMBER}"  # an address that the caller sets up and removes
BRIDGE = f"10.99.{NUMBER}"  # the first three bytes of a /24
BRIDGE_V6 = f"fd00:99:{NUMBER}:"  # prefix of a /64; addresses are this plus "::1" and so on
