"""Replaces files as a whole: if the program ends early, for example because of a full disk or Ctrl-C, a file has either
its old or its complete new content."""

import contextlib
import os
import stat
from pathlib import Path

PRIVATE, PUBLIC = 0o600, 0o644


def write(path, content, mode=None, owner=None, lasting=True):
    """Replaces a file by one with this text or these bytes; makes its folder if missing.

    mode: its permissions, whatever the umask; None: those of the file that it replaces, PRIVATE for a new one
    owner: its (user id, group id); None: those of the file that it replaces, as far as the caller may give them away
    lasting: whether the new content must survive a power failure (fsync)
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, mode, owner, lasting) as part:
        text = isinstance(content, str)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w" if text else "wb",
                  encoding="utf-8" if text else None) as file:
            file.write(content)


@contextlib.contextmanager
def replacing(path, mode=None, owner=None, lasting=True):
    """Yields a path in the same folder, where the caller writes the new file. At the end it replaces the one at `path`.
    If the caller writes none, or fails, nothing changes. The other arguments are those of write(), but a new file keeps
    the mode that the caller gave it."""
    path = Path(path)
    part = path.with_name(f"{path.name}.{os.getpid()}.new")
    part.unlink(missing_ok=True)
    try:
        yield part
        if part.exists():
            give(part, path, mode, owner)
            if lasting:
                flush(part)
            os.replace(part, path)
    except OSError as error:
        if error.filename is None or str(part) in (str(error.filename), str(error.filename2)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


def give(part, path, mode, owner):
    """Sets owner and mode. The owner comes first, because changing it may clear bits of the mode."""
    before = path.stat() if path.exists() else None
    if owner:
        os.chown(part, *owner)
    elif before:
        with contextlib.suppress(PermissionError):
            os.chown(part, before.st_uid, before.st_gid)
    if mode is not None or before:
        part.chmod(stat.S_IMODE(before.st_mode) if mode is None else mode)


def flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
