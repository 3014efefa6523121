"""Finds the platforms: each folder with a recipe.py."""

import importlib
from pathlib import Path

from .errors import LabError

FOLDER = Path(__file__).resolve().parent.parent


def names():
    return sorted(path.parent.name for path in FOLDER.glob("*/recipe.py"))


def recipe(name):
    """The Recipe class of the platform of that name."""
    if name not in names():
        raise LabError(f"platform '{name}': must be one of {', '.join(names())}")
    return importlib.import_module(f"platforms.{name}.recipe").Recipe


def load(name, lab):
    """The Platform object of that name."""
    platform = recipe(name)(lab)
    platform.name = name
    return platform


def of(lab, guest):
    """The Platform object of a guest."""
    return load(guest.platform, lab)
