"""Files that are replaced as a whole (ingest/atomic.py), also on a full disk."""

import os
import shutil
import subprocess
import sys

import pytest

import harness
from servers import atomic

FULL = """import resource, sys
sys.path.insert(0, sys.argv[1])
import atomic
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
atomic.write(sys.argv[2], "x" * 200, lasting=False)
"""


def mode_of(path):
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("given, expected", [({}, 0o640), ({"mode": atomic.PRIVATE}, 0o600), ({"mode": atomic.PUBLIC}, 0o644)])
def test_a_file_keeps_its_mode_unless_told_otherwise(tmp_path, given, expected):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(0o640)
    before = os.umask(0o077)
    try:
        atomic.write(path, "new", **given)
    finally:
        os.umask(before)
    assert path.read_text() == "new" and mode_of(path) == expected


def test_a_new_file_is_private_unless_told_otherwise(tmp_path):
    atomic.write(tmp_path / "folder" / "text", "é\n")
    atomic.write(tmp_path / "bytes", b"\xff", atomic.PUBLIC)
    assert (tmp_path / "folder" / "text").read_bytes() == b"\xc3\xa9\n" and mode_of(tmp_path / "folder" / "text") == 0o600
    assert (tmp_path / "bytes").read_bytes() == b"\xff" and mode_of(tmp_path / "bytes") == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_file_keeps_its_owner_unless_told_otherwise(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    shutil.chown(path, 65534, 65533)
    atomic.write(path, "new")
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65533)
    atomic.write(path, "newer", owner=(0, 0))
    assert (path.stat().st_uid, path.stat().st_gid) == (0, 0)


def test_a_full_disk_leaves_the_old_file(tmp_path):
    """Simulates a full disk: a file may have at most 100 bytes. The error names the file."""
    path = tmp_path / "file"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", FULL, harness.ROOT / "ingest", path], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 1 and done.stderr.endswith(f"File too large: '{path}'\n")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_what_fails_or_makes_nothing_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic.replacing(path) as part:
        part.write_text("new")
        raise KeyboardInterrupt
    with atomic.replacing(path):
        pass
    with pytest.raises(FileNotFoundError) as failed, atomic.replacing(path) as part:
        shutil.copy(tmp_path / "source", part)
    assert str(failed.value.filename) == str(tmp_path / "source")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_passwords_keep_the_mode_of_their_file(tmp_path):
    """The owner may have changed the mode of the file. It stays the same when passwords are added."""
    path = tmp_path / "passwords"
    path.write_text("river swordfish\n")
    path.chmod(0o700)
    assert harness.cluster.definitions.complete_passwords(path, ["river", "worker"])["river"] == "swordfish"
    assert mode_of(path) == 0o700
