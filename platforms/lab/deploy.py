"""Deploys to real servers instead of guests. An inventory lists them with address and roles; each gets the same
services, scripts and configuration as a guest of the lab.

A folder of secrets beside the inventory holds what all servers share (passwords, keys, the motes' tokens). The first
call creates it; copy it to the other servers. Existing secrets are never replaced.
"""

import argparse
import contextlib
import os
import pwd
import shutil
import tempfile
import time
from pathlib import Path

import drained
import guard

from . import clean, clocks, command, keeping, payload, ports, running, systemd
from .errors import LabError
from .inventory import Inventory
from .parser import Parser
from .roles import ROLES, in_order
from .runit import Runit
from .places import PROJECT, locked
from .services import MANAGEMENT_PORT, node_name
from .tree import SERVERS, Tree, staged

READY_SECONDS = 300
POLL_SECONDS = 2
MAY_STOP_SECONDS = 300
CHECK_DATA = PROJECT / "ingest" / "check-data"
FLAGS = "-feature_flags"  # each RabbitMQ node keeps a file NODE-feature_flags beside its data
EPMD_PORT = 4369
ERLANG_PORT = 25672  # brokers use it among each other
LOCK_SECONDS = 3
CLOCK_SECONDS = 5  # that clocks may differ by, as in the alert ClockOff
USER = "river"


