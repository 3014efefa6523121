"""The lab of the platforms: its parts, and the life of a guest on bare metal. `make test-platforms` tests every verb on
every platform."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import harness

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from platforms.lab import (Guest, Lab, LabError, Unsupported, access, cgroup, clean, host, payload, pinning, registry,  # noqa: E402
                           topology, tuning)
from platforms.lab.services import Services  # noqa: E402
from platforms.lab.settings import read_ini  # noqa: E402

PROFILES = sorted(each.stem for each in (ROOT / "platforms" / "profiles").glob("*.conf"))


# ---- tuning ----


@pytest.mark.parametrize("knob, text, value", [
    ("cpu.pin", "3,0-1", "0-1,3"),
    ("cpu.pin", "auto", "auto"),
    ("cpu.quota", "50%", 50), ("cpu.quota", "50 %  of guest", "50% of guest"),
    ("memory.limit", "512M", 512 << 20),
    ("memory.limit", "75%", "75%"),
    ("disk.write-bps", "10k", 10240),
    ("network.rate", "100M", 100_000_000),
    ("memory.ksm", "yes", True),
    ("disk.scheduler", "bfq", "bfq"),
    ("network.attach", "vlan:7", "vlan:7"),
])
def test_knobs_are_normalised(knob, text, value):
    assert tuning.normalise(knob, text, "here") == value


@pytest.mark.parametrize("knob, text", [
    ("cpu.pin", "one"), ("cpu.pin", ""), ("cpu.quota", "-5"), ("cpu.quota", "0% of guest"),
    ("cpu.quota", "101% of guest"), ("cpu.quota", "50% of host"), ("memory.limit", "5 apples"), ("memory.limit", "100%"), ("memory.ksm", "maybe"),
    ("disk.scheduler", "cfq"), ("cpu.speed", "3"), ("network.rate", "9" * 40), ("network.attach", "Bad Name"),
])
def test_a_wrong_knob_is_told_by_name(knob, text):
    with pytest.raises(LabError, match=knob.replace(".", r"\.")):
        tuning.normalise(knob, text, "here")


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_can_be_read(name):
    tuning.read_profile(ROOT / "platforms" / "profiles", name)


def test_profiles_join_and_the_later_wins(tmp_path):
    (tmp_path / "a.conf").write_text("[cpu]\nquota = 50%\npin = 0\n")
    (tmp_path / "b.conf").write_text("[cpu]\nquota = 70%\n")
    assert tuning.read_profile(tmp_path, "a+b") == {"cpu.quota": 70, "cpu.pin": "0"}
    for wrong in ("c", "a+", "../a", ""):
        with pytest.raises(LabError, match="profile"):
            tuning.read_profile(tmp_path, wrong)


def test_what_is_not_in_effect_is_an_error():
    rows = tuning.compare({"cpu.quota": 50, "memory.ksm": "auto"}, {"cpu.quota": 40})
    assert [row.agrees for row in rows] == [False, True]
    with pytest.raises(LabError, match="asked 50, in effect 40"):
        tuning.require_effect(rows, "one")


def test_shares_of_the_guest_become_sizes():
    asked = {"memory.limit": "75%", "memory.balloon": 64 << 20, "cpu.quota": 50, "memory.ksm": True}
    assert tuning.of_its_size(asked, 256, 4) == {**asked, "memory.limit": 192 << 20}
    assert tuning.of_its_size({"cpu.quota": "50% of guest"}, 256, 1) == {"cpu.quota": 50}
    assert tuning.of_its_size({"cpu.quota": "25% of guest"}, 256, 8) == {"cpu.quota": 200}


def test_knobs_of_other_roles_are_left_out():
    asked = {"inside.worker-pin": "0", "inside.broker-schedulers": 1, "memory.hugepages": "static", "cpu.quota": 5}
    assert set(tuning.of_its_roles(asked, {"broker"}, True)) == {"inside.broker-schedulers", "cpu.quota"}
    assert set(tuning.of_its_roles(asked, {"broker"}, False)) == {"inside.broker-schedulers", "cpu.quota", "memory.hugepages"}


@pytest.mark.parametrize("knob, value, device, v1, v2", [
    ("cpu.quota", 50, None, "50000", "50000 100000"),
    ("cpu.shares", 1024, None, "1024", "39"),
    ("cpu.pin", "0-1,3", None, "0-1,3", "0-1,3"),
    ("memory.limit", 512 << 20, None, "536870912", "536870912"),
    ("disk.write-bps", 1000, "254:0", "254:0 1000", "254:0 wbps=1000"),
])
def test_limits_are_read_back_as_they_were_written(knob, value, device, v1, v2):
    limit = cgroup.LIMITS[knob]
    assert limit.v1.write(value, device) == v1
    assert limit.v2.write(value, device) == v2
    shown = {"254:0 wbps=1000": "254:0 rbps=max wbps=1000 riops=max wiops=max"}
    assert limit.v1.read(v1, value, device) == value
    assert limit.v2.read(shown.get(v2, v2), value, device) == value


def test_no_limit_is_none():
    assert cgroup.LIMITS["cpu.quota"].v1.read("-1", None, None) is None
    assert cgroup.LIMITS["cpu.quota"].v2.read("max 100000", None, None) is None
    assert cgroup.LIMITS["memory.limit"].v1.read("9223372036854771712", None, None) is None
    assert cgroup.LIMITS["disk.read-iops"].v2.read("", None, "8:0") is None


def test_processors_of_a_group_and_of_those_below(tmp_path):
    """Podman and LXC make control groups below the guest's. When the guest's processors change, those groups must
    change, too."""
    if os.geteuid() != 0 or cgroup.version("cpuset") != 1:
        pytest.skip("needs root and cpusets of version 1; those of version 2 are inherited")
    group = cgroup.Group(f"ir-test-{tmp_path.parent.name}")
    below = cgroup.Group(f"{group.path}/below")
    last = max(os.sched_getaffinity(0))
    try:
        below.make()
        for cpus in ("0", str(last), f"0-{last}" if last else "0"):
            group.set("cpu.pin", cpus)
            assert [(each.folder("cpuset") / "cpuset.cpus").read_text().strip() for each in (group, below)] == [cpus, cpus]
    finally:
        below.remove()
        group.remove()


def test_cpus_are_given_in_turn():
    assert pinning.next_cpus([0, 1, 2, 3], 2, 3) == [3, 0]
    assert pinning.next_cpus([4, 5], 8, 0) == [4, 5]


# ---- guests ----


@pytest.mark.parametrize("name", ["", "Upper", "a b", "-a", "a/../b", "x" * 40, "ä"])
def test_guest_names_are_bounded(name):
    with pytest.raises(LabError, match="guest name"):
        Guest(name=name, platform="bare").validate()


def test_roles_become_services(tmp_path):
    guest = Guest(name="one", platform="bare", roles=["broker", "worker:2"], address="10.0.0.7")
    assert list(guest.services()) == [("broker", "broker"), ("worker-1", "worker"), ("worker-2", "worker")]
    files = Services(tmp_path, [guest]).files(guest)
    assert "amqp://worker@10.0.0.7:5672" in files["services/worker-2/river.conf"]
    assert "proxy_protocol" not in files["services/broker/rabbitmq.conf"]
    for wrong in ("baker", "worker:0", "worker:x", "worker:100"):
        with pytest.raises(LabError, match="role"):
            Guest(name="one", platform="bare", roles=[wrong]).validate()


def test_guests_know_the_services_of_their_cluster_alone(tmp_path):
    lab = Lab(tmp_path)
    for i, (name, cluster) in enumerate([("a", "pair"), ("b", "pair"), ("c", ""), ("d", "")]):
        lab.save(Guest(name=name, platform="bare", roles=["broker"], cluster=cluster, address=f"10.0.0.{i}"))
    known = {each.name: {other.name for other in lab.services(each).guests} for each in lab.guests()}
    assert known == {"a": {"a", "b"}, "b": {"a", "b"}, "c": {"c"}, "d": {"d"}}
    with pytest.raises(LabError, match="cluster 'No'"):
        Guest(name="one", platform="bare", cluster="No").validate()


def test_a_slow_guests_balancer_is_patient(tmp_path):
    guest = Guest(name="one", platform="bare", roles=["broker", "balancer"], address="10.0.0.7")
    waits = {factor: Services(tmp_path, [guest], patience=factor).files(guest)["services/balancer/haproxy.cfg"]
             for factor in (1, 4)}
    assert "timeout check 3s" in waits[1] and "timeout check 12s" in waits[4]
    assert "timeout check 18s" in lab_of_emulated(tmp_path / "lab")


def lab_of_emulated(folder):
    """Returns the balancer's configuration for an emulated guest."""
    guest = Guest(name="one", platform="kvm", kind="qemu", roles=["balancer"], address="10.0.0.7")
    return Lab(folder).services(guest).files(guest)["services/balancer/haproxy.cfg"]


