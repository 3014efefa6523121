"""Tuning: knobs are abstract settings. Each platform translates them into its own terms and reads them back after the
start.

A profile is an INI file of profiles/. Section and key form the name of a knob: `[cpu] pin = 0-1` is cpu.pin. Profiles
are joined by "+"; a later one overrides an earlier one. Values are normalised when read, and platforms report what is
in effect in the same form, so == compares requested and effective values. `auto` leaves the choice to the platform and
matches every value.
"""

import re
from pathlib import Path
from typing import NamedTuple

from .errors import LabError, Unsupported
from .settings import read_ini

UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
AUTO = "auto"
ONLINE = Path("/sys/devices/system/cpu/online")
HOST_CPUS = ("cpu.pin", "cpu.emulator-pin", "cpu.io-pin")


OF_GUEST = "% of guest"


def cpus(text):
    """Parses "0-1,3" into a sorted list of numbers."""
    found = set()
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        found.update(range(int(low), int(high or low) + 1))
    return sorted(found)


def require_cpus(guest, asked):
    """Checks that this host has the requested CPUs: `guest.cpus` (0: as many as the size has), and the host CPUs that
    knobs name."""
    there = cpus(ONLINE.read_text(encoding="ascii"))
    if not 0 <= guest.cpus <= len(there):
        raise LabError(f"cpus {guest.cpus}: this host has {len(there)}")
    for knob in HOST_CPUS:
        missing = set(cpus(asked[knob]) if asked.get(knob, AUTO) != AUTO else ()) - set(there)
        if missing:
            raise LabError(f"{knob} = {asked[knob]}: this host has the CPUs {cpu_list(there)}")


def cpu_list(numbers):
    """The shortest text for a set of CPUs, as cpuset files print it."""
    parts, numbers = [], sorted(set(numbers))
    for n in numbers:
        if parts and parts[-1][1] == n - 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in parts)


def a_cpuset(text):
    return cpu_list(cpus(text))


def a_size(text):
    """Parses a size such as 512M or 2G into bytes."""
    number, unit = re.fullmatch(r"(\d{1,15})\s*([kKmMgG]?)(?:i?B)?", text.strip()).groups()
    return int(number) * UNITS[unit.lower()]


def a_share(text):
    """Parses 512M into bytes, or 75% of the guest's memory, which of_its_size() turns into bytes."""
    return text.strip() if re.fullmatch(r"[1-9]\d?%", text.strip()) else a_size(text)


def a_bit_rate(text):
    """Parses a rate such as 100M into bit/s."""
    number, unit = re.fullmatch(r"(\d{1,15})\s*([kKmMgG]?)(?:bit)?(?:/s)?", text.strip()).groups()
    return int(number) * DECIMAL[unit.lower()]


def a_quota(text):
    """Parses percent of one CPU (50%, 150%), or "50% of guest", which of_its_size() turns into percent of one CPU."""
    share = re.fullmatch(r"([1-9]\d?|100)\s*%\s*of\s+guest", text.strip())
    return f"{share.group(1)}{OF_GUEST}" if share else int(re.fullmatch(r"(\d{1,6})\s*%?", text.strip()).group(1))


def a_number(text):
    return int(re.fullmatch(r"\d{1,9}", text.strip()).group(0))


def a_switch(text):
    return {"yes": True, "no": False, "on": True, "off": False}[text.strip().lower()]


def one_of(*words):
    def parse(text):
        return {word: word for word in words}[text.strip()]

    parse.__doc__ = "one of " + ", ".join(words)
    return parse


def a_network(text):
    """Parses a network profile, PROFILE or PROFILE:ARGUMENT."""
    return re.fullmatch(r"[a-z0-9-]+(:\S+)?", text.strip()).group(0)


class Knob(NamedTuple):
    parse: object  # text to normalised value; raises ValueError, KeyError or AttributeError
    kind: str  # the form of a value, for messages
    help: str


