"""The lab's ssh key, and the commands that use it to reach guests. The key is made at first use; guests get its public
half."""

from . import command

OPTIONS = (
    "-oBatchMode=yes",
    "-oStrictHostKeyChecking=no",
    "-oUserKnownHostsFile=/dev/null",
    "-oGlobalKnownHostsFile=/dev/null",
    "-oLogLevel=ERROR",
    "-oConnectTimeout=30",
    "-oServerAliveInterval=5",
    "-oServerAliveCountMax=12",
    "-F/dev/null",
)


class Key:
    def __init__(self, directory):
        self.path = directory / "key"

    def public(self):
        """The line for authorized_keys."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            argv = ["-q", "-t", "ed25519", "-N", "", "-C", "ir-lab", "-f", self.path]
            command.run([command.need("ssh-keygen", "platforms"), *argv])
        return self.path.with_suffix(".pub").read_text(encoding="ascii").strip()

    def ssh_argv(self, address, text):
        """The command that runs a shell text as root on that address."""
        return [command.need("ssh", "platforms"), "-i", str(self.path), *OPTIONS, f"root@{address}", text]
