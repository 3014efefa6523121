"""Deploys to real servers instead of guests. An inventory lists them with address and roles; each gets the same
services, scripts and configuration as a guest of the lab.

The folder INVENTORY.secrets beside the inventory holds what all servers share (passwords, keys, the motes' tokens). The
first call creates it; copy it to the other servers.

Unlike a lab, servers are open to strangers: the limits are those of ingest/nodes.conf, motes come in by TLS, at an
address of their own and each with its own password, and the stores want a login. The inventory can say otherwise.
"""

import argparse
import ipaddress
import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import clean, command, payload
from .errors import LabError
from .guest import Guest
from .parser import Parser
from .services import GRAPH_PATHS, PLAIN, SECURE, Doors, Services, list_of_nodes
from .settings import read_ini
from .state import PROJECT

KEYS = ("address", "outside", "watch", "roles", "shard")
# Key: (initial value, allowed values; None: any text).
RIVER_KEYS = {
    "formats": ("jsonld,senml", None),
    "engine": ("fuseki", tuple(GRAPH_PATHS)),
    "registry": ("", None),
    "certificate": ("", None),
    "listeners": ("https,amqps,mqtts", None),
    "motes": ("own", ("own", "shared")),
    "logins": ("yes", ("yes", "no")),
}
# Files whose change needs no restart of the service: its role's `reload` makes it read them again.
RELOADED = {"broker": {"motes.json"}, "gateway": {"tokens"}, "worker": {"registry.ttl"}}
PACKAGES = {"documents": ["mongodb"], "config": ["mongodb"], "graph": ["fuseki"]}  # groups of tools/install
READY_SECONDS = 300
STOP_SECONDS = 60
CHECK_DATA = PROJECT / "ingest" / "check-data"
UNIT = Path("/etc/systemd/system/river.service")
UNIT_TEXT = """\
[Unit]
Description=Intelligent River middleware, the roles of this server
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/opt/river/supervise
ExecStartPre=/bin/rm -rf /run/river
KillMode=mixed
KillSignal=SIGHUP
LimitNOFILE=65536
Restart=always

[Install]
WantedBy=multi-user.target
"""


class Inventory:
    def __init__(self, path):
        self.path = Path(path).resolve()
        sections = read_ini(self.path)
        river = self.river(sections.pop("river", {}))
        limits = self.limits(sections.pop("limits", {}))
        draining = [self.address(name, sections.pop(name)) for name in [*sections] if name.startswith("draining ")]
        self.servers = [self.server(name, section) for name, section in sections.items()]
        doors = Doors(listeners=self.listeners(river["listeners"]), limits=limits, motes=river["motes"],
                      certificate=self.file(river["certificate"]), logins=river["logins"] == "yes",
                      registry=self.file(river["registry"]) or payload.registry_file())
        self.check_doors(river, doors)
        secrets = self.path.with_name(self.path.name + ".secrets")
        self.services = Services(secrets, self.servers, river["formats"], river["engine"], draining=draining, doors=doors)

    def river(self, section):
        values = {key: initial for key, (initial, _) in RIVER_KEYS.items()} | self.known("river", section, RIVER_KEYS)
        for key, (_, words) in RIVER_KEYS.items():
            if words and values[key] not in words:
                raise LabError(f"{self.path}: [river] {key} = {values[key]}: it is one of {', '.join(words)}")
        return values

    def limits(self, section):
        try:
            checked = list_of_nodes.check(f"{self.path} [limits]", list_of_nodes.LIMITS, section)
        except list_of_nodes.NodesError as error:
            raise LabError(str(error)) from error
        return {key: checked[key] for key in section}

    def listeners(self, text):
        words = tuple(each.strip() for each in text.split(","))
        if unknown := set(words) - {*PLAIN, *SECURE}:
            raise LabError(f"{self.path}: [river] listeners: {', '.join(sorted(unknown))}: known are "
                           + ", ".join((*PLAIN, *SECURE)))
        return words

    def file(self, name):
        """A file that the inventory names, relative to the inventory's folder; None when it names none."""
        return self.path.parent / name if name else None

    def check_doors(self, river, doors):
        """Refuses settings that would leave a door open which nobody asked for."""
        roles = [role for each in self.servers for _, role in each.services()]
        for each in self.servers:
            balances = any(role == "balancer" for _, role in each.services())
            if balances and each.outside in ("", each.address, each.watch):
                raise LabError(f"{self.path}: [server {each.name}] outside: the balancer needs the address at which motes come "
                               "in, another one than address and watch, at which the house does")
        if doors.logins and river["engine"] == "oxigraph" and "graph" in roles:
            raise LabError(f"{self.path}: [river] engine = oxigraph: it knows no logins; logins = no leaves all stores open, "
                           "for a network on which nobody else is")

    def known(self, name, section, keys):
        if unknown := set(section) - set(keys):
            raise LabError(f"{self.path}: [{name}] {', '.join(sorted(unknown))}: known are {', '.join(keys)}")
        return section

    def server(self, title, section):
        kind, _, name = title.partition(" ")
        if kind != "server":
            raise LabError(f"{self.path}: [{title}]: sections are [river], [server NAME] and [draining NAME]")
        address = self.address(title, section, KEYS)
        roles = [each.strip() for each in section.get("roles", "").split(",") if each.strip()]
        more = {key: self.address(title, {"address": section[key]}) for key in ("outside", "watch") if key in section}
        server = Guest(name=name, platform="", roles=roles, address=address, shard=section.get("shard", ""), **more)
        server.validate()
        return server

    def address(self, title, section, keys=KEYS[:1]):
        self.known(title, section, keys)
        try:
            return str(ipaddress.ip_address(section.get("address", "")))
        except ValueError as error:
            raise LabError(f"{self.path}: [{title}] address: {error}") from error

    def named(self, name):
        for each in self.servers:
            if each.name == name:
                return each
        raise LabError(f"{self.path}: no server '{name}'; there are {', '.join(each.name for each in self.servers)}")


