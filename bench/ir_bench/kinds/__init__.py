"""The kinds of experiments, one module each. An experiment file names its kind.

    python3 -m ir_bench.kinds REQUEST.json FOLDER      makes one sample

bench/README.md explains how to add a kind.
"""

import functools
import importlib
from pathlib import Path

NO_KIND = ("__init__", "__main__", "base")


def names():
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NO_KIND)


@functools.cache
def load(name):
    """The Kind of that name, which must be one of names()."""
    return importlib.import_module(f".{name}", __package__).Kind()
