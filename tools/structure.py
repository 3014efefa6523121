#!/usr/bin/env python3
"""structure.py [--check]

Prints how the sources depend on each other: the folders from top to bottom, each with those that it includes; cycles of
folders, of C modules and of Python modules; the longest functions and files. With --check it prints only violations of
rules, and exits with 1 if there are any.

Only broker/ may include librabbitmq, and not in headers that other folders include. Only http/ may use evhttp.

A C module is a .c file with the header of the same name. A header without a .c file counts as a part of each file that
includes it. Imports inside a function count. Test code may include everything, so it is not checked.
"""

import argparse
import ast
import functools
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("ingest", "worker", "tap", "loadgen", "stations", "feed", "send", "store", "broker", "annotation", "observation", "http", "common")
PYTHON = ("tools", "ingest", "platforms", "bench", "packaging", "monitoring")
FUNCTION_LINES = 45
FILE_LINES = 500
SHOWN = 10
LIBRABBITMQ = "broker/rabbitmq_c.h"  # the header that includes those of the library
LIBRARY = re.compile(r'^#include [<"](?:rabbitmq-c/|amqp)[^>"]*[>"]', re.M)
EVHTTP = re.compile(r"\bevhttp\w*|event2/http\w*\.h")
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
# A function's first line starts in column 0 and ends with "{"; its last line is "}" alone (clang-format's layout).
FUNCTION = re.compile(r"^(?![#} /])[^\n;=]*(?:\n[^\n;={]+)*\) \{\n(?:.*\n)*?\}$", re.M)

# Types with the project's prefix, and functions with external linkage.
TYPE = re.compile(r"^(?:typedef )?(?:struct|union|enum) (ir_\w+) \{", re.M)
EXPORTED = re.compile(r"^(?!static|typedef|#|\s)[a-zA-Z][\w \*]*?\b(\w+)\([^;{}]*\) \{", re.M)


def circles(graph):
    """The strongly connected parts of {node: nodes} that have more than one node, each sorted (Tarjan)."""
    numbers, lows, stack, found = {}, {}, [], []

    def visit(node):
        numbers[node] = lows[node] = len(numbers)
        stack.append(node)
        for after in graph.get(node, ()):
            if after not in numbers:
                visit(after)
                lows[node] = min(lows[node], lows[after])
            elif after in stack:
                lows[node] = min(lows[node], numbers[after])
        if lows[node] == numbers[node]:
            at = stack.index(node)
            part, stack[at:] = stack[at:], []
            if len(part) > 1:
                found.append(sorted(part))

    sys.setrecursionlimit(10000)
    for node in sorted(graph):
        if node not in numbers:
            visit(node)
    return sorted(found)


# ---- C ----


def c_files():
    return sorted(path for folder in FOLDERS for suffix in ("*.c", "*.h") for path in (ROOT / folder).rglob(suffix))


def module_of(path):
    return str(path.relative_to(ROOT).with_suffix(""))


@functools.cache
def include_lines(path):
    return INCLUDE.findall(path.read_text(encoding="utf-8"))


def included(path, seen):
    """The modules whose headers a file includes, directly or through a header without a .c file."""
    for name in include_lines(path):
        header = ROOT / name
        if header in seen or header.suffix != ".h" or not header.is_file():
            continue
        seen.add(header)
        if header.with_suffix(".c").is_file():
            yield module_of(header)
        else:
            yield from included(header, seen)


def c_modules():
    """Returns {module: modules whose headers it includes}"""
    graph = {}
    for path in c_files():
        if path.with_suffix(".c").is_file():
            graph.setdefault(module_of(path), set()).update(set(included(path, set())) - {module_of(path)})
    return graph


def way_to(path, wanted, seen):
    """Returns the chain of headers through which a file includes the wanted one, which comes last; empty if it does not
    include it."""
    for name in include_lines(path):
        header = ROOT / name
        if name == wanted:
            return [name]
        if header not in seen and header.is_file():
            seen.add(header)
            way = way_to(header, wanted, seen)
            if way:
                return [name, *way]
    return []


def library_faults():
    for path in c_files():
        name = str(path.relative_to(ROOT))
        text = path.read_text(encoding="utf-8")
        found = EVHTTP.search(text)
        if found and not name.startswith("http/"):
            yield f"{name} names {found.group()}; only http/ may"
        if name != LIBRABBITMQ and LIBRARY.search(text):
            yield f"{name} includes librabbitmq; only {LIBRABBITMQ} does"
        way = [] if name.startswith("broker/") else way_to(path, LIBRABBITMQ, set())
        if way:
            yield f"{name} includes librabbitmq ({' -> '.join(way)}); only broker/ may"


