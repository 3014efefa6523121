"""The verbs: the actions of ir-platform, also called by other programs.

Each takes the Lab and a guest's name. It checks the present state first, holds the guest's lock, and cleans up after a
failure or a signal. Repeating a verb that is already done changes nothing.
"""

import contextlib
import dataclasses
import re
import time

from . import clean, command, host, image, netns, network, payload, pinning, registry, tuning, way
from .access import exec_argv, execute, execute_through, pull, push, require_running  # noqa: F401 - verbs, too
from .errors import LabError, Unsupported
from .guest import read_sizes
from .places import PLATFORMS
from .platform import ABSENT, FROZEN, RUNNING, STOPPED, Finding
from .registry import of as platform_of

ANSWER_SECONDS = 300  # limit until a guest answers and its roles are ready
STOP_SECONDS = 30
# The fields of a guest's record that `facts` prints.
TOLD = ("name", "kind", "roles", "cluster", "cpus", "memory_mib", "disk_mib", "profile", "network", "root", "appliance",
        "address", "boot_seconds")
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")


@contextlib.contextmanager
def hold(lab, name):
    """Yields (guest, platform), with the guest's lock held."""
    lab.load(name)
    with lab.lock(f"guest-{name}"):
        guest = lab.load(name)
        yield guest, platform_of(lab, guest)


# ---- the host ----


def check(lab, name):
    """The findings of a platform. If its check raises an error, the error becomes a finding."""
    try:
        return [*registry.load(name, lab).check(), payload.find_programs()]
    except LabError as error:
        return [Finding("looking at this host", False, str(error), command.install("platforms") + ", then run check again")]


def require_host(platform):
    """Raises Unsupported with all reasons, when the host cannot run the platform."""
    missing = [each for each in check(platform.lab, platform.name) if each.required and not each.ok]
    if missing:
        told = "; ".join(f"{each.what}: {each.reason}" + (f" ({each.remedy})" if each.remedy else "") for each in missing)
        raise Unsupported(f"this host cannot do {platform.name}: {told}")


def facts(lab, platform_name, name=None):
    """Facts about a platform on this host; for a running guest, also its tuning as requested and in effect. A mismatch
    raises no error here: the caller prints the facts first, then calls mismatches()."""
    platform = registry.load(platform_name, lab)
    told = {"platform": platform_name, "kinds": list(platform.kinds_here()), **platform.facts()}
    if name:
        guest = lab.load(name)
        told["guest"] = {key: getattr(guest, key) for key in TOLD}
        told["tuning"] = [row._asdict() | {"agrees": row.agrees} for row in tuning_rows(lab, platform, guest)]
    return told


def tuning_rows(lab, platform, guest):
    """Rows of requested and effective values of a running guest."""
    if platform.state(guest) != RUNNING:
        raise LabError(f"{guest.name} does not run; run ir-platform boot {guest.platform} {guest.name}")
    return tuning.compare(guest.tuning, platform.tuning_in_effect(guest))


# ---- life of a guest ----


def resolve(lab, platform, guest):
    """Fills in what the request leaves open, and refuses impossible requests."""
    guest.validate()
    guest.kind = guest.kind or platform.kinds_here()[0]
    if guest.kind not in platform.kinds:
        raise LabError(f"kind '{guest.kind}': {platform.name} has {', '.join(filter(None, platform.kinds)) or 'no kinds'}")
    if guest.kind not in platform.kinds_here():
        raise Unsupported(f"kind '{guest.kind}' is not possible on this host", f"ir-platform check {platform.name}")
    if guest.root not in platform.roots:
        raise Unsupported(f"{platform.name} has no root '{guest.root}'", f"it has {', '.join(platform.roots)}")
    if guest.appliance not in ("", *image.variants()):
        raise LabError(f"appliance '{guest.appliance}': variants are {', '.join(image.variants())}")
    guest.release = platform.release()
    tuning.require_cpus(guest, guest.tuning)
    resolve_size(guest)
    guest.tuning = {**tuning.read_profile(PLATFORMS / "profiles", guest.profile), **guest.tuning}
    guest.request = dict(guest.tuning)
    tuning.require_known(platform, guest.tuning)
    roles = {role for _, role in guest.services()}
    guest.tuning = tuning.of_its_roles(guest.tuning, roles, platform.shares_kernel)
    guest.tuning = tuning.of_its_size(guest.tuning, guest.memory_mib, guest.cpus)
    guest.network = guest.network or guest.tuning.get("network.attach", "bridge")
    profile = network.split(guest.network)[0]
    if profile in network.PROFILES and profile not in platform.networks:
        raise Unsupported(f"{platform.name} has no network profile '{profile}'", f"it has {', '.join(platform.networks)}")
    platform.require_network(guest.network)


def resolve_size(guest):
    sizes = read_sizes(PLATFORMS / "sizes.conf")
    if guest.size not in sizes:
        raise LabError(f"size '{guest.size}': must be one of {', '.join(sizes)}")
    for key, value in sizes[guest.size].items():
        setattr(guest, key, getattr(guest, key) or value)


