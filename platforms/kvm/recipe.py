"""KVM through libvirt: each guest is a domain of a libvirtd that belongs to the lab.

A guest's folder holds disk.qcow2 (an overlay over the appliance, or a copy), payload.img, domain.xml of the last start,
and console.log. Domains are transient: libvirt knows a guest only while it runs, and each start builds the XML from the
guest's record. Kind "kvm" uses hardware virtualisation. Kind "qemu" emulates the CPU, for hosts without
hardware virtualization.
"""

import contextlib
import time

from until import wait_until

from ..lab import cgroup, command, inside, network, payload, shaping
from ..lab.clean import Undo
from ..lab.errors import LabError, Unsupported
from ..lab.platform import ABSENT, EMULATED_PATIENCE, FROZEN, RUNNING, STOPPED, SshPlatform, Stats, ends
from . import disks, effect, findings, live, migration
from .daemon import Connection, Daemon
from .domain import Files, Machine, memory_mib, text

GROUP = "kvm"  # its group in tools/install
PAGE_MIB = 2
USE_CPUS = "for each in /sys/devices/system/cpu/cpu*/online; do echo 1 >$each; done"
UNBRIDGED = ("macvlan", "passthrough", "sriov")
STATES = {"running": RUNNING, "idle": RUNNING, "paused": FROZEN, "pmsuspended": FROZEN, "in shutdown": RUNNING}


