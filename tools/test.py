"""Runs the unit tests and the integration tests, and prints the totals in its last line.

Unit tests run under ASan+UBSan; those of code shared by threads also run under TSan; the integration tests run the
ASan build against real servers. `--valgrind` runs the unit tests of the release build, and short runs of the programs,
under valgrind instead.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from pathlib import Path

import servers  # puts ingest/ on the module path

import guard

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "out"
UNIT_SECONDS = 300
FUZZ_ROUNDS = "10000"
MOST_PROCESSES = 4  # each process with its servers takes up to 3 GiB
MOST_RETRIED = 5  # if more tests fail, none is run a second time
STOP_SECONDS = 60
SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=0:exitcode=66:second_deadlock_stack=1",
}
VALGRIND = ("valgrind", "-q", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite")
VALGRIND_TESTS = "test_annotate or test_mongodb or test_statements or test_republished or test_cbor or fuseki"


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def listed(text, word):
    """Parses cmocka's closing lines: "[  FAILED  ] 2 test(s), listed below:", with or without the group's name before
    it."""
    return sum(int(n) for n in re.findall(rf"^\[ +{word} +\] (?:.*: )?(\d+) test\(s\), listed below", text, re.M))


def count_cmocka(text, status):
    count = Count(len(re.findall(r"^\[ +OK +\]", text, re.M)), listed(text, "FAILED"), listed(text, "SKIPPED"))
    if status != 0 and count.failed == 0:
        count.failed = 1
    return count


def run_unit(program, wrapper=()):
    argv = [*wrapper, str(program)]
    try:
        done = subprocess.run(
            argv,
            cwd=ROOT,
            env={**os.environ, **SANITIZERS},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=UNIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        text = (late.stdout or b"").decode(errors="replace")
        return text + f"\nended after {UNIT_SECONDS} s", Count(failed=1)
    text = done.stdout.decode(errors="replace")
    if "unexpected memory mapping" in text and not wrapper:
        # The thread sanitizer does not work with as much address randomisation as some kernels use.
        return run_unit(program, ("setarch", os.uname().machine, "-R"))
    return text, count_cmocka(text, done.returncode)


def run_units(mode, wrapper=()):
    """Runs every unit test that was built in that mode."""
    programs = sorted(each for each in (OUT / mode / "tests").glob("test_*") if os.access(each, os.X_OK))
    programs = [each for each in programs if (ROOT / "tests" / "unit" / f"{each.name}.c").is_file()]
    total = Count()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = pool.map(lambda each: run_unit(each, wrapper), programs)
        for program, (text, count) in zip(programs, results):
            total.add(count)
            if count.failed:
                print(f"---- {program.relative_to(ROOT)}\n{text.rstrip()}\n----", flush=True)
    print(f"unit tests, {mode}: {total}", flush=True)
    return total


def make_wrapped():
    """Makes wrappers that run the release programs under valgrind; the integration tests use them like a build."""
    wrapped = OUT / "valgrind"
    wrapped.mkdir(parents=True, exist_ok=True)
    for program in (OUT / "release").glob("ir-*"):
        if os.access(program, os.X_OK) and program.is_file():
            words = " ".join((*VALGRIND, str(program)))
            (wrapped / program.name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            (wrapped / program.name).chmod(0o755)
    return wrapped


def run_fuzzers():
    """Runs each fuzzer for a short time; `make fuzz` is the long run."""
    total = Count()
    seeds = OUT / "asan" / "seeds"
    subprocess.run([sys.executable, ROOT / "tests" / "fuzz" / "seeds.py", seeds], check=True, timeout=UNIT_SECONDS)
    for source in sorted((ROOT / "tests" / "fuzz").glob("fuzz_*.c")):
        program = OUT / "asan" / "fuzz" / source.stem
        folder = seeds / source.stem.removeprefix("fuzz_")
        done = subprocess.run([program, FUZZ_ROUNDS, folder], cwd=ROOT, env={**os.environ, **SANITIZERS},
                              capture_output=True, text=True, timeout=UNIT_SECONDS, check=False)
        if done.returncode != 0:
            print(f"---- {program.relative_to(ROOT)}\n{done.stdout}{done.stderr}\n----", flush=True)
        total.add(Count(passed=done.returncode == 0, failed=done.returncode != 0))
    print(f"fuzzers: {total}", flush=True)
    return total


def count_junit(path, status):
    try:
        suites = xml.etree.ElementTree.parse(path).getroot().iter("testsuite")
        numbers = [{k: int(s.get(k, 0)) for k in ("tests", "failures", "errors", "skipped")} for s in suites]
    except (OSError, xml.etree.ElementTree.ParseError):
        return Count(failed=1)
    failed = sum(n["failures"] + n["errors"] for n in numbers)
    skipped = sum(n["skipped"] for n in numbers)
    passed = sum(n["tests"] for n in numbers) - failed - skipped
    return Count(passed, failed if failed or status in (0, 5) else 1, skipped)


def run_comparison():
    """Runs the tests of bench/ir_bench with Debian's own Python, whose packages it uses."""
    report = OUT / "comparison.xml"
    report.unlink(missing_ok=True)
    argv = ["/usr/bin/python3", "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", "-W", "ignore",
            f"--junitxml={report}", "tests/bench"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=UNIT_SECONDS, check=False)
    total = count_junit(report, done.returncode)
    if total.failed:
        print(f"---- tests/bench\n{done.stdout}{done.stderr}\n----", flush=True)
    print(f"tests of the comparison: {total}", flush=True)
    return total


