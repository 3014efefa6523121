"""A libvirtd that belongs to one lab. It is started without systemd and stopped with the last guest.

    daemon = Daemon(lab_directory / "libvirt")
    daemon.start()                                  # does nothing when it runs
    daemon.virsh("list", "--all", "--name")
    daemon.stop()                                   # ends libvirtd, virtlogd and any qemu that is left

It runs in a mount namespace of its own (see private-libvirtd) and in the caller's network namespace. Its sockets, logs
and settings are in its state folder. stop() keeps that folder for inspection; remove() deletes it. If libvirtd was
killed, the next start() starts it again, and it finds its guests.
"""

import contextlib
import os
import signal
import uuid
from pathlib import Path

from until import wait_until

from ..lab.clean import remove_tree
from ..lab.command import need, run
from ..lab.errors import LabError, Unsupported
from ..lab.finding import mounted_root

HERE = Path(__file__).resolve().parent
FOLDERS = ("etc", "etc/qemu", "run", "lib", "cache", "log", "huge")
START_SECONDS = 60
STOP_SECONDS = 20
SOCKET = "run/libvirt/libvirt-sock"  # its path in the daemon's mount namespace

# The guests' files belong to root, so qemu runs as root and changes no owner.
QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
hugetlbfs_mount = "{state}/huge"
memory_backing_dir = "/var/lib/libvirt/qemu/ram"
"""

# Each libvirtd gets its own host UUID, so that two of them on one machine count as two hosts, and guests can migrate
# between them.
LIBVIRTD_CONF = """\
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
host_uuid = "{uuid}"
"""


class Connection:
    """A connection to a libvirtd, local or remote."""

    def __init__(self, uri):
        self.uri = uri

    def virsh(self, *words, seconds=60, good=(0,)):
        """Runs virsh with these command-line words; returns its standard output."""
        return self.call(words, seconds, good).out.strip("\n")

    def call(self, words, seconds=60, good=(0,)):
        """Runs virsh; returns its exit status and both outputs."""
        argv = [need("virsh", "kvm"), "--quiet", "--connect", self.uri, *words]
        return run(argv, seconds=seconds, good=good, env=os.environ | {"LC_ALL": "C"})

    def alive(self):
        """Whether libvirtd answers. A remote one that does not answer raises an error, because the state of its guests
        is then unknown."""
        self.virsh("version")
        return True


class Daemon(Connection):
    def __init__(self, state):
        self.state = Path(state).absolute()

    @property
    def socket(self):
        """The path of libvirtd's socket below /proc. The path below the state folder may be too long for a socket's
        address, which has at most 107 characters."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.state / "run/libvirtd.pid").read_text(encoding="ascii"))
            return Path(f"/proc/{pid}/root") / SOCKET
        return self.state / "run/libvirt-sock"  # it never started

    @property
    def uri(self):
        return f"qemu+unix:///system?socket={self.socket}"

    def require_usable(self):
        if '"' in str(self.state):
            raise LabError(f"{self.state}: libvirtd's settings cannot hold a quote; set IR_LAB to a path without one")
        if self.state.parts[1:2] == ("run",):
            raise LabError(f"{self.state}: libvirtd gets a private /run, so the lab cannot be below /run; set IR_LAB to "
                           "another path")
        if not (found := mounted_root()).ok:
            raise Unsupported(f"libvirtd needs a mount namespace, but / is not a mount point: {found.reason}", found.remedy)

    def alive(self):
        """Whether it runs. If it was killed while guests run, it is started again and finds them."""
        if not self.runs() and self.guests_run():
            self.start()
        return self.runs()

    def runs(self):
        return self.socket.exists() and self.call(["version"], seconds=20, good=None).status == 0

    def start(self):
        """Starts it and returns when it answers."""
        if self.runs():
            return
        self.require_usable()
        for program in ("libvirtd", "virtlogd", "unshare", "mount"):
            need(program, "kvm")
        self._settle()
        try:
            run(["unshare", "--mount", "--propagation", "slave", "--", HERE / "private-libvirtd",
                 self.state], seconds=START_SECONDS)
            if not wait_until(self.runs, START_SECONDS, pause=0.2):
                raise LabError(f"libvirtd does not answer within {START_SECONDS} s; see {self.state}/log/libvirtd.log")
        except BaseException:
            if not self.guests_run():
                self.stop()
            raise

    def _settle(self):
        """Writes folders and settings. Ends a libvirtd that no longer answers; its guests keep running."""
        for each in FOLDERS:
            (self.state / each).mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.state / "etc/qemu.conf").write_text(QEMU_CONF.format(state=self.state))
        identity = uuid.uuid5(uuid.NAMESPACE_URL, f"file://{self.state}")
        (self.state / "libvirtd.conf").write_text(LIBVIRTD_CONF.format(uuid=identity))
        self._end([pid for pid in self.processes() if name_of(pid) in ("libvirtd", "virtlogd")])

    def processes(self):
        """The ids of all processes in the daemon's mount namespace."""
        return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and self.owns(each)]

    def owns(self, process):
        """Whether a process (given by its folder in /proc) belongs to the daemon. It does if it sees the state folder
        as a mount point. If the state folder was removed, that mount is gone. The mount of /run/libvirt and the paths
        on the command line then identify the process."""
        points = mount_points(process)
        return str(self.state) in points or ("/run/libvirt" in points and self.is_named_by(process))

    def is_named_by(self, process):
        try:
            return f"{self.state.parent}/".encode() in (process / "cmdline").read_bytes()
        except OSError:
            return False

    def pid_of(self, name):
        """The process id of a running domain. LabError when there is none."""
        path = self.state / "run/qemu" / f"{name}.pid"
        try:
            return int(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise LabError(f"{path}: {error}; the domain does not run") from error

    def guests_run(self):
        return any(name_of(pid).startswith("qemu-system") for pid in self.processes())

    def stop(self):
        """Ends libvirtd, virtlogd and any remaining guests; returns when they are gone."""
        self._end(self.processes())

    def _end(self, pids):
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in pids:
                send(pid, number)
            if wait_until(lambda: not any(map(exists, pids)), STOP_SECONDS):
                return
        raise LabError(f"processes {pids} of {self.state} do not end")

    def remove(self):
        """Stops it and deletes its state folder."""
        self.stop()
        remove_tree(self.state)


def mount_points(process):
    """The mount points in the mount namespace of a process."""
    try:
        with open(process / "mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            return {unescape(line.split()[4]) for line in table}
    except OSError:
        return set()


def unescape(word):
    """Decodes a path from /proc, where blanks are written in octal."""
    return word if "\\" not in word else word.encode().decode("unicode_escape")


def name_of(pid):
    """The file name of the program; '' when the process is gone."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return ""


def exists(pid):
    """Whether the process runs. A zombie does not count."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