class Deployment:
    """One server. Its files are below `root`, which is "/" or a folder that stands for it."""

    def __init__(self, inventory, name, root):
        self.inventory = inventory
        self.server = inventory.named(name)
        self.root = Path(root).resolve()
        self.prefix = "" if self.root == Path("/") else str(self.root)
        self.pid_file = self.root / "run" / "river" / "supervisor"

    def environment(self):
        return {**os.environ, "RIVER_ROOT": self.prefix}

    # ---- files ----

    def install_packages(self):
        groups = {"run", "platforms"}
        for _, role in self.server.services():
            groups.update(PACKAGES.get(role, []))
        installer = PROJECT / "tools" / "install"
        if installer.exists():
            command.run([installer, *sorted(groups)], seconds=1800)

    def write(self):
        """Writes the files; returns the names of the services to restart because files changed, and of those that only
        need to read a file again."""
        before = self.contents()
        for path in ("opt/river", "var/log/river"):
            (self.root / path).mkdir(parents=True, exist_ok=True)
        clean.remove_tree(self.root / "etc" / "river")
        payload.write_programs(self.root / "opt" / "river")
        payload.write_files(self.root / "etc" / "river", self.files())
        if not self.prefix:  # a running service must own the files that it reads again
            command.run(["chown", "-R", "river:river", self.root / "etc" / "river" / "services"])
        after = self.contents()
        shared = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
        services = dict(self.server.services())
        if any(not path.startswith("etc/river/services/") for path in shared):
            return [*services], []
        changed = {name: {Path(path).name for path in shared if path.startswith(f"etc/river/services/{name}/")}
                   for name in services}
        reload = [name for name, files in changed.items() if files and files <= RELOADED.get(services[name], set())]
        return [name for name, files in changed.items() if files and name not in reload], reload

    def files(self):
        values = {"NAME": self.server.name, "ADDRESS": self.server.address, "WORKER_PIN": "", "BROKER_SCHEDULERS": "",
                  **payload.server_variables()}
        return {"guest.conf": payload.assignments(values), **self.inventory.services.files(self.server)}

    def contents(self):
        found = [*(self.root / "etc" / "river").rglob("*"), *(self.root / "opt" / "river").rglob("*")]
        return {str(path.relative_to(self.root)): path.read_bytes() for path in found if path.is_file()}

    def check_data(self):
        """Checks that the installed broker can start on the existing data, which depends on the release series of
        both."""
        for name, role in self.server.services():
            if role == "broker":
                done = command.run([CHECK_DATA, self.root / "var" / "lib" / "river" / name / "mnesia"], good=None)
                if done.status != 0:
                    raise LabError(done.err.strip())

    def make_user(self):
        """Creates the services' user. If the root is a folder, the services run as the user who starts them."""
        if self.prefix:
            return
        try:
            pwd.getpwnam("river")
        except KeyError:
            command.run(["useradd", "--system", "--home-dir", "/var/lib/river", "--shell", "/usr/sbin/nologin", "river"])

    # ---- the supervisor ----

    def by_systemd(self):
        return not self.prefix and Path("/run/systemd/system").is_dir()

    def supervisor(self):
        """The supervisor's process id, or None when it does not run."""
        try:
            number = int(self.pid_file.read_text(encoding="ascii"))
            words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return number if any(word.endswith(b"runsvdir") for word in words) else None

    def start(self, changed):
        if self.by_systemd():
            UNIT.write_text(UNIT_TEXT, encoding="ascii")
            command.run(["systemctl", "daemon-reload"])
            command.run(["systemctl", "enable", "--now", "river"])
        elif self.supervisor() is None:
            clean.remove_tree(self.root / "run" / "river")
            self.pid_file.parent.mkdir(parents=True)
            log = self.root / "var" / "log" / "river" / "supervisor.log"
            with open(log, "ab") as out:
                child = command.start([f"{self.prefix}/opt/river/supervise"], stdin=subprocess.DEVNULL, stdout=out,
                                      stderr=out, env=self.environment())
            self.pid_file.write_text(str(child.pid), encoding="ascii")
            return
        self.restart(changed)

    def restart(self, changed):
        for name in changed:
            if self.service(name).exists():
                self.tell(name, "restart")

    def reload(self, names):
        roles = dict(self.server.services())
        for name in names:
            script = f"{self.prefix}/opt/river/roles/{roles[name]}/reload"
            command.run([script, name], seconds=READY_SECONDS, env=self.environment())

    def service(self, name):
        return self.root / "run" / "river" / "service" / name

    def tell(self, name, verb, good=(0,)):
        """Runs a verb of sv and waits until it is done."""
        command.run(["sv", "-w", STOP_SECONDS, verb, self.service(name)], seconds=STOP_SECONDS + 10, good=good)

    def await_ready(self):
        done = command.run([f"{self.prefix}/opt/river/ready", READY_SECONDS], seconds=READY_SECONDS + 30, good=None,
                           env=self.environment())
        if done.status != 0:
            raise LabError(f"{self.server.name}: {done.out.strip()[-600:]}")

    def stop(self):
        if self.by_systemd():
            command.run(["systemctl", "disable", "--now", "river"], seconds=STOP_SECONDS + 30)
            return
        number = self.supervisor()
        if number is None:
            return
        # On HUP runsvdir tells every service to end, but does not wait for them.
        os.kill(number, signal.SIGHUP)
        clean.wait_until(lambda: self.supervisor() is None, STOP_SECONDS)
        for name, _ in self.server.services():
            self.tell(name, "shutdown", good=None)
        self.pid_file.unlink(missing_ok=True)