# Integration tests of single platforms. Whole guests on each platform are tested by make test-platforms and make
# test-xen.
PLATFORM_FILES = {"test_platforms": "bare and what all share", "test_podman": "podman", "test_kvm": "kvm", "test_xen": "xen"}


def count_platforms(path):
    """Returns {platform: Count} of those files, from pytest's report."""
    counts = {platform: Count() for platform in PLATFORM_FILES.values()}
    try:
        cases = list(xml.etree.ElementTree.parse(path).getroot().iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        cases = []  # count_junit tells
    for case in cases:
        platform = PLATFORM_FILES.get(case.get("classname", "").split(".")[-1])
        outcome = {each.tag for each in case} & {"failure", "error", "skipped"}
        if platform:
            counts[platform].add(Count(passed=not outcome, failed=bool(outcome - {"skipped"}),
                                       skipped=outcome == {"skipped"}))
    return counts


def run_pytest(marks, words, report, folder):
    """Runs integration tests and returns (their Count, pytest's exit status). `report` becomes pytest's JUnit file.
    pytest's processes stop all servers before they end, also when this program, or the first of them, is killed."""
    report.unlink(missing_ok=True)
    argv = ["setpriv", "--pdeathsig", "TERM", servers.cache_directory() / "venv" / "bin" / "python", "-m", "pytest", "-q", "-ra",
            "--color=no", "-p", "no:cacheprovider", "-W", "ignore", "-m", marks, "--basetemp", folder,
            f"--junitxml={report}", *words]
    process = servers.Process(argv, None, env={**os.environ, **SANITIZERS}, cwd=ROOT)
    try:
        status = process.child.wait()
    finally:
        process.send_group(signal.SIGTERM)
        servers.wait_until(process.group_ended, STOP_SECONDS)
        process.stop()
    return count_junit(report, status), status


def find_failed(report):
    """The node ids of the failed tests, from pytest's report; [] if one of them cannot be assigned to a file."""
    ids = []
    try:
        cases = list(xml.etree.ElementTree.parse(report).getroot().iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        return []  # count_junit tells
    for case in cases:
        if {each.tag for each in case} & {"failure", "error"}:
            path = case.get("classname", "").replace(".", "/") + ".py"
            if not (ROOT / path).is_file():
                return []
            ids.append(f"{path}::{case.get('name')}")
    return sorted(set(ids))


def retry_alone(marks, total, failed, folder):
    """Runs tests that failed in parallel once more, one after the other. A test that then passes counts as passed, but
    is reported by name as flaky. More than MOST_RETRIED failures are not retried: they cannot be chance."""
    if not 0 < len(failed) <= MOST_RETRIED or total.failed != len(failed):
        return total
    print(f"{len(failed)} failed while others ran; repeating them one by one: {', '.join(failed)}", flush=True)
    again, status = run_pytest(marks, ["-n", "0", *failed], OUT / "integration-alone.xml", Path(folder) / "2")
    if status == 0 and again.passed == len(failed):
        print(f"UNSTABLE: {len(failed)} passed only when repeated: {', '.join(failed)}", flush=True)
        return Count(total.passed + again.passed, 0, total.skipped)
    return total


def run_integration(marks, words):
    """Runs the integration tests with pytest-xdist, which distributes the files among several processes, each with its
    own servers. The tests mostly wait for servers, so there are two more processes than processors, up to
    MOST_PROCESSES."""
    started = time.monotonic()
    report = OUT / "integration.xml"
    count = min(MOST_PROCESSES, (os.cpu_count() or 1) + 2)
    folder = tempfile.mkdtemp(prefix="ir-tests-")  # not below out/, because a user's river may not be there
    spread = ["-n", count, "--dist", "loadfile", "--no-loadscope-reorder", *words, "tests/integration"]
    total, _status = run_pytest(marks, spread, report, Path(folder) / "1")
    total = retry_alone(marks, total, find_failed(report), folder)
    if total.failed:
        print(f"the failed tests left their files in {folder}", flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"integration tests: {total} in {time.monotonic() - started:.0f} s", flush=True)
    for platform, part in count_platforms(report).items():
        print(f"  of these, {platform}: {part}", flush=True)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slow", action="store_true", help="only the long integration tests")
    parser.add_argument("--unit", action="store_true", help="only the unit tests")
    parser.add_argument("--valgrind", action="store_true", help="unit tests and a short run, release build, under valgrind")
    parser.add_argument("words", nargs="*", help="passed on to pytest, after --")
    options = parser.parse_args()
    servers.stop_on_signals()
    total = Count()
    if options.valgrind:
        total.add(run_units("release", VALGRIND))
        os.environ["IR_BUILD"] = str(make_wrapped())
        total.add(run_integration("not slow", ["-k", VALGRIND_TESTS, *options.words]))
    elif options.unit:
        total.add(run_units("asan"))
        total.add(run_units("tsan"))
    elif options.slow:
        total.add(run_integration("slow", options.words))
    else:
        total.add(run_units("asan"))
        total.add(run_units("tsan"))
        total.add(run_fuzzers())
        total.add(run_comparison())
        total.add(run_integration("not slow", options.words))
    print(total)
    return 1 if total.failed or total.passed == 0 else 0


if __name__ == "__main__":
    guard.run("tools/test.py", main)
