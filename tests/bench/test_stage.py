"""Digests of what was stored, and the processor time of a session."""

import subprocess
import sys

from ir_bench import stage

TYPED = '"{}"^^<http://www.w3.org/2001/XMLSchema#double> .'
BEFORE = "<urn:uuid:1> <http://www.w3.org/ns/sosa/hasSimpleResult> "


def digest(*lines):
    return stage.digest_of_lines("\n".join(lines).encode())


def test_order_and_repeats_change_nothing():
    assert digest("b", "a", "b") == digest("a", "b") != digest("a", "c")


def test_a_double_is_its_value():
    assert digest(BEFORE + TYPED.format("7")) == digest(BEFORE + TYPED.format("7.0e0"))
    assert digest(BEFORE + TYPED.format("7")) != digest(BEFORE + TYPED.format("7.1"))
    assert digest('<urn:x> <urn:y> "7" .') != digest('<urn:x> <urn:y> "7.0" .')


def test_the_registry_does_not_count():
    of_registry = "<urn:m> <urn:p> <urn:o> <https://intelligent-river.example/id/graph/registry/usgs_river> ."
    assert digest("a", of_registry) == digest("a")


def test_processor_time_of_a_session_has_that_of_its_children():
    code = ("import subprocess, sys; busy = 'import time\\nwhile time.process_time() < 0.3: pass'; "
            "subprocess.run([sys.executable, '-c', busy]); print('done', flush=True); input()")
    argv = [sys.executable, "-c", code]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout.readline() == b"done\n"
        used = stage.session_seconds(child.pid)
        child.communicate(b"\n")
    assert used >= 0.2  # the child used 0.3 s; /proc counts in steps of 0.01 s
    assert stage.session_seconds(-1) == 0
