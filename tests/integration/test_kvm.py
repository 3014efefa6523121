"""KVM without a guest. The domain of every profile is valid by libvirt's schema and contains what was requested. The
private libvirtd starts and ends. Values are read and translated correctly. `make test-platforms` runs whole guests."""

import mmap
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from platforms.kvm import daemon, domain, effect, live, migration, proof  # noqa: E402
from platforms.lab import Guest, LabError, Unsupported, command, finding, network, pinning, tuning  # noqa: E402

PROFILES = sorted(each.stem for each in (ROOT / "platforms" / "profiles").glob("*.conf"))
JOINED = ["pinned+hugepages", "virtio+pinned-vm+numa+hugepages+shares", "virtio-scsi+ksm+balloon+io-throttle+quota-half-cpu",
          "e1000-ide+memory-limit"]
FILES = domain.Files("/lab/vmlinuz", "/lab/initrd", "/lab/disk.qcow2", "/lab/payload.img", "/lab/console.log")
SCHEMA = shutil.which("virt-xml-validate") and Path("/usr/share/libvirt/schemas/domain.rng").exists()


def machine(asked=None, kind="qemu", network_profile="bridge", **sizes):
    sizes = {"cpus": 2, "memory_mib": 1024, **sizes}
    guest = Guest(name="one", platform="kvm", kind=kind, tuning=asked or {}, network=network_profile,
                  mac="02:00:00:00:00:01", **sizes)
    bridge = "" if network.split(network_profile)[0] in ("macvlan", "passthrough", "sriov") else "ir0000-br"
    return domain.Machine(guest, "ir0000-one", kind, FILES, bridge, "ir0000-g64", "/ir0000.partition")


def of_profile(names, kind="qemu"):
    """Returns the profile as provisioning reads it."""
    asked = tuning.of_its_size(tuning.read_profile(ROOT / "platforms" / "profiles", names), 1024, 2)
    made = machine(asked, kind, asked.get("network.attach", "bridge"))
    pinning.resolve(made.guest, [], False)
    return made


def xml(made):
    return ET.fromstring(domain.text(made))


# ---- the domain's XML ----


