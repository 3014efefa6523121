"""Faults by the hundred: the complete stack under load while one thing after the other is killed, stopped, cut off, filled
or poisoned. README.md tells how to run it and what it promises.

    cli         settings, namespaces, rounds, exit status
    plan        what happens when, from a seed
    kinds/      the faults: a row for each kind, a module for each subject
    poisons     messages that must be refused, one for each reason that the code knows
    river       the stack, each part of it in a network namespace of its own
    places      these namespaces, and what can be done to their lines
    disks       a file system for each server
    motes       the load
    watch       readiness and backlog meanwhile, and when it is over
    verdict     what is stored against what was sent
    report      tables; picture: the course over time
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests" / "integration"), str(ROOT / "tools"), str(ROOT / "ingest")]
