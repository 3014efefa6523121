"""The command line of ir-platform: one sub-command per verb."""

import argparse
import json
import time
from pathlib import Path, PurePosixPath

import guard

from . import clean, image, netns, registry, tuning, verbs
from .errors import LabError
from .guest import Guest
from .parser import Parser
from .state import Lab

EPILOG = """\
PLATFORM is one of: {platforms}. --lab or IR_LAB sets the lab's directory; --netns or IR_LAB_NETNS gives the lab
a network namespace of its own. Exit status: 0 success, 1 an error, 77 not possible here (with the reason),
128 + N ended by signal N. `exec` returns the command's own status."""


def words(text):
    return [each for each in text.split(",") if each]


def add_guest(parser):
    parser.add_argument("platform", metavar="PLATFORM")
    parser.add_argument("name", metavar="GUEST")


def add_label(parser):
    add_guest(parser)
    parser.add_argument("label", metavar="LABEL")


def add_check(parser):
    parser.add_argument("platform", metavar="PLATFORM", nargs="?")
    parser.add_argument("--json", action="store_true")


def add_facts(parser):
    parser.add_argument("platform", metavar="PLATFORM")
    parser.add_argument("name", metavar="GUEST", nargs="?")


def add_provision(parser):
    add_guest(parser)
    parser.add_argument("--roles", type=words, default=[],
                        help="the services that it runs: broker,gateway,balancer,worker:2,documents,graph")
    parser.add_argument("--cluster", default="", help="guests with the same cluster name use each other's services")
    parser.add_argument("--kind", default="", help="kind of guest: for lxc privileged|unprivileged, for kvm kvm|qemu, …")
    parser.add_argument("--size", default="small", help="size of the guest: a section of sizes.conf")
    parser.add_argument("--cpus", type=int, default=0, help="number of CPUs, instead of the size's")
    parser.add_argument("--memory", type=int, default=0, help="memory in MiB, instead of the size's")
    parser.add_argument("--disk", type=int, default=0, help="disk in MiB, instead of the size's")
    parser.add_argument("--profile", default="default", help="tuning: a file of profiles/, or several joined by '+'")
    parser.add_argument("--set", action="append", default=[], metavar="KNOB=VALUE", help="a knob; overrides the profile")
    parser.add_argument("--network", default="", help="network profile: bridge, e1000, private, host-bridge:NAME, vlan:ID, …")
    parser.add_argument("--root", default="overlay", help="its root filesystem: overlay, copy, or another of the platform")
    parser.add_argument("--appliance", default="", help="variant of the appliance: tools, which adds the measuring tools")
    parser.add_argument("--file", action="append", default=[], metavar="PATH=FILE", help="put FILE at /etc/river/PATH")


def add_exec(parser):
    add_guest(parser)
    parser.add_argument("words", metavar="COMMAND", nargs=argparse.REMAINDER)


def add_push(parser):
    add_guest(parser)
    parser.add_argument("source", metavar="FILE")
    parser.add_argument("target", metavar="FOLDER")


def add_clone(parser):
    add_guest(parser)
    parser.add_argument("copy", metavar="NEW")
    parser.add_argument("--full", action="store_true", help="a full copy, instead of copy-on-write over the source")
    parser.add_argument("--cluster", default="", help="cluster to join; default: the guest uses only its own services")


def add_stop(parser):
    add_guest(parser)
    parser.add_argument("--seconds", type=float, default=None, help="time to shut down before it is killed")


def add_destroy(parser):
    parser.add_argument("platform", metavar="PLATFORM", nargs="?")
    parser.add_argument("name", metavar="GUEST", nargs="?")
    parser.add_argument("--all", action="store_true", help="remove every guest, the bridge and the network namespace")
    parser.add_argument("--images", action="store_true", help="with --all: also delete the cached appliances and the key")


def add_list(parser):
    parser.add_argument("platform", metavar="PLATFORM", nargs="?")
    parser.add_argument("--json", action="store_true")


def add_set(parser):
    add_guest(parser)
    parser.add_argument("knobs", metavar="KNOB=VALUE", nargs="+")


def add_migrate(parser):
    add_guest(parser)
    parser.add_argument("target", metavar="TARGET",
                        help="where to move it; the form depends on the platform: docs/howto/platforms.md")