def test_a_guests_record_comes_back_as_it_was(tmp_path):
    lab = Lab(tmp_path)
    guest = Guest(name="one", platform="bare", tuning={"cpu.quota": 50}, own={"x": [1]})
    lab.save(guest)
    assert Lab(tmp_path).load("one") == guest
    (lab.guest_directory(guest) / "guest.json").write_text("{")
    with pytest.raises(LabError, match="guest.json"):
        lab.load("one")
    with pytest.raises(LabError, match="no guest 'two'"):
        lab.load("two")


def test_addresses_do_not_collide(tmp_path):
    lab = Lab(tmp_path)
    guests = [Guest(name=f"g{i}", platform="bare") for i in range(5)] + [Guest(name="broker-1", platform="bare")]
    for i, each in enumerate(guests):
        lab.network.place(each, guests[:i])
    assert len({each.address for each in guests}) == len({each.mac for each in guests}) == 6
    assert guests[-1].address == "10.213.77.11"


@pytest.mark.parametrize("text", ["", "[network]\n", "[network]\nsubnet = here\nhost = 1\nfirst = 2\n", "nonsense", "\0"])
def test_a_wrong_network_file_is_told_by_name(tmp_path, text):
    (tmp_path / "network.conf").write_text(text)
    with pytest.raises(LabError, match="network.conf"):
        Lab(tmp_path).network


