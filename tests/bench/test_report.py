"""What a report says about stored samples, and when it gives no verdict."""

import csv
import math
import random
import re

import pytest

from ir_bench import comparison, experiment, proofs, report
from ir_bench.analysis import analyse
from stored import store

QUICK = experiment.read("quick")[0]


def words(found, subject="lxc"):
    return {each.measure: each.why or each.doubt or each.word for each in found.compared
            if each.primary and each.subject == subject}


def test_a_difference_is_found_and_sized(tmp_path):
    found = analyse(store(tmp_path, p50=1.06), QUICK)
    assert all(each.good for each in found.proofs), found.proofs
    assert words(found)["fixed.p50_ms"] == comparison.HIGHER
    assert words(found)["fixed.cpu_us"] == comparison.SAME
    assert words(found)["full.rate"] in (comparison.UNDECIDED, comparison.SAME)
    told = next(each.sentence() for each in found.compared if each.measure == "fixed.p50_ms" and each.subject == "lxc")
    assert re.fullmatch(r"lxc: p50 at 15,000 observations/s: [56]\.\d % higher \(\d\.\d–\d\.\d %\)", told)


def test_bare_against_itself_is_never_called_different(tmp_path):
    found = analyse(store(tmp_path), QUICK)
    assert set(words(found, "bare-again").values()) <= {comparison.SAME, comparison.UNDECIDED}


@pytest.mark.parametrize(
    "spoilt, told",
    [
        ({"proofs": {"bare": {"status": "ok", "measures": {"loop.halved": 0.66}}}}, "a program that only computes"),
        ({"proofs": {"lxc": {"status": "failed", "why": "no such guest"}}}, "no such guest"),
        ({"change": lambda line: {**line, "measures": {**line["measures"], "fixed.p50_ms": 9.0 + 0.001 * line["block"]}}
          if line["subject"] == "bare-again" else line}, "does not differ from itself"),
    ],
)
def test_no_verdict_without_proofs(tmp_path, spoilt, told):
    part = store(tmp_path, p50=1.5, **spoilt)
    assert "a proof fails" in words(analyse(part, QUICK))["fixed.p50_ms"]
    text = report.write(part.run).with_suffix(".md").read_text()
    assert "a proof fails" in text and told in text
    assert not re.search(r"[0-9] % higher \([0-9]", text.replace("5 % higher (4–6 %)", ""))


def test_no_verdict_on_tampered_samples(tmp_path):
    part = store(tmp_path, p50=1.5)
    path = part.path / "samples.jsonl"
    path.write_text(path.read_text().replace("38", "39", 1))
    assert part.run.tampered() == ["quick/samples.jsonl: changed"]
    text = report.write(part.run).read_text()
    assert "samples.jsonl: changed" in text and not re.search(r"[0-9] % higher \([0-9.]+–[0-9.]+ %\)</li>", text)


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
        if line["subject"] == "lxc":
            line["figures"]["emulated"] = True
            line["likeness"]["all: CPU quota"] = "0.5"  # a difference that would otherwise be reported
        return line

    stored = store(tmp_path, change=emulate)
    assert set(words(analyse(stored, QUICK)).values()) == {"the guest is emulated"}
    assert "- **lxc**: emulated, so it is compared with nothing" in report.write(stored.run).with_suffix(".md").read_text()


def test_few_blocks_give_values_only(tmp_path):
    found = analyse(store(tmp_path, blocks=5, p50=1.5), QUICK)
    assert words(found)["fixed.p50_ms"] == comparison.VALUES


def test_a_run_that_ended_before_its_first_block_has_a_report(tmp_path):
    text = report.write(store(tmp_path, blocks=0).run).with_suffix(".md").read_text()
    assert "there is no block in which both have a value" in text
    assert "| full speed | open | too few blocks |" in text.replace("bare does not differ from itself: ", "")
    assert proofs.judge_null(3000000, [0, 0])[0] is None


