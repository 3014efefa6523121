"""Reads experiment files (TOML). Every key is defined here or by the kind, so a misspelt key is refused."""

import tomllib
from dataclasses import dataclass, field

import guard

from . import ROOT, kinds

FOLDER = ROOT / "bench" / "experiments"
PRIMARY_MOST = 3
GROUPS = ("quick", "thesis", "pipeline", "scale", "peers")
SHAPE = {"title": str, "kind": str, "size": str, "primary": [{"measure": str, "title": str}], "about": str, "groups": [str],
         "needs": dict, "precision": dict, "sample_seconds": (int, float)}
OPTIONAL = ("about", "groups", "needs", "precision", "sample_seconds")
NEEDS = {"cores": int, "memory_mib": int, "disk_mib": int, "install": [str]}


class ExperimentError(guard.Fault):
    """The file cannot be used; the text names the file and the key."""

    status = 2


@dataclass(frozen=True)
class Primary:
    """A comparison named in advance. `title` may contain a scouted value: {fixed}."""

    measure: str
    title: str


@dataclass(frozen=True)
class Experiment:
    name: str
    title: str
    kind: str
    size: str  # size of all guests, bare metal included
    parameters: dict  # as the kind defines them
    primary: tuple
    about: str = ""  # an explanation for readers, in a sentence or two
    groups: list = field(default_factory=list)
    needs: dict = field(default_factory=dict)  # what it needs on the host; the keys are those of NEEDS
    precision: dict = field(default_factory=dict)  # {measure: half-width}
    sample_seconds: float = 60  # approximate; for the announcement and for sharing out the time

    @property
    def of_kind(self):
        return kinds.load(self.kind)


# ---- shapes ----


def conform(where, value, shape, optional=()):
    """Raises an error unless the value has the shape. A shape is a type, a tuple of types, [shape] for a list, or {key:
    shape} for a table. A table has exactly these keys; optional ones may be missing."""
    if isinstance(shape, dict):
        conform(where, value, dict)
        if unknown := sorted(set(value) - set(shape)):
            raise ExperimentError(f"{where}: unknown key '{unknown[0]}'; known: {', '.join(shape)}")
        for key, inner in shape.items():
            if key in value:
                conform(f"{where}: '{key}'", value[key], inner)
            elif key not in optional:
                raise ExperimentError(f"{where}: '{key}' is missing")
    elif isinstance(shape, list):
        conform(where, value, list)
        for each in value:
            conform(where, each, shape[0])
    elif not isinstance(value, shape) or isinstance(value, bool) != (shape is bool):
        raise ExperimentError(f"{where} is of the wrong type")


# ---- reading ----


def parse(name, text):
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(f"{name}: {error}") from error
    kind = given.get("kind")
    if kind not in kinds.names():
        raise ExperimentError(f"{name}: kind '{kind}' must be one of {', '.join(kinds.names())}")
    conform(name, given, {**SHAPE, kind: kinds.load(kind).parameters}, optional=OPTIONAL)
    conform(f"{name}: [needs]", given.get("needs", {}), NEEDS, optional=NEEDS)
    parameters, primary = given.pop(kind), given.pop("primary")
    found = Experiment(name=name, parameters=parameters, primary=tuple(Primary(**each) for each in primary), **given)
    check(found)
    return found


def check(found):
    if not 1 <= len(found.primary) <= PRIMARY_MOST:
        raise ExperimentError(f"{found.name}: one to {PRIMARY_MOST} [[primary]] comparisons are named in advance")
    for each in found.primary:
        if found.of_kind.measure(each.measure) is None:
            raise ExperimentError(f"{found.name}: [[primary]] '{each.measure}': {found.kind} measures "
                                  f"{', '.join(found.of_kind.measures)}")
    if unknown := sorted(set(found.precision) - {each.measure for each in found.primary}):
        raise ExperimentError(f"{found.name}: [precision] '{unknown[0]}' is not the measure of a primary comparison")
    if unknown := sorted(set(found.groups) - set(GROUPS)):
        raise ExperimentError(f"{found.name}: group '{unknown[0]}' must be one of {', '.join(GROUPS)}")
    try:
        found.of_kind.check(found.parameters)
    except ValueError as error:
        raise ExperimentError(f"{found.name}: [{found.kind}] {error}") from error


def names():
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read(name):
    """Returns (Experiment, the text of its file)."""
    path = FOLDER / f"{name}.toml"
    if name not in names():
        raise ExperimentError(f"experiment '{name}': must be one of {', '.join(names())}")
    text = path.read_text(encoding="utf-8")
    return parse(name, text), text


def of(part):
    """Reads the Experiment of an experiment's folder in a run."""
    return parse(part.name, (part.path / "experiment.toml").read_text(encoding="utf-8"))


def chosen(words):
    """Expands names of experiments and groups to experiments, each once, in order. `all` means every one."""
    found = []
    for word in words:
        if word == "all":
            found += names()
        elif word in GROUPS and word not in names():
            found += [each for each in names() if word in read(each)[0].groups]
        else:
            found.append(word)
    return list(dict.fromkeys(found))
