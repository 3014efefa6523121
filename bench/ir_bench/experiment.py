"""What an experiment file asks for: TOML, every key named here, so that a misspelt one is refused."""

import tomllib
from dataclasses import dataclass, field

from . import ROOT

FOLDER = ROOT / "bench" / "experiments"
PRIMARY_MOST = 3


class ExperimentError(Exception):
    """The file cannot be used; the text names it and the key."""


@dataclass(frozen=True)
class Fixed:
    """A stretch at a fixed rate, as a share of bare metal's full speed."""

    name: str
    share: float
    seconds: float


@dataclass(frozen=True)
class Primary:
    """A comparison that was named in advance. `title` may name rates: {fixed}."""

    measure: str
    title: str


@dataclass(frozen=True)
class Experiment:
    name: str
    title: str
    kind: str
    topology: str
    documents: str
    graph: str
    formats: str
    via: str
    motes: int
    records: int
    size: str
    warm_up_seconds: float
    full_seconds: float
    fixed: tuple = ()
    primary: tuple = ()
    precision: dict = field(default_factory=dict)


TYPES = {"title": str, "kind": str, "topology": str, "documents": str, "graph": str, "formats": str, "via": str, "motes": int,
         "records": int, "size": str, "warm_up_seconds": (int, float), "full_seconds": (int, float)}
KINDS = ("pipeline",)


def table(where, given, types):
    """A table's keys, all of them there and of their types."""
    if unknown := sorted(set(given) - set(types)):
        raise ExperimentError(f"{where}: unknown key '{unknown[0]}'; known: {', '.join(types)}")
    for key, kind in types.items():
        if not isinstance(given.get(key), kind):
            raise ExperimentError(f"{where}: '{key}' is missing or of the wrong type")
    return given


def parse(name, text):
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(f"{name}: {error}") from error
    numbers = (int, float)
    fixed = [Fixed(**table(f"{name}: [[fixed]]", each, {"name": str, "share": numbers, "seconds": numbers}))
             for each in given.pop("fixed", [])]
    primary = [Primary(**table(f"{name}: [[primary]]", each, {"measure": str, "title": str}))
               for each in given.pop("primary", [])]
    precision = given.pop("precision", {})
    found = Experiment(name=name, fixed=tuple(fixed), primary=tuple(primary), precision=precision, **table(name, given, TYPES))
    check(found)
    return found


def check(found):
    if found.kind not in KINDS:
        raise ExperimentError(f"{found.name}: kind '{found.kind}' is one of {', '.join(KINDS)}")
    if not 1 <= len(found.primary) <= PRIMARY_MOST:
        raise ExperimentError(f"{found.name}: one to {PRIMARY_MOST} [[primary]] comparisons are named in advance")
    if any(not 0 < each.share < 1 for each in found.fixed):
        raise ExperimentError(f"{found.name}: the share of a fixed rate lies between 0 and 1")
    measured = {each.measure for each in found.primary}
    if unknown := sorted(set(found.precision) - measured):
        raise ExperimentError(f"{found.name}: [precision] '{unknown[0]}' is not the measure of a primary comparison")


def names():
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(name):
    """(Experiment, its text)."""
    path = FOLDER / f"{name}.toml"
    if name not in names():
        raise ExperimentError(f"experiment '{name}': it is one of {', '.join(names())}")
    text = path.read_text(encoding="utf-8")
    return parse(name, text), text
