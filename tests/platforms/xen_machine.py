"""A machine that runs Xen, emulated by QEMU: the hypervisor, dom0, and guests inside it.

    with Machine(boot_files, [supply], folder) as machine:      # stopped again by its id, whatever happens
        machine.await_login(600)
        machine.run("xl list", seconds=60)

dom0 is reached by ssh over a port of 127.0.0.1; the machine itself has no access to any network. Its console is
FOLDER/console.log. dom0's writes go to an overlay in the folder.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "platforms" / "xen" / "nested" / "build"
BUILD_SECONDS = 1800
STOP_SECONDS = 20
MEMORY_MIB, DOM0_MIB, CPUS = 4096, 1024, 2
# The CPU model EPYC makes this hypervisor crash. PVH and HVM guests need npt.
CPU = "qemu64,+npt"
SSH = ("ssh", "-F/dev/null", "-oBatchMode=yes", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null",
       "-oLogLevel=ERROR", "-oConnectTimeout=60", "-oServerAliveInterval=30", "-oServerAliveCountMax=10")


def boot_files():
    """The folder of hypervisor, kernel, initrd and disk; built when missing."""
    done = subprocess.run([BUILD], stdout=subprocess.PIPE, text=True, timeout=BUILD_SECONDS, check=True)
    return Path(done.stdout.strip())


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Machine:
    def __init__(self, files, drives, folder):
        """`drives`: (path of a raw image, "on" if read-only, else "off"); in dom0 they are /dev/vdb, /dev/vdc and so
        on."""
        self.files, self.drives, self.folder = Path(files), drives, Path(folder)
        self.port = free_port()
        self.key = self.folder / "key"
        self.child = None

    def __enter__(self):
        try:
            self.start()
            return self
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    # ---- start and stop ----

    def start(self):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "nested", "-f", self.key], check=True)
        overlay = self.folder / "dom0.qcow2"
        base = ["-b", self.files / "dom0.qcow2", "-F", "qcow2"]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *base, overlay], check=True)
        with open(self.folder / "qemu.log", "w", encoding="utf-8") as log:
            self.child = subprocess.Popen(self.argv(overlay), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True)

    def argv(self, overlay):
        public = self.key.with_suffix(".pub").read_text(encoding="ascii").split()[1]
        hypervisor = f"com1=115200,8n1 console=com1 dom0_mem={DOM0_MIB}M,max:{DOM0_MIB}M dom0_max_vcpus=1 noreboot=1"
        kernel = f"{self.files / 'vmlinuz'} console=hvc0 loglevel=4 river.key={public}"
        argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", CPU, "-m", str(MEMORY_MIB),
                "-smp", str(CPUS), "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                "-serial", f"file:{self.folder / 'console.log'}", "-device", "virtio-rng-pci",
                "-netdev", f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22",
                "-device", "virtio-net-pci,netdev=n0",
                "-drive", f"if=none,id=d0,file={overlay},format=qcow2,cache=unsafe",
                "-device", "virtio-blk-pci,drive=d0"]
        for number, (path, readonly) in enumerate(self.drives, 1):
            argv += ["-drive", f"if=none,id=d{number},file={path},format=raw,cache=unsafe,readonly={readonly}",
                     "-device", f"virtio-blk-pci,drive=d{number}"]
        return [*argv, "-kernel", str(self.files / "xen"), "-append", hypervisor,
                "-initrd", f"{kernel},{self.files / 'initrd.img'}"]

    def stop(self):
        if self.child is None or self.child.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            self.child.send_signal(number)
            try:
                self.child.wait(STOP_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue

    # ---- dom0 ----

    def ssh(self, command):
        return [*SSH, "-i", str(self.key), "-p", str(self.port), "root@127.0.0.1", command]

    def await_login(self, seconds):
        deadline = time.monotonic() + seconds
        while not self.answers():
            if self.child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"nested Xen: dom0 does not answer within {seconds} s:\n{self.said()}")
            time.sleep(2)

    def answers(self):
        done = subprocess.run(self.ssh("true"), stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        return done.returncode == 0

    def run(self, command, seconds, text=None):
        """The standard output of a successful command in dom0."""
        done = subprocess.run(self.ssh(command), input=text, stdout=subprocess.PIPE, text=True, timeout=seconds,
                              check=True)
        return done.stdout

    def run_through(self, command, seconds):
        """Does the same with this program's own standard output; returns the exit status."""
        try:
            return subprocess.run(self.ssh(command), stdin=subprocess.DEVNULL, timeout=seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            print(f"not ended within {seconds:.0f} s", flush=True)
            return 124

    def said(self, lines=25):
        """The end of the console and of what QEMU said."""
        text = ""
        for name in ("qemu.log", "console.log"):
            path = self.folder / name
            if path.exists():
                text += "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) + "\n"
        return text


def end_on_signals():
    """INT, TERM and HUP raise SystemExit, so that the machine is stopped."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: sys.exit(128 + got))
    os.umask(0o022)
