"""Which subject is best for each concern of the user. Only verdicts decide."""

import pytest

from ir_bench import comparison, experiment, recommendation, report
from ir_bench.analysis import analyse
from ir_bench.recommendation import Row
from stored import store

QUICK = experiment.read("quick")[0]


def rows(tmp_path, **of_lxc):
    return {each.concern: each for each in recommendation.table([analyse(store(tmp_path, **of_lxc), QUICK)])}


def test_verdicts_become_words(tmp_path):
    found = rows(tmp_path, p50=1.06, rate=1.4)
    assert found["latency"].best == "bare is best"
    assert found["latency"].cells["lxc"].startswith("worse: 5.")
    assert found["processor time"].best == "bare and lxc are equal"
    assert found["throughput"].best == "lxc is best"
    assert found["latency"].primary and set(found["latency"].words) == {"lxc"}


def test_what_was_not_measured_says_so(tmp_path):
    found = rows(tmp_path)
    assert found["isolation"].best == found["flexibility"].best == "not measured"


def test_no_word_without_a_verdict(tmp_path):
    assert rows(tmp_path, blocks=5, p50=2)["latency"].best == "not decided"


def test_no_word_when_a_proof_fails(tmp_path):
    found = rows(tmp_path, p50=2, proofs={"lxc": {"status": "failed", "why": "no such guest"}})
    assert found["latency"].best == "not decided"
    assert found["latency"].cells["lxc"].startswith("no verdict: a proof fails (half of the processor time on a program that only computes")


def test_throughput_counts_the_highest_sustained_rate(tmp_path):
    def on_a_grid(line):
        line["measures"] = {"sustained.highest": 22000.0 if line["subject"] == "lxc" else 20000.0}
        return line

    scouted = {"generator_ceiling": 3000000, "fixed": [], "grid": [{"name": "grid-50", "rate": 20000}]}
    part = store(tmp_path, name="sustained", change=on_a_grid, scouted=scouted)
    found = recommendation.table([analyse(part, experiment.read("sustained")[0])])
    throughput = [each for each in found if each.concern == "throughput"]
    assert [each.title for each in throughput] == ["highest sustained rate of the grid"]
    assert throughput[0].best == "lxc is best"


@pytest.mark.parametrize(
    "words, best",
    [
        ({"lxc": "better", "kvm": "worse"}, "lxc is best"),
        ({"lxc": "better", "kvm": "equal"}, "lxc is best"),
        ({"lxc": "better", "kvm": "better"}, "lxc and kvm are better than bare; between them nothing was compared"),
        ({"lxc": "better", "kvm": "not decided"}, "not decided"),
        ({"lxc": "equal", "kvm": "worse"}, "bare and lxc are equal and best"),
        ({"lxc": "worse", "kvm": "no comparison"}, "bare is best"),
        ({"kvm": "no comparison"}, "not decided"),
        ({}, "not measured"),
    ],
)
def test_best(words, best):
    assert Row("latency", "p50", words=words, reference="bare").best == best


def test_where_neither_is_better_there_is_no_word():
    assert recommendation.word(comparison.HIGHER, "") == recommendation.OPEN


def test_the_report_has_the_table(tmp_path):
    run = store(tmp_path, p50=1.06).run
    html = report.write(run).read_text()
    assert "<td>bare is best</td>" in html
    text = (run.path / "report" / "report.md").read_text()
    assert "| latency | p50 at 15,000 observations/s | bare is best | worse: 5." in text
    assert "| isolation | | not measured | |" in text
