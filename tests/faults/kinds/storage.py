"""Disks of brokers and stores: full, broken, a file gone for a while. What dies of it is started again afterwards."""

from .kind import Kind

ROLES = ("broker", "documents", "graph")
SLOWER = (("broker", 90),)


def lacks_disks(river):
    return river.no_disks and f"no file system of its own: {river.no_disks}"


def fill(river, target, _dice):
    river.disks[target].fill()

    def make_room():
        river.disks[target].empty()
        # RabbitMQ 3.10 does not come back by itself: its write-ahead log and Mnesia's stay closed.
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
    """Its data folder's name: what is open stays open, what is opened anew is not found. Then it is killed, and its folder
    is back before it starts."""
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
    Kind("disk-read-only", "on a disk that the kernel made read-only after an error", ROLES, break_down, (3, 15), 90, SLOWER,
         lacks=lacks_disks),
    Kind("files-gone", "without the folder of its data, which comes back", ("documents", "graph"), take_away, (2, 10), 90),
]
