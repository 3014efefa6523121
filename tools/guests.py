"""Runs the stack in guests of a platform. Each role is a service of the guest that the topology assigns it to. The
generator runs outside, on the host, as motes would.

    stack = GuestStack(Settings(os.environ), "out/run")
    stack.start()
    load = stack.load("out/run/load", "mix")
    stack.stop()

The lab is out/run/lab, in its own network namespace, which this program enters. Images are kept in out/lab/images.
"""

import os
import subprocess
import sys
from pathlib import Path

import programs
import servers
import stack
import variables
from load import Load
from servers import atomic
from stack import ROOT, StackError, UsageError, say

sys.path.insert(0, str(ROOT))

from platforms.lab import Lab, LabError, netns, registry, topology, verbs  # noqa: E402
from platforms.lab.errors import Unsupported  # noqa: E402
from platforms.lab.services import DOCUMENT_SERVER, GRAPH_PATHS, Services, Wishes  # noqa: E402

TOPOLOGIES = ROOT / "platforms" / "topologies"
PROFILES = ROOT / "platforms" / "profiles"
IMAGES = ROOT / "out" / "lab" / "images"
# Start order: a role comes after the roles that it needs.
ORDER = ("broker", "config", "documents", "router", "graph", "balancer", "gateway", "worker")
READY_SECONDS = 120
IN_GUEST = 'cd "${RIVER_ROOT-}/var/lib/river/$1" && shift && exec "${RIVER_ROOT-}/opt/river/bin/$@"'


def names_in(folder):
    return sorted(each.stem for each in folder.glob("*.conf"))


class Settings:
    def __init__(self, environment):
        self.platform, _, self.kind = (environment.get("PLATFORM") or "").partition(":")
        if self.platform not in registry.names():
            raise UsageError(f"PLATFORM={self.platform}: must be one of {', '.join(registry.names())}, or PLATFORM:KIND")
        kinds = registry.recipe(self.platform).kinds
        if self.kind and self.kind not in kinds:
            known = ", ".join(filter(None, kinds)) or "no kinds"
            raise UsageError(f"PLATFORM={self.platform}:{self.kind}: {self.platform} has {known}")
        variables.refuse_given(environment, ("BROKERS", "GATEWAYS", "WORKERS"), "with PLATFORM, TOPOLOGY says how many")
        self.topology = variables.choice(environment, "TOPOLOGY", *sorted(names_in(TOPOLOGIES)))
        self.profile = variables.choice(environment, "PROFILE", "default", *names_in(PROFILES))
        spread = self.topology != "single"
        self.documents = variables.choice(environment, "DOCUMENTS", *(() if spread else ("sqlite",)), DOCUMENT_SERVER.name)
        self.graph = variables.choice(environment, "GRAPH", *(() if spread else ("nquads",)), *GRAPH_PATHS)
        self.formats = environment.get("FORMATS", stack.FORMATS)


class GuestLoad(Load):
    """The load on a stack in guests. Files that a guest's processes read again are pushed into the guest; stores inside
    a guest are queried there."""

    def __init__(self, running, directory, via):
        super().__init__(running.description(), directory, via, running.check)
        self.lab = running.lab

    def hang_up(self, listed):
        place = f"/etc/river/services/{listed['service']}"
        tokens = Path(self.description["tokens"]).read_text(encoding="utf-8")
        script = 'cat >"${RIVER_ROOT-}$1/tokens" && sv hup "${RIVER_ROOT-}/run/river/service/$2"'
        verbs.execute(self.lab, listed["guest"], ["/bin/sh", "-c", script, "sh", place, listed["service"]], text=tokens)

    def call(self, program, *words, good=(0,)):
        worker = self.description["workers"][0]
        if program != "ir-store" or not self.description["documents"].startswith("sqlite:"):
            return super().call(program, *words, good=good)
        ledger = self.directory / "ledger.txt"
        if ledger.exists():
            verbs.push(self.lab, worker["guest"], ledger, Path("/tmp"))
        inside = [str(word).replace(str(ledger), "/tmp/ledger.txt") for word in words]
        argv = ["/bin/sh", "-c", IN_GUEST, "sh", worker["service"], program, *inside]
        return verbs.execute(self.lab, worker["guest"], argv, seconds=600, good=good).out