def test_topologies_can_be_read(tmp_path):
    for path in (ROOT / "platforms" / "topologies").glob("*.conf"):
        assert topology.read(path, "bare")
    assert [each.name for each in topology.read(ROOT / "platforms" / "topologies" / "split.conf", "lxc")][:3] == [
        "broker-1", "broker-2", "broker-3"]
    (tmp_path / "t.conf").write_text("[a]\nrole = broker\n")
    with pytest.raises(LabError, match="role"):
        topology.read(tmp_path / "t.conf", "bare")


def test_every_platform_has_its_contract(tmp_path):
    for name in registry.names():
        platform = registry.load(name, Lab(tmp_path))
        assert platform.knobs <= set(tuning.KNOBS), name
        assert set(platform.refused).isdisjoint(platform.knobs), name
        missing = set(tuning.KNOBS) - set(platform.knobs) - set(platform.refused)
        assert not missing, f"{name} neither has nor refuses {missing}"
    with pytest.raises(LabError, match="platform 'moon'"):
        registry.load("moon", Lab(tmp_path))


def test_settings_files_are_bounded(tmp_path):
    path = tmp_path / "big.conf"
    path.write_text("# " + "x" * 100_000)
    with pytest.raises(LabError, match="longer than"):
        read_ini(path)


# ---- cleaning up ----


def test_undo_goes_backwards_and_does_not_stop(capsys):
    done = []
    with pytest.raises(ValueError), clean.Undo() as undo:
        undo.add(done.append, 1)
        undo.add(lambda: 1 / 0)
        undo.add(done.append, 2)
        raise ValueError
    assert done == [2, 1]
    assert "division" in capsys.readouterr().err
    with clean.Undo() as undo:
        undo.add(done.append, 3)
        undo.keep()
    assert done == [2, 1]


def test_a_lock_is_not_waited_for_without_end(tmp_path, monkeypatch):
    from platforms.lab import state

    with state.locked(tmp_path / "lock"), pytest.raises(LabError, match="held by another"):
        with state.locked(tmp_path / "lock", 0.1):
            pass


# ---- files to and from guests ----


def test_pipe_takes_whatever_its_programs_say():
    """The programs print more on standard error than a pipe can hold, before anything else."""
    chatty = ["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x >&2; echo done"]
    access.pipe(chatty, ["sh", "-c", "head -c 300000 /dev/zero >&2; grep -q done"], "a test", 20)
    with pytest.raises(LabError, match="a test: xxxit broke$"):
        access.pipe(["sh", "-c", "printf xxx >&2; exit 3"], ["sh", "-c", "cat; echo; echo it broke >&2"], "a test", 20)
    with pytest.raises(LabError, match="did not end within 0.2 s"):
        access.pipe(["sleep", "30"], ["cat"], "a test", 0.2)
    with pytest.raises(LabError, match="cannot start"):
        access.pipe(["sleep", "30"], ["/nowhere/at/all"], "a test", 20)


