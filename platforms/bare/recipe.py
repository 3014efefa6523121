"""Bare metal. A guest consists of a folder used as its root, a supervisor (runit's runsvdir) with the same services as
on other platforms, its own cgroups, and its own address on the lab's bridge.

There is no isolation: the processes see the host's files and network. Nothing is virtualised, so the other platforms
are compared with this one. If a guest uses a variant of the appliance (Guest.appliance), it sees the appliance's files
instead of the host's. It then runs exactly the programs and libraries that guests of other platforms run.
"""

import os
import signal
import subprocess

from until import wait_until

from ..lab import command, finding, processes, rooted
from ..lab.cgroup import LIMITS, Group, hierarchies, node_cpus
from ..lab.clean import remove_tree
from ..lab.errors import Unsupported
from ..lab.host import device_of
from ..lab.payload import assignments, server_variables, write_tree
from ..lab.platform import ABSENT, RUNNING, STOPPED, Platform, Stats, ends

CONTROLLERS = ("cpu", "cpuset", "memory", "blkio")
# The servers that each role needs, with their groups in tools/install. A guest needs only the servers of its roles.
SERVERS = (("rabbitmq-server", "run"), ("haproxy", "run"), ("java", "fuseki"))
NO_MACHINE = "bare metal has no virtual machine"
EPMD = "/usr/bin/epmd"


