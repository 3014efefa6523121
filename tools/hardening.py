#!/usr/bin/env python3
"""Checks that programs have the protections of a release against memory faults. Prints what is missing and exits with
1:

    python3 tools/hardening.py out/release/ir-worker …

Required are: a position-independent executable; full RELRO (all relocations done at the start, then read-only); no
executable stack; stack protector; fortified library functions; stack-clash and control-flow protection. The last two
and the stack protector must hold for every compiled file; the compiler records its options in the debugging
information. (The program's own mark of control-flow protection would also need it in the C library's start files, which
Debian builds without.)
"""

import argparse
import re
import subprocess

import servers  # puts ingest/ on the module path

import guard

# The compiler's option for control-flow protection, by machine.
CONTROL_FLOW = {"X86-64": "-fcf-protection=full", "AArch64": "-mbranch-protection=standard"}
EVERYWHERE = ("-fstack-protector-strong", "-fstack-clash-protection")


def readelf(program, *options):
    done = subprocess.run(["readelf", "--wide", *options, program], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise guard.Fault(f"{program}: {done.stderr.strip()}")
    return done.stdout


def check_image(program):
    """Returns the protections that the executable image lacks."""
    dynamic, segments = readelf(program, "--dynamic"), readelf(program, "--segments")
    if not re.search(r"\(FLAGS_1\).*\bPIE\b", dynamic):
        yield "it is not a position-independent executable"
    if "GNU_RELRO" not in segments or not re.search(r"\(BIND_NOW\)|\(FLAGS(_1)?\).*\b(BIND_)?NOW\b", dynamic):
        yield "no full RELRO"
    if not re.search(r"GNU_STACK .* RW  ", segments):
        yield "its stack is executable"
    if found := re.search(r"\((RPATH|RUNPATH|TEXTREL)\)", dynamic):
        yield f"it has {found.group(1)}"


def check_functions(program):
    symbols = readelf(program, "--dyn-syms")
    if "__stack_chk_fail" not in symbols:
        yield "no stack protector"
    if not re.search(r"\b__\w+_chk\b", symbols):
        yield "no fortified function"


def check_files(program):
    """Returns the protections that were missing when the program's files were compiled."""
    compiled = re.findall(r"DW_AT_producer .*: (GNU C\d.*)", readelf(program, "--debug-dump=info", "--dwarf-depth=1"))
    if not compiled:
        yield "no debugging information, which would show how it was compiled"
    machine = re.search(r"Machine: +.*?(X86-64|AArch64)?$", readelf(program, "--file-header"), re.M).group(1)
    for option in filter(None, (*EVERYWHERE, CONTROL_FLOW.get(machine))):
        if lacking := sum(option not in words.split() for words in compiled):
            yield f"{lacking} of {len(compiled)} files are compiled without {option}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", metavar="PROGRAM", nargs="+")
    programs = parser.parse_args().programs
    faults = [f"{program}: {fault}" for program in programs for check in (check_image, check_functions, check_files)
              for fault in check(program)]
    print("\n".join(faults), end="\n" if faults else "")
    return 1 if faults else 0


if __name__ == "__main__":
    guard.run("tools/hardening.py", main)
