"""Checks what every kind of experiment declares."""

import pytest

from ir_bench import experiment, kinds, proofs, sample
from ir_bench.kinds.base import Measure


@pytest.mark.parametrize("name", kinds.names())
def test_a_kind_declares_itself(name):
    kind = kinds.load(name)
    assert issubclass(kind.Sample, sample.Sample)
    assert kind.parameters and all(isinstance(each, Measure) for each in kind.measures.values())
    assert {each.better for each in kind.measures.values()} <= {"higher", "lower", ""}
    assert set(kind.proofs) <= set(proofs.NAMED)
    assert all(other in kind.measures for other, _ in kind.beside.values())


@pytest.mark.parametrize("name", kinds.names())
def test_a_kind_is_used(name):
    assert name in {experiment.read(each)[0].kind for each in experiment.names()}