@pytest.mark.parametrize("kind", ["kvm", "qemu"])
@pytest.mark.parametrize("names", PROFILES + JOINED)
def test_every_profile_is_valid_for_libvirt(names, kind, tmp_path):
    if not SCHEMA:
        pytest.skip("virt-xml-validate and libvirt's schemas are not installed (tools/install kvm)")
    path = tmp_path / "domain.xml"
    path.write_text(domain.text(of_profile(names, kind)))
    done = subprocess.run(["virt-xml-validate", path, "domain"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("profile", ["bridge", "e1000", "private", "host-bridge:br9", "vlan:7", "macvlan:eth1",
                                     "passthrough:0000:03:00.0", "sriov:0000:03:10.1"])
def test_every_network_profile_is_valid_for_libvirt(profile, tmp_path):
    if not SCHEMA:
        pytest.skip("virt-xml-validate and libvirt's schemas are not installed (tools/install kvm)")
    path = tmp_path / "domain.xml"
    path.write_text(domain.text(machine(network_profile=profile)))
    assert subprocess.run(["virt-xml-validate", path, "domain"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("names, path, attribute, value", [
    ("virtio", "devices/disk/driver", "cache", "none"),
    ("virtio", "devices/disk/driver", "io", "native"),
    ("virtio", "devices/disk/driver", "iothread", "1"),
    ("virtio", "devices/disk/driver", "queues", "2"),
    ("virtio", "devices/interface/driver", "queues", "2"),
    ("virtio-scsi", "devices/controller[@type='scsi']/driver", "iothread", "1"),
    ("virtio-scsi", "devices/disk/target", "bus", "scsi"),
    ("e1000-ide", "devices/disk/target", "bus", "ide"),
    ("e1000-ide", "devices/interface/model", "type", "e1000"),
    ("e1000-ide", "os/type", "machine", "pc"),
    ("pinned", "cputune/vcpupin[@vcpu='0']", "cpuset", None),
    ("pinned-vm", "cputune/emulatorpin", "cpuset", None),
    ("pinned-vm", "cputune/iothreadpin", "cpuset", None),
    ("numa", "numatune/memory", "nodeset", "0"),
    ("passthrough", "devices/hostdev", "managed", "yes"),
    ("sriov", "devices/interface[@type='hostdev']/source/address", "bus", "0x00"),
])
def test_a_profile_becomes_libvirts_words(names, path, attribute, value):
    element = xml(of_profile(names)).find(path)
    assert element is not None
    assert element.get(attribute) is not None if value is None else element.get(attribute) == value


@pytest.mark.parametrize("asked, path, text", [
    ({"memory.hugepages": "static"}, "memoryBacking/hugepages", None),
    ({"memory.ksm": False}, "memoryBacking/nosharepages", None),
    ({"memory.balloon": 512 << 20}, "currentMemory", str(512 << 10)),
    ({"cpu.quota": 150}, "cputune/global_quota", "150000"),
    ({"cpu.shares": 512}, "cputune/shares", "512"),
    ({"memory.limit": 900 << 20}, "memory", str(900 - domain.OVERHEAD_MIB)),
    ({"memory.limit": 4 << 30}, "memory", "1024"),
    ({"disk.read-bps": 5 << 20}, "devices/disk/iotune/read_bytes_sec", str(5 << 20)),
    ({"disk.write-iops": 70}, "devices/disk/iotune/write_iops_sec", "70"),
])
def test_a_knob_becomes_an_element(asked, path, text):
    element = xml(machine(asked)).find(path)
    assert element is not None and element.text == text


def test_weights_are_those_of_the_hosts_cgroup_version():
    second = machine({"cpu.shares": 1024})._replace(cgroup_version=2)
    assert xml(second).findtext("cputune/shares") == "39"


@pytest.mark.parametrize("asked", [
    {"memory.limit": 100 << 20},
    {"memory.balloon": 8 << 30},
    {"cpu.io-pin": "0"},
    {"cpu.online": 3},
    {"disk.bus": "ide", "disk.queues": 4},
    {"disk.bus": "ide", "disk.iothread": True},
    {"disk.io": "native", "disk.cache": "writeback"},
    {"network.nic": "e1000", "network.queues": 2},
])
def test_what_does_not_fit_together_is_told(asked):
    with pytest.raises(LabError):
        domain.text(machine(asked))


@pytest.mark.parametrize("asked", [{"disk.bus": "xen"}, {"network.nic": "veth"}])
def test_other_platforms_devices_are_not_supported(asked):
    with pytest.raises(Unsupported):
        domain.text(machine(asked))


@pytest.mark.parametrize("cpus, n_vcpus, each", [
    ("0-1", 2, ["0", "1"]), ("0-3", 2, ["0,2", "1,3"]), ("2", 2, ["2", "2"]), ("0-1", 4, ["0", "1", "0", "1"]),
    ("0-1", 1, ["0-1"]),
])
def test_vcpus_share_out_the_cpus(cpus, n_vcpus, each):
    assert domain.pins(cpus, n_vcpus) == each


def test_text_that_is_markup_stays_text():
    odd = machine()._replace(files=FILES._replace(disk="/lab/<&\"'>.qcow2"))
    assert xml(odd).find("devices/disk/source").get("file") == "/lab/<&\"'>.qcow2"


# ---- live changes ----


class Recorder:
    def __init__(self):
        self.words = []

    def call(self, words, good=(0,)):
        assert good is None
        self.words.append(tuple(words))
        return command.Done(0, "", "")


@pytest.mark.parametrize("asked, first", [
    ({"cpu.quota": 50}, ("schedinfo", "ir0000-one", "global_period=100000", "global_quota=50000", "--live")),
    ({"cpu.online": 1}, ("setvcpus", "ir0000-one", "1", "--live")),
    ({"cpu.pin": "0-1"}, ("vcpupin", "ir0000-one", "0", "0", "--live")),
    ({"memory.limit": 2 << 30}, ("memtune", "ir0000-one", "--hard-limit", str(2 << 20), "--live")),
    ({"memory.balloon": 512 << 20}, ("setmem", "ir0000-one", str(512 << 10), "--live")),
    ({"disk.read-iops": 9}, ("blkdeviotune", "ir0000-one", "vda", "--read-iops-sec", "9", "--live")),
])
def test_limits_change_by_virsh(asked, first):
    recorder = Recorder()
    live.change(recorder, machine(), asked)
    assert recorder.words[0] == first


def test_a_limit_of_the_disk_leaves_the_others():
    recorder = Recorder()
    live.change(recorder, machine({"disk.write-iops": 5}), {"disk.read-iops": 9})
    assert recorder.words == [("blkdeviotune", "ir0000-one", "vda", "--read-iops-sec", "9", "--write-iops-sec", "5",
                               "--live")]


def test_nothing_is_changed_when_one_of_them_cannot():
    recorder = Recorder()
    with pytest.raises(Unsupported):
        live.change(recorder, machine(), {"cpu.quota": 50, "disk.bus": "scsi"})
    with pytest.raises(LabError):
        live.change(recorder, machine(), {"cpu.quota": 50, "memory.limit": 100 << 20})
    assert not recorder.words


@pytest.mark.parametrize("uri, local", [
    ("qemu:///system", True), ("qemu+unix:///system?socket=/a", True), ("qemu+ssh://root@host/system", False),
])
def test_where_a_libvirtd_is(uri, local):
    assert migration.is_local(uri) == local


# ---- reading back ----


def test_own_memory_is_found_in_smaps():
    """The guest's memory is found even if the process has a larger mapping that is only reserved, like those made for
    threads."""
    with mmap.mmap(-1, 1 << 30), mmap.mmap(-1, 2 << 30, prot=0):
        found = effect.guest_memory(os.getpid())
    assert "rd" in found["VmFlags"] and found["KernelPageSize"].endswith("kB")
    assert int(found["Size"].split()[0]) >= 1 << 20


def test_the_archive_of_the_proof_is_one():
    if shutil.which("cpio") is None:
        pytest.skip("cpio is not installed")
    done = subprocess.run(["cpio", "-t", "--quiet"], input=proof.initrd(), capture_output=True, check=True)
    assert done.stdout.split() == [b"dev", b"dev/console", b"init"]


def test_the_program_of_the_proof_speaks(tmp_path):
    """The proof's program prints its line. Then it would power the machine off; an unprivileged user may not do that,
    so it runs until the test kills it."""
    if os.geteuid() == 0 or sys.platform != "linux" or os.uname().machine != "x86_64":
        pytest.skip("not as root, and only on x86-64")
    path = tmp_path / "init"
    path.write_bytes(proof.elf(proof.program()))
    path.chmod(0o755)
    with subprocess.Popen([path], stdout=subprocess.PIPE) as child:
        assert child.stdout.read(len(proof.SAYS)) == proof.SAYS
        child.kill()


# ---- the private libvirtd ----


@pytest.fixture
def own_daemon(tmp_path):
    if os.geteuid() != 0 or not all(map(shutil.which, ("libvirtd", "virtlogd", "virsh", "unshare"))):
        pytest.skip("needs root and libvirt (tools/install kvm)")
    if not finding.mounted_root().ok:
        pytest.skip("needs a root that is a mount point")
    made = daemon.Daemon(tmp_path / ("a path longer than a socket's address may be, " * 3) / "libvirt")
    yield made
    made.remove()


def test_a_libvirtd_of_its_own_comes_back_and_leaves_nothing(own_daemon):
    own_daemon.start()
    first = own_daemon.processes()
    assert {daemon.name_of(each) for each in first} == {"libvirtd", "virtlogd"}
    own_daemon.start()
    assert own_daemon.processes() == first
    assert own_daemon.virsh("list", "--all", "--name") == ""
    own_daemon.stop()
    assert not own_daemon.processes() and not own_daemon.alive()
    own_daemon.start()
    assert own_daemon.alive()
    own_daemon.remove()
    assert not own_daemon.state.exists()
    assert str(own_daemon.state) not in Path("/proc/mounts").read_text()


def test_a_libvirtd_whose_folder_was_removed_is_still_found(own_daemon):
    own_daemon.start()
    shutil.rmtree(own_daemon.state, ignore_errors=True)
    assert len(own_daemon.processes()) == 2
    own_daemon.stop()
    assert not own_daemon.processes()


def test_a_path_that_no_setting_can_have_is_told(tmp_path):
    with pytest.raises(LabError, match="IR_LAB"):
        daemon.Daemon(tmp_path / 'a "quoted" folder').start()


# ---- access to guests on separate networks ----


def test_a_guest_is_reached_where_the_host_is_not(tmp_path):
    """A network namespace stands for the guest. The answer "connection refused" proves that the guest was reached."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and ip")
    name = f"irtest{os.getpid()}"
    script = """
import subprocess, sys
from platforms.lab import Guest, Lab, command, netns, way
lab, there = Lab(sys.argv[1], sys.argv[2]), sys.argv[2] + "g"
netns.enter(lab, True)
guest = Guest(name="one", platform="kvm", network="private")
lab.network.place(guest, [])
lab.network.up()
try:
    command.run(["ip", "netns", "add", there])
    command.run(["ip", "link", "add", lab.interface(guest), "type", "veth", "peer", "name", "eth0", "netns", there])
    lab.network.attach(lab.interface(guest), guest)
    command.run([*netns.words_in(there), "ip", "address", "add", f"{guest.address}/24", "dev", "eth0"])
    command.run([*netns.words_in(there), "ip", "link", "set", "eth0", "up"])
    knock = ["timeout", "5", "bash", "-c", f": <>/dev/tcp/{guest.address}/22"]
    print(command.run([*way.words(lab, guest), *knock], good=None).err)
finally:
    way.delete(there)
    lab.network.down()
    netns.remove(lab)
"""
    done = subprocess.run([sys.executable, "-B", "-c", script, tmp_path / "lab", name], cwd=ROOT, capture_output=True,
                          text=True, timeout=60, check=True)
    assert "refused" in done.stdout
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
    assert name not in left
