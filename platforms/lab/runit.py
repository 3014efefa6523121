"""Runs the services under runit on machines without systemd. Its supervisor, runsvdir, watches run/river/service."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from until import wait_until

from . import clean, command
from .errors import LabError
from .roles import ROLES, in_order

EXTRA_SECONDS = 10
LONGEST = max(each.stop_seconds for each in ROLES.values())


class Runit:
    def __init__(self, root, prefix, services):
        self.root, self.prefix = root, prefix
        self.roles = dict(services)
        self.run = root / "run" / "river"
        self.pid_file = self.run / "supervisor"

    def units(self):
        """Files of the supervisor that belong to a service: {service: {file: text}}. For runit, `arrange` makes
        them."""
        return {}

    def prepare(self):
        """Called before the services' files are put in place. Runit needs no preparation."""

    def begin(self):
        """Ensures that a supervisor runs and that each service has a folder in it."""
        command.run([f"{self.prefix}/opt/river/arrange"], env=self.environment())
        if self.supervisor() is None:
            with open(self.root / "var" / "log" / "river" / "supervisor.log", "ab") as out:
                child = command.start([f"{self.prefix}/opt/river/supervise"], stdin=subprocess.DEVNULL, stdout=out,
                                      stderr=out, env=self.environment())
            self.pid_file.write_text(str(child.pid), encoding="ascii")

    def environment(self):
        return {**os.environ, "RIVER_ROOT": self.prefix}

    def supervisor(self):
        """The supervisor's process id, or None when it does not run."""
        try:
            number = int(self.pid_file.read_text(encoding="ascii"))
            words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return number if any(word.endswith((b"runsvdir", b"supervise")) for word in words) else None

    def service(self, name):
        return self.run / "service" / name

    def supervised(self, name):
        """Whether the service has a running supervisor."""
        return takes_orders(self.service(name))

    def tell(self, name, verb):
        seconds = ROLES[self.roles[name]].stop_seconds if name in self.roles else LONGEST
        done = command.run(["sv", "-w", seconds, verb, self.service(name)], seconds=seconds + EXTRA_SECONDS, good=(0, 1))
        if done.out.startswith("kill: "):  # a message, not an error: systemd treats it alike
            print(f"{name} did not end within {seconds} s and was killed", flush=True)
        elif done.status != 0:
            raise LabError(f"sv {verb} {name}: {(done.out + done.err).strip()}")

    def start(self, name):
        wait_until(lambda: self.supervised(name), EXTRA_SECONDS)
        self.tell(name, "up")

    def restart(self, name):
        self.tell(name, "force-restart")

    def left_over(self):
        """Running services that the inventory no longer lists."""
        folder = self.run / "service"
        return sorted({each.name for each in folder.iterdir()} - set(self.roles)) if folder.exists() else []

    def remove(self, name):
        if self.supervised(name):
            self.tell(name, "force-stop")
        gone = self.run / "gone"
        clean.remove_tree(gone)
        self.service(name).rename(gone)
        command.run(["sv", "exit", gone], good=None)
        wait_until(lambda: not takes_orders(gone), EXTRA_SECONDS)
        shutil.rmtree(gone, ignore_errors=True)

    def stop(self):
        for name, _ in reversed(in_order(self.roles.items())):
            if self.supervised(name):
                self.tell(name, "force-stop")
        if number := self.supervisor():
            os.kill(number, signal.SIGHUP)  # makes runsvdir end every runsv, and itself
            wait_until(lambda: self.supervisor() is None, EXTRA_SECONDS)
        for name in self.roles:
            wait_until(lambda each=name: not self.supervised(each), EXTRA_SECONDS)
        self.pid_file.unlink(missing_ok=True)


def takes_orders(folder):
    """Whether a runsv process supervises the service in a folder."""
    try:
        os.close(os.open(folder / "supervise" / "ok", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
