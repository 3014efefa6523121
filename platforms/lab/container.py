"""Properties common to the containers of all platforms: they share the host's kernel, a control group sets their
limits, and their eth0 is an interface in their own network namespace."""

from . import processes, shaping
from .cgroup import LIMITS, Group, node_cpus
from .host import device_of
from .platform import Platform, Stats, interfaces_bytes

NO_MACHINE = "a container has no emulator"
KERNEL_DISK = "a container has no disk of its own; it writes to the host's filesystem"


class Container(Platform):
    shares_kernel = True
    knobs = frozenset([*LIMITS, "memory.hugepages", "memory.ksm", "disk.scheduler", "network.attach", "network.rate",
                       "inside.worker-pin", "inside.broker-schedulers", "inside.hugepages"])
    refused = {
        "cpu.emulator-pin": NO_MACHINE,
        "cpu.online": "a container has no virtual CPUs; cpu.pin and cpu.quota limit what it may use",
        "cpu.io-pin": NO_MACHINE,
        "memory.balloon": "a container has no separate memory; memory.limit limits what it may use",
        "network.nic": "a container has one end of a veth pair, not a network card",
        "network.queues": "a veth pair has no queues to set",
        "network.vhost": NO_MACHINE,
        **{knob: KERNEL_DISK for knob in ("disk.bus", "disk.cache", "disk.io", "disk.iothread", "disk.queues")},
    }

    def init(self, guest):
        """REQUIRED. The host's id of the container's process 1; None when it does not run."""
        raise NotImplementedError

    def group(self, guest):
        return Group(f"{self.lab.prefix}-{self.name}/{guest.name}")

    def destroy_common(self):
        group = Group(f"{self.lab.prefix}-{self.name}")
        if group.exists():
            group.remove()

    # ---- the host ----

    def host_settings(self, guest):
        return {**super().host_settings(guest), **processes.host_settings(guest)}

    def host_pages(self, guest):
        return processes.host_pages(guest)

    # ---- as the host sees it ----

    def stats(self, guest):
        out, into = interfaces_bytes(self.lab.interface(guest))
        return Stats(**self.group(guest).stats(), network_in_bytes=into, network_out_bytes=out)

    def processes(self, guest):
        return self.group(guest).processes()

    def tuning_in_effect(self, guest):
        group = self.group(guest)
        told = {knob: group.get(knob, guest.tuning.get(knob), self.device(knob)) for knob in guest.tuning if knob in LIMITS}
        if "network.rate" in guest.tuning:
            told["network.rate"] = self.shaped(guest)
        if "network.attach" in guest.tuning:
            told["network.attach"] = guest.network
        inside = processes.Inside(group.processes())
        return {**told, **inside.effect(guest), **self.host_effect(guest)}

    def device(self, knob):
        return device_of(self.lab.directory) if knob.startswith("disk.") else None

    # ---- the rate of its network ----

    def shape(self, guest, rate):
        """Limits the rate. The host's end of the veth pair limits traffic to the container. The container's end limits
        traffic from it."""
        shaping.limit(self.lab.interface(guest), rate)
        shaping.limit("eth0", rate, self.init(guest))

    def shaped(self, guest):
        rates = {shaping.limited(self.lab.interface(guest)), shaping.limited("eth0", self.init(guest))}
        return rates.pop() if len(rates) == 1 else None


def wanted_limits(guest):
    """Returns {knob: value} for the cgroups, from the tuning. Where the tuning says nothing, a container gets the CPUs
    and memory of its size."""
    wanted = {knob: value for knob, value in guest.tuning.items() if knob in LIMITS}
    if "numa.node" in wanted and "cpu.pin" not in wanted:
        wanted["cpu.pin"] = node_cpus(wanted["numa.node"])
    wanted.setdefault("memory.limit", guest.memory_mib << 20)
    if "cpu.pin" not in wanted:
        wanted.setdefault("cpu.quota", guest.cpus * 100)
    return wanted
