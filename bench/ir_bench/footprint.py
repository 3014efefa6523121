"""Measures the memory pages and disk blocks of the host that guests use."""

import os
from pathlib import Path

SECTOR_BYTES = 512


def proportional_bytes(processes, proc=Path("/proc")):
    """The memory of processes. A page shared by several is divided equally among them (Pss of smaps_rollup)."""
    total = 0
    for each in processes:
        try:
            lines = (proc / str(each) / "smaps_rollup").read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:  # the process has ended
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def disk_bytes(folder):
    """The disk blocks of a file, or of all files below a folder. A file with several names counts once."""
    seen = {}
    for base, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            status = os.lstat(os.path.join(base, name))
            seen[status.st_dev, status.st_ino] = status.st_blocks * SECTOR_BYTES
    return sum(seen.values())
