"""Runs every measuring tool once, for a moment, in a guest on bare metal and in a container. All of them give
figures, and both guests run the same programs. The sample is made as ir-bench makes one. The figures themselves are
not checked."""

import os

import pytest

from ir_bench import ROOT, child, machine
from ir_bench.tools import TOOLS
from platforms.lab import LabError, registry, verbs
from platforms.lab.image import Image
from platforms.lab.state import Lab

IMAGES = ROOT / "out" / "lab" / "images"
CANARY = ROOT / "out" / "release" / "bench" / "bench_canary"
SECONDS = 540
# The options of each tool; for tools with a fixed amount of work, this amount.
MOMENTS = {
    "sysbench-cpu": ({"threads": 2, "seconds": 1}, 0),
    "sysbench-memory": ({"threads": 2, "seconds": 1}, 0),
    "sysbench-primes": ({"threads": 2, "seconds": 1}, 200),
    "sysbench-threads": ({"threads": 4, "seconds": 1}, 50),
    "sysbench-mutex": ({"threads": 4, "seconds": 1}, 2000),
    "openssl-rsa": ({"bits": 2048, "seconds": 2}, 0),
    "mbw": ({"mib": 32, "seconds": 1}, 3),
    "hpcc": ({"n": 200, "repeats": 2}, 0),
    "fio": ({"rw": "randrw", "kib": 4, "depth": 4, "seconds": 1}, 0),
    "cache-fio": ({"rw": "write", "kib": 1024, "depth": 1, "seconds": 1}, 0),
    "ioping": ({"seconds": 1}, 0),
    "dd-fdatasync": ({"mib": 4, "seconds": 1}, 2),
    "dd-dsync": ({"mib": 1, "seconds": 1}, 1),
    "iperf3": ({"way": "bridge", "seconds": 1}, 0),
    "iperf3-reverse": ({"way": "nat", "seconds": 1}, 0),
    "qperf": ({"way": "nat", "seconds": 1}, 0),
    "nginx": ({"requests": 500, "clients": 10}, 0),
    "pgbench": ({"scale": 1, "clients": 2, "seconds": 1}, 0),
    "pyperformance": ({"benchmarks": ["json_dumps"]}, 0),
    "php": ({"seconds": 1}, 1),
}
ANYTHING = machine.Thresholds(1e9, 1e9, 1e9, steal=1, other=1)  # so high that no sample counts as disturbed
SLOW = {"7z"}  # one pass takes several seconds


def why_not(platform):
    """Returns why the tools cannot be tested here, or None. Their appliance must exist, because making it takes
    minutes."""
    images = Image(IMAGES)
    if os.geteuid() != 0:
        return "guests need root"
    if not CANARY.exists():
        return "the release build is missing: make MODE=release build benches"
    try:
        if not (IMAGES / images.root_name("tools")).exists():
            return ("the appliance with the tools is missing: IR_IMAGES=out/lab/images platforms/ir-platform image "
                    "--appliance tools")
        verbs.require_host(registry.load(platform, Lab(IMAGES.parent)))
    except LabError as error:
        return str(error)
    return ""


SCOUTED = {"amounts": {name: amount for name, (_, amount) in MOMENTS.items()}, "flushes": 1.0, "titles": {}}


def sample(folder, platform, scouted, names=tuple(MOMENTS)):
    """Makes one sample; returns the files that it leaves."""
    runs = [{"name": name, "title": name, "tool": name, "options": MOMENTS[name][0]} for name in names]
    pin = {"cpu.pin": "0"}
    request = {
        "kind": "tools", "parameters": {"run": runs, "memory": []}, "size": "tiny",
        "scouted": scouted,
        "subject": {"name": platform, "platform": platform, "profile": "default", "settings": {}, "build": ""},
        "block": 0, "again": False, "seed": 1, "thresholds": vars(ANYTHING), "canary": str(CANARY),
        "tuning": {**pin, "memory.limit": 256 << 20}, "generator": {**pin, "cpu.shares": 1024},
    }
    return child.run(request, folder, SECONDS)


@pytest.fixture(scope="module")
def on_bare(tmp_path_factory):
    if why := why_not("bare"):
        pytest.skip(why)
    return sample(tmp_path_factory.mktemp("bare"), "bare", SCOUTED)


def require_figures(result):
    # On a loaded machine the two clocks may be read too far apart. Any other reason is a fault.
    assert result["status"] in ("ok", "invalid"), result["why"]
    assert all("by the guest's clock" in why for why in filter(None, result["why"].split("; "))), result["why"]
    for name in MOMENTS:
        for what in TOOLS[name].gives:
            assert result["measures"][f"{name}.{what}"] > 0
    assert result["measures"]["durability.flushes"] is not None


def test_every_tool_but_the_slow_is_tried():
    assert set(MOMENTS) | SLOW == set(TOOLS)


def test_bare_metal(on_bare):
    require_figures(on_bare)
    assert all(text.strip() for text in on_bare["notes"].values())


def test_a_container_runs_the_same_programs(on_bare, tmp_path):
    if why := why_not("lxc"):
        pytest.skip(why)
    result = sample(tmp_path, "lxc", SCOUTED)
    require_figures(result)
    versions = {name: text for name, text in result["likeness"].items() if name.startswith("version of")}
    assert versions and versions == {name: text for name, text in on_bare["likeness"].items() if name in versions}


def test_the_first_look_finds_amounts(tmp_path):
    if why := why_not("bare"):
        pytest.skip(why)
    fixed = ("sysbench-primes", "mbw", "dd-dsync")
    result = sample(tmp_path, "bare", {}, fixed)
    assert result["status"] in ("ok", "invalid"), result["why"]
    assert all(result["measures"][f"{name}.amount"] >= 1 for name in fixed)
    assert "durability.flushes" in result["measures"]
