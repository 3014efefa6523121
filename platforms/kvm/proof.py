"""Proves that a guest really starts on this host: boots a kernel with an initrd of one program, which prints a line and
powers off.

The presence of /dev/kvm proves little: with nested or restricted virtualisation it may open, but the guest may hang or
fail. So `check` boots the appliance's kernel, with a time limit. It caches the answer until the host, its QEMU or the
kernel changes.
"""

import hashlib
import json
import os
import struct
import tempfile
from pathlib import Path
from typing import NamedTuple

import atomic
from cache import cache_directory

from ..lab.command import need, output, run
from ..lab.errors import LabError

SAYS = b"ir-guest-started\n"
SECONDS = {"kvm": 20, "tcg": 180}
CPU = {"kvm": "host", "tcg": "max"}
MEMORY_MIB = 256
LOAD_ADDRESS = 0x400000
SYS_WRITE, SYS_REBOOT = 1, 169
REBOOT_MAGIC, POWER_OFF = (0xFEE1DEAD, 672274793), 0x4321FEDC  # from the manual page reboot(2)


class Proof(NamedTuple):
    ok: bool
    reason: str  # "" when ok


def program():
    """The init program: write(1, SAYS), reboot(power off), and an endless loop in case the latter fails."""
    load = {"eax": b"\xb8", "edi": b"\xbf", "esi": b"\xbe", "edx": b"\xba"}
    syscall, stay, lea_rsi = b"\x0f\x05", b"\xeb\xfe", b"\x48\x8d\x35"

    def put(register, value):
        return load[register] + struct.pack("<I", value)

    leave = (put("eax", SYS_REBOOT) + put("edi", REBOOT_MAGIC[0]) + put("esi", REBOOT_MAGIC[1])
             + put("edx", POWER_OFF) + syscall + stay)
    after_lea = put("edx", len(SAYS)) + syscall + leave
    return (put("eax", SYS_WRITE) + put("edi", 1) + lea_rsi + struct.pack("<i", len(after_lea)) + after_lea + SAYS)


def elf(code):
    """A static x86-64 ELF executable with one loaded segment, which includes the headers."""
    headers = 64 + 56
    ident = b"\x7fELF\x02\x01\x01"  # 64 bits, little-endian, version 1
    header = struct.pack("<16sHHIQQQIHHHHHH", ident, 2, 62, 1, LOAD_ADDRESS + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    size = headers + len(code)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 4096)
    return header + segment + code


def cpio(files):
    """An initrd with files (name, mode, device, data), in the `newc` format of the kernel's initramfs documentation."""
    archive = b""
    for name, mode, device, data in [*files, ("TRAILER!!!", 0, (0, 0), b"")]:
        label = name.encode() + b"\0"
        fields = (1, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(label), 0)
        archive += b"070701" + b"".join(b"%08X" % field for field in fields) + label
        archive += bytes(-len(archive) % 4) + data
        archive += bytes(-len(archive) % 4)
    return archive


def initrd():
    return cpio([("dev", 0o40755, (0, 0), b""), ("dev/console", 0o20600, (5, 1), b""),
                 ("init", 0o100755, (0, 0), elf(program()))])


def boot(kernel, accelerator):
    """Starts a guest and checks that its program printed the line."""
    qemu = need("qemu-system-x86_64", "kvm")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "initrd").write_bytes(initrd())
        argv = [qemu, "-machine", f"q35,accel={accelerator}", "-cpu", CPU[accelerator], "-m", MEMORY_MIB, "-nodefaults",
                "-display", "none", "-no-reboot", "-serial", "stdio", "-kernel", os.path.abspath(kernel),
                "-initrd", "initrd", "-append", "console=ttyS0 panic=-1 quiet"]
        try:
            done = run(argv, seconds=SECONDS[accelerator], good=None, cwd=folder)
        except LabError:
            return Proof(False, f"a guest's kernel hangs: no sign of life within {SECONDS[accelerator]} s")
    if SAYS.decode().strip() in done.out:
        return Proof(True, "")
    said = (done.err.strip() or done.out.strip() or "it says nothing").splitlines()
    return Proof(False, f"a guest does not start: {said[0][:200]}")


def conditions(kernel, accelerator):
    """Everything that the answer depends on."""
    content = hashlib.sha256(Path(kernel).read_bytes()).hexdigest()
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    version = output([need("qemu-system-x86_64", "kvm"), "--version"]).splitlines()[0]
    return [accelerator, content, boot_id, version]


def prove(kernel, accelerator):
    """Returns the Proof for this host, from the cache if it was made before."""
    basis = conditions(kernel, accelerator)
    kept = cache_directory() / f"proof-{hashlib.sha256(json.dumps(basis).encode()).hexdigest()[:16]}.json"
    try:
        return Proof(**json.loads(kept.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        pass
    proof = boot(kernel, accelerator)
    atomic.write(kept, json.dumps(proof._asdict()) + "\n", atomic.PUBLIC, lasting=False)
    return proof
