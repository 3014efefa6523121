"""A guest: what was asked for, and what the lab gave it. Kept as guests/NAME/guest.json in the lab's directory."""

import dataclasses
import re
from pathlib import Path

from .errors import LabError

ROLES = ("broker", "gateway", "balancer", "worker", "documents", "graph", "config", "router")
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclasses.dataclass
class Guest:
    """Sizes are MiB. `tuning` holds the profile's knobs as tuning.py normalises them. `own` is the platform's."""

    name: str
    platform: str
    kind: str = ""  # one of the platform's kinds; "" its first
    roles: list = dataclasses.field(default_factory=list)  # of ROLES; "worker:3" is three of them
    cluster: str = ""  # those of one cluster know each other's services, see services.py; "" it knows its own alone
    shard: str = ""  # of the role documents: the replica set it belongs to; "" the one that all others belong to
    size: str = "small"  # a section of sizes.conf
    cpus: int = 0  # 0: the size's
    memory_mib: int = 0
    disk_mib: int = 0
    profile: str = "default"  # of profiles/, several joined by "+"
    tuning: dict = dataclasses.field(default_factory=dict)
    request: dict = dataclasses.field(default_factory=dict)  # the same as it was asked for: before `auto` became numbers
    network: str = ""  # a network profile, "PROFILE" or "PROFILE:ARGUMENT"; "" that of the tuning, else bridge
    appliance: str = ""  # a variant of the appliance: "tools" has the measuring tools; "" the usual one
    root: str = "overlay"  # overlay: copy-on-write over the image; copy: a root of its own
    release: str = ""  # Debian's, of its root; "" what is on the host, or an appliance that was made elsewhere
    files: dict = dataclasses.field(default_factory=dict)  # {path below /etc/river: text}, over the usual ones
    parent: str = ""  # the guest it was cloned from without copying: that one cannot be destroyed before
    number: int = 0  # its place in the subnet; address and MAC follow from it
    address: str = ""
    mac: str = ""
    made: bool = False  # False while it is being provisioned
    boot_seconds: float = 0.0
    own: dict = dataclasses.field(default_factory=dict)

    # What an equal request must have in common with the guest that is there.
    ASKED = ("platform", "kind", "roles", "cluster", "cpus", "memory_mib", "disk_mib", "request", "network", "root",
             "appliance", "release", "files")

    def validate(self):
        if not NAME.fullmatch(self.name):
            raise LabError(f"guest name '{self.name}': lower-case letters, digits and '-', up to 31, a letter first")
        if self.cluster and not NAME.fullmatch(self.cluster):
            raise LabError(f"cluster '{self.cluster}': lower-case letters, digits and '-', up to 31, a letter first")
        for role in self.roles:
            word, _, count = role.partition(":")
            if word not in ROLES or not re.fullmatch(r"([1-9]\d?)?", count):
                raise LabError(f"role '{role}': it is one of {', '.join(ROLES)}, or ROLE:COUNT")

    def services(self):
        """(service name, role) of each process: worker:2 gives worker-1 and worker-2."""
        for role in self.roles:
            word, _, count = role.partition(":")
            for i in range(int(count or 1)):
                yield (f"{word}-{i + 1}" if count else word), word

    def same_request(self, other):
        return all(getattr(self, key) == getattr(other, key) for key in self.ASKED)

    def to_json(self):
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values):
        known = {field.name for field in dataclasses.fields(cls)}
        return cls(**{key: value for key, value in values.items() if key in known})


def read_sizes(path):
    """sizes.conf: {size: {"cpus": n, "memory_mib": n, "disk_mib": n}}."""
    from .settings import read_ini

    return {name: {key: int(value) for key, value in section.items()} for name, section in read_ini(Path(path)).items()}
