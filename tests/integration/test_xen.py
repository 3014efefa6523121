"""Xen without a hypervisor: the xl configuration of every profile and kind of guest, refusals with their reasons,
parsing of xl's output, and `check` on a host without Xen. `make test-xen` runs whole guests."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from platforms.lab import Guest, Lab, LabError, Unsupported, network, pinning, registry, tuning  # noqa: E402
from platforms.xen import config, disk, host, live, xl  # noqa: E402

PROFILES = sorted(each.stem for each in (ROOT / "platforms" / "profiles").glob("*.conf"))
KINDS = ("pv", "pvh", "hvm")
# Profiles that no Xen guest can have. `e1000-ide` is possible for HVM guests only.
REFUSED = {"hugepages", "hugepages-transparent", "io-throttle", "ksm", "pinned-vm", "virtio", "virtio-scsi"}
DISKS = [("qcow2", "/lab/disk.qcow2", True), ("raw", "/lab/payload.img", False)]


def guest(asked=None, kind="pv", profile="bridge", **sizes):
    return Guest(name="one", platform="xen", kind=kind, tuning=asked or {}, network=profile, mac="02:00:00:00:00:01",
                 **{"cpus": 2, "memory_mib": 1024, **sizes})


def written(made, disks=None):
    """Returns the guest's configuration as {key: text}."""
    config.require_possible(made)
    places = config.Places("ir0000-one", "/lab/vmlinuz", "/lab/initrd", disks or DISKS, "ir0000-br", "ir0000-g64", "/lab/console")
    lines = config.write(made, places).splitlines()
    assert all(re.fullmatch(r'\w+ = (\d+|"[^"]*"|\[ ("[^"]*"(, "[^"]*")*)? \])', line) for line in lines), lines
    return dict(line.split(" = ", 1) for line in lines)


@pytest.fixture
def recipe(tmp_path):
    return registry.load("xen", Lab(tmp_path / "lab"))


# ---- the configuration ----


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_is_written_or_refused_with_the_reason(name, kind, recipe):
    asked = tuning.of_its_size(tuning.read_profile(ROOT / "platforms" / "profiles", name), 1024, 2)
    made = guest(asked, kind, asked.get("network.attach", "bridge"))
    pinning.resolve(made, [], False)
    impossible = name in REFUSED or (name == "e1000-ide" and kind != "hvm") or (name in ("passthrough", "sriov") and kind == "pvh")
    if impossible:
        with pytest.raises(Unsupported):
            tuning.require_known(recipe, made.tuning)
            written(made)
    else:
        tuning.require_known(recipe, made.tuning)
        assert written(made)["type"] == f'"{kind}"'


def test_sizes_kernel_and_disks():
    told = written(guest())
    assert (told["vcpus"], told["memory"], told["maxmem"]) == ("2", "1024", "1024")
    assert told["kernel"] == '"/lab/vmlinuz"' and "console=hvc0" in told["cmdline"]
    assert told["disk"].startswith('[ "format=qcow2,vdev=xvda,access=rw,target=/lab/disk.qcow2", "format=raw,vdev=xvdb,access=ro,')
    assert told["disk"].endswith('hotplug/disk,target=/lab/payload.img" ]')


def test_cpus_one_by_one_or_spread():
    assert written(guest({"cpu.pin": "2-3"}))["cpus"] == '[ "2", "3" ]'
    assert config.affinities([0, 1, 2, 3], 2) == ["0,2", "1,3"]
    assert config.affinities([5], 3) == ["5", "5", "5"]
    assert written(guest({"numa.node": 1}))["cpus"] == '[ "node:1", "node:1" ]'


def test_weights_and_caps():
    told = written(guest({"cpu.shares": 512, "cpu.quota": 150}))
    assert (told["cpu_weight"], told["cap"]) == ("128", "150")
    with pytest.raises(LabError, match="multiple of 4"):
        written(guest({"cpu.shares": 1023}))
    with pytest.raises(LabError, match="200%"):
        written(guest({"cpu.quota": 201}))


