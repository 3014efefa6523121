"""Topologies: lists of guests with their roles, from the files of topologies/."""

import re
from pathlib import Path

from .errors import LabError
from .guest import Guest
from .settings import read_ini

KEYS = ("roles", "count", "size", "shard")


def read(path, platform, **options):
    """The Guests of a topology, in the file's order and not yet provisioned. They form a cluster with the file's name.
    `options` apply to each of them (kind, profile …)."""
    guests = []
    for name, section in read_ini(Path(path)).items():
        if unknown := set(section) - set(KEYS):
            raise LabError(f"{path}: [{name}] {', '.join(sorted(unknown))}: a guest has {', '.join(KEYS)}")
        count = section.get("count", "1")
        if not re.fullmatch(r"[1-9]\d?", count):
            raise LabError(f"{path}: [{name}] count = {count}: a number from 1 to 99")
        roles = [each.strip() for each in section.get("roles", "").split(",") if each.strip()]
        names = [f"{name}-{i + 1}" for i in range(int(count))] if int(count) > 1 else [name]
        for each in names:
            guests.append(Guest(name=each, platform=platform, roles=roles, cluster=Path(path).stem,
                                size=section.get("size", "small"), shard=section.get("shard", ""), **options))
            guests[-1].validate()
    return guests
