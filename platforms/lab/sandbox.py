"""Runs commands in a separate root filesystem, with their own namespaces for mounts, processes, names and, on request,
the network (then only the loopback exists). When the command or this program ends, even if killed, all its processes
and mounts are gone. What remains are the files written to the layer and to folders bound "rw".
"""

import os
import subprocess
from pathlib import Path

from . import command
from .clean import remove_tree
from .errors import LabError, Unsupported
from .finding import mounted_root

SCRIPT = Path(__file__).with_name("sandbox.sh")
NAMESPACES = ("--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--propagation", "private")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
               "TERM": "dumb"}


class Sandbox:
    """With a `layer`, a folder that is made if missing, `root` is not written to. `binds` are (how, source, target), a
    path of the host and a path inside. `how` is "ro", "rw", or "over": writable inside but unchanged on the host, which
    requires a layer."""

    def __init__(self, root, layer=None, name="sandbox", binds=(), environment=None):
        self.root, self.layer, self.name = Path(root), layer and Path(layer), name
        self.binds = list(binds)
        self.environment = {**ENVIRONMENT, **(environment or {})}

    def argv(self, words, network=False):
        """The command for the host that runs `words` inside. `network`: use the host's network."""
        unshare = [command.need("unshare", "distributions"), *NAMESPACES, *([] if network else ["--net"])]
        inside = ["/usr/bin/env", "-i", *(f"{key}={value}" for key, value in self.environment.items()), *words]
        binds = [str(word) for each in self.binds for word in each]
        places = [str(self.root), str(self.layer or "-"), self.name]
        return [*unshare, "sh", str(SCRIPT), *places, *binds, "--", *map(str, inside)]

    def run(self, words, log, network=False, seconds=3600, before=()):
        """Runs the command until it ends; its output goes to the file `log`. Returns the exit status; LabError after
        `seconds`. `before` is a prefix for the host's command."""
        with open(log, "ab") as out:
            child = command.start([*before, *self.argv(words, network)], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                  preexec_fn=command.die_with_parent)
            try:
                return child.wait(seconds)
            except subprocess.TimeoutExpired:
                raise LabError(f"{command.show(words)}: did not end within {seconds} s, see {log}") from None
            finally:
                command.kill_group(child)

    def discard(self):
        """Deletes the layer. Call only when the command has ended."""
        if self.layer:
            remove_tree(self.layer)


def require(folder):
    """Raises Unsupported, with the reason, when this host cannot run sandboxes with roots below `folder`."""
    if os.geteuid() != 0:
        raise Unsupported("namespaces and roots need root", "call it as root")
    if not (found := mounted_root()).ok:
        raise Unsupported(f"the root is not a mount point: {found.reason}", found.remedy)
    for program in ("unshare", "ip", "pivot_root", "chroot"):
        command.need(program, "distributions")
    lower, layer = Path(folder) / "probe", Path(folder) / "probe.layer"
    layer.mkdir(parents=True, exist_ok=True)
    try:
        lower.mkdir(exist_ok=True)
        trial = (f"mkdir -p '{layer}/u' '{layer}/w' '{layer}/m' && mount -t proc proc /proc && "
                 f"mount -t overlay -o 'lowerdir={lower},upperdir={layer}/u,workdir={layer}/w' trial '{layer}/m'")
        done = command.run(["unshare", *NAMESPACES, "--net", "sh", "-c", trial], good=None)
        if done.status != 0:
            raise Unsupported(f"this host does not allow namespaces with mounts: {done.err.strip()[-300:]}")
    finally:
        remove_tree(layer)
        remove_tree(lower)
