"""A network namespace for each part of the stack, all connected to one bridge, and faults of their network lines.
Everything is inside the runner's own network and mount namespaces and ends with them. The host's network is neither
used nor changed. The runner itself and the motes are at the address HUB."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import servers

SUBNET = "10.77.0"
HUB = f"{SUBNET}.1"
BRIDGE = "river"
TABLE = "faults"
# The namespaces end with the program that made them, even if it is killed.
NAMESPACES = ("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child",
              "--mount-proc", "--propagation", "private")
NEEDED = {"setpriv": "util-linux", "unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2",
          "tc": "iproute2", "ss": "iproute2", "nft": "nftables", "mkfs.ext4": "e2fsprogs"}


def run(*words):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise servers.ServerError(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
    return done.stdout


def lacking():
    """Returns why this host cannot run the faults, or None."""
    if os.geteuid() != 0:
        return "private namespaces, network lines and disks need root"
    for program, package in NEEDED.items():
        if shutil.which(program) is None:
            return f"{program} is not there (Debian package {package}); run tools/install faults"
    done = subprocess.run([*NAMESPACES, "ip", "link", "add", "river", "type", "bridge"], capture_output=True, text=True,
                          timeout=60, check=False)
    return f"no network namespace with a bridge here: {done.stderr.strip()}" if done.returncode != 0 else None


def has_netem():
    """Whether the kernel can delay packets. Tries it on the runner's own line."""
    done = subprocess.run(["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"], capture_output=True,
                          timeout=60, check=False)
    if done.returncode == 0:
        run("tc", "qdisc", "delete", "dev", "lo", "root")
    return done.returncode == 0


class Place:
    """One network namespace. A command with `words` before it runs inside."""

    def __init__(self, name, number, file):
        self.name, self.file = name, Path(file)
        self.address = f"{SUBNET}.{number}"
        self.outer = f"to-{number}"  # the other end of its virtual line, which is connected to the bridge
        self.words = ("nsenter", f"--net={file}", "--")

    def make(self):
        self.file.touch()
        run("unshare", f"--net={self.file}", "ip", "link", "set", "lo", "up")
        # Process 1 is the runner, so the other end goes into the runner's namespace.
        self.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", self.outer, "netns", "1")
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        run("ip", "link", "set", self.outer, "master", BRIDGE, "up")

    def run(self, *words):
        return run(*self.words, *words)

    def cut(self):
        run("ip", "link", "set", self.outer, "down")

    def join(self):
        run("ip", "link", "set", self.outer, "up")

    def drop(self, *match):
        """Drops incoming packets that match (in the syntax of nft(8))."""
        self.run("nft", "add", "table", "inet", TABLE)
        self.run("nft", f"add chain inet {TABLE} in {{ type filter hook input priority 0; }}")
        self.run("nft", "add", "rule", "inet", TABLE, "in", "iifname", "eth0", *match, "drop")

    def drop_nothing(self):
        self.run("nft", "delete", "table", "inet", TABLE)

    def slow_down(self, milliseconds):
        """Delays outgoing packets. If the kernel cannot delay packets, limits the line to 4 Mbit/s instead."""
        how = (["netem", "delay", f"{milliseconds}ms", f"{milliseconds // 4}ms"] if has_netem()
               else ["tbf", "rate", "4mbit", "burst", "16kb", "latency", f"{4 * milliseconds}ms"])
        self.run("tc", "qdisc", "add", "dev", "eth0", "root", *how)

    def speed_up(self):
        self.run("tc", "qdisc", "delete", "dev", "eth0", "root")

    def reset_connections(self):
        """Resets all open connections. Both sides notice this at once."""
        self.run("ss", "-K", "-t", "state", "established")


class Places:
    """The bridge, and a place for each name. The file `hosts` has their addresses and replaces /etc/hosts."""

    def __init__(self, directory, names):
        self.directory = Path(directory)
        self.known = {name: Place(name, number, self.directory / name) for number, name in enumerate(names, 2)}

    def __getitem__(self, name):
        return self.known[name]

    def __contains__(self, name):
        return name in self.known

    def make(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", BRIDGE, "type", "bridge", "stp_state", "0", "forward_delay", "0")
        run("ip", "address", "add", f"{HUB}/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        for each in self.known.values():
            each.make()
        hosts = self.directory / "hosts"
        lines = [f"127.0.0.1 localhost {socket.gethostname()}"]
        lines += [f"{each.address} {each.name}" for each in self.known.values()]
        hosts.write_text("\n".join([*lines, ""]))
        run("mount", "--bind", hosts, "/etc/hosts")
