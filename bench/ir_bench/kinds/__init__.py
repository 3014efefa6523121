"""The kinds of experiments, one module each; an experiment file names one.

    python3 -m ir_bench.kinds REQUEST.json FOLDER      makes one sample

How one is added is told in bench/README.md.
"""

import functools
import importlib
from pathlib import Path

NO_KIND = ("__init__", "__main__", "base")


def names():
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in NO_KIND)


@functools.cache
def load(name):
    """The Kind of that name, which names() has."""
    return importlib.import_module(f".{name}", __package__).Kind()
