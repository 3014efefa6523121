"""A kind of fault: one row of a table."""

from dataclasses import dataclass
from typing import Callable

BEHIND_THE_BROKER = ("worker", "documents", "graph")
ALL_WAYS = ("amqp", "mqtt", "http")


@dataclass(frozen=True)
class Kind:
    """`begin(river, target, dice)` injects the fault into the part `target`. It returns a function that ends the fault,
    or None. Afterwards the runner restarts parts that died."""

    name: str
    what: str  # the fault in words; in the report these follow the name of the part
    roles: tuple  # roles of the parts to which it applies
    begin: Callable
    lasts: tuple = (2, 30)  # shortest and longest duration in seconds
    bound: int = 60  # longest time from its end to full recovery, in seconds; `slower` has larger values for some roles
    slower: tuple = ()  # (role, seconds)
    ways: tuple = ALL_WAYS  # protocols with which motes send during the fault
    alone: bool = False  # whether it must not overlap another fault
    of_all: bool = False  # whether it applies to all parts of the role at once
    lacks: Callable = lambda river: None  # returns why this fault is impossible here, or None

    def bound_of(self, role):
        return dict(self.slower).get(role, self.bound)

    def targets(self, river):
        named = {role: [name for name, each in river.roles.items() if each == role] for role in self.roles}
        return [name for names in named.values() for name in (names[:1] if self.of_all else names)]


def behind(role):
    """Whether the part is behind the broker: then motes do not notice its faults."""
    return role in BEHIND_THE_BROKER