def provision(lab, guest):
    """Makes a stopped guest as requested and returns it. An existing guest with an equal request is left alone."""
    platform = platform_of(lab, guest)
    require_host(platform)
    with lab.lock(f"guest-{guest.name}"):
        resolve(lab, platform, guest)
        if lab.has(guest.name):
            there = lab.load(guest.name)
            if there.made and there.same_request(guest):
                return there
            if there.made:
                raise LabError(f"{guest.name} already exists with different options; run ir-platform destroy "
                               f"{there.platform} {guest.name} first")
            take_away(lab, there)
        return make(lab, platform, guest, platform.provision)


def make(lab, platform, guest, step, *words):
    """Records a guest and makes it, by calling `step`. On failure nothing of it remains."""
    with clean.Undo() as undo:
        with lab.lock():
            network_of_lab = lab.network
            others = [each for each in lab.guests() if each.name != guest.name]
            network_of_lab.place(guest, others)
            pinning.resolve(guest, others, platform.shares_kernel)
            undo.add(tidy, lab)
            undo.add(take_away, lab, guest)
            lab.save(guest)
            network_of_lab.up()
        step(guest, *words)
        guest.made = True
        lab.save(guest)
        undo.keep()
    return guest


def boot(lab, name):
    """Starts a guest; waits until every role is ready and its tuning is in effect. Returns the seconds that this took;
    for a guest that already runs, the seconds of its last start."""
    with hold(lab, name) as (guest, platform):
        state = require_made(platform, guest)
        if state == RUNNING and guest.boot_seconds:
            return guest.boot_seconds
        require_no_clones(lab, guest)
        with clean.Undo() as undo:
            undo.add(halt, lab, platform, guest)
            begin = time.monotonic()
            with lab.lock():
                lab.network.up()
            host.apply(lab, guest)
            if state != RUNNING:
                platform.start(guest)
            finish_boot(lab, platform, guest, begin)
            undo.keep()
    return guest.boot_seconds


def finish_boot(lab, platform, guest, begin):
    """Waits until the guest is ready and its tuning is in effect. Notes the seconds since `begin`."""
    await_ready(platform, guest, ANSWER_SECONDS * platform.patience(guest))
    guest.boot_seconds = round(time.monotonic() - begin, 3)
    tuning.require_effect(tuning_rows(lab, platform, guest), guest.name)
    lab.save(guest)


def halt(lab, platform, guest):
    """Stops a guest at once."""
    platform.stop(guest, 0)
    host.release(lab, guest)
    guest.boot_seconds = 0.0
    lab.save(guest)


def await_ready(platform, guest, seconds):
    """Waits until the guest answers, then until its services are ready."""
    deadline = time.monotonic() + seconds
    while True:
        left = max(1, deadline - time.monotonic())
        argv = platform.exec_argv(guest, ["/bin/sh", "-c", payload.READY_COMMAND.format(seconds=int(left))])
        try:
            done = command.run(argv, seconds=left + 5, good=None)
        except LabError:
            done = command.Done(255, "", "no answer")
        if done.status == 0:
            return
        if platform.state(guest) != RUNNING:
            raise LabError(f"{guest.name} has stopped before it was ready:\n{platform.console(guest)}")
        if time.monotonic() > deadline:
            told = (done.out + done.err).strip()[-600:]
            raise LabError(f"{guest.name} is not ready after {seconds} s: {told}\n{platform.console(guest)}")
        time.sleep(0.1)


def require_made(platform, guest):
    """The state of a guest, after checking that it is completely made."""
    state = platform.state(guest)
    if not guest.made or state == ABSENT:
        raise LabError(f"{guest.name} is incomplete; run ir-platform destroy {guest.platform} {guest.name}")
    return state


def require_no_clones(lab, guest):
    """Refuses to start, restore or destroy a guest if a clone's disk is an overlay over its disk."""
    children = [each.name for each in lab.guests() if each.parent == guest.name]
    if children:
        raise LabError(f"the disks of {', '.join(children)} are copy-on-write clones of {guest.name}; destroy those first")


def reboot(lab, name):
    """Restarts a guest. Returns the seconds until it is ready again."""
    with hold(lab, name) as (guest, platform), clean.Undo() as undo:
        require_running(platform, guest)
        undo.add(halt, lab, platform, guest)
        begin = time.monotonic()
        platform.reboot(guest, STOP_SECONDS * platform.patience(guest))
        finish_boot(lab, platform, guest, begin)
        undo.keep()
    return guest.boot_seconds


def stop(lab, name, seconds=None):
    """Shuts a guest down; kills it after `seconds`."""
    with hold(lab, name) as (guest, platform):
        if seconds is None:
            seconds = STOP_SECONDS * platform.patience(guest)
        if platform.state(guest) in (RUNNING, FROZEN):
            platform.stop(guest, seconds)
        host.release(lab, guest)
        guest.boot_seconds = 0.0
        lab.save(guest)