def test_memory_limit_and_balloon():
    told = written(guest({"memory.limit": 768 * 2**20}))
    assert (told["memory"], told["maxmem"]) == ("768", "768")
    told = written(guest({"memory.balloon": 512 * 2**20}))
    assert (told["memory"], told["maxmem"]) == ("512", "1024")
    with pytest.raises(LabError, match="at most"):
        written(guest({"memory.balloon": 2048 * 2**20}))
    with pytest.raises(LabError, match="MiB"):
        written(guest({"memory.limit": 1000}))


def test_rate_in_netbacks_unit():
    assert "rate=12500000B/s@50ms" in written(guest({"network.rate": 100_000_000}))["vif"]
    with pytest.raises(LabError, match="multiple of 160"):
        written(guest({"network.rate": 1000}))


def test_emulated_hardware_is_kept_by_the_guest():
    told = written(guest({"disk.bus": "ide", "network.nic": "e1000"}, "hvm", "e1000"))
    assert "vdev=hda,access=rw" in told["disk"] and "vdev=xvde,access=ro" in told["disk"]
    assert "model=e1000" in told["vif"] and "xen_emul_unplug=never" in told["cmdline"]
    assert "xen_emul_unplug=nics" in written(guest({"disk.bus": "ide"}, "hvm"))["cmdline"]
    assert "xen_emul_unplug=ide-disks" in written(guest({}, "hvm", "e1000"))["cmdline"]
    assert "type=vif" in written(guest({}, "hvm"))["vif"]


@pytest.mark.parametrize("profile", ["passthrough:0000:03:00.0", "sriov:0000:03:10.1"])
def test_a_pci_device_is_named(profile):
    told = written(guest({}, "hvm", profile))
    assert told["pci"] == f'[ "{network.split(profile)[1]}" ]' and told["vif"] == "[  ]"


def test_what_a_configuration_cannot_say_is_refused():
    for path in ('/lab/a"b', "/lab/a,b"):
        with pytest.raises(LabError):
            written(guest(), [("raw", path, True)])
    made = guest({"disk.cache": "none"})
    with pytest.raises(Unsupported, match="root copy"):
        written(made)
    made.root = "copy"
    assert written(made)


def test_what_cannot_change_while_it_runs():
    with pytest.raises(Unsupported, match="while a guest runs"):
        live.change(guest(), "ir0000-one", "ir0000-g64", {"numa.node": 0})


# ---- parsing xl's output ----


LIST = """\
Name                                        ID   Mem VCPUs	State	Time(s)
Domain-0                                     0  1024     1     r-----      88.7
ir0000-one                                   4   192     2     --p---      12.3
"""
VCPUS = """\
Name                                ID  VCPU   CPU State   Time(s) Affinity (Hard / Soft)
ir0000-one                           4     0    1   ---      98.0  1 / all
ir0000-one                           4     1    0   r--      53.4  0-1 / all
"""
NODES = """\
nr_nodes               : 2
cpu_topology           :
cpu:    core    socket     node
  0:       0        0        0
  1:       1        0        0
  2:       0        1        1
device topology        :
device           node
No device topology data available
numa_info              :
node:    memsize    memfree    distances
   0:      5120       3028      10
xen_version            : 4.17.7
"""
DMESG = """\
(XEN) Memory location of each domain:
(XEN) Domain 4 (total: 10):
(XEN)     Node 1: 10
(XEN) 'u' pressed -> dumping numa info
(XEN) Memory location of each domain:
(XEN) Domain 0 (total: 262144):
(XEN)     Node 0: 262144
(XEN) Domain 4 (total: 49152):
(XEN)     Node 0: 49152
(XEN)     Node 1: 0
"""
TOP = """\
      NAME  STATE   CPU(sec) CPU(%)     MEM(k) MEM(%)  MAXMEM(k) MAXMEM(%) VCPUS NETS
  Domain-0 -----r         97    0.0    1048576   25.0    1048576      25.0     1    0
ir0000-one ------        149    0.0     229376    5.5     230400       5.5     2    1
"""


