"""Runs in a dom0: calls every verb of the Xen platform for each kind, and checks the hypervisor's state with xl.

    xen_verbs.py KINDS TURNS SECONDS ROLES

Prints a line and the time of each step, and at the end "N passed, N failed, N skipped". Everything runs in one process,
because starting Python takes seconds under emulation. ir-platform itself is run only where its exit matters.
"""

import argparse
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(PROJECT))
sys.dont_write_bytecode = True
os.environ.update(IR_LAB="/var/lib/ir-test", IR_IMAGES="/srv/supply/images", LC_ALL="C.UTF-8")

from platforms.lab import Guest, Lab, LabError, cli, services, tuning, verbs  # noqa: E402
from platforms.xen import xl  # noqa: E402

MIB = 2**20
STARTS = 5  # of a guest, while the emulated processor fails
TUNED = {"pv": ["cpu.pin=1", "cpu.shares=512", "memory.balloon=448M", "network.rate=80M"],
         "pvh": ["cpu.pin=0", "cpu.quota=90", "memory.limit=512M", "disk.cache=none", "numa.node=0"],
         "hvm": ["cpu.pin=1", "network.nic=xen"]}
ROOTS = {"pv": "overlay", "pvh": "copy", "hvm": "overlay"}


class Skip(Exception):
    """The step cannot be done; the text says why."""


class Count:
    """Steps, reported one by one. After a failure the steps that depend on it are skipped."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds
        self.passed = self.failed = self.skipped = 0
        self.broken = ""

    def group(self, title):
        self.broken = ""
        print(f"== {title}", flush=True)

    def step(self, title, function, *words, always=False):
        begin = time.monotonic()
        try:
            if not always and self.broken:
                raise Skip(f"after '{self.broken}'")
            if not always and begin > self.end:
                raise Skip("the time is over")
            told = function(*words)
            self.passed += 1
            self.tell("ok", title, begin, told)
        except Skip as reason:
            self.skipped += 1
            self.tell("skipped", title, begin, reason)
        except Exception:  # noqa: BLE001 - after any error the next guest must be tried, and everything removed
            self.failed += 1
            self.broken = title
            self.tell("FAILED", title, begin, traceback.format_exc())

    @staticmethod
    def tell(word, title, begin, more):
        print(f"{word:8}{title:52}{time.monotonic() - begin:8.1f} s  {'' if more is None else more}", flush=True)


def ir(*words, good=0):
    """ir-platform's main function; what it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        status = cli.main([str(word) for word in words])
    assert status == good, f"{words}: exit status {status}: {out.getvalue()}"
    return out.getvalue()


def refused(*words):
    """Asserts that such a guest is refused, with the reason and exit status 77."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        ir("provision", "xen", "never", *words, good=77)
    assert said.getvalue().strip(), words
    assert not lab().guests()


def lab():
    return Lab()


def guest(name):
    return lab().load(name)


def domain_name(name):
    return lab().name(guest(name))


def inside(name, text, good=(0,)):
    return verbs.execute(lab(), name, ["/bin/sh", "-c", text], seconds=300, good=good)


def said(*argv):
    """Standard output of a program of dom0."""
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def agree(name):
    """Asserts that every requested knob is in effect; returns a text about them."""
    rows = verbs.facts(lab(), "xen", name)["tuning"]
    assert all(row["agrees"] for row in rows), rows
    return ", ".join(f"{row['knob']} {row['in_effect']}" for row in rows)


# ---- the host ----


def host_can():
    assert ir("check", "xen").startswith("xen: yes")
    told = verbs.facts(lab(), "xen")
    assert told["emulated"] is True and told["scheduler"] == "credit2", told
    return f"{told['hypervisor']}, {', '.join(told['kinds'])}, dom0 {told['dom0_kernel']}"


def impossible_is_refused():
    refused("--network", "passthrough:0000:ff:1f.7")
    refused("--set", "memory.hugepages=static")
    refused("--kind", "pv", "--set", "disk.bus=ide")


def configuration_is_taken():
    """xl reads the configuration without starting anything."""
    told = subprocess.run(["xl", "-N", "create", verbs.platform_of(lab(), guest("one")).config_path(guest("one"))],
                          capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode == 0, told.stderr
    assert verbs.status(lab(), "one") == "stopped"


# ---- a guest ----


def provision(name, kind, roles, root, knobs, profile="default"):
    asked = Guest(name=name, platform="xen", kind=kind, roles=roles, cpus=1, memory_mib=640 if roles else 512,
                  disk_mib=1024, profile=profile, root=root, tuning=tuning.read_words(knobs))
    verbs.provision(lab(), asked)
    assert verbs.status(lab(), name) == "stopped"


def triple_faults():
    return said("xl", "dmesg").count("Triple fault")


def started(verb, name, start=1):
    """Seconds and a remark about boot or reboot. In the first second a PVH kernel reads ports in a loop; there the
    emulated processor sometimes causes a triple fault, which the hypervisor logs. Then the guest is booted again."""
    before = triple_faults()
    try:
        return verb(lab(), name), f" at start {start}, after triple faults" if start > 1 else ""
    except LabError:
        if start == STARTS or triple_faults() == before:
            raise
    assert verbs.status(lab(), name) == "stopped" and not xl.keepers(domain_name(name))
    return started(verbs.boot, name, start + 1)


def boot(name):
    seconds, remark = started(verbs.boot, name)
    assert verbs.status(lab(), name) == "running"
    assert verbs.boot(lab(), name) == seconds
    return f"ready after {seconds:.0f} s{remark}; {agree(name)}"


def hypervisor_agrees(kind):
    """Checks the values by other means than the platform's own readers."""
    name = domain_name("one")
    there = xl.domain(name)
    pinned = {"pv": "1", "pvh": "0", "hvm": "1"}[kind]
    vcpus = xl.said("vcpu-list", name).splitlines()[1:]
    assert len(vcpus) == 1 and vcpus[0].split()[6] == pinned, vcpus
    config = xl.config(name)
    assert config["c_info"]["type"] == kind
    if kind == "pv":
        assert config["b_info"]["sched_params"]["weight"] == 128 and there.memory_mib == 448
        assert config["nics"][0]["rate_bytes_per_interval"] == 500_000
    if kind == "pvh":
        assert config["b_info"]["sched_params"]["cap"] == 90
        path = lab().guest_directory(guest("one")) / "disk.raw"
        direct = said("losetup", "--noheadings", "--output", "DIO", "--associated", path)
        assert direct.strip() == "1", direct
    told = "cat /sys/hypervisor/type /sys/hypervisor/guest_type; grep -c ^processor /proc/cpuinfo"
    return inside("one", told).out.split()


