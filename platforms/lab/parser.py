"""argparse's parser for the command lines. If --help cannot be written, the program ends with a message and status
1."""

import argparse
import sys


class Parser(argparse.ArgumentParser):
    def print_help(self, file=None):
        if file is not None:
            super().print_help(file)
            return
        try:
            with open(sys.stdout.fileno(), "w", encoding="utf-8", closefd=False) as out:
                out.write(self.format_help())
        except OSError as error:
            self.exit(1, f"{self.prog}: cannot write the output: {error.strerror}\n")
