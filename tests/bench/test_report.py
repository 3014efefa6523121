"""What a report says of stored samples, and when it says nothing."""

import re

import pytest

from ir_bench import comparison, experiment, report
from ir_bench.analysis import analyse
from stored import store

QUICK = experiment.read("quick")[0]


def words(found, subject="lxc"):
    return {each.measure: each.finding.word if each.finding else each.why for each in found.compared
            if each.primary and each.subject == subject}


def test_a_difference_is_found_and_sized(tmp_path):
    found = analyse(store(tmp_path, p50=1.06), QUICK)
    assert found.trusted, found.proofs
    assert words(found)["fixed.p50_ms"] == comparison.HIGHER
    assert words(found)["fixed.cpu_us"] == comparison.SAME
    assert words(found)["full.rate"] in (comparison.UNDECIDED, comparison.SAME)
    told = next(each.sentence() for each in found.compared if each.measure == "fixed.p50_ms" and each.subject == "lxc")
    assert re.fullmatch(r"lxc: p50 at 15,000 observations/s: [56]\.\d% higher \(\+\d\.\d% to \+\d\.\d%\)", told)


def test_bare_against_itself_is_never_called_different(tmp_path):
    found = analyse(store(tmp_path), QUICK)
    assert set(words(found, "bare-again").values()) <= {comparison.SAME, comparison.UNDECIDED}


@pytest.mark.parametrize(
    "spoilt, told",
    [
        ({"proofs": {"bare": {"whole": 10.0, "half": 15.0}}}, "half of a quota"),
        ({"proofs": {"lxc": {"error": "no such guest"}}}, "no such guest"),
        ({"change": lambda line: {**line, "measures": {**line["measures"], "fixed.p50_ms": 9.0 + 0.001 * line["block"]}}
          if line["subject"] == "bare-again" else line}, "against itself"),
    ],
)
def test_no_verdict_without_proofs(tmp_path, spoilt, told):
    run = store(tmp_path, p50=1.5, **spoilt)
    assert not analyse(run, QUICK).trusted
    text = report.write(run, QUICK).with_suffix(".md").read_text()
    assert "no verdicts" in text and told in text
    assert "higher" not in text


def test_no_verdict_on_tampered_samples(tmp_path):
    run = store(tmp_path, p50=1.5)
    path = run.path / "samples.jsonl"
    path.write_text(path.read_text().replace("38", "39", 1))
    found = analyse(run, QUICK)
    assert found.tampered == ["samples.jsonl: changed"]
    assert not found.trusted


def test_no_ratio_between_unlike_guests(tmp_path):
    def unlike(line):
        if line["subject"] == "lxc":
            line["likeness"]["all: memory limit"] = "none"
        return line

    found = analyse(store(tmp_path, change=unlike), QUICK)
    assert all("not alike" in why and "memory limit" in why for why in words(found).values())


def test_what_belongs_to_the_platform_forbids_nothing(tmp_path):
    def other_network(line):
        if line["subject"] == "lxc":
            line["likeness"]["all: network"] = "macvlan"
        return line

    found = analyse(store(tmp_path, change=other_network, p50=1.5), QUICK)
    assert words(found)["fixed.p50_ms"] == comparison.HIGHER


def test_no_ratio_of_emulated_guests(tmp_path):
    def emulate(line):
        line["figures"]["emulated"] = line["subject"] == "lxc"
        return line

    assert set(words(analyse(store(tmp_path, change=emulate), QUICK)).values()) == {"the guest is emulated"}


def test_few_blocks_give_values_only(tmp_path):
    found = analyse(store(tmp_path, blocks=5, p50=1.5), QUICK)
    assert words(found)["fixed.p50_ms"] == comparison.VALUES


def test_failed_samples_are_listed_and_their_blocks_left_out(tmp_path):
    def fail(line):
        return {**line, "status": "failed", "why": "it did not boot"} if (line["block"], line["subject"]) == (3, "lxc") else line

    run = store(tmp_path, change=fail)
    assert len(analyse(run, QUICK).done) == 7
    assert "block 4, lxc: failed, it did not boot" in report.write(run, QUICK).read_text()


def test_larger_batches_stand_beside_cpu(tmp_path):
    def larger(line):
        if line["subject"] == "lxc":
            line["measures"]["fixed.batch"] *= 1.2
        return line

    found = analyse(store(tmp_path, change=larger), QUICK)
    told = next(each.sentence() for each in found.compared if each.measure == "fixed.cpu_us" and each.subject == "lxc")
    assert re.search(r"batches were 1\.(19|20|21) times as large$", told)


def test_the_report_needs_no_network(tmp_path):
    text = report.write(store(tmp_path), QUICK).read_text()
    links = re.findall(r"(?:src|href)=[\"']([^\"'#][^\"']*)", text)
    assert links == []
    assert text.count("<svg") == 2 * len(QUICK.primary)


def test_the_same_samples_give_the_same_report(tmp_path):
    run = store(tmp_path, p50=1.06)
    first = report.write(run, QUICK).read_bytes()
    assert report.write(run, QUICK).read_bytes() == first
    assert analyse(run, QUICK).tampered == []


def test_relabelled_samples_rarely_differ(tmp_path):
    """Of 100 runs of one subject under three names, few give a verdict of a difference about any of three measures."""
    wrong = 0
    for seed in range(100):
        found = analyse(store(tmp_path, blocks=6, seed=seed), QUICK)
        wrong += found.trusted and bool(set(words(found).values()) & {comparison.HIGHER, comparison.LOWER})
    assert wrong <= 9
