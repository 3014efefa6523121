"""Podman with separate storage runs a container of an image from an additional store, and leaves nothing behind. `make
test-platforms PLATFORMS=podman` runs whole guests."""

import os
import subprocess
from pathlib import Path

import pytest

from platforms.lab import clean, registry
from platforms.podman import findings
from platforms.podman.engine import Engine
from platforms.podman.recipe import limit_words

PROGRAM = '#include <stdio.h>\nint main(int n, char **words) { return puts(words[n - 1]) < 0; }\n'


@pytest.fixture
def tree(tmp_path):
    """A root folder with one program that needs no library."""
    if missing := [each for each in findings.all_of() if each.required and not each.ok]:
        pytest.skip("; ".join(f"{each.what}: {each.reason}" for each in missing))
    (tmp_path / "tree").mkdir()
    (tmp_path / "say.c").write_text(PROGRAM)
    subprocess.run(["gcc", "-static", tmp_path / "say.c", "-o", tmp_path / "tree" / "say"], check=True, timeout=60)
    return tmp_path / "tree"


def below(*folders):
    return [each for each in clean.mounts() if any(Path(each).is_relative_to(folder) for folder in folders)]


def test_a_container_runs_and_leaves_nothing(tree, tmp_path):
    runs = [Path(f"/run/ir-test-podman-{os.getpid()}-{name}") for name in ("store", "lab")]
    store = Engine(tmp_path / "store", runs[0])
    lab = Engine(tmp_path / "lab", runs[1], [tmp_path / "store"])
    try:
        store.import_tree(tree, "localhost/say:1", ['CMD ["/say", "as the image has it"]'])
        store.close()
        assert not below(tmp_path / "store", runs[0])
        words = ("run", "--network=none", *limit_words())
        assert lab.run(*words, "localhost/say:1").out == "as the image has it\n"
        assert lab.run(*words, "--name=one", "localhost/say:1", "/say", "two words").out == "two words\n"
        lab.run("commit", "--quiet", "one", "localhost/say:2")
        assert lab.run(*words, "localhost/say:2", "/say", "again").out == "again\n"
        assert "localhost/say" not in subprocess.run(["podman", "images"], capture_output=True, text=True, timeout=60, check=True).stdout
    finally:
        for each in (lab, store):
            each.remove()
    assert not below(tmp_path, *runs) and not any(each.exists() for each in (*runs, store.folder, lab.folder))


def test_files_of_settings_are_never_half_written(tmp_path):
    engine = Engine(tmp_path / "lab", tmp_path / "run")
    first, again = (engine.settings("engine", "text\n") for _ in range(2))
    other = engine.settings("engine", "other\n")
    assert first == again != other and first.read_text() == "text\n"
    assert sorted(each.suffix for each in (tmp_path / "lab").iterdir()) == [".conf", ".conf"]


def test_the_folder_alone_makes_it_a_platform():
    assert "podman" in registry.names() and registry.recipe("podman").shares_kernel
