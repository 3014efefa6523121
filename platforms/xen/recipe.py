"""Xen: guests driven by xl in dom0.

Kinds: `pv` needs no hardware virtualisation; `pvh` is the lean kind that uses it; `hvm` has a complete emulated machine
beside Xen's own devices. Guests boot the appliance's kernel directly. The guest's folder holds the disk (unless it is a
volume), the payload's drive, references to kernel and initrd, xl.cfg and, for HVM guests, the console.
"""

import contextlib
import os
import signal
import time
from pathlib import Path

from until import wait_until

from ..lab import inside, network, payload, shaping
from ..lab.clean import Undo
from ..lab.errors import LabError
from ..lab.platform import ABSENT, EMULATED_PATIENCE, FROZEN, RUNNING, STOPPED, SshPlatform, Stats, ends
from ..lab.platform import interfaces_bytes
from . import config, disk, effect, host, live, migration, xl

KIB = 1024
CREATE_SECONDS = 300
GONE_SECONDS = 60
PLAIN_KERNEL = "generic"
UNBRIDGED = ("passthrough", "sriov")
IN_KERNEL = "packets and blocks move in dom0's kernel"


class Recipe(SshPlatform):
    about = "a virtual machine under Xen, with its own kernel"
    kinds = ("pv", "pvh", "hvm")
    networks = ("bridge", "e1000", "private", "host-bridge", "vlan", "passthrough", "sriov")
    roots = ("overlay", "copy", "volume")
    knobs = frozenset((
        "cpu.pin", "cpu.shares", "cpu.quota", "numa.node", "memory.limit", "memory.balloon", "disk.bus", "disk.cache",
        "disk.scheduler", "network.attach", "network.nic", "network.rate", *inside.KNOBS,
    ))
    refused = {
        "cpu.online": "a guest has the CPUs of its size; `xl vcpu-set` takes some away by hand",
        "cpu.emulator-pin": "the device model is a process of dom0, which has its own CPUs (dom0_vcpus_pin)",
        "cpu.io-pin": "blocks are served by dom0, which has its own CPUs (dom0_vcpus_pin)",
        "memory.hugepages": "the hypervisor always uses large pages for PVH and HVM guests, and never for PV guests",
        "memory.ksm": "this edition of the hypervisor does not share equal pages between guests",
        "disk.io": "blocks are served by blkback in dom0's kernel or by qemu's own I/O thread",
        "disk.iothread": "every disk already has its own thread in dom0",
        "disk.queues": "dom0 has one setting for all guests: modprobe xen-blkback max_queues=N",
        "disk.read-bps": "Xen's block back ends have no limits",
        "disk.write-bps": "Xen's block back ends have no limits",
        "disk.read-iops": "Xen's block back ends have no limits",
        "disk.write-iops": "Xen's block back ends have no limits",
        "network.queues": "dom0 has one setting for all guests: modprobe xen-netback max_queues=N",
        "network.vhost": f"{IN_KERNEL} already",
        "network.priority": f"{IN_KERNEL}, and not in a process that could have a priority",
    }

    # ---- the host ----

    def check(self):
        return host.findings(self.lab.netns)

    def kinds_here(self):
        return self.kinds if host.find_hvm().ok else self.kinds[:1]

    def facts(self):
        return host.facts()

    def require_network(self, text):
        profile, argument = network.split(text)
        if profile in UNBRIDGED:
            host.require_assignable(argument, profile == "sriov")
        else:
            super().require_network(text)

    def free_memory(self):
        """The free memory, from the hypervisor: dom0's own kernel does not see it."""
        return int(xl.info()["free_memory"]) << 20

    def patience(self, guest):
        return EMULATED_PATIENCE if host.emulated() else 1

    # ---- life of a guest ----

    def provision(self, guest):
        config.require_possible(guest)
        image = self.lab.image
        guest.own["kernel"], guest.own["initrd"] = map(str, image.kernel(PLAIN_KERNEL))
        self.disk(guest).make(str(image.disk(PLAIN_KERNEL, guest.appliance)), guest.disk_mib)
        self.inject(guest)
        self.write_config(guest)

    def inject(self, guest):
        payload.write_drive(self.lab, guest, self.payload_path(guest))

    def start(self, guest):
        path = self.write_config(guest)
        with Undo() as undo:
            undo.add(self.stop, guest, 0)
            xl.call("create", path, seconds=CREATE_SECONDS)
            self.after_start(guest)
            undo.keep()

    def after_start(self, guest):
        """Applies what xl's configuration cannot express."""
        if self.bridged(guest):
            self.lab.network.attach(self.lab.interface(guest), guest)
            if rate := config.knob(guest, "network.rate"):
                shaping.limit(self.lab.interface(guest), rate)
        if config.knob(guest, "disk.cache") == "none":
            live.bypass_cache(xl.domain(self.lab.name(guest)).number, config.bus(guest))

    def stop(self, guest, seconds):
        name = self.lab.name(guest)
        deadline = time.monotonic() + seconds
        if seconds and self.state(guest) == RUNNING:
            xl.call("shutdown", "-F", name, good=None)
            wait_until(lambda: xl.domain(name) is None, deadline - time.monotonic(), pause=0.2)
        self.dismiss_keepers(name)
        if xl.domain(name):
            xl.call("destroy", name, seconds=GONE_SECONDS, good=None)
        if not wait_until(lambda: self.gone(guest), GONE_SECONDS, pause=0.2):
            raise LabError(f"domain {name} does not end; see xl list and {xl.LOGS}/xl-{name}.log")
        for path in (self.disk(guest).path, self.payload_path(guest)):
            if os.path.isfile(path):
                disk.detach(path)

    @staticmethod
    def dismiss_keepers(name):
        """Ends the xl processes that watch the guest: they would start it again."""
        for number in xl.keepers(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(number, signal.SIGTERM)

    def gone(self, guest):
        """Whether neither the domain nor its interface exists."""
        interface = f"/sys/class/net/{self.lab.interface(guest)}"
        return xl.domain(self.lab.name(guest)) is None and not os.path.exists(interface)

    def destroy(self, guest):
        self.stop(guest, 0)
        self.disk(guest).remove()
        for path in self.logs(guest):
            path.unlink(missing_ok=True)

    def state(self, guest):
        there = xl.domain(self.lab.name(guest))
        if there is None or "s" in there.flags:
            return STOPPED if self.config_path(guest).exists() else ABSENT
        return FROZEN if "p" in there.flags else RUNNING

    # ---- within a guest ----

    def console(self, guest):
        """The console: of HVM guests their own file, of others what xenconsoled keeps when started with --log=guest.
        Also what xl reports about the domain's end."""
        kept = [path for path in self.logs(guest) if path.name.startswith(("guest-", "xl-")) and path.suffix == ".log"]
        return ends(self.folder(guest) / "console.log", *sorted(kept))

    # ---- as the host sees it ----

    def stats(self, guest):
        name = self.lab.name(guest)
        told = xl.top(name)
        if told is None:
            raise LabError(f"xentop does not know {name}")
        sent, received = interfaces_bytes(self.lab.interface(guest)) if self.bridged(guest) else (None, None)
        read, written = self.disk_bytes(guest, told)
        return Stats(
            cpu_seconds=xl.domain(name).cpu_seconds,
            memory_bytes=int(told["MEM(k)"]) * KIB,
            memory_peak_bytes=int(told["MAXMEM(k)"]) * KIB,
            disk_read_bytes=read,
            disk_write_bytes=written,
            network_in_bytes=received,
            network_out_bytes=sent,
            processes=None,
        )

    def disk_bytes(self, guest, told):
        """Returns (read, written) in bytes. They come from qemu for a disk that qemu serves, otherwise from xentop."""
        if self.disk(guest).format == "qcow2":
            return xl.block_stats(self.lab.name(guest))
        return tuple(int(told[column]) * xl.SECTOR_BYTES for column in ("VBD_RSECT", "VBD_WSECT"))

    def tuning_in_effect(self, guest):
        told = effect.in_effect(guest, self.lab.name(guest), self.lab.interface(guest))
        return {**told, **inside.effect(self, guest), **self.host_effect(guest)}

    # ---- copies ----

    def clone(self, guest, source, full):
        guest.own.update(kernel=source.own["kernel"], initrd=source.own["initrd"])
        self.disk(guest).clone(self.disk(source), full)
        self.inject(guest)
        self.write_config(guest)

    def snapshot(self, guest, label):
        folder = self.folder(guest) / "snapshots"
        folder.mkdir(exist_ok=True)
        with live.held_still(self.lab.name(guest), self.state(guest) == RUNNING):
            self.disk(guest).keep(str(folder / label))

    def restore(self, guest, label):
        self.disk(guest).put_back(str(self.folder(guest) / "snapshots" / label))

    def snapshots(self, guest):
        found = (self.folder(guest) / "snapshots").glob("*")
        return [each.name for each in sorted(found, key=lambda each: (each.stat().st_mtime_ns, each.name))]

    # ---- live changes ----

    def set(self, guest, tuning_asked):
        live.change(guest, self.lab.name(guest), self.lab.interface(guest), tuning_asked)

    def migrate(self, guest, target):
        migration.move(self, guest, target)

    def target_here(self, guest):
        return migration.HERE

    # ---- parts ----

    def folder(self, guest):
        return self.lab.guest_directory(guest)

    def config_path(self, guest):
        return self.folder(guest) / "xl.cfg"

    def payload_path(self, guest):
        return self.folder(guest) / "payload.img"

    def disk(self, guest):
        return disk.of(guest, self.folder(guest), self.lab.name(guest))

    def logs(self, guest):
        """Returns what xl, qemu and xenconsoled logged about the guest, including older files."""
        return Path(xl.LOGS).glob(f"**/*-{self.lab.name(guest)}.log*")

    def bridged(self, guest):
        return network.split(guest.network)[0] not in UNBRIDGED

    def write_config(self, guest):
        """Writes xl.cfg from the guest's record; returns its path."""
        places = config.Places(
            name=self.lab.name(guest),
            kernel=guest.own["kernel"],
            ramdisk=guest.own["initrd"],
            disks=[(*self.disk(guest).spec(), True), ("raw", str(self.payload_path(guest)), False)],
            bridge=self.lab.network.bridge_for(guest) if self.bridged(guest) else "",
            interface=self.lab.interface(guest),
            console=str(self.folder(guest) / "console.log"),
        )
        path = self.config_path(guest)
        path.write_text(config.write(guest, places), encoding="utf-8")
        return path
