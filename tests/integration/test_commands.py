"""Checks the commands in the documents: every program, script, target, option and variable that they name exists, and a
shell can parse each block. test_documents.py also runs the tutorial's commands."""

import functools
import os
import re
import subprocess

import pytest

import harness

import variables

PROGRAMS = {path.name: path for path in harness.BUILD.glob("ir-*") if os.access(path, os.X_OK)}
SCRIPTS = {"ir-top": "monitoring/ir-top", "ir-deploy": "platforms/ir-deploy", "ir-platform": "platforms/ir-platform",
           "ir-bench": "bench/ir-bench"}
FOLDERS = ("bench", "examples", "ingest", "monitoring", "platforms", "tests", "tools")
OURS = ("make ", "ir-", "out/release/", *(f"{folder}/" for folder in FOLDERS))
EVERYWHERE = {"--help", "--version", "--settings", "--print-settings", "--print-example"}  # not in the help of each program

BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
COMMENT = re.compile(r"(?:^|\s)#.*$", re.MULTILINE)
END = re.compile(r"[|;&)\n]")  # the end of one command
BEFORE = re.compile(r"^(?:(?:sudo|nice|exec|\$|[A-Z_]+=\S*)\s+)*")
WORD = re.compile(r"[a-z][a-z-]*")
OPTION = re.compile(r"--[a-z][a-z0-9-]*")
VARIABLE = re.compile(r"([A-Z]+)=")
TARGET = re.compile(r"^([a-z][a-z -]*):(?!=)", re.MULTILINE)


def documents():
    listed = subprocess.check_output(["git", "ls-files", "*.md"], cwd=harness.ROOT, text=True, timeout=60).splitlines()
    return [each for each in listed if not each.startswith(("tests/data/", "docs/sample-report/"))]


def commands(text):
    """The commands of a shell text, each as a list of words. A quoted text counts as one word."""
    plain = COMMENT.sub("", QUOTED.sub("'…'", text.replace("\\\n", " ")))
    lines = (BEFORE.sub("", each.strip()) for each in END.split(plain))
    return [line.split() for line in lines if line]


@functools.cache
def options_of(*command):
    shown = subprocess.run([*command, "--help"], cwd=harness.ROOT, text=True, capture_output=True, timeout=60)
    return set(OPTION.findall(shown.stdout + shown.stderr))


@functools.cache
def targets():
    return {word for line in TARGET.findall((harness.ROOT / "Makefile").read_text()) for word in line.split()}


def faults_of_make(words):
    wanted = [word for word in words if WORD.fullmatch(word)]
    known = {**variables.taken_by(wanted or ["build"]), **variables.BUILD}
    given = [found[1] for found in map(VARIABLE.match, words) if found]
    return ([f"make has no target {word}" for word in wanted if word not in targets()] +
            [f"make {' '.join(wanted)} does not take {name}" for name in given if name not in known])


def faults_of_program(path, words, known):
    options = [option for word in words for option in OPTION.findall(word.partition("=")[0])]
    return [f"{path.name} has no option {option}" for option in options if option not in known | EVERYWHERE]


def faults_of(words):
    """Returns a list of the things that a command names but that do not exist. Commands of other programs are not
    checked."""
    name, words = words[0], words[1:]
    if name == "make":
        return faults_of_make(words)
    program = PROGRAMS.get(name.removeprefix("out/release/"))
    if program:
        return faults_of_program(program, words, options_of(program))
    script = SCRIPTS.get(name, name)
    if not script.startswith(tuple(f"{folder}/" for folder in FOLDERS)):
        return []
    path = harness.ROOT / script
    if not os.access(path, os.X_OK):
        return [f"there is no script {script}"]
    if not any(OPTION.match(word) for word in words):
        return []
    verb = [word for word in words if WORD.fullmatch(word)][:1]
    return faults_of_program(path, words, options_of(path) | options_of(path, *verb))


@pytest.mark.parametrize("name", documents())
def test_commands_exist(name):
    text = (harness.ROOT / name).read_text()
    found = []
    for _, block in BLOCK.findall(text):
        parsed = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, timeout=60)
        found += [parsed.stderr] if parsed.returncode else []
        found += [fault for words in commands(block) for fault in faults_of(words)]
    for inline in INLINE.findall(BLOCK.sub("", text)):
        if inline.startswith(OURS) and " " in inline:
            found += [fault for words in commands(inline) for fault in faults_of(words)]
    assert found == []


@pytest.mark.parametrize("command", ["make rum", "make run DOCUMENT=mongodb", "ir-worker --prefech 5", "tools/nothing x",
                                     "ls | sudo out/release/ir-store last --mot a"])
def test_a_wrong_command_is_found(command):
    assert [fault for words in commands(command) for fault in faults_of(words)]
