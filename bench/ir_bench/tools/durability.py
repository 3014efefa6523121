"""Proves that data that a guest syncs is on the host's disk: fdatasync in a guest must cause as many disk flushes as
fdatasync on bare metal. The kernel counts flushes in /proc/diskstats, since Linux 5.5."""

import statistics
import time

from .. import machine

SYNCS = 256
ROUNDS = 5
# Flushes per fdatasync: 1 if it reaches the disk, 0 if it does not. Fewer than this on bare metal means that the disk
# has no cache to flush.
REACHES = 0.5
# The file exists beforehand, so changes of its size add no flushes.
LAY_OUT = f"dd if=/dev/zero of=proof bs=4k count={SYNCS} conv=fsync 2>/dev/null"
SCRIPT = f"fio --name=proof --filename=proof --size={SYNCS * 4}k --bs=4k --rw=write --fdatasync=1 --output-format=json"


def flushes_per_sync(box, folder):
    """Flushes of the host's disk that holds a folder, per fdatasync in the guest; None if the host does not count them.
    Flushes of other processes in an equal time are subtracted. Those come in bursts, so the median of several rounds is
    used."""
    if machine.disk_counters(folder)["flushes"] is None:
        return None
    box.script(LAY_OUT)
    rounds = [one_round(box, folder) for _ in range(ROUNDS)]
    box.script("rm proof")
    return max(0, statistics.median(rounds))


def one_round(box, folder):
    def flushes():
        return machine.disk_counters(folder)["flushes"]

    before, begun = flushes(), time.monotonic()
    box.script(SCRIPT)
    between = flushes()
    time.sleep(time.monotonic() - begun)
    return ((between - before) - (flushes() - between)) / SYNCS


def objection(guests, bares):
    """Why a guest's disk figures are excluded from ratios; "" if its syncs reach the disk."""
    if guests is None or bares is None or bares < REACHES:
        return ("it is not proved that it reaches the disk: even on bare metal fdatasync does not increase the disk's count "
                "of flushes")
    if guests < REACHES:
        return f"does not reach the disk: {guests:.2f} flushes for each fdatasync, bare metal {bares:.2f}"
    return ""