class Deployment:
    """One server. Its files are below `root`: "/", or a folder that is used in its place."""

    def __init__(self, inventory, name, root):
        self.inventory = inventory
        self.server = inventory.named(name)
        self.services = in_order(self.server.services())
        self.root = Path(root).resolve()
        self.prefix = "" if self.root == Path("/") else str(self.root)
        by_systemd = not self.prefix and systemd.present()
        self.supervisor = systemd.Systemd(self.services) if by_systemd else Runit(self.root, self.prefix, self.services)

    def environment(self):
        return {**os.environ, "RIVER_ROOT": self.prefix}

    def script(self, *words):
        return [f"{self.prefix}/opt/river/{words[0]}", *words[1:]]

    # ---- files ----

    def install_packages(self):
        groups = {"run", "deploy", *(group for _, role in self.services for group in ROLES[role].packages)}
        if isinstance(self.supervisor, Runit):
            groups.add("runit")
        installer = PROJECT / "tools" / "install"
        if installer.exists():
            command.run([installer, *sorted(groups)], seconds=1800)

    @contextlib.contextmanager
    def files(self):
        """The Tree of the files that the server should have."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            payload.write_programs(folder / "opt" / "river")
            payload.write_files(folder / "etc" / "river", self.settings())
            wanted = {**staged(folder), **{path: source for path, source in self.servers().items() if not self.prefix}}
            owner = None
            if not self.prefix and (found := self.user()):
                owner = (found.pw_uid, found.pw_gid)
            yield Tree(self.root, wanted, owner)

    def settings(self):
        """Returns {path below etc/river: text}."""
        servers = payload.server_variables() if self.prefix else {key: f"/{path}" for path, key in self.server_paths()}
        values = {"NAME": self.server.name, "ADDRESS": self.server.address, "WORKER_PIN": "", "BROKER_SCHEDULERS": "", **servers}
        if not self.prefix:
            values["EPMD_ADDRESS"] = self.server.address
        units = {f"services/{name}/{file}": text for name, files in self.supervisor.units().items()
                 for file, text in files.items()}
        return {"guest.conf": payload.assignments(values), **self.inventory.services.files(self.server), **units}

    def server_paths(self):
        """Returns (path below the root, key of payload.server_variables()) of the programs without a Debian package."""
        known = payload.server_variables()
        keys = {key for _, role in self.services for key in ROLES[role].servers if key in known}
        return [(SERVERS + Path(known[key]).name, key) for key in sorted(keys)]

    def servers(self):
        """Returns {path below the root: original} of the programs without a Debian package. They are copied, because
        the services' user may be unable to reach the originals."""
        known = payload.server_variables()
        return {path: Path(known[key]) for path, key in self.server_paths()}

    def user(self):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(USER)

    def make_user(self):
        """Creates the services' user. If the root is a folder, the services run as the user who starts them."""
        if not self.prefix and self.user() is None:
            command.run(["useradd", "--system", "--home-dir", "/var/lib/river", "--shell", "/usr/sbin/nologin", USER])

    def make_folders(self):
        for path in ("var/log/river", "var/lib/river", *(f"var/lib/river/{name}" for name, _ in self.services)):
            folder = self.root / path
            folder.mkdir(parents=True, exist_ok=True)
            if path.startswith("var/lib"):
                self.give(folder)

    def give(self, *paths):
        """Gives the files to the services' user."""
        if not self.prefix:
            for each in paths:
                shutil.chown(each, USER, USER)

    # ---- messages before anything is changed ----

    def check(self, files):
        for address in {self.server.address, self.server.outside or self.server.address, self.server.watch or self.server.address}:
            ports.check_own(address)
        self.check_clock()
        self.check_data()
        self.check_settings(files)
        self.check_leaving()
        self.check_ports()

    def check_clock(self):
        """Compares this server's clock with those of the others that run, as arrivals and certificates depend on it. Refuses
        if it differs from all of them; otherwise names those that are wrong."""
        found = {}
        for each in self.inventory.services.metrics():
            name = each["name"].partition("/")[0]
            if name != self.server.name and found.get(name) is None:
                found[name] = clocks.ahead(each["address"])
        known = {name: ahead for name, ahead in found.items() if ahead is not None}
        told = [f"the clock of {name} is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the one here"
                for name, ahead in known.items() if abs(ahead) > CLOCK_SECONDS]
        if told and len(told) == len(known):
            raise LabError(f"{self.server.name}: {'; '.join(told)}: set the wrong one (timedatectl), then call again")
        for each in told:
            self.say(f"{each}: set it there (timedatectl)")

    def check_data(self):
        """Checks that the release series of the installed broker can read the existing data, and that the data belong
        to this broker. A broker with another name would start empty."""
        for name, role in self.services:
            if role != "broker":
                continue
            data = self.root / "var" / "lib" / "river" / name / "mnesia"
            done = command.run([CHECK_DATA, data], good=None)
            if done.status != 0:
                raise LabError(done.err.strip())
            node = self.inventory.node(self.server.name)
            others = [path.name.removesuffix(FLAGS) for path in sorted(data.glob(f"*{FLAGS}")) if path.name != f"{node}{FLAGS}"]
            if others and not (data / f"{node}{FLAGS}").exists():
                raise LabError(f"{data} holds the messages of {others[0]}, but this broker is now {node} and would start empty: "
                               "give the server its old address, or move the folder away once its messages are in the stores")

    def check_settings(self, files):
        """Makes each of our own programs check its new settings."""
        for name, role in self.services:
            if ROLES[role].own:
                path = f"etc/river/services/{name}/river.conf"
                done = command.run([files.wanted[f"opt/river/bin/{ROLES[role].program}"], "--print-settings",
                                    f"--settings={files.wanted[path]}"], good=None)
                if done.status != 0:
                    raise LabError(f"{name}: {done.err.strip().replace(str(files.wanted[path]), path)}")

    def check_leaving(self):
        """Refuses to end a service that the inventory no longer lists, if others depend on it or it still has data."""
        for name, script in self.of_leaving("may-leave"):
            done = command.run(script, seconds=200, good=None, env=self.environment())
            if done.status != 0:
                why = " ".join((done.out + done.err).split())[-300:]
                raise LabError(f"the inventory no longer lists {name} for {self.server.name}, but it cannot be removed "
                               f"yet: {why}; list it until the workers have emptied the queues, or drain the broker "
                               "(docs/howto/upgrade.md)")

    def of_leaving(self, script):
        """Yields (name, command) of each running service that the inventory no longer lists and whose role has the script."""
        for name in self.supervisor.left_over():
            role = self.root / "etc" / "river" / "services" / name / "role"
            if role.exists() and running.process(self.root, name):
                words = self.script(f"roles/{role.read_text().strip()}/{script}", name)
                if Path(words[0]).exists():
                    yield name, words

    def leave(self):
        """Takes the services that the inventory no longer lists out of their clusters, while their files are there."""
        for name, script in self.of_leaving("leave"):
            self.say(f"{name} leaves its cluster")
            command.run(script, seconds=400, env=self.environment())

    def check_ports(self):
        places = self.inventory.services.ports(self.server)
        for name, role in self.services:
            process = running.process(self.root, name)
            mine = process.family() if process else set()
            ports.check_free(name, places[name], mine)
            if role == "broker" and not self.prefix:
                ports.check_free(name, [(self.server.address, ERLANG_PORT)], mine)
                ports.check_mapper(self.server.address, EPMD_PORT)

    # ---- planning the steps and doing them ----

    def plan(self, files):
        """Returns {service: (step to take, files that require it)}, in the order of the start."""
        return {name: running.action(running.process(self.root, name), files, name, role, ROLES[role].rereads)
                for name, role in self.services}

    def carry_out(self, plan, seconds):
        """Starts the services that do not run. Then restarts those that run with outdated files, one after the other:
        each must be ready before the next one is stopped."""
        for name in self.supervisor.left_over():
            self.supervisor.remove(name)
        self.supervisor.begin()
        roles = dict(self.services)
        for name, (action, _) in plan.items():
            if action == running.START:
                self.supervisor.start(name)
            elif action == running.RESTART:
                self.await_may_stop(name, roles[name])
                self.supervisor.restart(name)
                self.await_ready([name], seconds)
        self.await_ready(list(plan), seconds)
        for name, (action, _) in plan.items():
            if action == running.REREAD:
                command.run(self.script(f"roles/{roles[name]}/reload", name), seconds=READY_SECONDS, env=self.environment())

    def await_may_stop(self, name, role):
        """Waits until the service can stop without harm: until no queue would lose its majority."""
        script = self.script(f"roles/{role}/may-stop", name)
        if not Path(script[0]).exists() or len(self.inventory.services.addresses(role)) < 2:
            return
        deadline = time.monotonic() + MAY_STOP_SECONDS
        while (done := command.run(script, seconds=90, good=None, env=self.environment())).status != 0:
            if time.monotonic() > deadline:
                raise LabError(f"{name} is not restarted yet, because other services need it: "
                               f"{(done.out + done.err).strip()[-600:]}")
            self.say(f"waiting to replace {name}: queues would lose their majority")
            time.sleep(POLL_SECONDS)

    def await_ready(self, names, seconds):
        deadline, told = time.monotonic() + seconds, ""
        while True:
            done = command.run(self.script("ready", str(POLL_SECONDS), *names), seconds=POLL_SECONDS + 60, good=None,
                               env=self.environment())
            if done.status == 0:
                return
            waiting = self.waiting(done.out.partition("\n")[0])
            if waiting != told:
                self.say(waiting)
                told = waiting
            if time.monotonic() > deadline:
                raise LabError(f"{self.server.name}: {waiting}; its services keep running. Call again when the missing part "
                               f"is there. {done.out.strip()[-600:]}")

    def waiting(self, line):
        """Says why a service is not ready: because other services that it needs do not listen, or because of itself. The
        line is "service NAME is not ready" or "service NAME is not ready: WHY"."""
        _, name, *_ = line.split()
        needs = ROLES[dict(self.services)[name]].needs
        missing = {}
        for server, role, places in self.inventory.having(needs, self.server):
            if not all(ports.answers(*each) for each in places):
                missing.setdefault(ROLES[role].program, []).append(server.name)
        others = ", ".join(f"{', '.join(names)} ({program})" for program, names in missing.items())
        return f"waiting for {others or line.removeprefix('service ').replace(' is not ready', '')}"

    def tell_unlisted(self):
        """Names the brokers of the cluster that the inventory does not list: each has to leave, or is lost."""
        if "broker" not in dict(self.services).values():
            return
        services = self.inventory.services
        asked = drained.Asked(self.server.name, self.server.address, MANAGEMENT_PORT)
        listed = {node_name(each) for each in services.addresses("broker")}
        with contextlib.suppress(drained.UnknownError):
            for each in drained.ask(asked, services.password("monitor"), "/api/nodes"):
                if each["name"] not in listed:
                    place = each["name"].partition("@")[2]
                    self.say(f"the cluster still has a broker at {place}, which the inventory does not list: call ir-deploy on its "
                             f"server, or if that is lost, ir-deploy {self.inventory.path} {self.server.name} forget {place}")

    def say(self, text):
        print(f"{self.server.name}: {text}", flush=True)

    def stop(self):
        self.supervisor.stop()

    def forget(self, name):
        """Removes a permanently lost broker from the cluster."""
        for service, role in self.services:
            if role == "broker":
                words = self.script("roles/broker/forget", service, self.inventory.node(name))
                command.run(words, seconds=300, env=self.environment())
                return
        raise LabError(f"{self.server.name} has no broker; run forget on a server that has one")


