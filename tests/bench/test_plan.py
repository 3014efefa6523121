"""How many servers a network needs: the arithmetic for chosen figures, and input that is refused."""

import re
from pathlib import Path

import numpy
import pytest

from ir_bench import ROOT, cli, experiment, plan
from ir_bench.forecast import NotEnough
from stored import store

NETWORKS = sorted((ROOT / "bench" / "networks").glob("*.toml"))
RIVER = (ROOT / "bench" / "networks" / "river.toml").read_text()
SIZING = experiment.read("sizing")[0]
COSTS = {"balancer": 2.0, "gateway": 6.0, "broker": 16.0, "worker": 20.0}
FIXED = [{"name": each["name"], "rate": round(47000 * each["share"]), "seconds": 8} for each in SIZING.parameters["fixed"]]


def figures(count=6, deviation=0.01, **changed):
    random = numpy.random.default_rng(3)
    samples = []
    for number in range(count):
        own = numpy.exp(random.normal(0, deviation))
        measures = {f"{each['name']}.guest_cpu_us": own * (20 + 1.2e6 / each["rate"]) for each in FIXED}
        measures |= {f"full.{role}_cpu_us": own * cost for role, cost in COSTS.items()}
        measures |= {"full.rate": 47000 / own, "full.documents_bytes": 300 * own, "full.graph_bytes": 700 * own}
        samples.append({"subject": "bare", "status": "ok", "notes": {}, "measures": {**measures, **changed}})
    return plan.Figures(FIXED, samples, ["bare"])


def written(text=RIVER, asked=SIZING, hold_out="", **changed):
    return plan.write(plan.parse("river.toml", text), figures(**changed), asked, "a run", hold_out)


@pytest.mark.parametrize("path", NETWORKS, ids=lambda path: path.stem)
def test_every_network_has_a_plan(path):
    assert "## 6. Assumptions" in written(path.read_text())


def test_the_arithmetic_is_shown():
    """2,000 motes × 60 × 7 ÷ 3,600 s = 233/s. Three times that is 700/s. At half of the highest throughput this needs
    1,400/s."""
    text = written()
    assert "= 233 observations/s" in text
    assert "× 3 = 700 observations/s" in text
    assert "÷ 0.5 = 1,400 observations/s" in text
    assert "one such server is enough, at 1 % of its throughput" in text
    # 233.3 × 86,400 × 365 × 300 B ÷ 0.7 = 2.87 TiB
    assert re.search(r"documents: 233/s × 86,400 s × 365 days × (299|300|301) \(.*= 2\.9 TiB", text)


def test_a_million_motes_take_more_than_one_server():
    """140,000/s × 20 µs take 2.8 processors. Three brokers take 48 µs together, so 6.72 processors, which are 3.36
    servers with two processors each."""
    found = plan.rows(plan.parse("million.toml", (ROOT / "bench" / "networks" / "million.toml").read_text()), figures())
    counts = {row.role: row.counts(140000) for row in found}
    assert counts["worker"][0] == 5  # 140,000 ÷ 45,200 is four SQLite files
    assert counts["broker"][0] == 4
    assert counts["gateway"] == (2, 2, 2)
    assert all(low <= estimate <= high for estimate, low, high in counts.values())


def test_more_workers_than_partitions_are_told():
    text = written(RIVER.replace("motes = 2000", "motes = 3000000"))
    assert "`partitions` must be at least" in text


@pytest.mark.parametrize(
    "before, after, told",
    [
        ("records_a_pack = 7", "records_a_pack = 1", "records 7 (the network has 1)"),
        ('formats = "jsonld,senml"', 'formats = "csv"', "formats jsonld,senml (the network has csv)"),
        ('documents = "sqlite"', 'documents = "mongodb"', "documents sqlite"),
        ("motes = 2000", "motes = 900000000", "more than there can be partitions"),
    ],
)
def test_no_plan_beyond_what_was_measured(before, after, told):
    with pytest.raises(NotEnough) as error:
        written(RIVER.replace(before, after, 1))
    assert told in str(error.value)


def test_no_plan_when_the_forecast_fails():
    """At the rate that was left out, the measured cost is twice the forecast."""
    with pytest.raises(NotEnough, match="measured 120.0 µs"):
        written(**{"r20.guest_cpu_us": 300.0, "r30.guest_cpu_us": 120.0})


def test_no_plan_from_quick():
    """The quick experiment has one fixed rate and full speed. These two rates are too few for a forecast of a third."""
    found = figures()
    found.rates = {"r30": found.rates["r30"]}
    with pytest.raises(NotEnough, match="1 rates"):
        plan.write(plan.parse("river.toml", RIVER), found, SIZING, "a run")


def test_a_rate_that_one_guest_did_not_keep_is_not_used():
    found = figures()
    found.samples[0]["notes"]["r60"] = "not kept"
    assert sorted(found.curves("guest_cpu_us")[1]) == sorted(each["rate"] for each in FIXED if each["name"] != "r60")


@pytest.mark.parametrize(
    "before, after, told",
    [
        ("motes = 2000", "mote = 2000", "unknown key 'mote'"),
        ("motes = 2000", "motes = 0", "'motes' is above 0"),
        ("utilisation = 0.5", "utilisation = 1.5", "'utilisation' lies between 0 and 1"),
        ("burst_factor = 3.0", "burst_factor = 0.5", "'burst_factor' is 1 or more"),
        ("cores = 2", "", "'cores' is missing"),
    ],
)
def test_what_is_wrong_in_a_description_is_named(before, after, told):
    with pytest.raises(experiment.ExperimentError, match="river.toml") as error:
        plan.parse("river.toml", RIVER.replace(before, after, 1))
    assert told in str(error.value)


def test_a_description_that_is_not_there():
    with pytest.raises(experiment.ExperimentError, match="bench/networks"):
        plan.read(Path("/nowhere/river.toml"))


def test_a_run_of_quick_is_not_enough(tmp_path, capsys):
    """The command itself refuses a stored run with only one fixed rate."""
    network = ROOT / "bench" / "networks" / "river.toml"
    assert cli.main(["plan", str(network), "--run", str(store(tmp_path).run.path)]) == 1
    assert "not enough data to forecast: 0 rates" in capsys.readouterr().err