def test_failed_samples_are_listed_and_only_their_pairs_left_out(tmp_path):
    def fail(line):
        failed = {"status": "failed", "why": "it did not boot"} if (line["block"], line["subject"]) == (3, "lxc") else {}
        return {**line, **failed}

    part = store(tmp_path, change=fail)
    pairs = {each.subject: each.finding.all.pairs for each in analyse(part, QUICK).compared if each.measure == "full.rate"}
    assert pairs == {"bare-again": 8, "lxc": 7}
    assert "block 4, lxc: failed, it did not boot" in report.write(part.run).read_text()


def test_a_subject_without_any_sample_says_why(tmp_path):
    def fail(line):
        return {**line, "status": "failed", "why": "it did not boot " * 50} if line["subject"] == "lxc" else line

    failed = {"lxc": {"status": "failed", "why": "no loop"}, "bare": {"status": "ok", "measures": {"loop.halved": 0.501}}}
    part = store(tmp_path, change=fail, proofs=failed)
    found = analyse(part, QUICK)
    assert all(re.fullmatch(r"every sample of lxc is failed: (it did not boot ?)+ .*…", why) and len(why) < 200
               for why in words(found).values())
    assert all(each.good for each in found.proofs)  # the failed samples of lxc have nothing to prove
    text = report.write(part.run).with_suffix(".md").read_text()
    assert "every sample of lxc is failed" in text and "no loop" not in text


def test_tables_in_markdown_are_not_torn(tmp_path):
    text = report.write(store(tmp_path).run).with_suffix(".md").read_text()
    assert not re.search(r"\|\n\n\|(---|[^\n]*\n\n\|---)", text)


def test_larger_batches_stand_beside_cpu(tmp_path):
    def larger(line):
        if line["subject"] == "lxc":
            line["measures"]["fixed.batch"] *= 1.2
        return line

    found = analyse(store(tmp_path, change=larger), QUICK)
    told = next(each.sentence() for each in found.compared if each.measure == "fixed.cpu_us" and each.subject == "lxc")
    assert re.search(r"the workers' batches held 1\.(19|20|21) times as many observations$", told)


def test_a_value_that_is_in_no_ratio_stands_with_its_reason(tmp_path):
    def tell(line):
        line["notes"] = {"full": "no wire"}
        if line["subject"] == "lxc":
            line["no_ratio"] = {"full": "does not reach the disk"}
        return line

    part = store(tmp_path, change=tell)
    rate = next(each for each in analyse(part, QUICK).compared if (each.subject, each.measure) == ("lxc", "full.rate"))
    assert rate.finding is None and rate.why == "lxc: does not reach the disk"
    text = report.write(part.run).read_text()
    assert "does not reach the disk (lxc)" in text
    assert len(re.findall(r"no wire \([^)]*bare[^)]*\)", text)) == 1


def test_the_report_needs_no_network(tmp_path):
    text = report.write(store(tmp_path).run).read_text()
    links = re.findall(r"(?:src|href)=[\"']([^\"'#][^\"']*)", text)
    assert links == []
    assert text.count("<svg") == 2 * len(QUICK.primary)


def test_the_same_samples_give_the_same_report(tmp_path):
    run = store(tmp_path, p50=1.06).run
    first = report.write(run).read_bytes()
    assert report.write(run).read_bytes() == first
    assert run.tampered() == []


