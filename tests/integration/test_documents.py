"""Tests the documents as a reader uses them. The tutorial's commands run in one shell, one after the other, and print
what the page shows. The target of every link exists, and so does every document that a program or script names."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading

import pika
import pytest

import harness
from harness import programs

import definitions
import references
import river

TUTORIAL = harness.ROOT / "docs" / "tutorial.md"
# A block of commands, and the block right after it with their output.
STEP = re.compile(r"^```sh\n(?P<commands>.*?)^```\n(?:\n```(?!sh)\w*\n(?P<shown>.*?)^```$)?", re.MULTILINE | re.DOTALL)
END = "---- end of step"
SECONDS = 500


def steps():
    """Returns the tutorial's steps: pairs of commands and their output (or None), without the block that makes the
    clone, which is marked."""
    return [(each["commands"], each["shown"]) for each in STEP.finditer(TUTORIAL.read_text())]


def pattern(shown):
    """Makes a regular expression of an output on a page. "…" matches anything; alone on a line it matches any number of
    lines."""
    lines = [re.escape(line).replace("…", ".*") for line in shown.rstrip("\n").split("\n")]
    return re.compile("\n".join(r"(?:.*\n)*?.*" if line == ".*" else line for line in lines))


@pytest.fixture
def clone(tmp_path):
    """A clone of the project in which everything is built; it uses the programs under test."""
    for each in harness.ROOT.iterdir():
        if each.name not in ("out", "river", "mine", "bin"):
            (tmp_path / each.name).symlink_to(each)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "release").symlink_to(harness.BUILD)
    (tmp_path / "bin").mkdir()
    make = tmp_path / "bin" / "make"
    make.write_text(f'#!/bin/sh\nexec {shutil.which("make")} --no-print-directory -o programs -o up-programs "$@"\n')
    make.chmod(0o755)
    yield tmp_path
    subprocess.run([sys.executable, "tools/up.py", "down"], cwd=tmp_path, check=True, timeout=120)


class Shell:
    """One shell that runs all steps, as a reader's shell does."""

    def __init__(self, clone):
        environment = {**os.environ, "PATH": f"{clone / 'bin'}:{os.environ['PATH']}", "IR_BUILD": str(harness.BUILD),
                       "LANG": "C.UTF-8", "MAKEFLAGS": "", "MAKELEVEL": "0"}
        self.bash = subprocess.Popen(["bash", "--norc"], cwd=clone, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True, start_new_session=True)
        self.end = threading.Timer(SECONDS, self.kill)
        self.end.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end.cancel()
        self.kill()

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.bash.pid, signal.SIGKILL)
        self.bash.wait()

    def run(self, commands):
        """Runs the commands; returns their output and exit status."""
        self.bash.stdin.write(f'{{\n{commands}}} </dev/null 2>&1\necho "{END} $?"\n')
        self.bash.stdin.flush()
        lines = []
        for line in self.bash.stdout:
            if line.startswith(END):
                return "".join(lines), int(line.split()[-1])
            lines.append(line)
        pytest.fail(f"the shell ended within {SECONDS} s in\n{commands}after\n{''.join(lines)}")


def settle(clone):
    """Waits until confirmed messages are stored. A human reader types so slowly that this is always the case."""
    description = river.River(clone / "river").description() if (clone / "river").exists() else None
    if description is None:
        return
    passwords = definitions.read_passwords(description["passwords"])
    uri = description["consumers"].replace("://", f"://worker:{passwords['worker']}@")
    workers = [programs.Endpoint(each["address"]) for each in description["workers"]]
    with pika.BlockingConnection(pika.URLParameters(uri)) as connection:
        channel = connection.channel()

        def idle():
            queues = [channel.queue_declare(f"ir.observations.{i}", passive=True).method.message_count for i in range(8)]
            return not any(queues) and not any(each.metric("ir_messages_in_flight") for each in workers)

        harness.wait_for(lambda: all(idle() for _ in range(3)), "the workers")


def test_the_commands_print_what_the_page_says(clone):
    with Shell(clone) as shell:
        for commands, shown in steps():
            text, status = shell.run(commands)
            if shown is None:
                assert status == 0, f"{commands}\n{text}"
            else:
                assert pattern(shown).fullmatch(text.rstrip("\n")), f"$ {commands}printed\n{text}\nand the page says\n{shown}"
            settle(clone)


def test_the_loggers_file_is_what_its_program_writes():
    folder = harness.ROOT / "examples" / "tutorial"
    made = subprocess.check_output([sys.executable, folder / "make_logger.py"], timeout=60)
    assert made == (folder / "logger.csv").read_bytes()


# ---- links ----


def repository():
    """Returns the paths of all text files in the project, except those made by others."""
    listed = subprocess.check_output(["git", "ls-files"], cwd=harness.ROOT, text=True, timeout=60).splitlines()
    return [harness.ROOT / each for each in listed if not each.startswith(("tests/data/", "docs/sample-report/"))]


def prose(path):
    """A document without its blocks of code."""
    return re.sub(r"^( *)```.*?^\1```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(path):
    """Returns the anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", each).lower() for each in titles]
    return {re.sub(r"[^\w\- ]", "", each).replace(" ", "-") for each in plain}


def broken(source, base, link):
    """Returns a list of the errors of a link in `source`. The link's path is relative to the folder `base`."""
    name, _, anchor = link.partition("#")
    target = base / name if name else source
    if not target.exists():
        return [f"{source.relative_to(harness.ROOT)}: no file {link}"]
    if anchor and anchor not in anchors(target):
        return [f"{source.relative_to(harness.ROOT)}: no heading {link}"]
    return []


def test_links_lead_somewhere():
    found = []
    for path in repository():
        if path.suffix == ".md":
            links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(path)))
            found += [fault for link in links if "://" not in link for fault in broken(path, path.parent, link)]
        elif path.is_file():
            named = re.findall(r"(?<![\w/.-])docs/[\w./-]+\.(?:md|yaml)(?:#[\w-]+)?", path.read_text(errors="replace"))
            found += [fault for link in named for fault in broken(path, harness.ROOT, link)]
    assert found == []


def test_each_document_is_listed():
    listed = (harness.ROOT / "docs" / "README.md").read_text()
    folder = harness.ROOT / "docs"
    missing = [each for each in folder.rglob("*.md") if f"({each.relative_to(folder)})" not in listed and each.name != "README.md"]
    assert missing == []


# ---- references ----


def test_references_are_current(tmp_path):
    """The references made from the code are up to date."""
    subprocess.run([harness.ROOT / "tools" / "references.py", harness.BUILD, tmp_path], check=True, timeout=60)
    made = sorted(tmp_path.iterdir())
    assert made
    for path in made:
        assert path.read_text() == (harness.ROOT / "docs" / "reference" / path.name).read_text(), "make references writes it anew"


def test_each_message_has_its_number_and_is_used():
    rows = [row for _, group in references.messages() for row in group]
    numbers = [number for _, number, _, _ in rows]
    header = (harness.ROOT / "common" / "messages.h").read_text()
    assert len(rows) == header.count("#define IR_TEXT_") and len(set(numbers)) == len(numbers)
    sources = "".join(path.read_text() for path in repository() if path.suffix == ".c" and "tests" not in path.parts)
    assert [name for name, *_ in rows if name not in sources] == []
