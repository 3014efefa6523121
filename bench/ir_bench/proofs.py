"""Checks that a report must pass before it may give a verdict.

self   bare metal against itself: the interval contains 1; its half-width is the report's resolution
loop   a program that only computes, alone in a guest, with all and with half of a quota: its speed is halved, within 3 %
quota  the same quota on the pipeline is found, with the size that follows from the CPU seconds used without it
null   the generator is not the bottleneck: it makes at least twice the highest rate used when it sends nothing, and one
       processor suffices to send twice that rate, by the processor time that an observation cost it at full speed
loss   a certain loss of a guest is found, in each subject separately (for kinds with Kind.losses)
"""

import json
import math
import subprocess

from . import ROOT

SELF, LOOP, QUOTA, NULL, LOSS = "self", "loop", "quota", "null", "loss"
NAMED = (LOOP, QUOTA, NULL)  # proofs that a kind may require; SELF is in every report
LOOP_TOLERANCE = 0.03
WORDS = {True: "holds", False: "fails", None: "open"}  # open: there are too few blocks to decide
CEILING_FACTOR = 2
CEILING_OBSERVATIONS = 2000000


def generator_ceiling(motes, records):
    """Observations per second that the generator makes without sending them."""
    argv = [ROOT / "out" / "release" / "ir-loadgen", f"--simulate={motes}", f"--records={records}",
            "--target=null:", "--rate=0", f"--messages={CEILING_OBSERVATIONS // records}", "--no-ledger", "--json",
            "--no-subscribe"]
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)["observations_per_second"]


def judge_loop(told):
    """Returns (good, text) for one platform. `told`: the sample of kinds/loop.py."""
    if told["status"] != "ok":
        return False, told["why"]
    ratio = told["measures"]["loop.halved"]
    return abs(ratio / 0.5 - 1) <= LOOP_TOLERANCE, f"it runs at {ratio:.3f} of its speed; 0.5, within 3 %, is required"


def judge_null(ceiling, rates, cost=None):
    """`ceiling`: from generator_ceiling(). `cost`: the generator's µs of processor time per observation at full speed,
    None if unknown."""
    highest = max(rates)
    if not highest:
        return None, "no rate was measured"
    least, how = min((ceiling, "makes without sending"), (1e6 / cost if cost else math.inf, "sends on one processor"))
    return least >= CEILING_FACTOR * highest, (f"it {how} {least:,.0f} observations/s, {least / highest:.1f} times the highest "
                                               f"rate used; {CEILING_FACTOR} are required")


def judge_same(found):
    """`found`: the comparison.Ratio of bare metal to itself."""
    if found is None or found.low is None:
        return None, "too few blocks"
    good = found.low <= 1 <= found.high
    told = f"the interval of its ratio, {found.low:.3f}–{found.high:.3f}, {'contains' if good else 'does not contain'} 1"
    return good, f"{told}; differences below {found.half_width * 100:.1f} % cannot be detected in this run"


def judge_loss(found):
    """`found`: the share of its performance that a guest keeps in a condition that certainly costs some (a Ratio)."""
    if found.low is None:
        return None, "too few blocks"
    return found.high < 1, f"{found.estimate:.3f} ({found.low:.3f}–{found.high:.3f})"


def judge_quota(found, expected, tolerance=0.15):
    """`found`: the Ratio of the rate with the quota to the rate without it. `expected`: the ratio that follows from the
    processor time used without the quota."""
    if found is None or found.low is None:
        return None, "too few blocks"
    good = found.high < 1 and abs(found.estimate / expected - 1) <= tolerance
    return good, (f"it runs at {found.estimate:.3f} ({found.low:.3f}–{found.high:.3f}) of its speed; {expected:.3f}, within "
                  f"{tolerance * 100:.0f} %, follows from the processor time that it took without the limit")
