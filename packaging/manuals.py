#!/usr/bin/env python3
"""Writes a manual page and completions for bash and zsh for each program, from the program's own description:
--print-json for C programs, the argparse parser for Python programs.

    packaging/manuals.py FOLDER VERSION PROGRAM…

writes FOLDER/NAME.1, FOLDER/bash/NAME and FOLDER/zsh/_NAME.
"""

import argparse
import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

SECONDS = 60
PATHS = ("FILE", "DIR", "DIRECTORY", "FOLDER")  # placeholders that stand for a path
SETTINGS = """\
Every setting can also be given in the settings file, in the section [common] or the section named after the
program; or in the environment as IR_NAME, in upper case with '_' instead of '-'. The command line overrides
the environment, which overrides the file. Passwords are not taken from the command line."""


class Option(NamedTuple):
    names: tuple  # as typed: ("-q", "--queue")
    value: str  # placeholder; "" if it takes none
    words: tuple  # allowed values; empty: any
    help: str
    initial: str

    @property
    def path(self):
        return self.value in PATHS


class Command(NamedTuple):
    name: str
    help: str
    usage: str
    options: list


class Program(NamedTuple):
    name: str
    purpose: str
    usage: str
    notes: str
    options: list
    commands: list  # each is a Command; the first argument of the program names one


# ---- descriptions that programs print ----


def read(path):
    return of_python(path) if path.read_bytes().startswith(b"#!/usr/bin/env python3") else of_c(path)


def of_c(path):
    told = json.loads(subprocess.run([path, "--print-json"], capture_output=True, text=True, check=True, timeout=SECONDS).stdout)
    options = [c_option(each) for each in (*told["settings"], *told["built_in"])]
    first = told["usage"].split(" ")[0]
    commands = [Command(word, "", "", []) for word in first.split("|")] if re.fullmatch(r"[a-z|]+", first) else []
    usage = f"{told['name']} [OPTION…] {told['usage']}".rstrip()
    return Program(told["name"], told["purpose"], usage, told.get("notes", ""), options, commands)


def c_option(row):
    names = (*([f"-{row['letter']}"] if "letter" in row else []), f"--{row['name']}")
    words = tuple(row.get("choices", "").split("|")) if "choices" in row else ()
    text = row["help"] + (" Not on the command line." if row.get("type") == "secret" else "")
    return Option(names, row.get("unit", ""), words, text, row.get("default", ""))


class Caught(Exception):
    """Raised with the argument parser of a Python program, when the program is about to parse its arguments."""


def catch(parser, *_arguments, **_named):
    raise Caught(parser)


def of_python(path):
    argparse.ArgumentParser.parse_args = catch
    sys.argv = [str(path)]
    try:
        runpy.run_path(str(path), run_name="__main__")
    except Caught as caught:
        parser = caught.args[0]
    name = path.name
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return Program(name, sentence(parser.description), usage, parser.epilog or "", argparse_options(parser),
                   argparse_commands(parser))


def argparse_options(parser):
    found = []
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if action.option_strings:
            value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
            words = tuple(map(str, filter(None, action.choices or ())))
            initial = "" if action.default in (None, False, argparse.SUPPRESS, [], "") else str(action.default)
            found.append(Option(tuple(action.option_strings), value, words, sentence(action.help), initial))
    return found


def argparse_commands(parser):
    """The commands of sub-parsers, or of a positional argument with choices."""
    found = []
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            told = {each.dest: each.help for each in action._choices_actions}  # noqa: SLF001
            found += [command(name, told.get(name, ""), below) for name, below in action.choices.items()]
    return found


def command(name, text, parser):
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return Command(name, sentence(text), usage, [each for each in argparse_options(parser) if each.names != ("-h", "--help")])


def sentence(text):
    text = " ".join((text or "").split()).replace("%(default)s", "")
    return text and text[0].upper() + text[1:] + ("" if text[-1] in ".:" else ".")


# ---- manual pages: man(7) ----


