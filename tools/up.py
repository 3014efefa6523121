"""Starts, stops and changes a user's river (river.py).

    python3 tools/up.py up          starts it, or continues an existing one: REGISTRY= DATA= FRESH= LISTEN= and the stack's
                                    variables, from the environment
    python3 tools/up.py down        stops it
    python3 tools/up.py registry    makes FILE= the registry of the running stack; returns when all programs have read it
"""

import errno
import ipaddress
import json
import os
import shlex
import tempfile
from pathlib import Path

import cluster
import load
import programs
import ready_commands
import servers
import stack
import variables
from river import CHOICES, KeptPorts, River, registry_of
from servers import atomic
from stack import PROGRAMS, StackError, UsageError, say, show


def check_listen(host):
    if servers.port_fault(host, 0) == errno.EADDRNOTAVAIL:
        raise UsageError(f"LISTEN={host}: this machine has no such address; `ip address` shows those it has")


def check_ports(river, made):
    """Checks that the ports are free. Called before the stack starts."""
    for name, host, port in made.listeners():
        fault = servers.port_fault(host, port)
        if fault:
            raise StackError(f"port {port} of {name} cannot be used: {os.strerror(fault)}; stop the program that uses it (ss "
                             f"-ltnp shows it), or write another port into {show(river.kept)}")


# ---- what is shown ----


def sender(river, description):
    """The mote that the examples send for; None if there is no sensor."""
    sensors = programs.registered(PROGRAMS, river.files())
    if not sensors:
        return None
    chosen = next((each for each in sensors if each.unit), sensors[0])
    token = cluster.definitions.read_passwords(description["mote-tokens"])[chosen.mote]
    return ready_commands.Sender(chosen.mote, chosen.name, chosen.unit, token)


def show_where(river, description):
    print("It runs until make down:\n" + "\n".join(stack.addresses(description)))
    listen = river.read()["choices"]["LISTEN"]
    local = ipaddress.ip_address(listen).is_loopback
    only = ", reachable from this machine only; LISTEN=ADDRESS opens it to others" if local else ""
    print(f"Motes reach it at {listen}{only}")
    folder = "" if river.folder == Path("river").resolve() else f" {shlex.quote(show(river.folder))}"
    print(f"Watch it: {show(stack.ROOT / 'monitoring' / 'ir-top')}{folder}; with Prometheus and alerts: make monitor")
    example = sender(river, description)
    if example:
        print(f"\nSend an observation of the mote {example.mote}; each of these commands stores one:")
        for protocol, command in ready_commands.senders(description, example):
            print(f"# {protocol}\n{command}")
    print(f"\nEach mote's token, for all three, is in {show(description['mote-tokens'])}.\n\nLook at it:")
    commands = [*ready_commands.embedded(description), ready_commands.sparql(description), ready_commands.export(description)]
    print("\n".join(filter(None, commands)))
    print(f"# the programs find it with --settings {shlex.quote(show(river.settings))}")
    if description["sparql"] is None:
        print("# SPARQL needs a server: start another river with make up DATA=DIR GRAPH=oxigraph (or fuseki, virtuoso)")
    print(f"# show observations and refusals as they come (--rate: figures)\n{ready_commands.tap(description, river.settings)}")
    viewer = cluster.definitions.read_passwords(description["passwords"])["viewer"]
    if subscribe := ready_commands.subscribe(description, viewer):
        print(f"# what is published again, with Python\n{subscribe}")


# ---- up ----


def refuse_changes(river, environment):
    """Refuses options that differ from those with which the running stack was started."""
    known = river.read()["choices"]
    for name in CHOICES:
        if environment.get(name) and environment[name] != known.get(name):
            raise StackError(f"{name}={environment[name]}: a stack with {name}={known.get(name)} is running below "
                             f"{show(river.folder)}; end it first: make down")
    if environment.get("REGISTRY"):
        raise StackError(f"REGISTRY={environment['REGISTRY']}: a stack is running below {show(river.folder)}; change its "
                         f"registry with: make registry FILE={environment['REGISTRY']}")
    if variables.read(environment, "FRESH", "up"):
        raise StackError(f"FRESH=1: a stack is running below {show(river.folder)}; end it first: make down")


def forget(description, names):
    """Empties the registry graphs of removed files."""
    if not names:
        return
    with tempfile.TemporaryDirectory() as folder:
        for each in names:
            Path(folder, each).touch()
        stores = [f"--{key}={description[key]}" for key in ("documents", "graph")]
        init(description, [*stores, f"--registry={folder}"])


