"""Compares platforms and tunings by interleaved measurements on one host.

    experiment   reads an experiment file
    subjects     what is compared
    blocks       the order of samples, drawn at random block by block
    machine      canaries, CPU time by part, limits and caches of the host
    kinds        what can be measured: one module per kind of experiment
    sample       one sample of any kind, from provisioning to clean-up
    bench_stack  the pipeline in guests, with stores that can be emptied
    stage        the pipeline on the host: filled queues, and one worker that empties them
    triplestore  a client of a SPARQL server
    needs        what an experiment needs on the host
    likeness     what two guests must have in common
    rundir       the folder of a run: samples as JSON lines, histograms, facts, checksums
    within       ratios taken within one sample
    scalability  how throughput grows with the number of workers
    loads        named loads for one guest, and its twin
    stress       programs that stress a twin
    entitlement  the share that a guest is entitled to beside its twin, and limits for the twin
    footprint    what guests take of their host's memory and disk
    comparison   ratios, intervals, power and verdicts
    proofs       checks that a report must pass before it may give a verdict
    runner       a run: experiments one after the other, each with its share of the time
    course       an experiment in a run: scouting, blocks until precision or time is reached, proofs
    child        a sample as a separate process
    leftovers    removes what a killed sample left on the host
    analysis     from samples to the content of a report
    report       HTML, Markdown, CSV and pictures
    recommendation   which subject is best for what the user cares about
    builds       commits and settings as subjects
    neighbour    an unrelated load beside a run
    tally        how often the proofs of several runs hold
    side_by_side two runs that allow no verdict
    plan_time    how many blocks and minutes it takes to find a difference
    forecast     the cost at a rate that was not measured
    plan         how many servers a network of motes needs
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The source tree whose stack, platforms and programs a sample uses: this one, or that of the subject (builds.py).
BUILD = Path(os.environ.get("IR_BENCH_BUILD") or ROOT)
# tools/ has the stack and the facts of the machine; platforms/ is a package in the project's root.
sys.path[:0] = [str(BUILD / "tools"), str(BUILD)]
# ingest/ has the module `guard` that every program uses. If the subject's source tree has one, it takes precedence.
sys.path.append(str(ROOT / "ingest"))

import interrupt  # noqa: E402,F401 - must be imported before the other modules

# Guests of all builds use the same images.
os.environ.setdefault("IR_IMAGES", str(ROOT / "out" / "lab" / "images"))
