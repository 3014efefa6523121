"""Debian releases: apt sources derived from those of another release, the appliance's packages, and sandboxes in which
the project is built and tested on another release."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import servers  # noqa: F401 - puts tools/ on the path

sys.path.insert(0, str(harness.ROOT))

from platforms.lab import LabError, Unsupported, image, payload, release, sandbox  # noqa: E402

DEB822 = """Types: deb
# URIs: http://old.example/debian bookworm
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/example.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main
"""
ONE_LINE = "deb [trusted=yes] http://mirror.example/bookworm/debian bookworm main\n"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with Debian bookworm and apt sources of its own."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(ONE_LINE)
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d" / "other.list").write_text("deb http://other.example stable-bookworm main\n")
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME=bookworm\nVERSION_ID="12"\n')
    monkeypatch.setattr(release, "APT", tmp_path)
    monkeypatch.setattr(release, "OS_RELEASE", tmp_path / "os-release")
    monkeypatch.delenv(release.VARIABLE, raising=False)
    return tmp_path


def test_sources_of_the_hosts_release_are_its_own(host):
    assert release.sources("bookworm") == {"sources.list": ONE_LINE, "debian.sources": release.uncommented(
        host / "sources.list.d" / "debian.sources")}


def test_sources_of_another_release_name_its_suites_alone(host):
    found = release.sources("trixie")
    assert found["sources.list"] == ONE_LINE.replace(" bookworm ", " trixie ")
    assert "Suites: trixie trixie-updates\n" in found["debian.sources"]
    assert "Suites: trixie-security\n" in found["debian.sources"]
    assert set(found) == {"sources.list", "debian.sources"} and "mirror.example/security" in found["debian.sources"]


def test_sources_that_the_host_has_for_another_release_are_taken(host):
    theirs = "deb http://mirror.example/13 trixie main\n"
    (host / "sources.list.d" / "next.list").write_text(theirs)
    assert release.sources("trixie") == {"next.list": theirs}


def test_a_host_that_is_no_debian_is_told_so(host):
    (host / "os-release").write_text("ID=fedora\nVERSION_ID=42\n")
    with pytest.raises(Unsupported, match="os-release"):
        release.of_host()


def test_the_appliance_is_of_the_host_or_of_the_release_that_is_named(host, monkeypatch):
    assert release.of_appliance() == "bookworm"
    monkeypatch.setenv(release.VARIABLE, "trixie")
    assert release.of_appliance() == "trixie"
    monkeypatch.setenv(release.VARIABLE, "sid")
    with pytest.raises(LabError, match="bookworm, trixie"):
        release.of_appliance()


def test_packages_of_the_appliance_have_their_names_in_each_release():
    twelve, thirteen = (set(image.packages(each)) for each in release.KNOWN)
    assert twelve - thirteen == {"libcbor0.8"} and thirteen - twelve == {"libcbor0.10"}


def test_programs_for_another_release_are_not_the_hosts(host, monkeypatch, tmp_path):
    """A tree installed without sources cannot build the programs for another release. It says so."""
    monkeypatch.delenv("IR_BUILD", raising=False)
    monkeypatch.setattr(payload, "PROJECT", tmp_path)
    with pytest.raises(LabError, match="bookworm.*trixie.*IR_BUILD"):
        payload.program_folder("trixie")
    monkeypatch.setenv("IR_BUILD", str(harness.BUILD))
    assert payload.program_folder("trixie") == harness.BUILD


# ---- sandboxes ----


@pytest.fixture
def apart(tmp_path):
    """A sandbox over the host's own files, which it must not change."""
    try:
        sandbox.require(tmp_path / "probe")
    except Unsupported as reason:
        pytest.skip(str(reason))
    made = sandbox.Sandbox("/", tmp_path / "layer", "apart")
    yield made
    made.discard()


def said(inside, script, tmp_path):
    log = tmp_path / "log"
    assert inside.run(["sh", "-c", script], log, seconds=60) == 0, log.read_text()
    return log.read_text().split()


def test_a_sandbox_shares_nothing_with_the_host(apart, tmp_path):
    script = "cat /proc/sys/kernel/hostname; ls /sys/class/net; ls -d /proc/[0-9]*; echo >/made-inside"
    told = said(apart, script, tmp_path)
    assert told[:2] == ["apart", "lo"] and "/proc/1" in told and len(told) < 10
    assert not Path("/made-inside").exists() and (tmp_path / "layer" / "upper" / "made-inside").exists()


def test_what_is_bound_is_seen_and_read_only_when_asked_for(apart, tmp_path):
    for name in ("fixed", "free"):
        (tmp_path / name).mkdir()
    apart.binds = [("ro", tmp_path / "fixed", "/fixed"), ("rw", tmp_path / "free", "/free")]
    said(apart, "! echo x 2>/dev/null >/fixed/file && echo x >/free/file", tmp_path)
    assert not list((tmp_path / "fixed").iterdir()) and (tmp_path / "free" / "file").exists()


def test_what_is_bound_over_can_be_written_to_and_stays(apart, tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_text("kept\n")
    apart.binds = [("over", tmp_path / "kept", "/over")]
    assert said(apart, "cat /over/file; echo changed >/over/file; cat /over/file", tmp_path) == ["kept", "changed"]
    assert (tmp_path / "kept" / "file").read_text() == "kept\n"


def test_a_sandbox_ends_with_the_program_that_runs_it(apart, tmp_path):
    """The program that runs a sandbox is killed. A process in the background of the sandbox ends too."""
    script = ("from platforms.lab import sandbox; import sys; sandbox.Sandbox('/', sys.argv[1], 'apart').run("
              "['sh', '-c', 'sleep 4321 & echo started; sleep 4322'], sys.argv[2])")
    log = tmp_path / "log"
    runner = subprocess.Popen([sys.executable, "-B", "-c", script, tmp_path / "layer", log], cwd=harness.ROOT)
    harness.wait_for(lambda: log.exists() and "started" in log.read_text(), "the sandbox", 60)
    os.kill(runner.pid, signal.SIGKILL)
    runner.wait()
    harness.wait_for(lambda: not sleeping(), "its processes to end")
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()


def sleeping():
    return [each for each in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x004321" in read(each)]


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


# ---- the build ----


def test_one_header_knows_where_librabbitmqs_are():
    """Since version 0.12 librabbitmq's headers are at another path, and the old path gives a warning. Only one of our
    headers includes them."""
    listed = [each for kind in ("h", "c") for each in harness.ROOT.glob(f"[a-z]*/**/*.{kind}")]
    sources = [each for each in listed if each.relative_to(harness.ROOT).parts[0] != "out"]
    found = [str(each.relative_to(harness.ROOT)) for each in sources if "#include <amqp" in each.read_text()]
    assert found == ["broker/rabbitmq_c.h"]
