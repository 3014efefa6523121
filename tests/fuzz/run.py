#!/usr/bin/env python3
"""Runs the fuzzers, two at a time, each for the given number of seconds, and ends with a table.

An input that crashes a target, leaks, takes more than TIMEOUT_SECONDS or more memory than the target allows is a
finding. It is kept below out/fuzz/findings/TARGET/ and tried first by the next run; the exit status is then 1. Inputs
that reach new code are kept below out/fuzz/corpus/TARGET/, where the next run continues.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
from pathlib import Path

import seeds  # puts ingest/ on the module path

import guard

ROOT = seeds.ROOT
OUT = ROOT / "out" / "fuzz"
PROGRAMS = OUT / "fuzz"
SECONDS_MOST = 86400
AT_ONCE = 2
TIMEOUT_SECONDS = 10  # of one input, with the sanitizers
RSS_MIB = 1024
MALLOC_MIB = 64  # of one allocation
INPUT_MOST = 65536
FOREIGN_MOST = 4 << 20  # longer files of an external corpus are truncated to this size
GRACE_SECONDS = 900  # extra time limit for reading the corpora
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:quarantine_size_mb=16:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
}


class WrongError(guard.Fault):
    """A setting is wrong; nothing was started."""

    status = 2


class Result:
    """The result of one target."""

    def __init__(self, target, status, log, findings):
        self.target, self.status, self.log, self.findings = target, status, log, findings
        text = log.read_text(errors="replace")
        self.runs = self.statistic(text, "number_of_executed_units")
        self.rate = self.statistic(text, "average_exec_per_sec")
        self.rss = self.statistic(text, "peak_rss_mb")
        seen = re.findall(r"cov: (\d+) .*?corp: (\d+)", text)
        self.coverage, self.corpus = seen[-1] if seen else ("–", "–")
        self.why = self.reason(text)

    @staticmethod
    def statistic(text, name):
        found = re.findall(rf"^stat::{name}: +(\d+)", text, re.M)
        return f"{int(found[-1]):,}" if found else "–"

    @staticmethod
    def reason(text):
        found = re.search(r"^(?:SUMMARY: |too much memory: |.*: runtime error: |ERROR: |Direct leak of )(.*)$", text, re.M)
        return found.group(0)[:150] if found else (text.strip().splitlines() or ["nothing was said"])[-1][:150]

    @property
    def good(self):
        return self.status == 0 and not self.findings


def foreign_folders(corpus, target):
    """The part of an external corpus for a target: the folder with the target's name; if no target has one, the whole
    corpus."""
    if corpus is None:
        return []
    named = [each for each in seeds.TARGETS if (corpus / each).is_dir()]
    return [corpus] if not named else [corpus / target] if target in named else []


def largest(folders):
    sizes = [each.stat().st_size for folder in folders for each in folder.rglob("*") if each.is_file()]
    return min(max([INPUT_MOST, *sizes]), FOREIGN_MOST)


def run_target(target, seconds, corpus):
    grown, found = OUT / "corpus" / target, OUT / "findings" / target
    grown.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    foreign = foreign_folders(corpus, target)
    words = OUT / "seeds" / f"{target}.dict"
    argv = [PROGRAMS / f"fuzz_{target}", grown, found, OUT / "seeds" / target, *foreign, f"-max_total_time={seconds}",
            f"-timeout={TIMEOUT_SECONDS}", f"-rss_limit_mb={RSS_MIB}", f"-malloc_limit_mb={MALLOC_MIB}",
            f"-max_len={largest(foreign)}", f"-artifact_prefix={found}/", "-print_final_stats=1", "-reload=0"]
    argv += [f"-dict={words}"] if words.is_file() else []
    log = OUT / f"{target}.log"
    before = set(found.iterdir())
    with open(log, "wb") as out:
        try:
            status = subprocess.run([str(each) for each in argv], cwd=ROOT, env={**os.environ, **SANITIZERS}, stdin=subprocess.DEVNULL,
                                    stdout=out, stderr=out, timeout=seconds + GRACE_SECONDS, check=False).returncode
        except subprocess.TimeoutExpired:
            out.write(b"ERROR: it did not end by itself\n")
            status = 1
    # The library also reports slow inputs that are not yet a finding.
    findings = sorted(each for each in set(found.iterdir()) - before if not each.name.startswith("slow-unit-"))
    return Result(target, status, log, findings)


def show(results):
    print(f"{'target':<12} {'runs':>12} {'a second':>9} {'paths':>7} {'corpus':>7} {'MiB':>6}  findings")
    for each in results:
        words = "none" if each.good else f"status {each.status}: {each.why}"
        print(f"{each.target:<12} {each.runs:>12} {each.rate:>9} {each.coverage:>7} {each.corpus:>7} {each.rss:>6}  {words}")
    for each in results:
        for finding in each.findings:
            where, program = finding.relative_to(ROOT), (PROGRAMS / f"fuzz_{each.target}").relative_to(ROOT)
            print(f"\n{each.target}: see {each.log.relative_to(ROOT)}; once more: {program} {where}")


def check_options(options):
    text = options.seconds
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= SECONDS_MOST:
        raise WrongError(f"SECONDS={text}: needs a whole number of seconds for each target, 1 to {SECONDS_MOST}")
    corpus = options.corpus
    if corpus is not None and not (corpus.is_dir() and any(each.is_file() for each in corpus.rglob("*"))):
        raise WrongError(f"CORPUS={corpus}: wants a folder with files in it")
    for target in options.targets:
        if target not in seeds.TARGETS:
            raise WrongError(f"TARGETS={target}: there is no such target; known: {' '.join(seeds.TARGETS)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", default="60", help="for each target")
    parser.add_argument("--corpus", type=Path, help="a folder with more inputs, or with one folder of inputs per target")
    parser.add_argument("--check", action="store_true", help="only look at the arguments")
    parser.add_argument("targets", nargs="*", help="all unless some are named")
    options = parser.parse_args()
    check_options(options)
    if options.check:
        return 0
    targets, seconds = options.targets or list(seeds.TARGETS), int(options.seconds)
    corpus = options.corpus.resolve() if options.corpus else None
    seeds.write(OUT / "seeds")
    print(f"{len(targets)} targets, {seconds} s each, {AT_ONCE} at a time", flush=True)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(lambda each: run_target(each, seconds, corpus), targets))
    show(results)
    return 0 if all(each.good for each in results) else 1


if __name__ == "__main__":
    guard.run("make fuzz", main)
