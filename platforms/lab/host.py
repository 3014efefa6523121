"""Host-wide settings that a guest's tuning needs: huge pages, KSM, the disk's I/O scheduler. They are restored when the
last guest that needs them stops. The lab's host.json records them:

    {"set": {PATH: {"before": TEXT, "want": TEXT, "guests": [NAME]}}, "pages": {NAME: NUMBER},
     "asking": {"guest": NAME, "before": NUMBER}}

`pages` holds the huge pages that the kernel granted for each guest, which are often fewer than requested; the host may
have others of its own. `asking` is present only during a request to the kernel.
"""

import json
import os
import re
from pathlib import Path

import atomic

from . import registry
from .errors import LabError, Unsupported

THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")
KSM = Path("/sys/kernel/mm/ksm/run")
PAGES = Path("/proc/sys/vm/nr_hugepages")
COMPACT = Path("/proc/sys/vm/compact_memory")


def current(path):
    """The value of a setting. Of a choice such as "always [madvise] never" it is the word in brackets."""
    try:
        text = Path(path).read_text(encoding="ascii").strip()
    except OSError as error:
        raise Unsupported(f"{path}: {error.strerror}", "this kernel has no such setting") from error
    chosen = re.search(r"\[(\S+)\]", text)
    return chosen.group(1) if chosen else text


def write(path, text):
    try:
        Path(path).write_text(f"{text}\n", encoding="ascii")
    except OSError as error:
        raise LabError(f"{path}: cannot write {text}: {error.strerror}") from error


def available_memory():
    """The bytes that programs can still allocate, by the kernel's estimate."""
    found = re.search(r"^MemAvailable:\s*(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.M)
    return int(found.group(1)) << 10


def disk_of(directory):
    """The whole disk (a folder of /sys/block) that holds a directory. Unsupported when there is none."""
    number = os.stat(directory).st_dev
    link = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not link.exists():
        raise Unsupported(f"{directory} is not on a block device", "put the lab (IR_LAB) on a disk")
    place = link.resolve()
    return place.parent if (place / "partition").exists() else place


def device_of(directory):
    """The disk's "MAJOR:MINOR"."""
    return (disk_of(directory) / "dev").read_text(encoding="ascii").strip()


class Journal:
    def __init__(self, lab):
        self.path = lab.directory / "host.json"
        self.values = {"set": {}, "pages": {}}
        if self.path.exists():
            self.values = json.loads(self.path.read_text(encoding="utf-8"))

    def save(self):
        if not any(self.values.values()):
            self.path.unlink(missing_ok=True)
            return
        atomic.write(self.path, json.dumps(self.values, indent=2) + "\n", atomic.PUBLIC, lasting=False)

    def set(self, path, text, name):
        entry = self.values["set"].setdefault(str(path), {"before": current(path), "want": text, "guests": []})
        if entry["want"] != text:
            raise LabError(f"{path}: {name} needs {text}, but {', '.join(entry['guests'])} {entry['want']}; it is one "
                           "setting for the whole host")
        if name not in entry["guests"]:
            entry["guests"].append(name)
        self.save()
        write(path, text)

    def reserve(self, pages, name):
        """Reserves huge pages for a guest: all of them or none."""
        self.settle()
        before = int(current(PAGES))
        total = before + pages - self.values["pages"].get(name, 0)
        self.values["asking"] = {"guest": name, "before": before}
        self.save()
        write(PAGES, total)
        if int(current(PAGES)) < total:
            write(COMPACT, "1")
            write(PAGES, total)
        given = int(current(PAGES))
        if given < total:
            write(PAGES, before)
        self.settle()
        if given < total:
            raise LabError(f"{PAGES}: the host has no {total} huge pages in one piece; free memory, or reserve them at "
                           "boot (hugepages=)")

    def settle(self):
        """Records what the kernel granted for the last request, which may come from a program that was killed
        meanwhile."""
        if asking := self.values.pop("asking", None):
            name = asking["guest"]
            pages = self.values["pages"].get(name, 0) + int(current(PAGES)) - asking["before"]
            self.values["pages"][name] = max(0, pages)
            if self.values["pages"][name] == 0:
                del self.values["pages"][name]
            self.save()

    def release(self, name):
        self.settle()
        for path, entry in list(self.values["set"].items()):
            if name in entry["guests"]:
                entry["guests"].remove(name)
            if not entry["guests"]:
                write(path, entry["before"])
                del self.values["set"][path]
        if pages := self.values["pages"].pop(name, 0):
            write(PAGES, max(0, int(current(PAGES)) - pages))
        self.save()


def apply(lab, guest):
    """Applies the host settings that the guest needs."""
    platform = registry.load(guest.platform, lab)
    with lab.lock("host"):
        journal = Journal(lab)
        for path, text in platform.host_settings(guest).items():
            journal.set(path, text, guest.name)
        if pages := platform.host_pages(guest):
            journal.reserve(pages, guest.name)


def release(lab, guest):
    """Undoes the host settings made for this guest, except those that another guest still needs."""
    with lab.lock("host"):
        Journal(lab).release(guest.name)


def release_all(lab):
    with lab.lock("host"):
        journal = Journal(lab)
        journal.settle()
        names = {name for entry in journal.values["set"].values() for name in entry["guests"]}
        for name in names | set(journal.values["pages"]):
            journal.release(name)
