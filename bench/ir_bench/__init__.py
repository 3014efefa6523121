"""Compares platforms and tunings by measurements that were made interleaved on one host.

    experiment   what an experiment file asks for
    subjects     what is compared
    blocks       the order of samples, drawn at random block by block
    machine      canaries, CPU time by part, limits and caches of the host
    kinds        what can be measured: a module for each kind of experiment
    sample       one sample of whatever kind, from provisioning to clean-up
    bench_stack  the pipeline in guests, with stores that can be emptied
    stage        the pipeline on the host: filled queues, and one worker that empties them
    triplestore  a client of a SPARQL server
    needs        what an experiment needs of the host
    likeness     what two guests must have in common
    rundir       the folder of a run: samples as JSON lines, histograms, facts, checksums
    within       ratios that are taken within one sample
    scalability  how throughput grows with the number of workers
    loads        loads of one guest by name, and its twin
    stress       what a twin is stressed with
    entitlement  what is due to a guest beside its twin, and the limits that hold the twin back
    footprint    what guests take of their host's memory and disk
    comparison   ratios, intervals, power and verdicts
    proofs       what a report must show of itself before it may give a verdict
    runner       a run: experiments one after the other, each with its share of the time
    course       an experiment in a run: scouting, blocks until the precision or the time is reached, proofs
    child        a sample as a process of its own
    leftovers    what a killed sample has left on the host, and how it is taken away
    analysis     from samples to what a report says
    report       HTML, Markdown, CSV and pictures
    recommendation   which one, by what the user cares about
    builds       commits and settings as subjects
    side_by_side two runs of which no verdict is possible
    plan_time    how many blocks and minutes a difference takes
    forecast     what a rate takes that was not measured
    plan         how many servers a network of motes takes
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The checkout whose stack, platforms and programs a sample is made with: this one, or a subject's (builds.py).
BUILD = Path(os.environ.get("IR_BENCH_BUILD") or ROOT)
# tools/ has the stack and the facts of the machine; platforms/ is a package of the project's root.
sys.path[:0] = [str(BUILD / "tools"), str(BUILD)]
# Guests of all builds begin from the same images.
os.environ.setdefault("IR_IMAGES", str(ROOT / "out" / "lab" / "images"))