def destroy(lab, name):
    """Removes a guest in any state; a missing one is fine. The bridge is removed with the last guest."""
    if not lab.has(name):
        return
    with lab.lock(f"guest-{name}"):
        if not lab.has(name):
            return
        guest = lab.load(name)
        require_no_clones(lab, guest)
        take_away(lab, guest)
    tidy(lab)


def take_away(lab, guest):
    platform = platform_of(lab, guest)
    platform.stop(guest, 0)
    platform.destroy(guest)
    host.release(lab, guest)
    lab.forget(guest)


def tidy(lab):
    """Removes the lab's network when no guest is left."""
    with lab.lock():
        if not lab.guests():
            way.remove_all(lab)
            lab.network.down()


def destroy_all(lab):
    """Removes every guest, the bridge and the lab's network namespace, and restores the host's settings. Images and key
    stay. Continues after a failure, and raises an error at the end if something could not be removed."""
    guests = lab.guests()
    children_first = sorted(guests, key=lambda each: (depth(each, guests), each.name), reverse=True)
    gone = [clean.attempt(destroy, lab, each.name) for each in children_first]
    for name in registry.names():
        gone.append(clean.attempt(lambda name=name: registry.load(name, lab).destroy_common()))
    gone.append(clean.attempt(host.release_all, lab))
    gone.append(clean.attempt(tidy, lab))
    gone.append(clean.attempt(netns.remove, lab))
    if not all(gone):
        raise LabError("some things could not be removed; see above, then run destroy --all again")


def depth(guest, guests):
    """The number of a guest's ancestors: 0 for a guest that is not a clone, 1 for a clone of such a guest, and so
    on."""
    parents = {each.name: each.parent for each in guests}
    steps, name = 0, guest.name
    while (name := parents.get(name)) and steps < len(guests):
        steps += 1
    return steps


# ---- as the host sees it ----


def status(lab, name):
    """Returns "absent", "stopped", "running" or "frozen"."""
    if not lab.has(name):
        return ABSENT
    guest = lab.load(name)
    return platform_of(lab, guest).state(guest)


def stats(lab, name):
    guest = lab.load(name)
    platform = platform_of(lab, guest)
    require_running(platform, guest)
    return platform.stats(guest)


# ---- copies ----


def clone(lab, source_name, name, full=False, cluster=""):
    """Makes the stopped guest `name` from a stopped one and returns it. It uses the services of `cluster`, or without
    one only its own."""
    source = lab.load(source_name)
    platform = platform_of(lab, source)
    with lab.lock(f"guest-{source_name}"), lab.lock(f"guest-{name}"):
        if lab.has(name):
            raise LabError(f"{name} is there already")
        state = require_made(platform, source)
        if state != STOPPED:
            raise LabError(f"{source_name} is {state}; stop it first, so that its disk does not change during the copy")
        parent = "" if full else source_name
        guest = dataclasses.replace(source, name=name, cluster=cluster, parent=parent, made=False, boot_seconds=0.0,
                                    own={})
        guest.validate()
        return make(lab, platform, guest, platform.clone, source, full)


def snapshot(lab, name, label):
    require_label(label)
    with hold(lab, name) as (guest, platform):
        require_made(platform, guest)
        if label in platform.snapshots(guest):
            raise LabError(f"{name} has a snapshot '{label}' already")
        platform.snapshot(guest, label)
        lab.save(guest)


def restore(lab, name, label):
    require_label(label)
    with hold(lab, name) as (guest, platform):
        if require_made(platform, guest) != STOPPED:
            raise LabError(f"{name} runs; stop it first")
        if label not in platform.snapshots(guest):
            raise LabError(f"{name} has no snapshot '{label}'")
        require_no_clones(lab, guest)
        platform.restore(guest, label)
        lab.save(guest)


def require_label(label):
    if not LABEL.fullmatch(label):
        raise LabError(f"snapshot label '{label}': letters, digits, '_', '.' and '-', up to 32")


# ---- live changes ----


def set_limits(lab, name, asked):
    """Changes limits of a running guest and reads them back. `asked` is the {knob: value} of tuning.read_words()."""
    with hold(lab, name) as (guest, platform):
        require_running(platform, guest)
        tuning.require_known(platform, asked)
        asked = tuning.of_its_size(asked, guest.memory_mib, guest.cpus)
        platform.set(guest, asked)
        guest.tuning = {**guest.tuning, **asked}
        rows = tuning_rows(lab, platform, guest)
        tuning.require_effect([row for row in rows if row.knob in asked], name)
        lab.save(guest)
    return rows


def migrate(lab, name, target):
    """Migrates a guest. Returns when the guest answers again, or at once if this host cannot see it in its new
    place."""
    with hold(lab, name) as (guest, platform):
        require_running(platform, guest)
        platform.migrate(guest, target)
        lab.save(guest)
        if platform.state(guest) == RUNNING:
            await_ready(platform, guest, ANSWER_SECONDS * platform.patience(guest))
