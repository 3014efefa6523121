"""Faults of the disks of brokers and stores: a disk is full or broken, or the data folder is away for a while.
Processes that die because of this are restarted."""

from .kind import Kind

ROLES = ("broker", "documents", "graph")
SLOWER = (("broker", 90),)


def lacks_disks(river):
    return river.no_disks and f"no file system of its own: {river.no_disks}"


def fill(river, target, _dice):
    river.disks[target].fill()

    def make_room():
        river.disks[target].empty()
        # RabbitMQ 3.10 does not recover from this on its own: its write-ahead log and Mnesia's log stay closed.
        if river.roles[target] == "broker":
            river.kill(target)

    return make_room


def break_down(river, target, _dice):
    river.disks[target].break_down()

    def repair():
        river.kill(target)
        river.disks[target].repair()

    return repair


def take_away(river, target, _dice):
    """Renames the data folder, so that open files can still be used but no others can be opened. Then kills the server,
    and renames the folder back before the server starts again."""
    folder = river.servers[target].directory / "data"
    away = folder.with_name(folder.name + ".away")
    folder.rename(away)

    def bring_back():
        river.kill(target)
        if folder.exists():
            folder.rename(folder.with_name(f"{folder.name}.since-{len(list(folder.parent.iterdir()))}"))
        away.rename(folder)

    return bring_back


ROWS = [
    Kind("disk-full", "with a full disk", ROLES, fill, (3, 20), 90, SLOWER, lacks=lacks_disks),
    Kind("disk-read-only", "whose disk the kernel made read-only after an error", ROLES, break_down, (3, 15), 90, SLOWER,
         lacks=lacks_disks),
    Kind("files-gone", "without its data folder, which is restored later", ("documents", "graph"), take_away, (2, 10), 90),
]
