"""The folder of a user's river: options, ports, registry, credentials, stores and broker data, kept from one start to
the next. Neither runs nor `make clean` touch it.

    river.json        the options and the ports           registry/         the registry's files
    mote-tokens       MOTE TOKEN lines                    brokers/passwords USER PASSWORD lines of our own users
    stack.json        while it runs: its description      processes         the started processes
    programs.conf     addresses, for the programs' --settings
    lock              locked while it starts or stops     logs/, load-NNN/, the stores
"""

import json
import shutil
from pathlib import Path

import programs
import servers
import stack
import variables
from servers import atomic
from stack import PROGRAMS, SIMULATED, Claim, StackError, UsageError, say, show

CHOICES = ("BROKERS", "GATEWAYS", "WORKERS", "DOCUMENTS", "GRAPH", "FORMATS", "LISTEN")
# The options that the data in the folder depend on; the others may change from one start to the next.
FIXED = {"BROKERS": "brokers", "DOCUMENTS": "documents", "GRAPH": "graph"}
INITIAL = {name: variables.taken_by(["up"])[name].initial for name in CHOICES}


class KeptPorts:
    """Called as take_ports(name, count): returns the ports that the server of this name had before, plus new ones if it
    needs more."""

    def __init__(self, kept):
        self.kept = kept

    def __call__(self, name, count):
        ports = self.kept.setdefault(name, [])
        if len(ports) < count:
            ports += servers.free_ports(count - len(ports), {port for each in self.kept.values() for port in each})
        return ports[:count]


class River:
    """The folder."""

    def __init__(self, folder):
        self.folder = Path(folder).resolve()
        self.kept = self.folder / "river.json"
        self.state = self.folder / "stack.json"
        self.processes = self.folder / "processes"
        self.registry = self.folder / "registry"
        self.mote_tokens = self.folder / "mote-tokens"
        self.settings = self.folder / "programs.conf"

    @classmethod
    def of(cls, environment):
        river = cls(variables.read(environment, "DATA", "up"))
        if "," in str(river.folder):
            raise UsageError(f"DATA={show(river.folder)}: the path must not contain a comma, which separates the files of a "
                             "registry; choose another folder")
        if (stack.ROOT / "out") in [river.folder, *river.folder.parents]:
            raise UsageError(f"DATA={show(river.folder)}: make clean removes out/; choose another folder")
        return river

    def claim(self, what):
        """Creates the folder if missing, and refuses a folder with other content."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.kept.exists() and any(each.name != "lock" for each in self.folder.iterdir()):
            raise StackError(f"{show(self.folder)} is not empty and not a river (it has no river.json); choose another "
                             "folder with DATA=DIR")
        Claim.take(self.folder, what, self.folder / "lock")
        if not self.kept.exists():
            self.write({"choices": {}, "ports": {}})

    # ---- options, ports and registry ----

    def read(self):
        """Returns {"choices", "ports"}; both empty at first."""
        try:
            known = json.loads(self.kept.read_text(encoding="utf-8"))
            return {"choices": dict(known["choices"]), "ports": dict(known["ports"])}
        except FileNotFoundError:
            return {"choices": {}, "ports": {}}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StackError(f"{show(self.kept)} cannot be read ({error}); repair it, or start over with FRESH=1") from error

    def write(self, known):
        atomic.write(self.kept, json.dumps(known, indent=2) + "\n", atomic.PUBLIC, lasting=False)

    def choose(self, known, environment):
        """The options of this start: those that are given, else the previous ones, else the defaults."""
        given = {name: str(variables.read(environment, name, "up")) for name in CHOICES if environment.get(name)}
        chosen = {**known, **given}
        for name, what in FIXED.items():
            before = known.get(name)
            if before and chosen[name] != before:
                raise StackError(f"{name}={chosen[name]}: {show(self.folder)} was made with {name}={before}, and its {what} "
                                 f"would be left behind; leave {name} out to continue, choose another folder with DATA=DIR, "
                                 "or empty this one with FRESH=1")
        return {name: chosen.get(name) or INITIAL[name] for name in CHOICES}

    def empty(self):
        """FRESH=1: says what will be lost, then removes it."""
        lost = sorted(each for each in self.folder.iterdir() if each.name not in ("lock", "river.json"))
        sizes = ", ".join(f"{each.name} ({size_of(each):,.1f} MB)" for each in lost)
        if lost:
            say("up", f"FRESH=1 empties {show(self.folder)}; lost are: {sizes}")
        for each in [*lost, self.kept]:
            shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink(missing_ok=True)

    # ---- registry ----

    def files(self):
        """The files of the user's registry, without that of simulated motes."""
        return [each for each in sorted(self.registry.glob("*.ttl")) if each.name != SIMULATED]

    def take_registry(self, variable, text):
        """Makes these files the registry. Returns the names of the files that are no longer in it."""
        files = registry_of(variable, text)
        before = {each.name for each in self.registry.glob("*.ttl")}
        beside = self.registry.with_suffix(".new")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        kept = [self.registry / SIMULATED] if (self.registry / SIMULATED).exists() else []
        for each in [*files, *kept]:
            shutil.copyfile(each, beside / each.name)
        shutil.rmtree(self.registry, ignore_errors=True)
        beside.rename(self.registry)
        return sorted(before - {each.name for each in [*files, *kept]})

    # ---- the running stack ----

    def description(self):
        """The description of the stack if all of it runs, else None."""
        state = self.read_state()
        alive = state and all(servers.start_time(pid) == started for pid, started in state["processes"])
        return state["description"] if alive else None

    def read_state(self):
        """The description left by a complete start since the last boot of the machine; else None."""
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
            return state if state["boot"] == servers.boot_id() else None
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StackError(f"{show(self.state)}: {error}; remove it, then: make down, make up") from error

    def require_running(self):
        """Returns the running river's description."""
        description = self.description()
        if description is None:
            ended = self.ended()
            below = f"below {show(self.folder)}"
            raise StackError(f"{', '.join(ended)} of the stack {below} ended; see logs/ there, then run make up" if ended
                             else f"no stack is running {below}; start one with: make up")
        return description

    def ended(self):
        """The names of the processes of a started stack that have ended."""
        state = self.read_state()
        if state is None:
            return []
        names = {each["pid"]: each["name"] for kind in ("workers", "gateways") for each in state["description"][kind]}
        return [names.get(pid, "a server") for pid, started in state["processes"] if servers.start_time(pid) != started]

    def started(self, description):
        """Called when everything runs: the stack keeps running after this program ends."""
        state = {"description": description, "processes": servers.let_go(), "boot": servers.boot_id()}
        atomic.write(self.state, json.dumps(state, indent=2) + "\n", atomic.PRIVATE)

    def stop(self):
        """Stops all processes, including those that an interrupted start left; returns their number."""
        count = servers.stop_kept(servers.recorded(self.processes))
        for each in (self.state, self.processes):
            each.unlink(missing_ok=True)
        return count


