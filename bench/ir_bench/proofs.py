"""What a report must show of itself before it may give a verdict.

A/A    bare metal against itself: the interval contains 1, and its half-width is the report's resolution
loop   a program that only computes, alone in a guest, with all and with half of a quota: its speed is halved, within 3 %
quota  the same quota on the pipeline is found, in the size that follows from the CPU seconds it used without it
null   the generator alone reaches at least twice the highest rate that was used
"""

import json
import subprocess
import time

from platforms.lab import Guest, Lab, LabError, verbs

from . import ROOT

NAMED = ("loop", "quota", "null")  # those that a kind may carry; A/A is in every report
QUOTA = "quota"  # the stretch that is measured with half of the quota
LOOP_TOLERANCE = 0.03
CEILING_FACTOR = 2
LOOP_ROUNDS = 4000000
LOOP = f"i=0; while ((i < {LOOP_ROUNDS})); do ((i += 1)); done"
CEILING_OBSERVATIONS = 2000000


def generator_ceiling(motes, records):
    """Observations a second that the generator makes when nothing takes them."""
    argv = [ROOT / "out" / "release" / "ir-loadgen", f"--simulate={motes}", f"--records={records}",
            "--target=null:", "--rate=0", f"--messages={CEILING_OBSERVATIONS // records}", "--no-ledger", "--json",
            "--no-subscribe"]
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)["observations_per_second"]


def run(named, subjects, folder):
    """Those proofs that need guests of their own: {name: what was found}."""
    return {"loop": quota_loop(subjects, folder)} if "loop" in named else {}


def quota_loop(subjects, folder):
    """{platform: {"whole", "half"}} in seconds of the same loop in a guest of each platform, with one processor's quota and
    half of it."""
    found = {}
    for platform in dict.fromkeys(each.platform for each in subjects):
        try:
            found[platform] = loop_in_guest(platform, folder)
        except LabError as error:
            found[platform] = {"error": str(error)}
    return found


def loop_in_guest(platform, folder):
    name, _, kind = platform.partition(":")
    lab = Lab(folder / "lab")
    told = {}
    try:
        verbs.provision(lab, Guest(name="loop", platform=name, kind=kind))
        verbs.boot(lab, "loop")
        for word, percent in (("whole", 100), ("half", 50)):
            verbs.set_limits(lab, "loop", {"cpu.quota": percent})
            begun = time.monotonic()
            verbs.execute(lab, "loop", ["/bin/bash", "-c", LOOP], seconds=300)
            told[word] = time.monotonic() - begun
    finally:
        verbs.destroy_all(lab)
    return told


def judge_loop(told):
    """(good, text) of one platform."""
    if "error" in told:
        return False, told["error"]
    ratio = told["whole"] / told["half"]
    return abs(ratio / 0.5 - 1) <= LOOP_TOLERANCE, f"{ratio:.3f} of the speed with half of the quota (0.5 within 3 %)"


def judge_null(ceiling, rates):
    highest = max(rates)
    return ceiling >= CEILING_FACTOR * highest, (f"the generator alone makes {ceiling:,.0f} observations/s, "
                                                 f"{ceiling / highest:.1f} times the highest rate used")


def judge_same(found):
    """`found`: comparison.Ratio of bare metal with itself."""
    if found is None or found.low is None:
        return False, "too few blocks"
    good = found.low <= 1 <= found.high
    return good, f"{found.estimate:.3f} ({found.low:.3f}–{found.high:.3f}): resolution {found.half_width:.1%}"


def judge_quota(found, expected, tolerance=0.15):
    """`found`: Ratio of the rate with the quota to that without; `expected` follows from the CPU used without it."""
    if found is None or found.low is None:
        return False, "too few blocks"
    good = found.high < 1 and abs(found.estimate / expected - 1) <= tolerance
    return good, f"{found.estimate:.3f} ({found.low:.3f}–{found.high:.3f}), expected {expected:.3f}"
