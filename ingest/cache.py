"""The folder in which tools/install keeps software without a Debian package."""

import os
from pathlib import Path


def cache_directory():
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "intelligent-river"
    return Path(os.environ.get("IR_CACHE") or default)
