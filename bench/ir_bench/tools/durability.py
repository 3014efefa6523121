"""The proof that what a guest has synced is on the host's disk: the disk's own count of flushes rises for a guest's fdatasync
as it does for bare metal's (/proc/diskstats, since Linux 5.5)."""

import statistics
import time

from .. import machine

SYNCS = 256
ROUNDS = 5
# Flushes for each fdatasync: there is one where it reaches the disk, and none where it does not. Fewer than this on bare metal:
# the disk has no cache to flush.
REACHES = 0.5
# The file is there before, so that no change of its size adds flushes of its own.
LAY_OUT = f"dd if=/dev/zero of=proof bs=4k count={SYNCS} conv=fsync 2>/dev/null"
SCRIPT = f"fio --name=proof --filename=proof --size={SYNCS * 4}k --bs=4k --rw=write --fdatasync=1 --output-format=json"


def flushes_per_sync(box, folder):
    """Of the host's disk below a folder, for each fdatasync in the guest; None where the host does not count. Flushes of
    others in an equal time are taken off; they come in bursts, so of several rounds the median counts."""
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
    """Why a guest's figures of the disk are in no ratio; "" when what it syncs reaches the disk."""
    if guests is None or bares is None or bares < REACHES:
        return "nothing proves that it reaches the disk: bare metal's own fdatasync is not seen in the disk's count of flushes"
    if guests < REACHES:
        return f"does not reach the disk: {guests:.2f} flushes for each fdatasync, bare metal {bares:.2f}"
    return ""
