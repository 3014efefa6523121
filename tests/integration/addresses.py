"""Addresses of one's own. The ports of a deployment and the names of its brokers follow from its addresses, so servers of two
checkouts, or of two processes of the tests, need different ones: each process takes a number that no other has. The claim is an
abstract socket (unix(7)), which like the addresses belongs to the network namespace, and ends with the process."""

import socket

EACH = 8  # so many of 127.0.0.0/24
CLAIM = socket.socket(socket.AF_UNIX)


def claim():
    for number in range(1, 256 // EACH):
        try:
            CLAIM.bind(f"\0ir-test-addresses-{number}")
            return number
        except OSError:
            continue
    raise OSError("no addresses are free: too many processes of the tests run")


NUMBER = claim()
LOOPBACK = [f"127.0.0.{EACH * NUMBER + each}" for each in range(EACH)]
LOOPBACK_V6 = f"fd00:127::{EACH * NUMBER}"  # to be set, and taken away, by who uses it
BRIDGE = f"10.99.{NUMBER}"  # the first three bytes of a /24
BRIDGE_V6 = f"fd00:99:{NUMBER}:"  # of a /64, "::1" and so on with the rest
