"""Ratios between two measurements within one sample, and whether they differ from 1."""

import re

import pytest

from ir_bench import comparison, experiment, report
from ir_bench.analysis import analyse
from ir_bench.kinds import pipeline
from ir_bench.kinds.base import Measure
from stored import store

QUICK = experiment.read("quick")[0]
FACTORS = (1.02, 0.97, 1.0, 0.99, 1.01, 1.03, 0.98, 1.0)


@pytest.fixture(autouse=True)
def with_ratio(monkeypatch):
    monkeypatch.setitem(pipeline.Kind.measures, "kept", Measure("kept", "", 3, "higher", ratio=True))


def kept(estimate, **more):
    def change(line):
        line["measures"]["full.kept"] = (estimate if line["subject"] == "lxc" else 1.0) * FACTORS[line["block"]]
        return {**line, **more}

    return change


def words(found):
    return {each.subject: each.finding.word for each in found.within}


def test_a_loss_is_found_in_each_subject_by_itself(tmp_path):
    found = analyse(store(tmp_path, change=kept(0.6)), QUICK)
    assert words(found) == {"bare": comparison.SAME, "bare-again": comparison.SAME, "lxc": comparison.LOWER}
    told = report.write(store(tmp_path, change=kept(0.6)).run).with_suffix(".md").read_text()
    assert "| lxc | kept at full speed | 0.600 |" in told


def test_few_samples_give_no_verdict(tmp_path):
    found = analyse(store(tmp_path, blocks=4, change=kept(0.6)), QUICK)
    assert set(words(found).values()) == {comparison.VALUES}


def test_an_emulated_guest_has_no_verdict(tmp_path):
    found = analyse(store(tmp_path, change=kept(0.6, figures={"emulated": True})), QUICK)
    assert words(found) == {}


def test_what_nothing_has_a_value_of_is_a_row_with_its_reason(tmp_path):
    def lacking(line):
        return {**line, "notes": {"migrate": "no CRIU here"} if line["subject"] == "lxc" else {}}

    told = report.write(store(tmp_path, blocks=2, change=lacking).run).with_suffix(".md").read_text()
    assert re.search(r"^\| migrate \|[ |]*no CRIU here \(lxc\) \|$", told, re.M)


@pytest.mark.parametrize("estimate, good", [(0.6, True), (1.0, False)])
def test_a_loss_that_is_certain_must_be_found(tmp_path, monkeypatch, estimate, good):
    monkeypatch.setattr(pipeline.Kind, "losses", ("full.kept",))
    proofs = {each.name: each for each in analyse(store(tmp_path, change=kept(estimate)), QUICK).proofs}
    assert proofs["a loss is found, lxc: kept at full speed"].good is good
    assert proofs["a loss is found, lxc: kept at full speed"].subjects == ("lxc",)
