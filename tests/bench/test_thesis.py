"""The figures of the thesis: which of them appear as ratios."""

import pytest

from ir_bench import analysis, experiment, report, thesis
from stored import store

ROWS = thesis.read()
BY_NAME = {(row.experiment, row.metric): row for row in ROWS}


def test_every_figure_is_a_number_or_empty():
    for row in ROWS:
        assert row.better in ("lower", "higher")
        for text in row.values.values():
            assert text == "" or float(text) > 0


def test_ratio_to_the_thesis_own_bare_metal():
    row = BY_NAME["worker-1000", "1000 observations by one worker from queue into all stores"]
    assert row.ratio("lxc") == pytest.approx(117.7 / 111.2)
    assert row.ratio("bare") is None


@pytest.mark.parametrize("cpus", [1, 2, 4])
def test_guests_with_fewer_processors_than_bare_metal_have_no_ratio(cpus):
    rows = thesis.of(f"w1 {cpus} vCPU", ROWS)
    assert len(rows) == 4
    for row in rows:
        assert row.no_ratio_because == "bare had 8 CPUs"
        assert all(row.ratio(each) is None for each in thesis.PLATFORMS)


def test_guests_with_all_processors_have_a_ratio_but_for_whole_seconds():
    for row in thesis.of("w1 8 vCPU", ROWS):
        keys = row.metric == "500 RSA keys"
        assert (row.ratio("lxc") is None) == keys
        assert (row.no_ratio_because == "whole seconds") == keys


@pytest.mark.parametrize("experiment, metric, why", [
    ("w2 guest 5 GB of 8", "mbw 2000 MiB", "other memory than the host's"),
    ("w2 guest 10 GB of 8", "mbw 2500 MiB", "other memory than the host's"),
    ("w3", "iperf bridged", "the wire limits"),
    ("w3", "iperf NAT", "the wire limits"),
    ("systems", "IOzone read", "page cache"),
])
def test_named_exceptions(experiment, metric, why):
    row = BY_NAME[experiment, metric]
    assert row.no_ratio_because == why
    assert any(row.values.values())
    assert all(row.ratio(each) is None for each in thesis.PLATFORMS)


def test_memory_equal_to_the_hosts_has_a_ratio():
    assert BY_NAME["w2 guest 8 GB of 8", "mbw 2000 MiB"].ratio("xen") == pytest.approx(5443.16 / 5610.225)


def test_empty_cells_stay_empty():
    row = BY_NAME["w2 guest 10 GB of 8", "mbw 2000 MiB"]
    assert (row.values["lxc"], row.values["xen"], row.ratio("lxc")) == ("", "", None)
    for row in thesis.of("flexibility", ROWS):
        assert row.values["bare"] == "" and row.ratio("lxc") is None


def test_an_experiment_has_its_settings_and_no_other():
    assert {row.experiment for row in thesis.of("w4", ROWS)} == {"w4 sequential", "w4 random", "w4 dd 1 GiB files"}
    assert not thesis.of("w", ROWS)


def test_nearest_measures_are_of_figures_that_are_there():
    assert set(thesis.NEAREST) <= set(BY_NAME)


def test_other_columns_are_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("experiment,metric\nw1,primes\n", encoding="utf-8")
    with pytest.raises(ValueError, match="columns"):
        thesis.read(path)


def bridged(line):
    """Makes a sample with the bridged network in which LXC is a tenth slower than bare metal."""
    line["measures"] = {"bridge-out.mbit": 18000.0 if line["subject"] == "lxc" else 20000.0}
    return line


def test_the_report_has_both_side_by_side(tmp_path):
    titles = {"titles": {"bridge-out": "iperf3 out of the guest"}, "amounts": {}, "flushes": None}
    part = store(tmp_path, name="w3", scouted=titles, change=bridged)
    found = analysis.analyse(part, experiment.read("w3")[0])
    bridge, nat = thesis.beside(found)
    assert bridge["row"].text("lxc") == "111" and bridge["row"].no_ratio_because == "the wire limits"
    assert bridge["ours"] == ["20,000", "20,000 (×1.000)", "18,000 (×0.900)"]
    assert nat["nearest"] == "" and nat["ours"] == ["", "", ""]
    html = report.write(part.run).read_text(encoding="utf-8")
    assert "The thesis of 2013" in html and "18,000 (×0.900)" in html and "the wire limits" in html
    assert "The thesis of 2013" in (part.run.path / "report" / "report.md").read_text(encoding="utf-8")


def test_a_value_of_the_thesis_stands_with_its_ratio():
    row = BY_NAME["systems", "pgbench"]
    assert (row.text("bare"), row.text("kvm")) == ("182", "152 (×0.84)")
    assert BY_NAME["w1 8 vCPU", "500 RSA keys"].text("kvm") == "18"