class Recipe(SshPlatform):
    about = "a virtual machine under KVM, with its own kernel"
    kinds = ("kvm", "qemu")
    emulated_kinds = ("qemu",)
    networks = network.PROFILES
    roots = ("overlay", "copy")
    knobs = frozenset(effect.READERS) | inside.KNOBS | {"disk.scheduler"}
    refused = {"network.priority": "net_prio works by process, and a virtual machine's packets may come from the kernel"}

    def __init__(self, lab):
        super().__init__(lab)
        self.daemon = Daemon(lab.directory / "libvirt")
        self.partition = cgroup.Group(f"{lab.prefix}.partition")

    # ---- the host ----

    def check(self):
        return findings.all_of(self.lab)

    def kinds_here(self):
        return self.kinds if findings.hardware(self.lab).ok else self.kinds[1:]

    def facts(self):
        qemu = command.output([command.need("qemu-system-x86_64", GROUP), "--version"]).splitlines()[0]
        libvirt = command.output([command.need("libvirtd", GROUP), "--version"]).split()[-1]
        return {"libvirt": libvirt, "qemu": qemu.removeprefix("QEMU emulator version "),
                "emulated": "kvm" not in self.kinds_here()}

    def patience(self, guest):
        return EMULATED_PATIENCE if guest.kind in self.emulated_kinds else 1

    def host_pages(self, guest):
        if guest.tuning.get("memory.hugepages") != "static":
            return 0
        return -(-memory_mib(self.machine(guest)) // PAGE_MIB)

    def destroy_common(self):
        with self.lab.lock("libvirt"):
            self.daemon.remove()
            self.partition.remove()

    # ---- life of a guest ----

    def provision(self, guest):
        if guest.tuning.get("network.vhost") is True and not findings.vhost().ok:
            raise Unsupported("network.vhost = yes: /dev/vhost-net does not exist", "modprobe vhost_net")
        image = self.lab.image
        guest.own.update(kernel="", initrd="")
        kind = "generic" if self.machine(guest).needs_many_drivers else "cloud"
        guest.own["kernel"], guest.own["initrd"] = map(str, image.kernel(kind))
        self.write(guest)
        disks.create(self.disk(guest), image.disk(kind, guest.appliance), guest.disk_mib, guest.root == "copy")
        self.inject(guest)

    def inject(self, guest):
        payload.write_drive(self.lab, guest, self.folder(guest) / "payload.img")

    def start(self, guest):
        migration.came_home(self, guest)
        network.require(guest.network)
        self.start_daemon()
        path = self.write(guest)
        with Undo() as undo:
            undo.add(self.stop, guest, 0)
            self.daemon.virsh("create", path, "--paused", "--validate")
            self.attach(guest)
            self.limit_memory(guest)
            self.daemon.virsh("resume", self.lab.name(guest))
            undo.keep()

    def attach(self, guest):
        """Puts the tap on its bridge and limits its rate."""
        interface = self.lab.interface(guest)
        if self.bridge(guest):
            self.lab.network.attach(interface, guest)
        if rate := self.machine(guest).knob("network.rate"):
            self.shape(guest, rate)

    def limit_memory(self, guest):
        machine = self.machine(guest)
        if limit := machine.knob("memory.limit"):
            live.change(self.daemon, machine, {"memory.limit": limit})

    def shape(self, guest, rate):
        if network.split(guest.network)[0] in ("passthrough", "sriov"):
            raise Unsupported("network.rate: the host does not see the packets of a PCI device")
        shaping.limit(self.lab.interface(guest), rate)
        shaping.limit_received(self.lab.interface(guest), rate)

    def start_daemon(self):
        with self.lab.lock("libvirt"):
            self.partition.make()
            self.daemon.start()

    def write(self, guest):
        """Writes the guest's domain.xml; returns its path."""
        path = self.folder(guest) / "domain.xml"
        path.write_text(text(self.machine(guest)), encoding="utf-8")
        return path

    def stop(self, guest, seconds):
        if self.there(guest):
            self.end(guest, seconds)
        shaping.release(self.lab.interface(guest))
        migration.came_home(self, guest)

    def end(self, guest, seconds):
        deadline = time.monotonic() + seconds
        if seconds and self.state(guest) == RUNNING:
            self.ask_to_end(guest, seconds)
            wait_until(lambda: not self.there(guest), deadline - time.monotonic(), pause=0.2)
        if self.there(guest):
            self.connection(guest).call(["destroy", self.lab.name(guest)], good=None)
        if not wait_until(lambda: not self.there(guest), 30, pause=0.2):
            raise LabError(f"domain {self.lab.name(guest)} does not end; see {self.daemon.state}/log/libvirtd.log")

    def ask_to_end(self, guest, seconds):
        with contextlib.suppress(LabError):
            command.run(self.exec_argv(guest, ["/sbin/init", "0"]), seconds=seconds, good=None)

    def destroy(self, guest):
        with self.lab.lock("libvirt"):
            if all(each.name == guest.name for each in self.lab.guests(self.name)):
                self.daemon.stop()
                self.partition.remove()

    def state(self, guest):
        if not self.disk(guest).exists():
            return ABSENT
        if not self.connection(guest).alive():
            return STOPPED
        done = self.connection(guest).call(["domstate", self.lab.name(guest)], good=None)
        return STATES.get(done.out.strip(), STOPPED)

    def there(self, guest):
        """Whether libvirt knows the domain, even if it is only starting."""
        connection = self.connection(guest)
        return connection.alive() and connection.call(["domid", self.lab.name(guest)], good=None).status == 0

    # ---- within a guest ----

    def console(self, guest):
        return ends(self.folder(guest) / "console.log")

    # ---- as the host sees it ----

    def stats(self, guest):
        lines = self.connection(guest).virsh("domstats", self.lab.name(guest)).splitlines()
        values = {key.strip(): value for key, equal, value in (line.partition("=") for line in lines) if equal}
        number = {key: int(value) for key, value in values.items() if value.isdigit()}
        disk = [f"block.{i}" for i in range(number.get("block.count", 0))]
        memory, peak = self.memory(guest, number)
        return Stats(
            cpu_seconds=number["cpu.time"] / 1e9 if "cpu.time" in number else None,
            memory_bytes=memory,
            memory_peak_bytes=peak,
            disk_read_bytes=sum(number.get(f"{each}.rd.bytes", 0) for each in disk),
            disk_write_bytes=sum(number.get(f"{each}.wr.bytes", 0) for each in disk),
            network_in_bytes=number.get("net.0.rx.bytes"),
            network_out_bytes=number.get("net.0.tx.bytes"),
            processes=None,
        )

    def memory(self, guest, number):
        """The bytes that QEMU uses now, and its peak. Huge pages count."""
        if guest.own.get("away"):
            return number.get("balloon.rss", 0) * 1024 or None, None
        status = effect.fields_of(self.daemon.pid_of(self.lab.name(guest)))
        huge = status.get("HugetlbPages", 0)
        return status["VmRSS"] + huge, status["VmHWM"] + huge

    def processes(self, guest):
        return [] if guest.own.get("away") else [self.daemon.pid_of(self.lab.name(guest))]

    def tuning_in_effect(self, guest):
        require_home(guest)
        view = effect.View(self.daemon, self.machine(guest))
        return {**effect.in_effect(view, guest.tuning), **inside.effect(self, guest), **self.host_effect(guest)}

    # ---- copies, live changes ----

    def clone(self, guest, source, full):
        guest.own = {key: source.own[key] for key in ("kernel", "initrd")}
        require_home(source)
        disks.clone(self.disk(guest), self.disk(source), full)
        self.inject(guest)
        self.write(guest)

    def snapshot(self, guest, label):
        require_home(guest)
        if self.there(guest):
            disks.snapshot_running(self.daemon, self.lab.name(guest), label)
        else:
            disks.snapshot(self.disk(guest), label)

    def restore(self, guest, label):
        require_home(guest)
        disks.restore(self.disk(guest), label)

    def snapshots(self, guest):
        return disks.snapshots(self.disk(guest))

    def set(self, guest, tuning):
        limits = {knob: value for knob, value in tuning.items() if knob != "network.rate"}
        live.change(self.connection(guest), self.machine(guest), limits)
        if "cpu.online" in tuning:
            argv = self.exec_argv(guest, ["/bin/sh", "-c", USE_CPUS])
            command.run(argv, seconds=60 * self.patience(guest), good=None)
        if "network.rate" in tuning:
            require_home(guest)
            self.shape(guest, tuning["network.rate"])

    def migrate(self, guest, target):
        migration.move(self, guest, target)

    def target_here(self, guest):
        raise Unsupported("a KVM guest migrates to another libvirtd, and no target was given")

    # ---- parts ----

    def folder(self, guest):
        return self.lab.guest_directory(guest)

    def disk(self, guest):
        return self.folder(guest) / "disk.qcow2"

    def bridge(self, guest):
        return "" if network.split(guest.network)[0] in UNBRIDGED else self.lab.network.bridge_for(guest)

    def connection(self, guest):
        """A connection to the libvirtd that runs the guest."""
        return Connection(guest.own["away"]) if guest.own.get("away") else self.daemon

    def machine(self, guest):
        folder = self.folder(guest)
        node = guest.tuning.get("numa.node")
        return Machine(
            guest=guest,
            name=self.lab.name(guest),
            kind=guest.kind,
            files=Files(guest.own["kernel"], guest.own["initrd"], str(self.disk(guest)), str(folder / "payload.img"),
                        str(folder / "console.log")),
            bridge=self.bridge(guest),
            interface=self.lab.interface(guest),
            partition=f"/{self.partition.path}",
            cgroup_version=cgroup.version("cpu"),
            node_cpus="" if node in (None, "auto") else cgroup.node_cpus(node),
        )


def require_home(guest):
    if guest.own.get("away"):
        raise LabError(f"{guest.name} is on {guest.own['away']}; run ir-platform migrate kvm {guest.name} home")