class Recipe(Platform):
    about = "processes of the host itself, without virtualization, in a control group with the limits of a guest"
    shares_kernel = True
    no_machine = "on bare metal a guest is a folder and its services; no machine is made or started"
    networks = ("bridge",)
    roots = ("overlay", "copy")  # both are a plain folder here
    knobs = frozenset([*LIMITS, "memory.hugepages", "memory.ksm", "disk.scheduler", "inside.worker-pin",
                       "inside.broker-schedulers", "inside.hugepages", "network.attach"])
    refused = {
        "cpu.emulator-pin": NO_MACHINE,
        "cpu.online": NO_MACHINE,
        "cpu.io-pin": NO_MACHINE,
        "memory.balloon": NO_MACHINE,
        "network.nic": "processes use the host's own network",
        **{f"network.{knob}": "all bare guests share the host's interfaces"
           for knob in ("rate", "queues", "vhost", "priority")},
        **{knob: "processes use the host's own disk" for knob in ("disk.bus", "disk.cache", "disk.io", "disk.iothread",
                                                                    "disk.queues")},
    }

    # ---- the host ----

    def check(self):
        programs = [finding.program(each, "platforms") for each in ("runsvdir", "ip", "ssh-keygen")]
        programs += [finding.program(name, group, required=False) for name, group in SERVERS]
        return [finding.root_user(), *programs, *(finding.controller(each, each == "cpu") for each in CONTROLLERS)]

    def release(self):
        return ""  # guests run the host's programs

    def facts(self):
        return {"emulated": False, "kernel": os.uname().release, "cgroup_version": 1 if "cpu" in hierarchies() else 2}

    def host_settings(self, guest):
        return {**super().host_settings(guest), **processes.host_settings(guest)}

    def host_pages(self, guest):
        return processes.host_pages(guest)

    # ---- life of a guest ----

    def root(self, guest):
        return self.lab.guest_directory(guest) / "root"

    def inside(self, guest):
        """The guest's folder under the name that its processes use (RIVER_ROOT)."""
        return "" if guest.appliance else str(self.root(guest))

    def group(self, guest):
        return Group(f"{self.lab.prefix}-bare/{guest.name}")

    def provision(self, guest):
        rooted.make_folders(self.root(guest))
        if guest.appliance:
            guest.own["files"] = str(self.lab.image.root(variant=guest.appliance))
        self.inject(guest)

    def inject(self, guest):
        write_tree(self.lab, guest, self.root(guest))
        if guest.appliance:
            return
        with open(self.root(guest) / "etc" / "river" / "guest.conf", "a", encoding="utf-8") as file:
            file.write(assignments(server_variables()))

    def start(self, guest):
        remove_tree(self.root(guest) / "run")
        (self.root(guest) / "run").mkdir()
        command.run(["ip", "address", "replace", f"{guest.address}/32", "dev", self.lab.network.bridge])
        group = self.group(guest)
        group.make()
        self.limit(guest, guest.tuning)
        self.start_mapper()
        log = self.lab.guest_directory(guest) / "console"
        with open(log, "ab") as out:
            argv = self.exec_argv(guest, [f"{self.inside(guest)}/opt/river/supervise"])
            ready = processes.share_equal_pages if guest.tuning.get("memory.ksm") else None
            child = command.start(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=ready)
        guest.own["supervisor"] = child.pid

    def start_mapper(self):
        """Starts Erlang's port mapper. It binds the host's loopback, so all brokers on the host share one."""
        group = Group(f"{self.lab.prefix}-bare/epmd")
        if os.access(EPMD, os.X_OK) and not group.processes():
            group.make()
            command.run([*group.enter_argv(), EPMD, "-daemon"])

    def limit(self, guest, asked):
        """Writes those limits of the tuning that cgroups can enforce."""
        group = self.group(guest)
        if "numa.node" in asked and "cpu.pin" not in guest.tuning:
            group.set("cpu.pin", node_cpus(asked["numa.node"]))
        for knob, value in asked.items():
            if knob in LIMITS:
                group.set(knob, value, self.device(knob))

    def device(self, knob):
        return device_of(self.lab.directory) if knob.startswith("disk.") else None

    def stop(self, guest, seconds):
        group = self.group(guest)
        if seconds and (supervisor := guest.own.get("supervisor")) in group.processes():
            # HUP makes runsvdir end every service and itself.
            os.kill(supervisor, signal.SIGHUP)
            wait_until(lambda: not group.processes(), seconds)
        for _ in range(50):
            if not group.processes():
                break
            group.signal(signal.SIGKILL)
            wait_until(lambda: not group.processes(), 0.2)
        if group.exists():
            group.remove()
        command.run(["ip", "address", "delete", f"{guest.address}/32", "dev", self.lab.network.bridge], good=None)

    def destroy(self, guest):
        remove_tree(self.root(guest))

    def destroy_common(self):
        for name in (f"{self.lab.prefix}-bare/epmd", f"{self.lab.prefix}-bare"):
            group = Group(name)
            if group.exists():
                group.signal(signal.SIGKILL)
                group.remove()

    def state(self, guest):
        if not self.root(guest).exists():
            return ABSENT
        return RUNNING if self.group(guest).processes() else STOPPED

    # ---- within a guest ----

    def exec_argv(self, guest, argv):
        if guest.appliance:
            return [*self.group(guest).enter_argv(), *rooted.argv(guest.own["files"], self.root(guest), argv)]
        environment = ["/usr/bin/env", "-C", str(self.root(guest)), f"RIVER_ROOT={self.inside(guest)}"]
        return [*self.group(guest).enter_argv(), *environment, *argv]

    def console(self, guest):
        return ends(self.lab.guest_directory(guest) / "console", most=2000)

    # ---- as the host sees it ----

    def stats(self, guest):
        return Stats(**self.group(guest).stats(), network_in_bytes=None, network_out_bytes=None)

    def processes(self, guest):
        return self.group(guest).processes()

    def tuning_in_effect(self, guest):
        group = self.group(guest)
        inside = processes.Inside(group.processes())
        told = {knob: group.get(knob, guest.tuning.get(knob), self.device(knob)) for knob in guest.tuning if knob in LIMITS}
        return {**told, **inside.effect(guest), **self.host_effect(guest)}

    def set(self, guest, tuning):
        for knob in tuning:
            if knob not in LIMITS:
                raise Unsupported(f"{knob} cannot change while processes run", "provision the guest anew")
        self.limit(guest, tuning)

    # ---- copies ----

    def clone(self, guest, source, full):
        if not full:
            raise Unsupported("bare metal has no copy-on-write", "clone --full")
        command.run(["cp", "-a", "--reflink=auto", self.root(source), self.root(guest)], seconds=600)
        if guest.appliance:
            guest.own["files"] = source.own["files"]
        self.inject(guest)
