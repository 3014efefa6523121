"""Commands in a root filesystem of their own, in namespaces of their own: mounts, processes, names and, when asked for,
the network, of which there is then the loopback alone. When the command ends, or this program does (also when it is
killed), every process and mount of it is gone; what stays is what was written to the layer and to folders bound "rw".
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
    """`root` is not written to when there is a `layer`, a folder that is made when missing. `binds` are (how, source,
    target): "ro", "rw", or "over", a folder that can be written to in there and stays as it is, which takes a layer; a
    path of the host, a path in there."""

    def __init__(self, root, layer=None, name="sandbox", binds=(), environment=None):
        self.root, self.layer, self.name = Path(root), layer and Path(layer), name
        self.binds = list(binds)
        self.environment = {**ENVIRONMENT, **(environment or {})}

    def argv(self, words, network=False):
        """The host's command that runs `words` in there; `network`: with the host's network."""
        unshare = [command.need("unshare", "distributions"), *NAMESPACES, *([] if network else ["--net"])]
        inside = ["/usr/bin/env", "-i", *(f"{key}={value}" for key, value in self.environment.items()), *words]
        binds = [str(word) for each in self.binds for word in each]
        places = [str(self.root), str(self.layer or "-"), self.name]
        return [*unshare, "sh", str(SCRIPT), *places, *binds, "--", *map(str, inside)]

    def run(self, words, log, network=False, seconds=3600, before=()):
        """Runs it to its end; what it says goes to the file `log`. Returns the exit status; LabError after `seconds`.
        `before`: words before the host's command."""
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
        """Takes the layer away; of a command that runs no longer."""
        if self.layer:
            remove_tree(self.layer)


def require(folder):
    """Unsupported, with the reason, when this host cannot run sandboxes whose roots lie below `folder`."""
    if os.geteuid() != 0:
        raise Unsupported("namespaces and roots need root", "call it as root")
    if not (found := mounted_root()).ok:
        raise Unsupported(f"the root is no mount point: {found.reason}", found.remedy)
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
            raise Unsupported(f"namespaces with mounts are not to be had here: {done.err.strip()[-300:]}")
    finally:
        remove_tree(layer)
        remove_tree(lower)
