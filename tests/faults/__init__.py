"""Injects hundreds of faults into the complete stack under load: kills and stops processes, cuts connections, fills
disks, sends bad messages. README.md explains how to run it and what it promises.

    cli         settings, namespaces, rounds, exit status
    plan        the schedule of faults, from a seed
    kinds/      the faults: a row for each kind, a module for each subject
    poisons     messages that must be refused, one for each reason that the code knows
    river       the stack, each part of it in a network namespace of its own
    places      these namespaces, and faults of their network lines
    disks       a file system for each server
    motes       the load
    watch       readiness and backlog during a fault, and when recovery is complete
    verdict     compares what is stored with what was sent
    report      tables; picture: the course over time
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "tests" / "integration"), str(ROOT / "tools"), str(ROOT / "ingest")]
