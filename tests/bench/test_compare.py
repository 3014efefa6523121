"""Compares two commits, two settings, and two stored runs."""

import shutil
import subprocess

import pytest

from ir_bench import builds, cli, experiment, likeness, roles, side_by_side
from ir_bench.analysis import analyse
from ir_bench.subjects import Subject
from stored import store

QUICK = experiment.read("quick")[0]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with two commits. Each of them builds one program."""
    root = tmp_path / "project"
    root.mkdir()

    def git(*words):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(["git", "-C", root, *identity, *words], check=True, capture_output=True)

    git("init", "-q")
    for number in (1, 2):
        (root / "Makefile").write_text(f"build:\n\tmkdir -p out/release && echo {number} >out/release/ir-worker\n")
        git("add", "Makefile")
        git("commit", "-q", "-m", f"commit {number}")
    monkeypatch.setattr(builds, "ROOT", root)
    return root


def test_two_commits_are_built_apart_and_the_first_stands_twice(project, tmp_path):
    found = builds.subjects("HEAD~1", "HEAD", QUICK, "bare", tmp_path / "builds")
    assert [each.name for each in found] == ["HEAD~1", "HEAD~1-again", "HEAD"]
    assert {each.against for each in found} == {"HEAD~1"}
    told = [subprocess.run(["cat", f"{each.build}/out/release/ir-worker"], capture_output=True, text=True, check=True).stdout
            for each in found]
    assert told == ["1\n", "1\n", "2\n"]


def test_a_build_is_made_once(project, tmp_path):
    place = builds.build("HEAD", tmp_path / "builds")
    (project / "Makefile").write_text("build:\n\tfalse\n")
    shutil.rmtree(f"{place}/out")
    assert builds.build("HEAD", tmp_path / "builds") == place


def test_a_commit_that_does_not_build_leaves_nothing(project, tmp_path):
    (project / "Makefile").write_text("build:\n\t@echo no such header; false\n")
    subprocess.run(["git", "-C", project, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam", "broken"],
                   check=True)
    with pytest.raises(builds.SideError, match="no such header"):
        builds.build("HEAD", tmp_path / "builds")
    with pytest.raises(builds.SideError, match="no such header"):
        builds.build("HEAD", tmp_path / "builds")


def test_settings_have_the_types_of_the_experiment(tmp_path):
    found = builds.subjects(".", "graph=null,motes=100,profile=pinned", QUICK, "lxc", tmp_path)
    assert found[2] == Subject("graph=null,motes=100,profile=pinned", "lxc", "pinned", ".", {"graph": "null", "motes": 100})


@pytest.mark.parametrize(
    "side, told",
    [
        ("no-such-commit", "is neither a commit of this repository"),
        ("grph=null", "'grph' is profile, worker.SETTING, or one of topology, documents"),
        ("motes=many", "motes=many"),
        ("HEAD,graph", "'graph' is not KEY=VALUE"),
        (".", "both sides are '.'"),
    ],
)
def test_what_is_no_side_is_told(project, tmp_path, side, told):
    with pytest.raises(builds.SideError) as error:
        builds.subjects(".", side, QUICK, "bare", tmp_path)
    assert told in str(error.value)


def test_what_is_compared_on_purpose_forbids_nothing():
    one, other = {"all: programs": "a", "all: kernel": "6.1"}, {"all: programs": "b", "all: kernel": "6.1"}
    first, second = Subject("A", "bare", build="/a"), Subject("B", "bare", build="/b")
    assert [row[3] for row in likeness.compare(one, other, likeness.purpose(first, second))] == ["same", "what is compared"]
    assert [row[3] for row in likeness.compare(one, other, likeness.purpose(first, first))] == ["same", "different"]
    with_setting = Subject("C", "bare", settings={"graph": "fuseki"})
    assert likeness.purpose(Subject("A", "bare"), with_setting) == likeness.OF_SETTINGS


def test_two_runs_stand_side_by_side_without_a_verdict(tmp_path, capsys):
    runs = [store(tmp_path, seed=seed) for seed in (1, 2)]
    assert cli.main(["compare", *(str(each.run.path) for each in runs)]) == 0
    text = capsys.readouterr().out
    assert "**No verdict is possible:**" in text
    assert "| canary: a walk through 32 MiB, ns | 100.0 (100.0–100.0) | 100.0 (100.0–100.0) |" in text
    assert "| bare: full.rate, rate, observations/s |" in text
    assert not any(word in text for word in ("higher", "lower", "no difference"))


def test_a_run_is_not_compared_with_a_commit(tmp_path, capsys):
    assert cli.main(["compare", str(store(tmp_path).run.path), "HEAD"]) == 2
    assert "the other side must be one" in capsys.readouterr().err


def test_only_what_both_runs_have_is_shown(tmp_path):
    def without(line):
        line["measures"].pop("fixed.p99_ms")
        return line

    analyses = [analyse(store(tmp_path), QUICK), analyse(store(tmp_path, change=without), QUICK)]
    assert "p99" not in side_by_side.write(["one", "other"], analyses)


def test_processor_time_of_a_service_is_that_of_its_children_too():
    """With 100 ticks per second, the worker used 1.5 s, its ended children 0.5 s, and its running child 1 s. The other
    process does not count."""
    text = ("worker-1 10\nbroker 20\n"
            "10 (ir-worker) S 1 10 10 0 -1 0 0 0 0 0 100 50 30 20 0\n"
            "11 (a (b) c) S 10 10 10 0 -1 0 0 0 0 0 60 40 0 0 0\n"
            "20 (beam.smp) S 1 20 20 0 -1 0 0 0 0 0 7 0 0 0 0\n"
            "30 (other) S 1 30 30 0 -1 0 0 0 0 0 999 0 0 0 0\n")
    assert roles.by_service(text) == {"worker-1": pytest.approx(3.0), "broker": pytest.approx(0.07)}
