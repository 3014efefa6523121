"""Compares platforms and tunings by measurements that were made interleaved on one host.

    experiment   what an experiment file asks for
    subjects     what is compared
    blocks       the order of samples, drawn at random block by block
    machine      canaries, CPU time by part, limits and caches of the host
    kinds        what can be measured: a module for each kind of experiment
    sample       one sample of whatever kind, from provisioning to clean-up
    needs        what an experiment needs of the host
    likeness     what two guests must have in common
    rundir       the folder of a run: samples as JSON lines, histograms, facts, checksums
    within       ratios that are taken within one sample
    comparison   ratios, intervals, power and verdicts
    proofs       what a report must show of itself before it may give a verdict
    runner       scouting, blocks until the precision or the time is reached
    analysis     from samples to what a report says
    report       HTML, Markdown, CSV and pictures
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# tools/ has the stack and the facts of the machine; platforms/ is a package of the project's root.
sys.path[:0] = [str(ROOT / "tools"), str(ROOT)]