def size_of(path):
    """Returns the size of a file or folder in MB."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file() and not each.is_symlink()]
    return sum(each.stat().st_size for each in files) / 1e6


def registry_files(variable, text):
    """The files that REGISTRY= or FILE= names, separated by commas; a folder stands for its *.ttl files."""
    files = [file for path in filter(None, text.split(",")) for file in files_of(variable, text, Path(path))]
    for each in files:
        if not each.is_file():
            raise UsageError(f"{variable}={text}: there is no file {each}")
        if each.suffix == ".csv":
            raise UsageError(f"{variable}={text}: a registry is Turtle, NAME.ttl; make one from the table: "
                             f"{show(PROGRAMS / 'ir-registry')} from-csv {each} > {each.with_suffix('.ttl').name}")
        if each.suffix != ".ttl":
            raise UsageError(f"{variable}={text}: a registry is Turtle, NAME.ttl; rename {each}")
        if each.name == SIMULATED:
            raise UsageError(f"{variable}={text}: make load has a file {SIMULATED} of its own; rename yours")
        if [other.name for other in files].count(each.name) > 1:
            raise UsageError(f"{variable}={text}: two files are named {each.name}; rename one")
    return files


def registry_of(variable, text):
    """The same, if they are a registry with sensors."""
    files = registry_files(variable, text)
    if not programs.registered(PROGRAMS, files):
        raise UsageError(f"{variable}={text}: it describes no sensor")
    return files


def files_of(variable, text, path):
    """The file, or the folder's *.ttl files."""
    files = sorted(path.glob("*.ttl")) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{variable}={text}: the folder {path} contains no registry, NAME.ttl; make one of a table of "
                         f"stations: {show(PROGRAMS / 'ir-registry')} from-csv stations.csv > {path / 'stations.ttl'}")
    return files