def test_relabelled_samples_rarely_differ(tmp_path):
    """The samples of one subject are assigned at random to two names, 1,000 times. At most 7 % of the assignments
    find a difference in any of three measures, although in half of the blocks a neighbour slows one of the two
    samples down."""
    numbers = random.Random(7)

    def neighbour(line):
        if line["block"] % 2 == 0 and line["subject"] == numbers.choice(("bare", "bare-again")):
            line["measures"]["full.rate"] *= 0.8
            line["measures"]["fixed.p50_ms"] *= 1.3
        return line

    found = analyse(store(tmp_path, blocks=10, change=neighbour), QUICK)
    level = comparison.corrected_level(len(QUICK.primary))
    both = {each.measure: list(zip(*(found.values(name, each.measure).values() for name in found.twins)))
            for each in QUICK.primary}
    wrong = 0
    for _ in range(1000):
        swapped = [numbers.random() < 0.5 for _ in range(10)]
        verdicts = set()
        for pairs in both.values():
            relabelled = [pair[::-1] if swap else pair for pair, swap in zip(pairs, swapped)]
            verdicts.add(comparison.verdict(comparison.ratio(*zip(*relabelled), level)))
        wrong += bool(verdicts & {comparison.HIGHER, comparison.LOWER})
    assert wrong <= 70


def test_no_difference_smaller_than_that_between_two_ways_of_counting(tmp_path):
    def count(line):
        by_idle = 10.0 * (1.1 if line["subject"] == "lxc" else 1)
        used = {"busy": 10.0, "busy_by_idle": by_idle, "wall": 10, **dict.fromkeys(report.PARTS, 1)}
        return {**line, "parts": {"fixed": used}}

    found = analyse(store(tmp_path, cpu=1.06, change=count), QUICK)
    assert words(found)["fixed.cpu_us"] == comparison.UNDECIDED
    told = next(each.verdict() for each in found.compared if each.measure == "fixed.cpu_us" and each.subject == "lxc")
    assert "disagree by more: 10.0 %" in told
    assert words(analyse(store(tmp_path, cpu=1.2, change=count), QUICK))["fixed.cpu_us"] == comparison.HIGHER


# ---- the report's figures, recomputed from the file of values with Python's standard library only ----


def student(level, degrees):
    """Computes the two-sided quantile of Student's t, with Simpson's rule for its density and bisection."""
    scale = math.gamma((degrees + 1) / 2) / math.sqrt(degrees * math.pi) / math.gamma(degrees / 2)

    def inside(bound, steps=2000):
        width = bound / steps
        heights = [scale * (1 + (i * width) ** 2 / degrees) ** (-(degrees + 1) / 2) for i in range(steps + 1)]
        return 2 * width / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))

    low, high = 0.0, 60.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < level else (low, middle)
    return low


def test_figures_can_be_recomputed_from_the_values(tmp_path):
    place = report.write(store(tmp_path, p50=1.06, rate=0.9).run).parent
    with open(place / "samples.csv", encoding="utf-8") as file:
        values = {(row["subject"], row["measure"], row["block"]): float(row["value"]) for row in csv.DictReader(file)}
    with open(place / "comparisons.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["primary"] == "1"]
    assert len(rows) == 6
    for row in rows:
        logs = [math.log(value / values[row["against"], row["measure"], block])
                for (subject, measure, block), value in values.items()
                if (subject, measure) == (row["subject"], row["measure"])]
        mean = sum(logs) / len(logs)
        error = math.sqrt(sum((each - mean) ** 2 for each in logs) / (len(logs) - 1) / len(logs))
        half = student(float(row["level"]), len(logs) - 1) * error
        assert int(row["pairs"]) == len(logs)
        told = [float(row[key]) for key in ("ratio", "low", "high")]
        assert told == pytest.approx([math.exp(mean), math.exp(mean - half), math.exp(mean + half)], rel=1e-6)


def test_the_summary_says_what_was_compared_and_what_decides_it(tmp_path):
    text = report.write(store(tmp_path, blocks=6, rate=1.03).run).with_suffix(".md").read_text()
    assert "- **lxc**: a Linux container (LXC), which shares the kernel of the host" in text
    assert re.search(r"\*\*lxc\*\*: full speed: not decided \(.*\); a difference of 5 % takes about \d+ blocks", text)
    assert re.search(r"\| p99 at 15,000 observations/s, ms \| [\d.]+ \| [\d.]+ \| [\d.]+ \|", text)
    assert '--platforms "bare lxc" --seed 1`' in text
