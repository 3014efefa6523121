"""The parsers of the outputs of measuring tools, tested with real outputs (tests/data/tools) and with damaged ones."""

from pathlib import Path

import pytest

from ir_bench import experiment, kinds
from ir_bench.tools import TOOLS, durability
from ir_bench.tools.base import MEASURES, OutputError, Place

DATA = Path(__file__).resolve().parents[1] / "data" / "tools"
PLACE = Place("/var/lib/river/tools", 2, 512, {"bridge": "10.213.77.2", "nat": "198.18.0.2"})
MIB = 1 << 20
FIO = {"rw": "randrw", "kib": 4, "depth": 16, "seconds": 2}
IPERF = {"way": "bridge", "seconds": 3}
DD = {"mib": 64, "seconds": 12}
PYTHON = {"benchmarks": ["nbody", "json_dumps"]}

# The tool, its options, the file with its output, and the values expected from it.
OUTPUTS = [
    ("sysbench-cpu", {"threads": 2, "seconds": 2}, "sysbench-cpu.txt", {"events": 1128.76}),
    ("sysbench-memory", {"threads": 1, "seconds": 1}, "sysbench-memory.txt", {"mib": 492.81}),
    ("sysbench-primes", {"threads": 2, "seconds": 12}, "sysbench-primes.txt", {"seconds": 1.9093}),
    ("sysbench-threads", {"threads": 64, "seconds": 12}, "sysbench-threads.txt", {"seconds": 1.6099}),
    ("sysbench-mutex", {"threads": 64, "seconds": 12}, "sysbench-mutex.txt", {"seconds": 1.4684}),
    ("openssl-rsa", {"bits": 2048, "seconds": 2}, "openssl-rsa.txt", {"signs": 1177.67507, "verifies": 20688.118812}),
    ("7z", {"seconds": 12}, "7z.txt", {"mips": 1426}),
    ("mbw", {"mib": 100, "seconds": 12}, "mbw.txt", {"mib": 2847.989}),
    ("hpcc", {"n": 1000, "repeats": 1}, "hpcc.txt", {"gflops": 0.3495, "mib": 2 * 29.6988e9 / MIB}),
    ("fio", FIO, "fio.json", {"mib": (117093197 + 117396149) / MIB, "iops": 28587.206397 + 28661.169415,
                              "latency_us": (57203 * 225.179369701 + 57351 * 331.833428205) / (57203 + 57351)}),
    ("cache-fio", {**FIO, "rw": "read"}, "cache-fio.json", {"mib": 184888775 / MIB, "iops": 176.323676,
                                                            "latency_us": 5664.921747875}),
    ("ioping", {"seconds": 2}, "ioping.txt", {"latency_us": 138.285}),
    ("dd-fdatasync", DD, "dd.txt", {"seconds": 0.0794095 + 0.184571, "mib": 128 / (0.0794095 + 0.184571)}),
    ("iperf3", IPERF, "iperf3.json", {"mbit": 4753.021306644}),
    ("iperf3-reverse", IPERF, "iperf3-reverse.json", {"mbit": 6150.911960832}),
    ("qperf", IPERF, "qperf.txt", {"latency_us": 13.5106}),
    ("nginx", {"requests": 20000, "clients": 100}, "ab.txt", {"requests": 20784.40}),
    ("pgbench", {"scale": 1, "clients": 4, "seconds": 2}, "pgbench.txt", {"tps": 1045.041, "latency_us": 3828}),
    ("pyperformance", PYTHON, "pyperf.jsonl", {"ms": 101.98}),
    ("php", {"seconds": 12}, "php.txt", {"seconds": 1.048 + 1.252}),
]


@pytest.mark.parametrize("name, options, file, expected", OUTPUTS)
def test_real_output(name, options, file, expected):
    text = (DATA / file).read_text(encoding="utf-8")
    found = TOOLS[name].parse(text, options)
    assert found == pytest.approx(expected, rel=1e-3 if name in ("pyperformance", "pgbench", "sysbench-mutex") else 1e-6)
    assert set(found) == set(TOOLS[name].gives) <= set(MEASURES)


