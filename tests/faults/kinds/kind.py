"""A kind of fault: one row of a table."""

from dataclasses import dataclass
from typing import Callable

BEHIND_THE_BROKER = ("worker", "documents", "graph")
ALL_WAYS = ("amqp", "mqtt", "http")


@dataclass(frozen=True)
class Kind:
    """`begin(river, target, dice)` injects the fault into the part `target` and returns a function that ends it, or
    None. The runner restarts parts that are dead afterwards."""

    name: str
    what: str  # description in words, which follows the name of the part in the report
    roles: tuple  # roles of the parts that it applies to
    begin: Callable
    lasts: tuple = (2, 30)  # seconds, from … to …
    bound: int = 60  # maximum seconds from its end to full recovery; `slower` has larger values for some roles
    slower: tuple = ()  # (role, seconds)
    ways: tuple = ALL_WAYS  # protocols in which motes send during the fault
    alone: bool = False  # must not overlap another fault
    of_all: bool = False  # applies to all parts of the role at once
    lacks: Callable = lambda river: None  # returns the reason why it cannot be done there, or None

    def bound_of(self, role):
        return dict(self.slower).get(role, self.bound)

    def targets(self, river):
        named = {role: [name for name, each in river.roles.items() if each == role] for role in self.roles}
        return [name for names in named.values() for name in (names[:1] if self.of_all else names)]


def behind(role):
    """Whether the part is behind the broker, so that motes do not notice its faults."""
    return role in BEHIND_THE_BROKER