def test_the_payloads_version_sees_names_and_modes(tmp_path):
    for name in ("etc/river/services/a/role", "opt/river/bin/ir-worker", "opt/river/share/version"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
    seen = {payload.version(tmp_path)}
    (tmp_path / "etc/river/version").write_text("of before\n")
    assert payload.version(tmp_path) in seen

    def changed(what):
        what()
        seen.add(payload.version(tmp_path))
        return len(seen)

    assert changed(lambda: (tmp_path / "opt/river/bin/ir-worker").rename(tmp_path / "opt/river/bin/ir-store")) == 2
    assert changed(lambda: (tmp_path / "etc/river/services/a").rename(tmp_path / "etc/river/services/b")) == 3
    assert changed(lambda: (tmp_path / "opt/river/bin/ir-store").chmod(0o755)) == 4
    assert changed(lambda: (tmp_path / "opt/river/share/version").write_text("another")) == 5


# ---- the host's huge pages ----


class Pages:
    """Stands for the kernel's setting of huge pages. The kernel can provide at most `most` pages."""

    def __init__(self, directory, own, most):
        self.path = directory / "nr_hugepages"
        self.most = most
        self.write(self.path, own)

    def write(self, path, value):
        if path == self.path:
            self.path.write_text(f"{min(int(value), self.most)}\n")

    def now(self):
        return int(self.path.read_text())


@pytest.fixture
def pages(tmp_path, monkeypatch):
    def make(own, most):
        pages = Pages(tmp_path, own, most)
        monkeypatch.setattr(host, "PAGES", pages.path)
        monkeypatch.setattr(host, "write", pages.write)
        return pages

    return make


def test_huge_pages_come_back_exactly(tmp_path, pages):
    """After a release the host has as many pages as before, whatever the lab requested and received."""
    kernel = pages(own=100, most=256)
    lab = Lab(tmp_path / "lab")
    lab.directory.mkdir()
    host.Journal(lab).reserve(100, "one")
    assert kernel.now() == 200
    with pytest.raises(LabError, match="no 400 huge pages"):
        host.Journal(lab).reserve(200, "two")
    assert kernel.now() == 200
    host.Journal(lab).release("two")
    assert kernel.now() == 200
    host.Journal(lab).reserve(60, "one")
    host.Journal(lab).reserve(50, "three")
    assert kernel.now() == 210
    host.Journal(lab).release("one")
    assert kernel.now() == 150
    host.release_all(lab)
    assert kernel.now() == 100
    assert not host.Journal(lab).path.exists()


def test_huge_pages_of_a_boot_that_failed(tmp_path, pages):
    kernel = pages(own=300, most=310)
    lab = Lab(tmp_path / "lab")
    lab.directory.mkdir()
    with pytest.raises(LabError):
        host.Journal(lab).reserve(300, "one")
    host.release_all(lab)
    assert kernel.now() == 300


def test_huge_pages_of_a_program_that_was_killed(tmp_path, pages, monkeypatch):
    """The program is killed while it requests pages from the kernel. Exactly the pages that it received are given
    back."""
    kernel = pages(own=100, most=120)
    lab = Lab(tmp_path / "lab")
    lab.directory.mkdir()

    def die(path, value):
        kernel.write(path, value)
        raise KeyboardInterrupt

    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(host, "write", die)
        host.Journal(lab).reserve(50, "one")
    assert kernel.now() == 120
    host.release_all(lab)
    assert kernel.now() == 100


# ---- the abilities of a host ----


def test_check_on_a_host_without_anything_names_what_to_do(tmp_path):
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "IR_LAB": str(tmp_path / "lab")}
    argv = [sys.executable, ROOT / "platforms" / "ir-platform", "check", "--json"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == set(registry.names())
    for name, platform in told.items():
        missing = [each for each in platform["findings"] if each["required"] and not each["ok"]]
        assert not platform["able"] and missing, name
        assert any(each["remedy"] for each in missing), name
    one = subprocess.run([*argv[:3], "lxc"], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert one.returncode == 77 and "tools/install lxc" in one.stdout


# Programs for which tools/install looks for a different program of the same Debian package.
SAME_PACKAGE = {"lxc-attach": "lxc-start", "xentop": "xl", "xenstore-write": "xenstore-read", "ssh": "ssh-keygen",
                "unshare": "nsenter", "ip": "tc", "virt-xml-validate": "virsh"}


def test_what_is_missing_is_in_the_group_that_check_names(tmp_path):
    """For every program that a platform looks for, `check` names a group of tools/install, and this group has a row for
    the program."""
    lines = (ROOT / "tools" / "install").read_text().splitlines()
    for path in (ROOT / "platforms").glob("*/host-packages"):
        lines += [f"{path.parent.name} {line}" for line in path.read_text().splitlines()]
    rows = [line.split() for line in lines if len(line.split()) > 3]
    table = {(row[0], name) for row in rows for name in row[1:3]}
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path), "IR_LAB": str(tmp_path / "lab")}
    script = "import shutil, sys; shutil.which = lambda *_: None; from platforms.lab import cli; cli.main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-B", "-c", script, "check", "--json"], env=environment, cwd=ROOT,
                          capture_output=True, text=True, timeout=120, check=True)
    findings = [each for platform in json.loads(done.stdout).values() for each in platform["findings"]]
    programs = {(each["remedy"].split()[-1], each["what"].split()[1]) for each in findings
                if each["what"].startswith("program ")}
    assert ("lxc", "lxc-start") in programs and ("xen", "modprobe") in programs
    assert not {each for each in programs if not table & {each, (each[0], SAME_PACKAGE.get(each[1]))}}