def up(deployment):
    begin = time.monotonic()
    deployment.install_packages()
    deployment.check_data()
    deployment.make_user()
    changed, reloaded = deployment.write()
    deployment.start(changed)
    deployment.await_ready()
    deployment.reload(reloaded)
    name, roles = deployment.server.name, ", ".join(deployment.server.roles)
    told = ", ".join(changed + reloaded) or "nothing"
    print(f"{name}: {roles} ready after {time.monotonic() - begin:.1f} s; changed: {told}")


def main(words):
    parser = Parser(prog="ir-deploy", description=__doc__.split("\n\n")[0],
                    formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("inventory", help="see platforms/inventory.conf")
    parser.add_argument("server", help="which of its servers this one is")
    parser.add_argument("verb", nargs="?", choices=("up", "stop"), default="up",
                        help="up: install, configure, start or restart what has changed")
    parser.add_argument("--root", default="/", help="a folder in the place of /, for trials on one machine")
    arguments = parser.parse_args(words)
    clean.end_on_signals()
    try:
        deployment = Deployment(Inventory(arguments.inventory), arguments.server, arguments.root)
        if arguments.verb == "stop":
            deployment.stop()
        else:
            up(deployment)
    except (LabError, list_of_nodes.NodesError) as error:
        print(f"ir-deploy: {error}", file=sys.stderr)
        return getattr(error, "status", 1)
    return 0
