"""Disk tools: fio, ioping and dd. Files are larger than the guest's memory limit. fio uses direct I/O, bypassing the
page cache, except in the tools whose names begin with "cache".
"""

import json

from .base import OutputError, Tool, number

LARGER_THAN_MEMORY = 1.25
MIB = 1 << 20


def file_mib(place):
    """The size of the file for fio and ioping, which is written once per guest."""
    return int(place.memory_mib * LARGER_THAN_MEMORY)


def lay_out(place):
    """fio fills the file with incompressible bytes. The file is on the disk before the measurement starts."""
    return (f"test -e data || fio --name=data --filename=data.part --size={file_mib(place)}M --rw=write --bs=1M --direct=1 "
            "--end_fsync=1 --refill_buffers --output-format=json >/dev/null && { test -e data || mv data.part data; }")


class Fio(Tool):
    """`rw`: fio's option; `kib`: the block size; `depth`: how many requests are in flight."""

    programs = ("fio",)
    options = {"rw": str, "kib": int, "depth": int, "seconds": int}
    gives = ("mib", "iops", "latency_us")
    reaches_disk = True
    direct = 1

    def prepare(self, options, place):
        return lay_out(place) + "; sync"

    def command(self, options, place, amount):
        return (f"fio --name=run --filename=data --size={file_mib(place)}M --rw={options['rw']} --bs={options['kib']}k "
                f"--direct={self.direct} --ioengine=libaio --iodepth={options['depth']} --time_based "
                f"--runtime={options['seconds']} --randseed=1 --refill_buffers {self.more(options)} --output-format=json")

    def more(self, options):
        return ""

    def parse(self, text, options):
        try:
            job = json.loads(text[text.index("{"):])["jobs"][0]
            if job["error"]:
                raise OutputError(f"fio: error {job['error']}")
            ways = [job[way] for way in ("read", "write") if job[way]["total_ios"]]
            done = sum(each["total_ios"] for each in ways)
            return {
                "mib": sum(each["bw_bytes"] for each in ways) / MIB,
                "iops": sum(each["iops"] for each in ways),
                "latency_us": sum(each["lat_ns"]["mean"] * each["total_ios"] for each in ways) / done / 1000,
            }
        except (ValueError, KeyError, IndexError, ZeroDivisionError) as error:
            raise OutputError(f"fio: {error!r} in: {text[-300:]!r}") from error


class CachedFio(Fio):
    """fio through the page cache, which the memory limit keeps small. All writes are on the disk at the end."""

    direct = 0

    def more(self, options):
        return "--end_fsync=1" if "write" in options["rw"] else ""


class Ioping(Tool):
    """Sends direct requests of 4 KiB, one at a time, to random places of the file."""

    programs = ("ioping",)
    options = {"seconds": int}
    gives = ("latency_us",)
    reaches_disk = True

    def prepare(self, options, place):
        return lay_out(place)

    def command(self, options, place, amount):
        return f"ioping -B -D -i 0 -w {options['seconds']} data"

    def parse(self, text, options):
        """Parses a line of ioping's raw statistics: requests, their time in ns, requests/s, bytes/s, shortest, mean,
        longest, deviation … (ioping(1), RAW STATISTICS)."""
        words = text.split()
        if len(words) < 8 or not all(word.replace(".", "").isdigit() for word in words):
            raise OutputError(f"ioping: {text[-300:]!r}")
        return {"latency_us": float(words[5]) / 1000}


class Dd(Tool):
    """Writes a file of `mib` MiB, `amount` times."""

    programs = ("dd",)
    options = {"mib": int, "seconds": int}
    gives = ("seconds", "mib")
    reaches_disk = True
    first_amount = 1
    how = ""
    kib = 1024

    def command(self, options, place, amount):
        count = options["mib"] * 1024 // self.kib
        return (f"for ((i = 0; i < {amount}; i++)); do dd if=/dev/zero of=dd bs={self.kib}k count={count} {self.how} "
                "2>&1 || exit 1; done; rm dd")

    def parse(self, text, options):
        """The line "BYTES bytes (…) copied, SECONDS s, …" of each pass."""
        bytes_, seconds = 0, 0.0
        for line in text.splitlines():
            if " copied, " in line:
                bytes_ += int(line.split()[0])
                seconds += number(line, r" copied, ([\d.e+-]+) s, ")
        if bytes_ == 0 or bytes_ % (options["mib"] * MIB):
            raise OutputError(f"dd copied {bytes_} bytes: {text[-300:]!r}")
        return {"seconds": seconds, "mib": bytes_ / MIB / seconds}


class DdFdatasync(Dd):
    """dd with one fdatasync at the end."""

    how = "conv=fdatasync"


class DdDsync(Dd):
    """dd that syncs every block of 64 KiB before the next."""

    how = "oflag=dsync"
    kib = 64


TOOLS = {"fio": Fio(), "cache-fio": CachedFio(), "ioping": Ioping(), "dd-fdatasync": DdFdatasync(), "dd-dsync": DdDsync()}