def execution():
    told = verbs.execute(lab(), "one", ["printf", "%s|", "two words", "$HOME", '"'], seconds=120)
    assert told.out == 'two words|$HOME|"|', told
    assert inside("one", "exit 3", good=None).status == 3
    assert verbs.execute(lab(), "one", ["cat"], seconds=120, text="through").out == "through"


def observations_pass():
    """The first messages of the real data, sent from dom0 as motes would, are in the guest's store."""
    address = guest("one").address
    words = services.definitions.read_passwords(lab().directory / "passwords")
    release = PROJECT / "out" / "release"
    out = lab().directory / "load"
    env = {**os.environ, "LD_LIBRARY_PATH": str(PROJECT / "out" / "libraries"),
           "IR_AMQP": f"amqp://loadgen:{words['loadgen']}@{address}", "IR_TARGET": f"amqp://mote:{words['mote']}@{address}"}
    subprocess.run([release / "ir-loadgen", f"--replay={PROJECT}/loadgen/usgs_river_observations.csv.gz", f"--out={out}",
                    "--messages=100", "--drain-timeout=300s"], env=env, capture_output=True, timeout=900, check=True)
    sent = json.loads((out / "summary.json").read_text())["observations_sent"]
    told = inside("one", "cd /var/lib/river/worker && /opt/river/bin/ir-store status --json "
                         "--settings=/etc/river/services/worker/river.conf").out
    assert json.loads(told)["documents"]["observations"] == sent > 0, told
    return f"{sent} observations"


def files_go_and_come():
    place = Path("/tmp/pushed")
    place.mkdir(exist_ok=True)
    content = os.urandom(200_000)
    (place / "bytes").write_bytes(content)
    verbs.push(lab(), "one", place, Path("/var/lib/river/there"))
    verbs.pull(lab(), "one", Path("/var/lib/river/there/pushed"), Path("/tmp/pulled"))
    assert Path("/tmp/pulled/pushed/bytes").read_bytes() == content


def figures():
    told = verbs.stats(lab(), "one")
    assert told.cpu_seconds > 0 and told.memory_bytes > 100 * MIB, told
    assert told.disk_read_bytes > 4 * MIB and told.disk_write_bytes > 0, told
    assert told.network_in_bytes > 0 and told.network_out_bytes > 0, told
    return told


def listed():
    assert "one" in ir("list") and ir("status", "xen", "one").strip() == "running"


def limits_change(kind):
    asked = {"cpu.shares": 300, "cpu.quota": 95}
    if kind == "pv":
        asked |= {"memory.balloon": 416 * MIB, "network.rate": 160_000_000, "cpu.pin": "0"}
    verbs.set_limits(lab(), "one", asked)
    assert xl.schedule(domain_name("one")) == (75, 95)
    return agree("one")


def reboot():
    inside("one", "echo kept >/var/lib/river/kept && sync")
    seconds, remark = started(verbs.reboot, "one")
    assert inside("one", "cat /var/lib/river/kept").out == "kept\n"
    return f"ready after {seconds:.0f} s{remark}; {agree('one')}"


