"""Writes a container's configuration in the format of lxc.container.conf(5)."""

from ..lab.cgroup import limit_file
from ..lab.container import wanted_limits
from ..lab.host import device_of
from ..lab.network import split

UNPRIVILEGED_IDS = 65536
# Capabilities that no service of the appliance needs and that would affect the host.
DROPPED = "mac_admin mac_override sys_module sys_rawio sys_time syslog"


def text(recipe, guest):
    """The whole file."""
    return "".join(f"{key} = {value}\n" for key, value in [*basic(recipe, guest), *network(recipe, guest), *limits(recipe, guest)])


def basic(recipe, guest):
    lines = [
        ("lxc.uts.name", guest.name),
        ("lxc.rootfs.path", f"dir:{recipe.roots_of(guest).path()}"),
        ("lxc.arch", "linux64"),
        ("lxc.init.cmd", "/sbin/init"),
        ("lxc.autodev", "1"),
        ("lxc.tty.max", "1"),
        ("lxc.pty.max", "64"),
        ("lxc.console.logfile", recipe.console_path(guest)),
        ("lxc.mount.auto", "proc:mixed sys:mixed"),
        ("lxc.apparmor.profile", "unconfined"),
        ("lxc.cgroup.dir.container", recipe.group(guest).path),
        ("lxc.cgroup.dir.monitor", recipe.monitor(guest).path),
    ]
    if guest.kind == "unprivileged":
        first = recipe.first_id(guest)
        lines += [("lxc.idmap", f"{kind} 0 {first} {UNPRIVILEGED_IDS}") for kind in "ug"]
    else:
        lines.append(("lxc.cap.drop", DROPPED))
    return lines


def network(recipe, guest):
    profile, argument = split(guest.network)
    lab = recipe.lab
    if profile == "macvlan":
        how = [("type", "macvlan"), ("macvlan.mode", "bridge"), ("link", argument)]
    elif profile in ("passthrough", "sriov"):
        how = [("type", "phys"), ("link", recipe.device_of_pci(argument))]
    else:
        # LXC looks for a bridge in /sys, which may belong to a different network namespace. So a script attaches it.
        how = [("type", "veth"), ("veth.pair", lab.interface(guest)), ("script.up", recipe.script_path(guest))]
    address = f"{guest.address}/{lab.network.prefix_length}"
    how += [("name", "eth0"), ("flags", "up"), ("ipv4.address", address)]
    if profile not in ("passthrough", "sriov"):
        how.append(("hwaddr", guest.mac))
    return [(f"lxc.net.0.{key}", value) for key, value in how]


def limits(recipe, guest):
    """The limits as lines."""
    wanted = wanted_limits(guest)
    device = device_of(recipe.lab.directory) if any(knob.startswith("disk.") for knob in wanted) else None
    return [(key(knob), limit_file(knob)[2].write(value, device)) for knob, value in wanted.items()]


def key(knob):
    """LXC's key for a limit: lxc.cgroup.FILE or lxc.cgroup2.FILE, depending on this host."""
    _, version, file = limit_file(knob)
    return f"lxc.cgroup{'' if version == 1 else '2'}.{file.name}"