def up(deployment, seconds, new_stores=False):
    begin = time.monotonic()
    deployment.install_packages()
    deployment.make_user()
    with deployment.files() as files:
        deployment.check(files)
        plan = deployment.plan(files)
        ended = deployment.supervisor.left_over()
        deployment.supervisor.prepare()
        deployment.make_folders()
        deployment.leave()
        files.put(files.changes())
        if new_stores:
            plan |= {name: (running.RESTART, []) for name in keeping.allow_new_stores(deployment)
                     if plan[name][0] != running.START}
        deployment.carry_out(plan, seconds)
    deployment.tell_unlisted()
    told = ", ".join([*(name for name, (action, _) in plan.items() if action != running.SAME),
                      *(f"{name} ended" for name in ended)]) or "nothing"
    deployment.say(f"{', '.join(deployment.server.roles)} ready after {time.monotonic() - begin:.1f} s; changed: {told}")


def show(deployment):
    """Prints what `up` would do, without doing it."""
    with deployment.files() as files:
        deployment.check(files)
        changes, plan = files.changes(), deployment.plan(files)
    for path, change in sorted(changes.items()):
        deployment.say(f"{change}: {deployment.prefix}/{path}")
    for name, (action, paths) in plan.items():
        if action != running.SAME:
            deployment.say(f"would {action} {name}{': ' if paths else ''}{', '.join(map(os.path.basename, paths))}")
    for name in deployment.supervisor.left_over():
        deployment.say(f"would end {name}: the inventory does not list it")
    if all(action == running.SAME for action, _ in plan.values()):
        deployment.say("nothing would be restarted")


