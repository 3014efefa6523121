"""Faults of network lines: cut in both directions or in one, with losses, or slow. Also connections that are reset."""

from ..river import ROLES
from .kind import Kind

# Brokers take longer to recover: a broker that was cut off for long leaves the cluster and must join again.
SLOWER = (("broker", 120),)
PERCENT = (2, 5, 15)
MILLISECONDS = (20, 100, 300)


def cut(river, target, _dice):
    river.places[target].cut()
    return river.places[target].join


def dropping(match):
    """Makes a fault that drops packets. `match(river, target, dice)` returns which packets to the target are
    dropped."""
    def begin(river, target, dice):
        river.places[target].drop(*match(river, target, dice))
        return river.places[target].drop_nothing

    return begin


def some(_river, _target, dice):
    return f"numgen random mod 100 < {dice.choice(PERCENT)}".split()


def from_its_peer(river, target, dice):
    peers = [name for name in river.named(river.roles[target]) if name != target]
    return "ip", "saddr", river.places[dice.choice(peers)].address


def slow_down(river, target, dice):
    river.places[target].slow_down(dice.choice(MILLISECONDS))
    return river.places[target].speed_up


def reset(river, target, _dice):
    river.places[target].reset_connections()


ROWS = [
    Kind("partition", "cut off from everybody", ROLES, cut, (3, 25), 45, SLOWER),
    Kind("long-partition", "cut off from all others until they consider it dead", ("broker",), cut, (75, 90), 120),
    Kind("deaf-to-peer", "deaf to one of its peers", ("broker",), dropping(from_its_peer), (3, 25), 120),
    Kind("loss", "losing a share of what comes in", ROLES, dropping(some), (3, 25), 45, SLOWER),
    Kind("delay", "behind a slow line", ROLES, slow_down, (3, 25), 45, SLOWER),
    Kind("reset", "with all its connections reset", ROLES, reset, (0, 1), 30, SLOWER),
]
