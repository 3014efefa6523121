"""What a kind of fault is: one row of a table."""

from dataclasses import dataclass
from typing import Callable

BEHIND_THE_BROKER = ("worker", "documents", "graph")
ALL_WAYS = ("amqp", "mqtt", "http")


@dataclass(frozen=True)
class Kind:
    """`begin(river, target, dice)` does it to the part `target` and returns what ends it, or None when nothing has to.
    Parts that are dead after that are started again by the runner."""

    name: str
    what: str  # is done, in words, to a part that the report names before it
    roles: tuple  # of the parts to which it is done
    begin: Callable
    lasts: tuple = (2, 30)  # seconds, from … to …
    bound: int = 60  # seconds from its end until all is normal; `slower` has more for some roles
    slower: tuple = ()  # (role, seconds)
    ways: tuple = ALL_WAYS  # in which motes send meanwhile
    alone: bool = False  # no other one may be going on
    of_all: bool = False  # done to all of the role at once
    lacks: Callable = lambda river: None  # why it cannot be done there, or None

    def bound_of(self, role):
        return dict(self.slower).get(role, self.bound)

    def targets(self, river):
        named = {role: [name for name, each in river.roles.items() if each == role] for role in self.roles}
        return [name for names in named.values() for name in (names[:1] if self.of_all else names)]


def behind(role):
    """Whether such a part stands behind the broker, so that no mote notices what becomes of it."""
    return role in BEHIND_THE_BROKER