def find_secrets(arguments, inventory, scratch):
    """Refuses to create new secrets if other servers already run with existing ones. A dry run uses a copy of the
    folder, so it leaves no new secrets."""
    secrets = inventory.services.directory
    if not (secrets / "passwords").exists():
        others = [each.name for each, _, places in inventory.having(ROLES, inventory.named(arguments.server))
                  if all(ports.answers(*place) for place in places)]
        if others:
            raise LabError(f"{secrets} does not exist, but {', '.join(sorted(set(others)))} already runs: copy the folder "
                           "from there")
        if (Path(arguments.root) / "etc" / "river" / "order").exists():
            beside = [each.name for each in sorted(secrets.parent.glob("*.secrets"))]
            what = f"rename {', or '.join(beside)}, if that is the folder" if beside else "restore the folder from a backup"
            raise LabError(f"{secrets} does not exist, but {arguments.server} was deployed with such a folder: {what}")
    if arguments.dry_run:
        inventory.services.directory = scratch / "secrets"
        if secrets.exists():
            shutil.copytree(secrets, inventory.services.directory)


def parser():
    made = Parser(prog="ir-deploy", description=__doc__.split("\n\n")[0],
                  formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    made.add_argument("inventory", help="see platforms/inventory.conf")
    made.add_argument("server", help="the name of this server in the inventory")
    made.add_argument("verb", nargs="?", choices=("up", "stop", "forget", "backup", "restore"), default="up",
                      help="up: install, configure, start or restart what has changed; forget LOST: remove a lost server, or "
                           "the address of one, from the cluster of brokers; backup FOLDER: save the stores, the "
                           "inventory and its secrets; restore FOLDER: restore what the stores have lost")
    made.add_argument("what", nargs="?", default="", help="for forget: a server or its address; for backup: a folder; for restore: a "
                                                          "backup, or a folder whose newest backup is used")
    made.add_argument("--store", choices=("both", "documents", "graph"), default="both", help="for restore: which store")
    made.add_argument("--new-stores", action="store_true",
                      help="for up: set up stores that lost their data as new, empty stores")
    made.add_argument("--root", default="/", help="a folder to use as /, for trials on one machine")
    made.add_argument("--dry-run", action="store_true", help="print what up would change, and change nothing")
    made.add_argument("--wait", type=int, default=READY_SECONDS, metavar="SECONDS", help="how long until all is ready")
    return made


def main(words):
    arguments = parser().parse_args(words)
    clean.end_on_signals()
    os.umask(0o022)
    return guard.status("ir-deploy", lambda: do(arguments))


def folder_of(arguments):
    if not arguments.what:
        raise LabError(f"{arguments.verb} needs a folder: ir-deploy {arguments.inventory} {arguments.server} {arguments.verb} FOLDER")
    return arguments.what


def alone(arguments):
    """Holds the lock that prevents two calls from changing the same server at once."""
    if arguments.dry_run or arguments.verb == "backup":
        return contextlib.nullcontext()
    return locked(Path(arguments.root) / "run" / "river-deploy.lock", LOCK_SECONDS, "ir-deploy")


def do(arguments):
    inventory = Inventory(arguments.inventory)
    inventory.named(arguments.server)
    if arguments.root == "/" and os.geteuid() != 0:
        raise LabError("only root can manage the services of a machine: run it with sudo")
    with tempfile.TemporaryDirectory() as scratch, alone(arguments):
        find_secrets(arguments, inventory, Path(scratch))
        deployment = Deployment(inventory, arguments.server, arguments.root)
        if arguments.verb == "stop":
            deployment.stop()
        elif arguments.verb == "forget":
            deployment.forget(arguments.what)
        elif arguments.verb == "backup":
            keeping.backup(deployment, folder_of(arguments))
        elif arguments.verb == "restore":
            keeping.restore(deployment, folder_of(arguments), arguments.store)
        elif arguments.dry_run:
            show(deployment)
        else:
            up(deployment, arguments.wait, arguments.new_stores)