class GuestStack:
    def __init__(self, settings, out):
        self.settings = settings
        self.out = Path(out).resolve()
        os.environ.setdefault("IR_IMAGES", str(IMAGES))
        self.lab = Lab(self.out / "lab", netns=f"irrun{os.getpid()}")
        self.guests = []
        self.emulated = False
        self.services = None
        self.workers = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    # ---- starting ----

    def start(self):
        self.out.mkdir(parents=True, exist_ok=True)
        for name in ("tokens", "mote-tokens"):
            atomic.write(self.out / name, "", atomic.PRIVATE)
        platform = registry.load(self.settings.platform, self.lab)
        verbs.require_host(platform)
        kind = choose_kind(platform, self.settings.kind)
        self.emulated = kind in platform.emulated_kinds or bool(platform.facts().get("emulated"))
        if self.emulated:
            say("run", "no hardware virtualization: about 20 minutes, not a measurement")
        netns.enter(self.lab, create=True)
        self.plan(platform, kind)
        for guest in self.guests:
            say("run", f"{guest.name}: {', '.join(guest.roles)}")
            verbs.provision(self.lab, guest)
        for front in (False, True):
            self.boot([each for each in self.guests if is_front(each) == front])
        self.workers = [programs.Endpoint(f"http://{place}") for _, _, place in self.services.workers()]
        stack.await_membership(self.workers, READY_SECONDS, self.check)

    def boot(self, guests):
        """Boots all guests at once, because the brokers of a cluster wait for each other. A separate program boots each
        guest, and shuts it down again when it is ended."""
        argv = [sys.executable, "-B", ROOT / "platforms" / "ir-platform", f"--lab={self.lab.directory}",
                f"--netns={self.lab.netns}", "boot", self.settings.platform]
        children = [subprocess.Popen([*argv, each.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                     start_new_session=True) for each in guests]
        try:
            for child in children:
                told, wrong = child.communicate()
                if child.returncode:
                    raise StackError(wrong.strip())
                say("run", told.strip())
        finally:
            for child in children:
                child.terminate()
            for child in children:
                child.wait()

    def plan(self, platform, kind):
        """Plans the guests with their roles, addresses and services."""
        unused = [role for role, choice in (("documents", self.settings.documents), ("graph", self.settings.graph))
                  if choice in ("sqlite", "nquads")]
        path = self.topology_file()
        planned = topology.read(path, platform.name, kind=kind, profile=self.settings.profile)
        for guest in planned:
            guest.roles = [role for role in guest.roles if role not in unused]
        self.guests = sorted((guest for guest in planned if guest.roles), key=first_role)
        for i, guest in enumerate(self.guests):
            self.lab.network.place(guest, self.guests[:i])
        engine = self.settings.graph if self.settings.graph in GRAPH_PATHS else "fuseki"
        patience = max(platform.patience(each) for each in self.guests)
        wishes = Wishes(formats=self.settings.formats, engine=engine)
        self.services = Services(self.lab.directory, self.guests, patience, wishes=wishes)
        self.lab.clusters[path.stem] = self.services

    def topology_file(self):
        return TOPOLOGIES / f"{self.settings.topology}.conf"

    def check(self):
        """Checks that the workers answer."""
        for each in self.workers:
            try:
                each.get("/healthz")
            except OSError as error:
                raise StackError(f"{each.address} does not answer any more: {error}") from error

    # ---- the running stack ----

    def description(self):
        """Returns the same as Stack.description()."""
        kinds = ("amqp", "mqtt", "http")
        return {
            "listeners": {kind: f"{kind}://{self.services.balancer_address(kind)}" for kind in kinds},
            "inside": f"amqp://{self.services.balancer_address('inside')}",
            "consumers": f"amqp://{self.services.balancer_address('consumers')}",
            "stats": f"http://{self.services.balancer_address('stats')}/stats",
            "metrics": self.services.metrics(),
            "doors": self.services.tls_doors(),
            "passwords": str(self.services.passwords_file),
            "tokens": str(self.out / "tokens"),
            "mote-tokens": str(self.out / "mote-tokens"),
            "own-users": False,
            "registry": str(stack.REGISTRY) if self.settings.documents != "sqlite" else "registry.ttl",
            "documents": self.services.documents_uri(),
            "graph": self.services.graph_uri(),
            "formats": self.settings.formats,
            "workers": self.listed(self.services.workers()),
            "gateways": self.listed(self.services.gateways()),
            "programs": str(stack.PROGRAMS),
            "out": str(self.out),
        }

    @staticmethod
    def listed(places):
        return [{"name": f"{guest.name}/{name}", "guest": guest.name, "service": name, "address": f"http://{place}"}
                for guest, name, place in places]

    def load(self, directory, via):
        return GuestLoad(self, directory, via)

    def figures(self):
        """The stack's part of a summary."""
        told = verbs.facts(self.lab, self.settings.platform)
        guests = [verbs.facts(self.lab, self.settings.platform, each.name) for each in self.guests]
        return {
            "workers": len(self.workers),
            "brokers": len(self.services.addresses("broker")),
            "platform": self.settings.platform,
            "emulated": self.emulated,
            "topology": self.settings.topology,
            "profile": self.settings.profile,
            "platform_facts": told,
            "guests": [{**each["guest"], "tuning": each["tuning"]} for each in guests],
        }

    def hints(self, stays):
        """Commands for looking at the data."""
        if not stays:
            return ["(the guests are gone; with KEEP=1 they stay, and their addresses are shown here)"]
        store = '"${RIVER_ROOT-}/opt/river/bin/ir-store" status --settings "${RIVER_ROOT-}/etc/river/services/$0/river.conf"'
        guest, service, _ = self.services.workers()[0]
        inside = f"cd \"${{RIVER_ROOT-}}/var/lib/river/$0\" && {store}"
        return [f"{self.verb('exec', guest.name)} -- /bin/sh -c '{inside}' {service}"]

    def verb(self, word, name):
        """An ir-platform command for a guest, in the form a user would type."""
        return (f"IR_LAB={stack.show(self.lab.directory)} IR_LAB_NETNS={self.lab.netns} platforms/ir-platform {word} "
                f"{self.settings.platform} {name}")

    def addresses(self):
        """All addresses, as lines."""
        lines = stack.addresses({**self.description(), "ca": ""})
        return [*lines, f"  the network: ip netns exec {self.lab.netns} curl {self.description()['stats']}",
                *(f"  {each.name}: {self.verb('exec', each.name)} -- /bin/bash" for each in self.guests)]

    def stop(self):
        try:
            verbs.destroy_all(self.lab)
        except LabError as error:
            raise StackError(str(error)) from error


def choose_kind(platform, asked):
    """The kind of the guests. An emulated kind is used only if it was named."""
    kind = asked or platform.kinds_here()[0]
    if not asked and kind in platform.emulated_kinds:
        raise Unsupported(f"{platform.name}: no hardware virtualization here",
                          f"run it on a host that has /dev/kvm, or ask for emulation: PLATFORM={platform.name}:{kind} "
                          "(about 20 minutes, not a measurement)")
    return kind


def is_front(guest):
    """Whether its services depend on services of other guests."""
    return first_role(guest) >= ORDER.index("balancer")


def first_role(guest):
    return min(ORDER.index(role) for _, role in guest.services())