def add_image(parser):
    parser.add_argument("what", choices=("root", "disk", "kernel"), nargs="?", default="root")
    parser.add_argument("--kernel", default="cloud", choices=("cloud", "generic"))
    parser.add_argument("--appliance", default="", choices=("", *image.variants()), help="a variant of the appliance")


# ---- verbs ----


def guest_of(lab, arguments):
    """The guest's name, after checking that it exists on that platform."""
    guest = lab.load(arguments.name)
    if guest.platform != arguments.platform:
        raise LabError(f"{guest.name} is a guest of {guest.platform}, not of {arguments.platform}")
    return guest.name


def do_check(lab, arguments):
    """checks whether this host supports the platform; says what is missing and what to do"""
    names = [arguments.platform] if arguments.platform else registry.names()
    found = {name: verbs.check(lab, name) for name in names}
    able = {name: all(each.ok for each in findings if each.required) for name, findings in found.items()}
    if arguments.json:
        print(json.dumps({name: {"able": able[name], "findings": [vars(each) for each in findings]}
                          for name, findings in found.items()}, indent=2))
    else:
        for name, findings in found.items():
            print(f"{name}: {'yes' if able[name] else 'no'}")
            for each in findings:
                print(finding_line(each))
    return 0 if all(able.values()) or not arguments.platform else 77


def finding_line(finding):
    mark = "ok" if finding.ok else "MISSING" if finding.required else "without"
    told = f"  {mark:<8} {finding.what}"
    if finding.reason:
        told += f": {finding.reason}"
    if not finding.ok and finding.remedy:
        told += f"\n           -> {finding.remedy}"
    return told


def do_facts(lab, arguments):
    """prints facts of the platform, or of a running guest with its tuning as requested and in effect (JSON)"""
    if arguments.name:
        guest_of(lab, arguments)
    told = verbs.facts(lab, arguments.platform, arguments.name)
    print(json.dumps(told, indent=2))
    return 0 if all(row["agrees"] for row in told.get("tuning", [])) else 1


def do_provision(lab, arguments):
    """makes a stopped guest from the appliance"""
    files = {}
    for word in arguments.file:
        path, _, source = word.partition("=")
        files[path] = Path(source).read_text(encoding="utf-8")
    guest = Guest(name=arguments.name, platform=arguments.platform, kind=arguments.kind, roles=arguments.roles,
                  cluster=arguments.cluster, size=arguments.size, cpus=arguments.cpus,
                  memory_mib=arguments.memory, disk_mib=arguments.disk, profile=arguments.profile,
                  tuning=tuning.read_words(arguments.set), network=arguments.network, root=arguments.root,
                  appliance=arguments.appliance, files=files)
    begin = time.monotonic()
    guest = verbs.provision(lab, guest)
    made = ", ".join(f"{name} made in {seconds} s" for name, seconds in lab.image.seconds.items())
    print(f"{guest.name}: provisioned in {time.monotonic() - begin:.2f} s at {guest.address}" + (f" ({made})" if made else ""))


def do_boot(lab, arguments):
    """starts a guest; returns when every role is ready, and prints the seconds"""
    print(f"{arguments.name}: ready after {verbs.boot(lab, guest_of(lab, arguments)):.2f} s")


def do_exec(lab, arguments):
    """runs a command in a guest: exec PLATFORM GUEST [--] COMMAND"""
    argv = arguments.words[1:] if arguments.words[:1] == ["--"] else arguments.words
    if not argv:
        raise LabError("exec: no command given")
    return verbs.execute_through(lab, guest_of(lab, arguments), argv)


def do_push(lab, arguments):
    """copies a file or folder of the host into a folder of the guest"""
    verbs.push(lab, guest_of(lab, arguments), Path(arguments.source).resolve(), PurePosixPath(arguments.target))


def do_pull(lab, arguments):
    """copies a file or folder of the guest into a folder of the host"""
    verbs.pull(lab, guest_of(lab, arguments), PurePosixPath(arguments.source), Path(arguments.target))


def do_status(lab, arguments):
    """prints the state: absent, stopped, running or frozen"""
    print(verbs.status(lab, arguments.name))


def do_stats(lab, arguments):
    """prints a guest's use of CPU, memory, disk and network, as the host sees it (JSON)"""
    print(json.dumps(verbs.stats(lab, guest_of(lab, arguments))._asdict(), indent=2))


def do_reboot(lab, arguments):
    """restarts a guest; returns when it is ready"""
    print(f"{arguments.name}: ready again after {verbs.reboot(lab, guest_of(lab, arguments)):.2f} s")


