"""Child processes that end with this program, whatever ends it. Each is stopped by the id of its process group. They
can be recorded in a file, so that another program can stop what a killed program left.
"""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import atomic
import guard
from until import wait_until

STOP_SECONDS = 20
TAIL_LINES = 25


class ServerError(guard.Fault):
    """A server cannot be found, started or reached; the text says what to do."""


def tail(path, lines=TAIL_LINES):
    """The end of a log file, for a message."""
    try:
        text = Path(path).read_text(errors="replace").splitlines()
    except OSError as error:
        return f"(no log: {error})"
    return "\n".join("    " + line for line in text[-lines:]) or "    (the log is empty)"


_running = []
_journal = None


def record_in(path, more=False):
    """From now on, every started process is also recorded in this file, as a line "ID START", so that other programs
    find it however this program ends. `more`: keep the existing lines of the file."""
    global _journal  # noqa: PLW0603 - there is one for the whole program
    _journal = Path(path)
    if not more:
        atomic.write(_journal, f"{boot_id()}\n", atomic.PRIVATE, lasting=False)


def recorded(path):
    """Returns [(process id, start time)] from the file of record_in(), in the order of their start; none from before a
    reboot."""
    try:
        boot, *lines = Path(path).read_text().splitlines()
    except (FileNotFoundError, ValueError):
        return []
    pairs = [tuple(int(word) for word in line.split()) for line in lines] if boot == boot_id() else []
    return [pair for pair in pairs if len(pair) == 2]


def boot_id():
    """The kernel's name for its present run."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def stop_all():
    """Stops every process that still exists, the last started first."""
    while _running:
        _running[-1].stop()


atexit.register(stop_all)


def kill_all():
    """Kills every process that still exists, whatever becomes of its data."""
    while _running:
        _running[-1].kill()


def let_go():
    """Leaves everything running when this program ends. Returns [(process id, start time)], the first started first."""
    kept = [(each.pid, start_time(each.pid)) for each in _running]
    _running.clear()
    return kept


def start_time(pid):
    """The start time of a process in the kernel's ticks, which distinguishes it from a later process with the same id.
    None if the process is gone, or is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def stop_kept(kept, seconds=60):
    """Stops what let_go() left running, the last started first. Returns how many still existed."""
    found = 0
    for pid, started in reversed(kept):
        if started is None or start_time(pid) != started:
            continue
        found += 1
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        wait_until(lambda pid=pid, started=started: start_time(pid) != started, seconds)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
    return found


def stop_on_signals(end=lambda number: sys.exit(128 + number)):
    """Makes INT, TERM and HUP raise SystemExit, or call `end`, so that everything is stopped."""

    def leave(number, _frame):
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)
        os.write(2, b"stopping what was started\n")
        end(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


class Process:
    """A child in its own session, with its output in a log file (None: this program's output)."""

    def __init__(self, argv, log, env=None, cwd=None, stdout=None):
        self.argv = [str(word) for word in argv]
        with contextlib.ExitStack() as stack:
            output = None
            if log is not None:
                Path(log).parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(open(log, "ab"))
            try:
                self.child = subprocess.Popen(
                    self.argv,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout or output,
                    stderr=output,
                    env=env,
                    cwd=cwd,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServerError(f"cannot start {self.argv[0]}: {error.strerror}") from error
        self.pid = self.child.pid
        _running.append(self)
        if _journal is not None:
            with open(_journal, "a", encoding="utf-8") as file:
                file.write(f"{self.pid} {start_time(self.pid) or 0}\n")

    def alive(self):
        return self.child.poll() is None

    def send(self, number):
        """Sends a signal to the process itself."""
        if self.alive():
            self.child.send_signal(number)

    def send_group(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def group_ended(self):
        """Whether no process of its group is left."""
        self.child.poll()  # otherwise it would remain as a zombie
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def wait(self, seconds):
        """The exit status, or None if it still runs after `seconds`."""
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, seconds=STOP_SECONDS):
        """Sends TERM, then KILL to the rest of the process group. Returns the exit status."""
        if self in _running:
            _running.remove(self)
        self.send(signal.SIGTERM)
        self.wait(seconds)
        self.send_group(signal.SIGKILL)
        return self.wait(STOP_SECONDS)

    def kill(self):
        """Kills the whole group at once, like a crash."""
        if self in _running:
            _running.remove(self)
        self.send_group(signal.SIGKILL)
        return self.wait(STOP_SECONDS)