def roff(text):
    """Escapes a text. A line that begins with "'" or "." would be a roff request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"^(?=[.'])", r"\\&", text, flags=re.M)


def bold(text):
    return f"\\fB{roff(text)}\\fR"


def roff_option(option):
    value = "|".join(option.words) or option.value
    line = ", ".join(bold(name) for name in option.names) + (f" \\fI{roff(value)}\\fR" if value else "")
    told = option.help + (f" Default: {option.initial}." if option.initial else "")
    return [".TP", line, roff(told)]


def manual(program, version):
    lines = [f'.TH {program.name.upper()} 1 "" "intelligent\\-river {version}" "Intelligent River"', ".SH NAME",
             f"{roff(program.name)} \\- {roff(lowered(program.purpose))}", ".SH SYNOPSIS", roff(program.usage),
             ".SH DESCRIPTION", roff(program.purpose)]
    if any(each.help for each in program.commands):
        lines += [".SH COMMANDS"]
        for each in program.commands:
            lines += [".SS " + roff(each.usage), roff(each.help)]
            lines += [line for option in each.options for line in roff_option(option)]
    lines += [".SH OPTIONS"] + [line for option in program.options for line in roff_option(option)]
    if any("--print-json" in each.names for each in program.options):
        lines += [".SH SETTINGS", roff(SETTINGS)]
    if program.notes:
        lines += [".SH NOTES", ".nf", roff(program.notes.rstrip()), ".fi"]
    lines += [".SH SEE ALSO", "The documents below", ".IR /usr/share/doc/intelligent\\-river ."]
    return "\n".join(lines) + "\n"


def lowered(purpose):
    """The one-line description for whatis(1), without the full stop."""
    text = purpose.split(". ")[0].rstrip(".")
    return text[0].lower() + text[1:] if text[1:2].islower() else text


# ---- completions ----


def all_options(program):
    """The options of the program and its commands, without repeats."""
    found = {}
    for option in (*program.options, *(option for each in program.commands for option in each.options)):
        found.setdefault(option.names[-1], option)
    return list(found.values())


BASH = """\
# Completion of {name} for bash, generated from the program's own table of options.
_{function}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} option=${{COMP_WORDS[COMP_CWORD - 1]}}
    # Bash takes --name=word apart at the "=".
    if [[ $word == = ]]; then
        word=
    elif [[ $option == = ]]; then
        option=${{COMP_WORDS[COMP_CWORD - 2]}}
    fi
    case $option in
{cases}    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '{options}' -- "$word")
    elif ((COMP_CWORD == 1)) && [[ -n '{commands}' ]]; then
        mapfile -t COMPREPLY < <(compgen -W '{commands}' -- "$word")
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
    fi
}}
complete -F _{function} {name}
"""
BASH_WORDS = """\
    {names})
        mapfile -t COMPREPLY < <(compgen -W '{words}' -- "$word")
        return ;;
"""
BASH_PATHS = """\
    {names})
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return ;;
"""
BASH_VALUES = "    {names}) return ;;\n"


def bash(program):
    options = all_options(program)
    cases = [BASH_WORDS.format(names="|".join(each.names), words=" ".join(each.words)) for each in options if each.words]
    for template, chosen in ((BASH_PATHS, [each for each in options if each.path]),
                             (BASH_VALUES, [each for each in options if each.value and not each.path and not each.words])):
        if chosen:
            cases.append(template.format(names="|".join(name for each in chosen for name in each.names)))
    return BASH.format(name=program.name, function=program.name.replace("-", "_"), cases="".join(cases),
                       options=" ".join(name for each in options for name in each.names),
                       commands=" ".join(each.name for each in program.commands))


def zsh_quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh_text(text):
    return re.sub(r"([\[\]:\\])", r"\\\1", text)


def zsh_option(option):
    value = ""
    if option.words:
        value = f":{option.value or 'WORD'}:({' '.join(option.words)})"
    elif option.path:
        value = f":{option.value}:_files"
    elif option.value:
        value = f":{zsh_text(option.value)}:"
    for name in option.names:
        others = f"({' '.join(option.names)})" if len(option.names) > 1 else ""
        equals = "=" if value and name.startswith("--") else ""
        yield zsh_quoted(f"{others}{name}{equals}[{zsh_text(option.help)}]{value}")


def zsh(program):
    words = [word for option in all_options(program) for word in zsh_option(option)]
    if program.commands:
        words.append(zsh_quoted(f"1:command:({' '.join(each.name for each in program.commands)})"))
    words.append("'*:file:_files'")
    return f"#compdef {program.name}\n_arguments -s \\\n" + " \\\n".join(f"    {word}" for word in words) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    parser.add_argument("version", metavar="VERSION")
    parser.add_argument("programs", metavar="PROGRAM", type=Path, nargs="+")
    words = parser.parse_args()
    for name in ("bash", "zsh"):
        (words.folder / name).mkdir(parents=True, exist_ok=True)
    for path in words.programs:
        program = read(path)
        for target, text in ((f"{program.name}.1", manual(program, words.version)), (f"bash/{program.name}", bash(program)),
                             (f"zsh/_{program.name}", zsh(program))):
            (words.folder / target).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