# ---- the life of a guest ----

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="guests need root")


@pytest.fixture
def lab(tmp_path):
    """Runs ir-platform with a separate lab and network namespace, and removes everything afterwards."""
    environment = {**os.environ, "IR_LAB": str(tmp_path / "lab"), "IR_LAB_NETNS": f"irt{os.getpid()}",
                   "IR_BUILD": str(harness.BUILD)}

    def run(*words, good=0):
        argv = [sys.executable, ROOT / "platforms" / "ir-platform", *words]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == good, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(*words):
        argv = [sys.executable, ROOT / "platforms" / "ir-platform", *words]
        return subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    run.start, run.directory = start, tmp_path / "lab"
    yield run
    run("destroy", "--all")


def bare_or_skip(lab):
    done = json.loads(lab("check", "--json"))["bare"]
    if not done["able"]:
        pytest.skip("bare: " + "; ".join(each["what"] for each in done["findings"] if not each["ok"]))


@as_root
def test_a_guest_on_bare_metal(lab):
    bare_or_skip(lab)
    lab("provision", "bare", "one", "--roles", "broker,worker", "--set", "cpu.quota=150%")
    lab("boot", "bare", "one")
    rows = json.loads(lab("facts", "bare", "one"))["tuning"]
    assert rows == [{"knob": "cpu.quota", "asked": 150, "in_effect": 150, "agrees": True}]
    assert "one" in lab("exec", "bare", "one", "sh", "-c", 'cat "$RIVER_ROOT/etc/river/hosts"')
    lab("stop", "bare", "one")
    assert lab("status", "bare", "one").strip() == "stopped"
    lab("destroy", "bare", "one")
    assert not list(Path("/sys/fs/cgroup").rglob(f"{Lab(lab.directory).prefix}*/one"))


@as_root
def test_an_interrupted_guest_leaves_nothing(lab):
    bare_or_skip(lab)
    lab("provision", "bare", "one", "--roles", "broker")
    child = lab.start("boot", "bare", "one")
    try:
        deadline = time.monotonic() + 60
        while lab("status", "bare", "one").strip() != "running" and time.monotonic() < deadline:
            time.sleep(0.1)
        child.terminate()
        assert child.wait(60) in (143, 0)
    finally:
        child.kill()
        child.wait()
    if child.returncode == 143:
        assert lab("status", "bare", "one").strip() == "stopped"


@as_root
def test_what_bare_metal_has_not_is_refused_with_the_reason(lab):
    bare_or_skip(lab)
    for knob in ("memory.balloon=64M", "disk.cache=none", "cpu.emulator-pin=0"):
        lab("provision", "bare", "never", "--set", knob, good=77)
    assert lab("list") == ""
    assert Unsupported.status == 77