def test_what_xl_prints_is_read():
    assert xl.parse_list(LIST)["ir0000-one"] == xl.Domain(4, 192, 2, "p", 12.3)
    assert xl.parse_affinities(VCPUS) == ["1", "0-1"]
    assert xl.parse_node_cpus(NODES) == {0: {0, 1}, 1: {2}}
    assert xl.parse_info(NODES)["xen_version"] == "4.17.7"
    assert xl.parse_memory_nodes(DMESG, 4) == {0: 49152}
    assert xl.parse_schedule("Name ID Weight Cap\nir0000-one   4    512  150\n") == (512, 150)
    assert xl.parse_top(TOP, "ir0000-one")["MAXMEM(k)"] == "230400"
    assert xl.parse_top(TOP, "another") is None
    assert xl.parse_block_stats(": rd_bytes=512 wr_bytes=7 rd_operations=1\n: rd_bytes=1 wr_bytes=0\n") == (513, 7)


# ---- disks and host ----


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed (tools/install xen)")
def test_disks_are_made_cloned_and_kept(tmp_path):
    image = tmp_path / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "8M"], check=True)
    for root, full in (("overlay", False), ("overlay", True), ("copy", True)):
        folders = [tmp_path / f"{root}-{full}-{name}" for name in ("one", "two")]
        for each in folders:
            each.mkdir()
        one, two = (disk.KINDS[root](each, "ir0000-one") for each in folders)
        one.make(str(image), 16)
        assert disk.bytes_of(one.path, one.format) == 16 * 2**20
        two.clone(one, full)
        assert disk.bytes_of(two.path, two.format) == 16 * 2**20
        one.keep(str(folders[0] / "kept"))
        one.put_back(str(folders[0] / "kept"))
        one.remove()
        one.remove()
        assert os.listdir(folders[0]) == ["kept"]


def test_who_waits_for_a_domains_end_is_found_by_its_log(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(xl, "LOGS", str(tmp_path))
    with open(tmp_path / "xl-ir0000-one.log", "wb") as log, subprocess.Popen(["sleep", "60"], stdout=log) as keeper:
        assert xl.keepers("ir0000-one") == [keeper.pid] and xl.keepers("ir0000-on") == []
        recipe.dismiss_keepers("ir0000-one")
        assert keeper.wait(60) == -signal.SIGTERM
    assert xl.keepers("ir0000-one") == []


def test_a_state_that_cannot_be_saved_leaves_no_file(recipe, monkeypatch):
    made = guest()
    recipe.folder(made).mkdir(parents=True)

    def half_saved(_verb, _name, path, **_options):
        Path(path).write_bytes(b"half")
        raise LabError("No space left on device")

    monkeypatch.setattr(xl, "call", half_saved)
    with pytest.raises(LabError, match="No space"):
        recipe.migrate(made, "local")
    assert not list(recipe.folder(made).iterdir())


def test_the_console_shows_the_ends_of_what_is_there(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(xl, "LOGS", str(tmp_path))
    made = guest()
    recipe.folder(made).mkdir(parents=True)
    assert recipe.console(made) == ""
    (tmp_path / f"xl-{recipe.lab.name(made)}.log").write_text("x" * 5000 + "shut down")
    (recipe.folder(made) / "console.log").write_text("booting")
    text = recipe.console(made)
    assert text.startswith("booting\nx") and text.endswith("shut down") and len(text) == len("booting\n") + 4096


def test_a_volume_needs_its_group(tmp_path, monkeypatch):
    monkeypatch.delenv(disk.GROUP, raising=False)
    with pytest.raises(Unsupported, match=disk.GROUP):
        disk.Volume(tmp_path, "ir0000-one").create(2**20)


@pytest.mark.skipif(host.find_dom0().ok, reason="this is a dom0")
def test_check_tells_what_is_missing(recipe):
    found = {each.what: each for each in recipe.check()}
    assert not found["Xen dom0"].ok and "GRUB" in found["Xen dom0"].remedy
    assert all(each.ok or each.reason and each.remedy for each in found.values())
    done = subprocess.run([ROOT / "platforms" / "ir-platform", "check", "xen"], capture_output=True, text=True, check=False)
    assert done.returncode == 77 and "boot the host under Xen" in done.stdout


def test_every_knob_is_either_known_or_refused_with_a_reason(recipe):
    assert set(tuning.KNOBS) == set(recipe.knobs) | set(recipe.refused)
    assert not set(recipe.knobs) & set(recipe.refused)
