"""Moves a running guest to another Xen host.

    ir-platform migrate xen GUEST HOST      live, by xl migrate over ssh with the lab's key; as root@HOST
    ir-platform migrate xen GUEST local     the same state, saved to a file and restored here, without a second host

HOST needs the disk, kernel and initrd under the same paths (shared storage), and a bridge with the same name. To make
the bridge, run `ir-platform provision` on HOST for any guest, in a lab with the same directory.
"""

from ..lab.command import run
from ..lab.errors import LabError
from ..lab.network import split
from . import xl

MOVE_SECONDS = 1800
HERE = "local"


def move(recipe, guest, target):
    if split(guest.network)[0] in ("passthrough", "sriov"):
        raise LabError(f"{guest.name} has a PCI device, which cannot move; stop it and provision it on the other host")
    if target == HERE:
        by_file(recipe, guest)
    else:
        by_network(recipe, guest, target)


def by_file(recipe, guest):
    """Saves and restores the guest. If restoring fails, the state is kept and the message says where."""
    name, state = recipe.lab.name(guest), recipe.folder(guest) / "state.save"
    try:
        xl.call("save", name, str(state), seconds=MOVE_SECONDS)
    except LabError:
        state.unlink(missing_ok=True)
        raise
    try:
        xl.call("restore", str(state), seconds=MOVE_SECONDS)
    except LabError as error:
        raise LabError(f"{error}\nthe guest's state is kept: xl restore {state}") from error
    state.unlink()
    recipe.after_start(guest)


def by_network(recipe, guest, target):
    """Migrates over the network. First checks that the other host answers and has the guest's files."""
    require_files(recipe, guest, target)
    shell = recipe.lab.key.ssh_argv(target, "")[:-2]
    xl.call("migrate", "-s", " ".join(shell + ["-l", "root"]), recipe.lab.name(guest), target, seconds=MOVE_SECONDS)


def require_files(recipe, guest, target):
    paths = [guest.own["kernel"], guest.own["initrd"], recipe.disk(guest).path, str(recipe.payload_path(guest))]
    test = " && ".join(f"test -e '{path}'" for path in paths)
    done = run(recipe.lab.key.ssh_argv(target, f"xl info >/dev/null && {test}"), good=None)
    if done.status != 0:
        raise LabError(f"{target}: no dom0 that root may log in to with {recipe.lab.key.path}, or the guest's files are "
                       f"not there: {done.err.strip() or ', '.join(paths)}")
