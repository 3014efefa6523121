"""Makes one sample: REQUEST.json FOLDER."""

import argparse
import json
from pathlib import Path

import servers

from . import load


def main():
    parser = argparse.ArgumentParser(prog="python3 -m ir_bench.kinds", description=__doc__)
    parser.add_argument("request", metavar="REQUEST.json", type=Path)
    parser.add_argument("folder", metavar="FOLDER", type=Path)
    words = parser.parse_args()
    servers.stop_on_signals()
    request = json.loads(words.request.read_text(encoding="utf-8"))
    load(request["kind"]).Sample(request, words.folder.resolve()).make()


if __name__ == "__main__":
    main()
