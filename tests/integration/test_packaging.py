"""What packagers and users of an installed tree rely on: additional compiler flags, file modes that do not depend on
the umask, one version number, and a manual page and completions for every program. `make test-packages` tests the
packages themselves."""

import json
import os
import re
import stat
import subprocess

import pytest

import harness

ROOT = harness.ROOT
VERSION = (ROOT / "VERSION").read_text().strip()
MODE = harness.BUILD.name


def make(*words, umask=-1, **options):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    argv = ["make", "-s", "-C", ROOT, "--no-print-directory", f"MODE={MODE}", *words]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=600, umask=umask,
                          env={**environment, **options}).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A tree installed by a user whose umask denies others access to new files."""
    if not (ROOT / "Makefile").exists() or harness.BUILD.parent != ROOT / "out":
        pytest.skip("the programs under test are not from make's own build")
    target = tmp_path_factory.mktemp("installed")
    make("install-built", f"DESTDIR={target}", "PREFIX=/usr", umask=0o077)
    return target


# ---- building ----


@pytest.mark.parametrize("words, environment", (
    (("CPPFLAGS=-DMINE", "CFLAGS=-O3", "LDFLAGS=-Wl,--as-needed"), {}),
    ((), {"CPPFLAGS": "-DMINE", "CFLAGS": "-O3", "LDFLAGS": "-Wl,--as-needed"}),
), ids=("command line", "environment"))
def test_flags_of_the_caller_add_to_ours(words, environment):
    told = make("-n", "-B", "MODE=release", *words, "out/release/ir-annotate", **environment).splitlines()
    compiled = next(line.split() for line in told if " -c annotation/main_annotate.c" in line)
    linked = next(line.split() for line in told if "-o out/release/ir-annotate" in line)
    assert {"-std=c17", "-I.", "-DMINE"} <= set(compiled)
    assert [word for word in compiled if re.fullmatch(r"-O\d", word)][-1] == "-O3"
    assert {"-pie", "-Wl,-z,relro", "-Wl,--as-needed", "-lsqlite3"} <= set(linked)


def test_there_is_one_version():
    told = subprocess.run([harness.BUILD / "ir-worker", "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert told == f"ir-worker {VERSION}\n"
    assert re.search(r"^## (\S+),", (ROOT / "CHANGELOG.md").read_text(), re.M)[1] == VERSION
    assert re.search(r"^  version: (\S+)$", (ROOT / "docs" / "reference" / "openapi.yaml").read_text(), re.M)[1] == VERSION
    for path in (ROOT / "packaging").glob("*/*.yaml"):
        assert set(re.findall(r"localhost/intelligent-river:([\w.]+)", path.read_text())) == {VERSION}, path


# ---- an installed tree ----


def test_installed_files_are_for_all(installed):
    for path in installed.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            assert path.resolve().is_relative_to(installed) and path.exists(), path
        elif path.name == "river.conf" and path.parent.parent.name == "etc":
            assert mode == 0o640
        else:
            assert mode == (0o755 if path.is_dir() or mode & 0o100 else 0o644), f"{path}: {mode:o}"


def test_installed_programs_run(installed):
    for path in (installed / "usr" / "bin").iterdir():
        assert subprocess.run([path, "--help"], capture_output=True, timeout=60, check=False).returncode == 0, path


def test_what_messages_name_is_installed(installed):
    environment = {"PATH": "", "HOME": str(installed)}
    told = subprocess.run(["/usr/bin/python3", installed / "usr/bin/ir-platform", "check", "lxc"], env=environment, cwd="/",
                          capture_output=True, text=True, timeout=60, check=False).stdout
    named = re.findall(r"run (\S*tools/install) lxc", told)
    assert named and os.access(f"/{named[0]}", os.X_OK)
    share = installed / "usr" / "share"
    for name in ("ingest/nodes.conf", "platforms/inventory.conf", "packaging/systemd/sandbox.conf"):
        assert (share / "intelligent-river" / name).exists()
    for name in ("docs/howto/set-up.md", "docs/howto/platforms.md", "feed/README.md"):
        assert (share / "doc" / "intelligent-river" / name).exists()


def test_units_name_what_is_installed(installed):
    for unit in (installed / "usr/lib/systemd/system").glob("*.service"):
        text = unit.read_text()
        program, conf = re.search(r"^ExecStart=(\S+) .*--settings=(\S+)$", text, re.M).groups()
        assert (installed / program.lstrip("/")).exists() and (installed / conf.lstrip("/")).exists()
        assert "@" not in re.sub(r"ir-worker@|SystemCallFilter=.*|^#.*", "", text, flags=re.M)
        assert "NoNewPrivileges=yes" in text and "MemoryDenyWriteExecute=yes" in text


def test_uninstall_leaves_the_settings_alone(installed, tmp_path):
    subprocess.run(["cp", "-a", f"{installed}/.", tmp_path], check=True, timeout=60)
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/usr")
    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()]
    assert left == ["etc/intelligent-river/river.conf"]


# ---- manual pages and completions ----


PROGRAMS = sorted("ir-" + each.stem.removeprefix("main_") for each in ROOT.glob("*/main_*.c"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_manual_page_has_every_setting(installed, program):
    told = json.loads(subprocess.run([harness.BUILD / program, "--print-json"], capture_output=True, text=True, check=True,
                                     timeout=60).stdout)
    page = (installed / "usr/share/man/man1" / f"{program}.1").read_text()
    assert VERSION in page.splitlines()[0]
    for row in (*told["settings"], *told["built_in"]):
        assert "\\fB\\-\\-" + row["name"].replace("-", "\\-") + "\\fR" in page, row["name"]
    assert {each["name"] for each in told["built_in"]} >= {"help", "version", "settings"}


COMPLETE = """
source "$1"
COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2)) COMPREPLY=()
compopt() { :; }
"_${2//-/_}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("words, offers, not_offered", (
    (("ir-worker", "--log-l"), {"--log-level"}, set()),
    (("ir-worker", "--log-level", "w"), {"warn"}, {"info"}),
    (("ir-worker", "--log-level", "=", "d"), {"debug"}, {"warn"}),
    (("ir-worker", "--log-level", "="), {"debug", "warn"}, set()),
    (("ir-store", "re"), {"rejected", "reprocess"}, {"init"}),
    (("ir-store", "--settings", "VERS"), {"VERSION"}, set()),
    (("ir-platform", "sn"), {"snapshot"}, {"boot"}),
    (("ir-platform", "provision", "bare", "one", "--ro"), {"--roles", "--root"}, {"--kind"}),
    (("ir-deploy", "--ro"), {"--root"}, set()),
), ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_bash_completes(installed, words, offers, not_offered):
    script = installed / "usr/share/bash-completion/completions" / words[0]
    told = subprocess.run(["bash", "-c", COMPLETE, "bash", script, *words], cwd=ROOT, capture_output=True, text=True, check=True,
                          timeout=60).stdout.split()
    assert offers <= set(told) and not not_offered & set(told)
