"""Saves and restores the stores of a deployment with ir-store, which gets the same settings as the deployment's
workers."""

from pathlib import Path

from . import command
from .errors import LabError

SECONDS = 24 * 3600


def worker(deployment):
    """The name of a worker's service on this server. The worker's settings contain the URIs and passwords of the
    stores."""
    for name, role in deployment.services:
        if role == "worker":
            return name
    raise LabError(f"{deployment.server.name} has no worker, whose settings name the stores; run this on a server with a "
                   "worker")


def store(deployment, *words):
    """Returns the output of ir-store."""
    name, root = worker(deployment), deployment.root
    program, settings = root / "opt/river/bin/ir-store", root / "etc/river/services" / name / "river.conf"
    if not settings.exists():
        raise LabError(f"{deployment.server.name} is not deployed yet: ir-deploy {deployment.inventory.path} "
                       f"{deployment.server.name} first")
    return command.output([program, *words, f"--settings={settings}"], cwd=root / "var/lib/river" / name, seconds=SECONDS)


def backup(deployment, folder):
    """Saves both stores, the inventory and its secrets in a new folder below the given one."""
    inventory = deployment.inventory
    kept = [inventory.path, inventory.services.directory, inventory.services.doors.registry]
    paths = ",".join(str(Path(each).resolve()) for each in kept if each)
    deployment.say(store(deployment, "backup", Path(folder).resolve(), f"--with={paths}"))


def restore(deployment, folder, which):
    """Restores what the stores have lost: both of them, or only "documents" or "graph"."""
    told = store(deployment, "restore", Path(folder).resolve(), f"--store={which}")
    stores = deployment.root / "var/lib/river/stores"
    if stores.exists():
        deployment.give(stores, *stores.rglob("*"))
    deployment.say(told)


def allow_new_stores(deployment):
    """Deletes the notes that the stores were set up, so that workers set up empty stores again. Returns the workers."""
    workers = [name for name, role in deployment.services if role == "worker"]
    for name in workers:
        (deployment.root / "var/lib/river" / name / "stores").unlink(missing_ok=True)
    return workers
