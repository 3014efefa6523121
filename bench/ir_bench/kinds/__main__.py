"""Makes one sample: REQUEST.json FOLDER."""

import json
import sys
from pathlib import Path

import servers

from . import load


def main():
    servers.stop_on_signals()
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    load(request["kind"]).Sample(request, Path(sys.argv[2]).resolve()).make()


if __name__ == "__main__":
    main()