@pytest.mark.parametrize("name, options, file, _expected", OUTPUTS)
def test_no_figure_is_taken_from_half_of_an_output(name, options, file, _expected):
    text = (DATA / file).read_text(encoding="utf-8")
    for part in ("", text[: len(text) // 3]):
        with pytest.raises(OutputError):
            TOOLS[name].parse(part, options)


def test_failed_requests_give_no_figure():
    text = (DATA / "ab.txt").read_text(encoding="utf-8").replace("Failed requests:        0", "Failed requests:        3")
    with pytest.raises(OutputError, match="3 failed"):
        TOOLS["nginx"].parse(text, {"requests": 20000, "clients": 100})


@pytest.mark.parametrize("options, change", [
    ({"n": 2000, "repeats": 1}, ("", "")),
    ({"n": 1000, "repeats": 2}, ("", "")),
    ({"n": 1000, "repeats": 1}, ("...... PASSED", "...... FAILED")),
])
def test_hpcc_gives_no_figure_of_another_size_or_a_wrong_solution(options, change):
    with pytest.raises(OutputError):
        TOOLS["hpcc"].parse((DATA / "hpcc.txt").read_text(encoding="utf-8").replace(*change), options)


def test_every_tool_is_read_once_at_least():
    assert {name for name, *_ in OUTPUTS} | {"dd-dsync"} == set(TOOLS)


def test_network_figures_say_what_limited_them():
    text = (DATA / "iperf3.json").read_text(encoding="utf-8")
    tool = TOOLS["iperf3"]
    assert "limited by the host's processors" in tool.limited_by(text, IPERF, 0.97)
    assert "limited by the path through the kernel" in tool.limited_by(text, IPERF, 0.5)
    busy = text.replace('"host_total":\t14.786210386825685', '"host_total":\t99.5')
    assert busy != text and "limited by a processor of the guest" in tool.limited_by(busy, IPERF, 0.5)
    assert TOOLS["qperf"].limited_by("", IPERF, 0.5)


def test_the_file_is_larger_than_the_memory_and_transfers_are_direct():
    command = TOOLS["fio"].command(FIO, PLACE, 0)
    assert "--size=640M" in command and "--direct=1" in command
    assert "--direct=0" in TOOLS["cache-fio"].command(FIO, PLACE, 0)
    assert "--end_fsync=1" in TOOLS["cache-fio"].command({**FIO, "rw": "write"}, PLACE, 0)


@pytest.mark.parametrize("guest, bare, words", [
    (1.0, 1.0, ""),
    (2.1, 1.0, ""),
    (1.0, 3.0, ""),  # a filesystem may add its own flushes
    (0.0, 1.0, "does not reach the disk"),
    (0.3, 1.0, "does not reach the disk"),
    (1.0, 0.0, "it is not proved that"),
    (None, 1.0, "it is not proved that"),
    (1.0, None, "it is not proved that"),
])
def test_durability(guest, bare, words):
    found = durability.objection(guest, bare)
    assert (words in found) if words else found == ""


# ---- experiments ----


def tools_experiment(**change):
    each = {"name": "primes", "title": "primes", "tool": "sysbench-primes", "options": {"threads": 2, "seconds": 12}, **change}
    return {"run": [each], "memory": []}


@pytest.mark.parametrize("change, words", [
    ({"tool": "sysbench-fast"}, "must be one of"),
    ({"options": {"threads": 2}}, "options are threads, seconds"),
    ({"options": {"threads": "2", "seconds": 12}}, "wrong type"),
    ({"options": {"threads": 2, "seconds": 9}}, "more than 10 s"),
])
def test_what_cannot_be_run_is_refused(change, words):
    kind = kinds.load("tools")
    kind.check(tools_experiment())
    with pytest.raises(ValueError, match=words):
        kind.check(tools_experiment(**change))


def test_names_are_used_once():
    given = tools_experiment()
    with pytest.raises(ValueError, match="unique name"):
        kinds.load("tools").check({**given, "run": given["run"] * 2})


@pytest.mark.parametrize("name", ["w1", "w2", "w3", "w4", "systems"])
def test_primary_comparisons_are_of_what_the_tools_give(name):
    asked, _ = experiment.read(name)
    prefixes = [f"{each['name']}-" for each in asked.parameters["memory"]] or [""]
    given = {f"{prefix}{each['name']}.{what}" for prefix in prefixes for each in asked.parameters["run"]
             for what in TOOLS[each["tool"]].gives}
    assert {each.measure for each in asked.primary} <= given


def test_the_first_look_gives_amounts_and_titles():
    kind = kinds.load("tools")
    asked, _ = experiment.read("w2")
    found = kind.scout(asked.parameters, lambda scouted: {"equal-mbw.amount": 60.0, "durability.flushes": 1.0})
    assert found["amounts"] == {"equal-mbw": 60} and found["flushes"] == 1.0
    assert kind.describe(found, "below-mbw.mib") == "throughput mbw with 1,000 MiB, memory below (× 0.625)"