def init(description, words):
    log = Path(description["out"]) / "logs" / "ir-store.log"
    status, _ = programs.call([Path(description["programs"]) / "ir-store", "init", *words], log)
    if status != 0:
        raise StackError(f"ir-store init ended with status {status}; {show(log)} ends:\n{servers.tail(log)}")


def stack_of(river, choices, ports):
    """Returns the stack with its ports, not started."""
    made = stack.Stack(stack.Settings(choices), river.folder, take_ports=KeptPorts(ports), listen=choices["LISTEN"])
    made.assign_ports()
    return made


def choose(river, known, environment):
    """Returns the options of this start. All that it refuses is refused before anything is changed."""
    choices = river.choose(known, environment)
    stack.check_formats(choices["FORMATS"])
    check_listen(choices["LISTEN"])
    return choices


def empty(river, environment):
    """FRESH=1. A mistake in the other variables must not cost the data."""
    choose(river, {}, environment)
    text = environment.get("REGISTRY")
    if text and any(river.folder in each.resolve().parents for each in registry_of("REGISTRY", text)):
        raise UsageError(f"REGISTRY={text}: FRESH=1 would remove this file with {show(river.folder)}; copy it out of there "
                         "first")
    river.empty()


def start(river, environment):
    """Returns the description."""
    known = river.read()
    choices = choose(river, known["choices"], environment)
    gone = river.take_registry("REGISTRY", environment["REGISTRY"]) if environment.get("REGISTRY") else []
    if not environment.get("REGISTRY") and not known["choices"]:
        river.take_registry("REGISTRY", str(stack.REGISTRY))
        say("up", f"no REGISTRY=FILE is given: the registry is that of the replay data, {show(stack.REGISTRY)}")
    servers.record_in(river.processes)
    made = stack_of(river, choices, known["ports"])
    check_ports(river, made)
    river.write({"choices": choices, "ports": known["ports"]})
    how = "continuing with the ports, passwords and data of" if known["choices"] else "a new river in"
    say("up", f"{how} {show(river.folder)}; starting {stack.roles(made.settings)}")
    made.start()
    description = made.description()
    forget(description, gone)
    password = cluster.definitions.read_passwords(description["passwords"])["loadgen"]
    river.settings.unlink(missing_ok=True)  # earlier versions gave this user other rights and no password
    atomic.write(river.settings, ready_commands.settings(description, river.settings, password), atomic.PRIVATE)
    river.started(description)
    return description


def up(environment):
    river = River.of(environment)
    river.claim("make up")
    description = river.description()
    if description:
        refuse_changes(river, environment)
        say("up", "it runs already")
    else:
        left = river.stop()
        if left:
            say("up", f"{left} processes of a stack that did not stop cleanly are stopped")
        if variables.read(environment, "FRESH", "up"):
            empty(river, environment)
        description = start(river, environment)
    show_where(river, description)


def down(environment):
    river = River.of(environment)
    if not river.kept.exists():
        say("down", f"there is no river in {show(river.folder)}")
        return
    river.claim("make down")
    count = river.stop()
    say("down", f"{count} processes stopped; make up continues with {show(river.folder)}" if count else "nothing is running")


# ---- registry ----


def enter_motes(river):
    """Makes tokens for the motes that have none, and users at the running brokers."""
    known = river.read()
    made = stack_of(river, known["choices"], known["ports"])
    made.issue_tokens()
    users = river.folder / "brokers" / "motes.json"
    atomic.write(users, json.dumps(cluster.motes.users(made.cluster.mote_tokens)), atomic.PRIVATE)
    made.cluster.members[0].control("import_definitions", str(users))


def registry(environment):
    river = River.of(environment)
    if not environment.get("FILE"):
        raise UsageError("make registry needs FILE=MY.ttl (several: FILE=A.ttl,B.ttl): the complete new registry")
    if not river.kept.exists():
        raise StackError(f"there is no river in {show(river.folder)}; make one with: make up REGISTRY={environment['FILE']}")
    river.claim("make registry")
    description = river.require_running()
    load.withdraw_left(river, description)
    gone = river.take_registry("FILE", environment["FILE"])
    stores = [f"--{key}={description[key]}" for key in ("documents", "graph", "registry")]
    init(description, stores)
    forget(description, gone)
    enter_motes(river)
    for kind in ("workers", "gateways"):
        programs.reload(description[kind], "ir_registry_reloads_total")
    sensors = programs.registered(PROGRAMS, river.files())
    motes = len({each.mote for each in sensors})
    say("registry", f"{stack.several(motes, 'mote')} with {stack.several(len(sensors), 'sensor')}; all programs have read "
                    f"it; new tokens are in {show(river.mote_tokens)}")


if __name__ == "__main__":
    stack.run_verb(__doc__, {"up": up, "down": down, "registry": registry})
