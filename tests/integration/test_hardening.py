"""tools/hardening.py reports the protections that a program was built without."""

import re
import subprocess
import sys

import pytest

import harness

TOOL = harness.ROOT / "tools" / "hardening.py"
SOURCE = """
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv) {
    char text[64];
    strcpy(text, argv[argc - 1]);
    return puts(text);
}
"""
# Options of a release build that are removed or replaced, and the report expected in each case.
LACKING = [
    ("-pie", "-no-pie", "not a position-independent executable"),
    ("-Wl,-z,now", "-Wl,-z,lazy", "no full RELRO"),
    ("-Wl,-z,relro", "-Wl,-z,norelro", "no full RELRO"),
    ("-Wl,-z,noexecstack", "-Wl,-z,execstack", "its stack is executable"),
    ("-fstack-protector-strong", "-fno-stack-protector", "no stack protector"),
    ("-D_FORTIFY_SOURCE=3", "", "no fortified function"),
    ("-fstack-clash-protection", "-fno-stack-clash-protection", "files are compiled without -fstack-clash-protection"),
    ("-g", "", "no debugging information"),
]
if harness.os.uname().machine == "x86_64":
    LACKING.append(("-fcf-protection=full", "-fcf-protection=none", "files are compiled without -fcf-protection=full"))


@pytest.fixture(scope="module")
def options():
    """Returns the options with which make compiles and links a release."""
    argv = ["make", "--always-make", "--dry-run", "-s", "MODE=release", "out/release/ir-annotate"]
    told = subprocess.run(argv, cwd=harness.ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    compiled, linked = (next(line for line in told.splitlines() if word in line)
                        for word in (" -c annotation/main_annotate.c", "-o out/release/ir-annotate"))
    wanted = re.compile(r"-(O\d|g|D_F\S+|U_F\S+|f\S+|m[a-z]\S+|pie|Wl,\S+)")
    return list(dict.fromkeys(word for word in (*compiled.split(), *linked.split()) if wanted.fullmatch(word)))


def faults_of(tmp_path, options):
    (tmp_path / "program.c").write_text(SOURCE)
    argv = ["gcc", "-w", *filter(None, options), "program.c", "-o", "program"]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    done = subprocess.run([sys.executable, TOOL, tmp_path / "program"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) == (done.stdout == ""), done.stderr
    return done.stdout


def test_a_release_lacks_nothing(tmp_path, options):
    assert faults_of(tmp_path, options) == ""


@pytest.mark.parametrize("option, instead, says", LACKING)
def test_what_is_lacking_is_named(tmp_path, options, option, instead, says):
    assert option in options
    assert says in faults_of(tmp_path, [instead if each == option else each for each in options])
