"""Runs the pipeline on bare metal, in containers and in virtual machines, with the same verbs. See
docs/howto/platforms.md."""

import sys
from pathlib import Path

# Puts ingest/ on the module path: the list of nodes, the configurations made from it, and the guard of every program.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ingest"))

import interrupt  # noqa: E402,F401 - must be imported before the other modules
