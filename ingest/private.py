"""Files that may hold secrets."""

import os
from pathlib import Path


def write(path, text, lasting=True):
    """Replaces a file by one that only its owner may read. Whenever this ends, for example because of a full disk or
    Ctrl-C, the file is either as before or complete; if `lasting`, also after a power cut."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.new")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if lasting:
                os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)
        raise
