"""A machine without a network and with systemd as process 1: a container of LXC over a root and the layer that a Sandbox wrote."""

import time

from platforms.lab import LabError, command

SECONDS = 120
CONFIG = """\
lxc.uts.name = machine
lxc.rootfs.path = overlay:{root}:{layer}/upper
lxc.init.cmd = /lib/systemd/systemd
lxc.environment = container=lxc
lxc.environment = SYSTEMD_PROC_CMDLINE=SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1
lxc.autodev = 1
lxc.pty.max = 64
lxc.tty.max = 1
lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed
lxc.apparmor.profile = unconfined
lxc.console.logfile = {folder}/console
lxc.net.0.type = empty
lxc.net.0.flags = up
lxc.mount.entry = {debs} srv/deb none bind,ro,create=dir 0 0
lxc.mount.entry = {tests} srv/packages none bind,ro,create=dir 0 0
"""


class Machine:
    def __init__(self, folder, **places):
        """Creates `folder`; `places`: root, layer, debs and tests of CONFIG."""
        self.folder = folder
        (folder / "machine").mkdir(parents=True)
        (folder / "machine" / "config").write_text(CONFIG.format(folder=folder, **places), encoding="utf-8")

    def lxc(self, program, *words, **options):
        return command.run([command.need(f"lxc-{program}", "lxc"), "-P", self.folder, "-n", "machine", *words], **options)

    def __enter__(self):
        self.lxc("start", "-d", "-l", "WARN", "-o", self.folder / "lxc.log")
        deadline = time.monotonic() + SECONDS
        while self.run("systemctl", "is-system-running").out.strip() not in ("running", "degraded"):
            if time.monotonic() > deadline:
                self.__exit__()
                raise LabError(f"systemd is not up after {SECONDS} s; see {self.folder}")
            time.sleep(0.3)
        return self

    def __exit__(self, *_):
        self.lxc("stop", "-k", good=None)

    def run(self, *words, seconds=60):
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return self.lxc("attach", "--clear-env", "--", "env", path, *words, seconds=seconds, good=None)
