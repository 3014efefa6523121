"""A guest: the request and what the lab assigned to it. Saved as guests/NAME/guest.json in the lab's directory."""

import dataclasses
import re
from pathlib import Path

from .errors import LabError
from .roles import ROLES

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


@dataclasses.dataclass
class Guest:
    """Sizes are in MiB. `tuning` holds the profile's knobs, normalised by tuning.py. `own` belongs to the platform."""

    name: str
    platform: str
    kind: str = ""  # one of the platform's kinds; "": the first
    roles: list = dataclasses.field(default_factory=list)  # from ROLES; "worker:3" means three of them
    cluster: str = ""  # guests of a cluster know each other's services (services.py); "": only its own
    shard: str = ""  # name of its replica set, if it has the role documents; "": the default one
    size: str = "small"  # a section of sizes.conf
    cpus: int = 0  # 0: the value of the size
    memory_mib: int = 0
    disk_mib: int = 0
    profile: str = "default"  # from profiles/; several are joined by "+"
    tuning: dict = dataclasses.field(default_factory=dict)
    request: dict = dataclasses.field(default_factory=dict)  # the tuning as requested, before `auto` was replaced by numbers
    network: str = ""  # a network profile, "PROFILE" or "PROFILE:ARGUMENT"; "": from the tuning, else bridge
    appliance: str = ""  # a variant of the appliance: "tools" adds the measuring tools; "": the usual one
    root: str = "overlay"  # overlay: copy-on-write over the image; copy: its own copy
    release: str = ""  # Debian release of its root; "": the host's files, or an appliance that was made elsewhere
    files: dict = dataclasses.field(default_factory=dict)  # {path below /etc/river: text} that replace the usual files
    parent: str = ""  # the guest under its copy-on-write disk; that guest must be destroyed after this one
    number: int = 0  # its number in the subnet; address and MAC derive from it
    address: str = ""
    outside: str = ""  # the balancer's address for motes; "": the guest's address
    watch: str = ""  # address for statistics and metrics; "": the guest's address
    mac: str = ""
    made: bool = False  # False while it is being provisioned
    boot_seconds: float = 0.0
    own: dict = dataclasses.field(default_factory=dict)

    # A request equals an existing guest if all these fields have the same values.
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
                raise LabError(f"role '{role}': must be one of {', '.join(ROLES)}, or ROLE:COUNT")

    def services(self):
        """Yields (service name, role) of each process. worker:2 gives worker-1 and worker-2."""
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