KNOBS = {
    "cpu.pin": Knob(a_cpuset, "CPU list", "the guest's CPUs run only on these; a VM's n-th CPU runs on the n-th of them"),
    "cpu.emulator-pin": Knob(a_cpuset, "CPU list", "the emulator's own threads run on these"),
    "cpu.io-pin": Knob(a_cpuset, "CPU list", "the disk's I/O thread runs on these"),
    "cpu.shares": Knob(a_number, "number", "weight when CPU time is scarce; 1024 is the default"),
    "cpu.quota": Knob(a_quota, "percent of one CPU, or percent 'of guest'", "upper limit of CPU time"),
    "cpu.online": Knob(a_number, "number", "number of plugged-in CPUs of a virtual machine"),
    "numa.node": Knob(a_number, "number", "the guest uses CPUs and memory of this NUMA node only"),
    "memory.limit": Knob(a_share, "size or percent of the guest's memory", "upper limit of the memory that the host gives"),
    "memory.hugepages": Knob(one_of("static", "transparent", "off"), "static, transparent or off", "kind of huge pages"),
    "memory.ksm": Knob(a_switch, "yes or no", "KSM merges equal pages"),
    "memory.balloon": Knob(a_share, "size or percent of the guest's memory",
                           "memory that the balloon driver leaves to the guest"),
    "disk.bus": Knob(one_of("virtio", "scsi", "ide", "xen"), "virtio, scsi, ide or xen", "how the disk is attached"),
    "disk.cache": Knob(one_of("none", "writeback", "writethrough", "directsync"), "a cache mode", "the host's cache"),
    "disk.io": Knob(one_of("native", "threads"), "native or threads", "how the host does the I/O"),
    "disk.iothread": Knob(a_switch, "yes or no", "a separate I/O thread for the disk"),
    "disk.queues": Knob(a_number, "number", "queues of the disk"),
    "disk.read-bps": Knob(a_size, "bytes/s", "upper limit of reading"),
    "disk.write-bps": Knob(a_size, "bytes/s", "upper limit of writing"),
    "disk.read-iops": Knob(a_number, "operations/s", "upper limit of reading"),
    "disk.write-iops": Knob(a_number, "operations/s", "upper limit of writing"),
    "disk.scheduler": Knob(one_of("none", "mq-deadline", "bfq", "kyber"), "an I/O scheduler",
                           "I/O scheduler of the host's disk that holds the lab; restored when no guest needs it any more"),
    "network.attach": Knob(a_network, "network profile", "how the guest is attached; --network overrides it"),
    "network.nic": Knob(one_of("virtio", "e1000", "xen", "veth"), "virtio, e1000, xen or veth", "model of the NIC"),
    "network.queues": Knob(a_number, "number", "queues of the NIC"),
    "network.vhost": Knob(a_switch, "yes or no", "the host's kernel moves the packets"),
    "network.rate": Knob(a_bit_rate, "bit/s", "upper limit in each direction"),
    "network.priority": Knob(a_number, "number", "priority of the packets that the guest sends (net_prio)"),
    "inside.worker-pin": Knob(a_cpuset, "CPU list", "CPUs of the workers, in the guest's numbering"),
    "inside.broker-schedulers": Knob(a_number, "number", "schedulers of RabbitMQ's virtual machine"),
    "inside.hugepages": Knob(one_of("always", "madvise", "never"), "always, madvise or never",
                             "mode of transparent huge pages inside the guest"),
}


def normalise(knob, text, where):
    """The value of a knob, or AUTO. LabError when the text is invalid."""
    if knob not in KNOBS:
        raise LabError(f"{where}: there is no knob '{knob}'; docs/reference/platforms.md lists them")
    if text.strip() == AUTO:
        return AUTO
    try:
        return KNOBS[knob].parse(text)
    except (ValueError, KeyError, AttributeError):
        raise LabError(f"{where}: {knob} = {text}: it is {KNOBS[knob].kind}") from None


def read_profile(folder, names):
    """Returns {knob: value} of the profiles joined in `names`, such as "pinned+hugepages"."""
    asked = {}
    for name in names.split("+"):
        path = Path(folder) / f"{name}.conf"
        if not re.fullmatch(r"[a-z0-9-]+", name) or not path.exists():
            known = sorted(each.stem for each in Path(folder).glob("*.conf"))
            raise LabError(f"profile '{name}': must be one of {', '.join(known)}, or several joined by '+'")
        for section, values in read_ini(path).items():
            for key, text in values.items():
                asked[f"{section}.{key}"] = normalise(f"{section}.{key}", text, path.name)
    return asked


def read_words(words):
    """Returns {knob: value} of command-line words KNOB=VALUE."""
    asked = {}
    for word in words:
        knob, _, text = word.partition("=")
        asked[knob] = normalise(knob, text, "--set")
    return asked


def of_its_roles(asked, roles, shares_kernel):
    """Drops the knobs that affect only programs of roles that the guest does not have: a profile applies to all guests
    of a topology."""
    needs = {"inside.worker-pin": "worker", "inside.broker-schedulers": "broker"}
    if shares_kernel:
        needs["memory.hugepages"] = "worker"
    return {knob: value for knob, value in asked.items() if needs.get(knob) in (None, *roles)}


def of_its_size(asked, memory_mib, cpus_of_guest):
    """Replaces a percentage of the guest's memory by bytes, and a share of its CPUs by a percentage of one CPU."""

    def resolve(value):
        text = str(value)
        if text.endswith(OF_GUEST):
            return int(text.removesuffix(OF_GUEST)) * cpus_of_guest
        return (memory_mib * int(text[:-1]) // 100) << 20 if text.endswith("%") else value

    return {knob: resolve(value) for knob, value in asked.items()}


def require_known(platform, asked):
    """Checks that the platform supports every knob. Unsupported names the first unknown one."""
    for knob in asked:
        if knob not in platform.knobs:
            reason = platform.refused.get(knob, f"{platform.name} has no such knob")
            raise Unsupported(f"{knob}: {reason}", "choose another profile")


class Row(NamedTuple):
    knob: str
    asked: object
    in_effect: object

    @property
    def agrees(self):
        return self.asked == AUTO or self.asked == self.in_effect


def compare(asked, in_effect):
    """A Row for each requested knob."""
    return [Row(knob, value, in_effect.get(knob)) for knob, value in sorted(asked.items())]


def require_effect(rows, where):
    """Raises LabError when a requested value is not in effect."""
    if wrong := [row for row in rows if not row.agrees]:
        told = "; ".join(f"{row.knob}: asked {row.asked}, in effect {row.in_effect}" for row in wrong)
        raise LabError(f"{where}: the tuning is not in effect: {told}")
