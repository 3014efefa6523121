"""bench/recheck.py recomputes a report's figures from the files of its samples, and detects differences."""

import json
import subprocess
import sys

import pytest

from ir_bench import ROOT, report
from stored import store

HISTOGRAM = """\
       Value     Percentile TotalCount 1/(1-Percentile)

{low:12.3f} 0.250000000000         25           1.33
{p50:12.3f} 0.500000000000         50           2.00
{p99:12.3f} 0.990000000000         99         100.00
#[Mean    =        1.000, Max =        1.000]
"""


@pytest.fixture
def run(tmp_path):
    """Makes a stored run with the files of the load generator in its samples."""
    part = store(tmp_path, blocks=6)
    fixed = []
    for line in part.samples():
        told = {key: round(value, 3) for key, value in line["measures"].items()}
        folder = part.sample_folder(line["block"], line["subject"]) / "fixed"
        folder.mkdir()
        p50 = told["fixed.p50_ms"]
        (folder / "latency_corrected.hgrm").write_text(HISTOGRAM.format(low=p50 / 2, p50=p50, p99=told["fixed.p99_ms"]))
        (folder / "summary.json").write_text(json.dumps(
            {"observations_republished": 1000000, "observations_per_second_end_to_end": 15000}))
        cpu = told["fixed.cpu_us"]
        fixed.append({**line, "measures": told, "parts": {"fixed": {
            "guest": cpu - 1, "kernel": 1, "busy": 18, "busy_by_idle": 18, "wall": 10, "generator": 1, "other": 0, "steal": 0}}})
    write(part, fixed)
    part.run.seal()
    report.write(part.run)
    return part.run


def write(part, lines):
    (part.path / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def recheck(run):
    done = subprocess.run([sys.executable, ROOT / "bench" / "recheck.py", run.path], capture_output=True, text=True,
                          timeout=120, check=False)
    assert not done.stderr
    return done.returncode, done.stdout


def change_sample(run):
    part = run.parts()[0]
    lines = part.samples()
    lines[4]["measures"]["fixed.p50_ms"] *= 0.99
    write(part, lines)


def test_an_untouched_run_passes(run):
    status, told = recheck(run)
    assert status == 0, told
    assert "checksums: unchanged" in told and "54 figures follow from their files" in told
    assert "show a difference, 7% may" in told


def test_a_changed_sample_is_noticed_even_with_new_checksums(run):
    change_sample(run)
    (run.path / "quick" / "more.json").write_text("{}")
    status, told = recheck(run)
    assert status == 1 and "quick/samples.jsonl: FAILED" in told and "fixed.p50_ms is" in told
    assert "quick/more.json: not there when the run ended" in told
    run.seal()
    report.write(run)
    status, told = recheck(run)
    assert status == 1 and "checksums: unchanged" in told and "block 2" in told and "its files say" in told


def test_a_changed_report_is_noticed(run):
    path = run.path / "report" / "comparisons.csv"
    path.write_text(path.read_text().replace(",1.0", ",1.1", 1))
    status, told = recheck(run)
    assert status == 1 and "the samples say" in told