def do_clone(lab, arguments):
    """makes a new stopped guest from a stopped one"""
    begin = time.monotonic()
    guest = verbs.clone(lab, guest_of(lab, arguments), arguments.copy, arguments.full, arguments.cluster)
    print(f"{guest.name}: cloned in {time.monotonic() - begin:.2f} s at {guest.address}")


def do_snapshot(lab, arguments):
    """saves the state of a guest's disk under a label"""
    verbs.snapshot(lab, guest_of(lab, arguments), arguments.label)


def do_restore(lab, arguments):
    """resets the disk of a stopped guest to a snapshot"""
    verbs.restore(lab, guest_of(lab, arguments), arguments.label)


def do_stop(lab, arguments):
    """shuts a guest down"""
    verbs.stop(lab, guest_of(lab, arguments), arguments.seconds)


def do_destroy(lab, arguments):
    """removes a guest, or everything with --all"""
    if arguments.all:
        verbs.destroy_all(lab)
        if arguments.images:
            lab.remove()
    elif not arguments.name:
        raise LabError("destroy: name a platform and a guest, or give --all")
    else:
        if lab.has(arguments.name):
            guest_of(lab, arguments)
        verbs.destroy(lab, arguments.name)


def do_list(lab, arguments):
    """lists the guests"""
    guests = lab.guests(arguments.platform)
    rows = [{**each.to_json(), "state": verbs.status(lab, each.name)} for each in guests]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['name']:<16} {row['platform']:<6} {row['kind']:<13} {row['state']:<8} {row['address']:<15} "
              f"{row['profile']:<12} {','.join(row['roles'])}")


def do_set(lab, arguments):
    """changes limits of a running guest, and reads them back"""
    for row in verbs.set_limits(lab, guest_of(lab, arguments), tuning.read_words(arguments.knobs)):
        print(f"{row.knob}: asked {row.asked}, in effect {row.in_effect}")


def do_migrate(lab, arguments):
    """moves a running guest to another host"""
    verbs.migrate(lab, guest_of(lab, arguments), arguments.target)


def do_image(lab, arguments):
    """makes the appliance or a part of it in advance, and prints its path"""
    if arguments.what == "root":
        print(lab.image.root(variant=arguments.appliance))
    elif arguments.what == "disk":
        print(lab.image.disk(arguments.kernel, arguments.appliance))
    else:
        print(*lab.image.kernel(arguments.kernel))


VERBS = {
    "check": (add_check, do_check),
    "facts": (add_facts, do_facts),
    "image": (add_image, do_image),
    "provision": (add_provision, do_provision),
    "boot": (add_guest, do_boot),
    "exec": (add_exec, do_exec),
    "push": (add_push, do_push),
    "pull": (add_push, do_pull),
    "status": (add_guest, do_status),
    "stats": (add_guest, do_stats),
    "set": (add_set, do_set),
    "reboot": (add_guest, do_reboot),
    "clone": (add_clone, do_clone),
    "snapshot": (add_label, do_snapshot),
    "restore": (add_label, do_restore),
    "migrate": (add_migrate, do_migrate),
    "stop": (add_stop, do_stop),
    "destroy": (add_destroy, do_destroy),
    "list": (add_list, do_list),
}
# Verbs that create the lab's own network namespace if it is missing. The other verbs enter it only if it exists.
IN_THE_NETWORK = ("provision", "boot", "clone", "reboot")


def parser():
    made = Parser(prog="ir-platform", formatter_class=argparse.RawDescriptionHelpFormatter,
                  description="Manages guests on every platform with the same verbs.",
                  epilog=EPILOG.format(platforms=", ".join(registry.names())))
    made.add_argument("--lab", metavar="DIRECTORY")
    made.add_argument("--netns", metavar="NAME")
    below = made.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, (arguments, action) in VERBS.items():
        arguments(below.add_parser(verb, help=action.__doc__, description=action.__doc__))
    return made


def main(argv):
    arguments = parser().parse_args(argv)
    clean.end_on_signals()
    return guard.status(f"ir-platform: {arguments.verb}", lambda: do(arguments))


def do(arguments):
    lab = Lab(arguments.lab, arguments.netns)
    if lab.netns:
        netns.enter(lab, arguments.verb in IN_THE_NETWORK)
    return VERBS[arguments.verb][1](lab, arguments)