def snapshot_of_running():
    verbs.snapshot(lab(), "one", "before")
    inside("one", "echo changed >/var/lib/river/kept && sync")


def moved():
    """The guest is saved and restored, and continues without a reboot."""
    before = inside("one", "cat /proc/sys/kernel/random/boot_id").out
    verbs.migrate(lab(), "one", "local")
    assert verbs.status(lab(), "one") == "running"
    assert inside("one", "cat /proc/sys/kernel/random/boot_id").out == before
    return agree("one")


def stopped():
    verbs.stop(lab(), "one", 120)
    verbs.stop(lab(), "one", 120)
    assert verbs.status(lab(), "one") == "stopped" and xl.domain(domain_name("one")) is None


def restored():
    verbs.restore(lab(), "one", "before")
    told = boot("one")
    assert inside("one", "cat /var/lib/river/kept").out == "kept\n"
    verbs.stop(lab(), "one", 0)
    return told


def cloned():
    verbs.clone(lab(), "one", "two", full=False)
    verbs.clone(lab(), "one", "three", full=True)
    told = boot("two")
    assert inside("two", ". /etc/river/guest.conf; echo $NAME; cat /var/lib/river/kept").out == "two\nkept\n"
    try:
        verbs.destroy(lab(), "one")
        raise AssertionError("a guest below its clone was destroyed")
    except LabError as error:
        assert "two" in str(error)
    for name in ("two", "three"):
        verbs.destroy(lab(), name)
    return told


def interrupted():
    """`boot` is ended by a signal while the guest starts: the guest is stopped again."""
    child = subprocess.Popen([sys.executable, PROJECT / "platforms" / "ir-platform", "boot", "xen", "one"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 300
        while verbs.status(lab(), "one") != "running" and time.monotonic() < deadline and child.poll() is None:
            time.sleep(1)
        child.send_signal(signal.SIGTERM)
        status = child.wait(300)
    finally:
        child.kill()
        child.wait()
    assert status == 128 + signal.SIGTERM, status
    assert verbs.status(lab(), "one") == "stopped"


def destroyed():
    for each in ("one", "one"):
        verbs.destroy(lab(), each)
    ir("destroy", "--all")


def nothing_left():
    """Lists leftover domains, loop devices, interfaces, processes, logs, xenstore entries and files."""
    prefix = lab().prefix
    processes = said("ps", "-eo", "args").splitlines()
    left = [*(set(xl.parse_list(xl.said("list"))) - {"Domain-0"}),
            *said("losetup", "--list", "--noheadings").splitlines(),
            *[each for each in os.listdir("/sys/class/net") if each.startswith(prefix)],
            *[each for each in processes if re.match(r"/usr/lib/xen-[\d.]+/bin/xl|/usr/libexec/xen-qemu", each)],
            *map(str, Path("/var/log/xen").rglob(f"*{prefix}*")),
            *map(str, lab().directory.glob("guests/*"))]
    assert not left, left


def life(count, kind, roles, first):
    """One guest from provisioning to the end; the first turn does everything."""
    count.step("provision", provision, "one", kind, roles, ROOTS[kind], TUNED[kind])
    count.step("provision again changes nothing", provision, "one", kind, roles, ROOTS[kind], TUNED[kind])
    count.step("xl takes the configuration", configuration_is_taken)
    count.step("boot, tuning in effect", boot, "one")
    count.step("the hypervisor says the same", hypervisor_agrees, kind)
    count.step("exec", execution)
    count.step("push, pull", files_go_and_come)
    if {"broker", "worker"} <= set(roles):
        count.step("observations go through", observations_pass)
    count.step("list, status", listed)
    count.step("stats", figures)
    count.step("set", limits_change, kind)
    count.step("reboot", reboot)
    if first:
        count.step("snapshot while it runs", snapshot_of_running)
        count.step("migrate: saved and restored", moved)
    count.step("stop, and again", stopped)
    if first:
        count.step("restore, boot", restored)
        if kind == "pv":
            count.step("clone, copy-on-write and full", cloned)
            count.step("boot ended by a signal", interrupted)
    count.step("destroy", destroyed, always=True)
    count.step("nothing is left", nothing_left, always=True)


def main(kinds, turns, seconds, roles):
    count = Count(float(seconds))
    count.group("this dom0")
    count.step("check, facts", host_can)
    count.step("what cannot be is refused", impossible_is_refused)
    for turn in range(int(turns)):
        for kind in kinds.split(","):
            count.group(f"{kind}, turn {turn + 1} of {turns}")
            life(count, kind, [each for each in roles.split(",") if each], turn == 0)
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped", flush=True)
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("kinds", "turns", "seconds", "roles"):
        parser.add_argument(name, metavar=name.upper())
    sys.exit(main(**vars(parser.parse_args())))
