"""The remarks about stored samples that each kind of experiment makes."""

from types import SimpleNamespace

import pytest

from ir_bench import kinds, scalability


def found(subjects, values, scouted=None, parameters=None):
    """Makes an object in place of an analysis. `values`: {(subject, measure): [values]}."""
    def of(subject, measure):
        return dict(enumerate(values.get((subject, measure), [])))

    def median(subject, measure):
        by = sorted(of(subject, measure).values())
        return by[len(by) // 2] if by else None

    return SimpleNamespace(subjects=subjects, plan={"scouted": scouted or {}}, values=of, median=median,
                           experiment=SimpleNamespace(parameters=parameters or {}))


GRID = {"grid": [{"name": "grid-30", "rate": 3000}, {"name": "grid-35", "rate": 3500}, {"name": "grid-40", "rate": 4000}]}


@pytest.mark.parametrize("kept, told", [
    ({"grid-30": [1, 1, 1, 1], "grid-35": [1, 0, 1, 0], "grid-40": [0, 0, 1, 0]}, "3,500 observations/s"),
    ({"grid-30": [1, 1, 1, 1], "grid-35": [1, 1, 1, 1], "grid-40": [1, 1, 1, 0]}, "4,000 observations/s"),
    ({"grid-30": [0, 0, 0, 1], "grid-35": [0, 0, 0, 0], "grid-40": [0, 0, 0, 0]}, "below the grid"),
])
def test_sustained_is_what_half_of_the_blocks_kept(kept, told):
    values = {("bare", f"{name}.kept"): each for name, each in kept.items()}
    assert kinds.load("sustained").remarks(found(["bare"], values, GRID)) == [f"bare: highest sustained rate {told}"]


def scaled(numbers):
    points = {("bare", f"worker-{n}.rate"): [scalability.throughput(n, 1000, 0.05, 0.002)] for n in numbers}
    return found(["bare"], points, {"role": "worker", "numbers": list(numbers)}, {"numbers": [1, 2, 3, 4, 6, 8]})


def test_scale_says_the_law_only_of_enough_numbers():
    few = kinds.load("scale").remarks(scaled((1, 2)))
    assert few == ["not measured, too few cores: 3, 4, 6, 8", "bare: the law is not fitted to fewer than 5 different numbers"]
    many = kinds.load("scale").remarks(scaled((1, 2, 3, 4, 6, 8)))
    assert len(many) == 1 and many[0].startswith("bare: 1,000 observations/s of one, contention 5.0%, coherence 0.20%, most at 22")


def test_ceilings_say_how_near_the_whole_is():
    values = {("here", "embedded.rate"): [30000], ("here", "embedded.near"): [0.75], ("here", "embedded.all_us"): [50],
              ("here", "publish.rate"): [200000], ("here", "consume.rate"): [300000], ("here", "sqlite.rate"): [60000]}
    told = kinds.load("ceilings").remarks(found(["here"], values))
    assert told == ["with SQLite and N-Quads files: 30,000 observations/s, 75% of what the processors allow at 50 µs per "
                    "observation in all processes, and 50% of the rate into SQLite alone (60,000/s)"]


def test_a_search_is_told_with_what_it_stored():
    values = {("lxc", "search.highest"): [22900], ("lxc", "search.stored"): [3000000], ("lxc", "search.written_mib"): [1200.4]}
    assert kinds.load("search").remarks(found(["bare", "lxc"], values)) == [
        "lxc: --find-max found 22,900 observations/s; it stored 3,000,000 observations and wrote 1,200 MiB to the disk"]