def by_folder(modules):
    graph = {folder: set() for folder in FOLDERS}
    for module, others in modules.items():
        graph[module.partition("/")[0]] |= {other.partition("/")[0] for other in others}
    return {folder: others - {folder} for folder, others in graph.items()}


def functions(path):
    """Yields (lines, name) of each function."""
    text = path.read_text(encoding="utf-8")
    for match in FUNCTION.finditer(text):
        name = re.search(r"(\w+)\(", match.group())
        yield match.group().count("\n") + 1, f"{path.relative_to(ROOT)}: {name.group(1) if name else '?'}"


def sizes():
    """Returns [(lines, path)] of the sources."""
    return [(len(path.read_text(encoding="utf-8").splitlines()), str(path.relative_to(ROOT))) for path in c_files() + python_files()]


def definitions():
    """Yields (kind and name, path) of each type of the project's and each function that other files can call. A type of
    a single file needs no prefix, and may have the same name as one of another file."""
    for path in c_files():
        text = path.read_text(encoding="utf-8")
        for match in TYPE.finditer(text):
            yield f"type {match.group(1)}", path
        for match in EXPORTED.finditer(text) if path.suffix == ".c" else ():
            if match.group(1) != "main":
                yield f"function {match.group(1)}", path


def doubles():
    places = {}
    for name, path in definitions():
        places.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    for name, paths in sorted(places.items()):
        if len(paths) > 1:
            yield f"{name} is defined {len(paths)} times: {', '.join(sorted(paths))}"


# ---- Python ----


def python_files():
    return sorted(path for folder in PYTHON for path in (ROOT / folder).rglob("*.py"))


def imported(tree, path, known):
    """The files that a module imports, including imports inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(None, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if node.level else None
            start = node.module or ""
            names = [(base, f"{start}.{alias.name}".strip(".")) for alias in node.names] + [(base, start)]
        else:
            continue
        for base, name in names:
            parts = [each for each in name.split(".") if each]
            for root in [base] if base else (path.parent, ROOT):
                place = root.joinpath(*parts)
                for file in (place.with_suffix(".py"), place / "__init__.py") if parts else ():
                    if file in known and file != path:
                        yield file


def python_modules():
    known = set(python_files())
    graph = {}
    for path in known:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        graph[str(path.relative_to(ROOT))] = {str(each.relative_to(ROOT)) for each in imported(tree, path, known)
                                              if each.name != "__init__.py"}
    return graph


# ---- telling ----


def faults(modules, folders, python):
    order = {folder: place for place, folder in enumerate(FOLDERS)}
    for folder, others in folders.items():
        for other in sorted(others):
            if order[other] < order[folder]:
                yield f"{folder}/ includes a header of {other}/, which stands above it"
    for kind, graph in (("folders", folders), ("C modules", modules), ("Python modules", python)):
        for circle in circles(graph):
            yield f"circle of {kind}: {', '.join(circle)}"
    yield from library_faults()
    yield from doubles()
    for path in c_files():
        for lines, name in functions(path):
            if lines > FUNCTION_LINES:
                yield f"{name} has {lines} lines; at most {FUNCTION_LINES}"
    for lines, name in sizes():
        if lines > FILE_LINES:
            yield f"{name} has {lines} lines; at most {FILE_LINES}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[1].split(". ")[0])
    parser.add_argument("--check", action="store_true", help="print only violations of rules; exit with 1 if there are any")
    options = parser.parse_args()
    modules, python = c_modules(), python_modules()
    folders = by_folder(modules)
    found = list(faults(modules, folders, python))
    if not options.check:
        for folder in FOLDERS:
            print(f"{folder + '/':14}{' '.join(each for each in FOLDERS if each in folders[folder])}")
        print("\nlongest functions")
        for lines, name in sorted((each for path in c_files() for each in functions(path)), reverse=True)[:SHOWN]:
            print(f"{lines:6} {name}")
        print("\nlongest files")
        for lines, name in sorted(sizes(), reverse=True)[:SHOWN]:
            print(f"{lines:6} {name}")
        print()
    for fault in found:
        print(fault)
    return 1 if options.check and found else 0


if __name__ == "__main__":
    sys.exit(main())
