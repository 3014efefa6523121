"""The appliance: one root filesystem for every platform, made by mmdebstrap from the host's own apt sources and kept
by content: what it is made from names it, so a changed input makes a new one and an old one is found again.

    root()          folder with the root filesystem, for containers
    root(first_id)  the same with owners moved up by first_id, for user namespaces
    disk(kind)      qcow2 image of the same files with the modules of kernel(kind); guests lay an overlay over it.
                    One ext4 filesystem without partitions, labelled "river-root"
    kernel(kind)    (vmlinuz, initrd) for direct boot; kind "cloud" (KVM) or "generic" (Xen, bare hardware). The initrd
                    loads what disks and NICs need and mounts `root=` of the kernel's command line, ext4

Programs, services and addresses are not in it: they are the payload (payload.py), given to each guest.
All of them are read only: a guest never writes there.
"""

from pathlib import Path


class Image:
    def __init__(self, directory):
        self.directory = Path(directory)

    def root(self, first_id=0):
        """The folder; made when missing."""
        raise NotImplementedError

    def disk(self, kind):
        """The qcow2 file; made when missing."""
        raise NotImplementedError

    def kernel(self, kind):
        """(vmlinuz, initrd), made when missing."""
        raise NotImplementedError
