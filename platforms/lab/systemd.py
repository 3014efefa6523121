"""Runs the services as systemd units, on machines where systemd is process 1. They belong to river.target. They start
in the order of ROLES and stop in the reverse order, also when the machine shuts down."""

from pathlib import Path

import atomic

from . import command
from .roles import ROLES, in_order
from .places import PROJECT

UNITS = Path("/etc/systemd/system")
TARGET = "river.target"
OF_BEFORE = "river.service"  # the unit of earlier releases, which ran runit's supervisor
EXTRA_SECONDS = 30
TARGET_TEXT = """\
[Unit]
Description=Intelligent River middleware, the roles of this server

[Install]
WantedBy=multi-user.target
"""
UNIT_TEXT = """\
[Unit]
Description=Intelligent River: {name}
PartOf={target}
Wants=network-online.target
After=network-online.target {after}
StartLimitIntervalSec=0

[Service]
ExecStart=/opt/river/roles/{role}/run {name}
{more}User=river
RuntimeDirectory=river
RuntimeDirectoryPreserve=yes
ReadWritePaths=/var/lib/river
KillMode=mixed
TimeoutStopSec={seconds}
Restart=always
RestartSec=1
LimitNOFILE=65536

[Install]
WantedBy={target}

"""


def present():
    return Path("/run/systemd/system").is_dir()


def sandbox(role):
    """The sandbox settings of the service's unit (packaging/systemd)."""
    files = ["sandbox.conf", *(["program.conf"] if ROLES[role].own else [])]
    text = "\n".join((PROJECT / "packaging" / "systemd" / each).read_text(encoding="ascii") for each in files)
    if capabilities := ROLES[role].capabilities:
        text += f"\n[Service]\nCapabilityBoundingSet={capabilities}\nAmbientCapabilities={capabilities}\n"
    return text


def unit(name):
    return f"river-{name}.service"


class Systemd:
    def __init__(self, services):
        self.services = in_order(services)

    def units(self):
        """The files that systemd needs beside a service's settings: {service: {file: text}}. The unit is among them, so
        that a changed unit also restarts the service."""
        texts, before = {}, []
        for name, role in self.services:
            found = ROLES[role]
            more = "ExecStopPost=/opt/river/roles/broker/finish\n" if role == "broker" else ""
            texts[name] = {"unit": UNIT_TEXT.format(name=name, role=role, target=TARGET, seconds=found.stop_seconds, more=more,
                                                    after=" ".join(map(unit, before))) + sandbox(role)}
            before.append(name)
        return texts

    def prepare(self):
        """Installs the units. Called before the services' files are put in place, so a process that starts meanwhile
        counts as started with the old files."""
        if (UNITS / OF_BEFORE).exists():
            self.control("disable", "--now", OF_BEFORE)
            (UNITS / OF_BEFORE).unlink()
        texts = {unit(name): files["unit"] for name, files in self.units().items()} | {TARGET: TARGET_TEXT}
        for name, text in texts.items():
            atomic.write(UNITS / name, text, atomic.PUBLIC, lasting=False)
        self.control("daemon-reload")
        self.control("enable", *texts)

    def begin(self):
        self.control("start", TARGET)

    def start(self, name):
        self.control("start", unit(name))

    def restart(self, name):
        self.control("restart", unit(name))

    def left_over(self):
        """Services that have a unit and that the inventory no longer lists."""
        found = {each.name.removeprefix("river-").removesuffix(".service") for each in UNITS.glob(unit("*"))}
        return sorted(found - {name for name, _ in self.services})

    def remove(self, name):
        self.control("disable", "--now", unit(name))
        (UNITS / unit(name)).unlink()
        self.control("daemon-reload")

    def stop(self):
        if (UNITS / TARGET).exists():
            names = [TARGET, *(unit(name) for name, _ in self.services)]
            self.control("stop", *names)
            self.control("disable", *names)

    def control(self, verb, *names):
        seconds = sum(ROLES[role].stop_seconds for _, role in self.services) + EXTRA_SECONDS
        command.run(["systemctl", verb, *names], seconds=seconds)
