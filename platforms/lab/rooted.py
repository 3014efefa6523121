"""Commands of the host that see the appliance's files in place of the host's: same kernel, network, devices and processes,
other programs and libraries. Each command has a mount namespace of its own, so no mount is seen on the host and none stays.
"""

# The files are read-only but for these folders, which are the caller's own.
WRITABLE = ("etc/river", "opt/river", "var/lib/river", "var/log/river", "run", "tmp")
ENVIRONMENT = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8")
SCRIPT = """
root=$1 own=$2
shift 2
mount --bind "$root" "$root" && mount -o remount,ro,bind "$root" || exit 125
for each in proc sys dev; do
    mount --rbind "/$each" "$root/$each" || exit 125
done
for each in %s; do
    mount --bind "$own/$each" "$root/$each" || exit 125
done
exec chroot "$root" /usr/bin/env -i %s "$@"
""" % (" ".join(WRITABLE), " ".join(ENVIRONMENT))


def make_folders(own):
    """Those of WRITABLE below a folder."""
    for name in WRITABLE:
        (own / name).mkdir(parents=True, exist_ok=True)


def argv(root, own, words):
    """The host's command that runs `words` over the files of `root`; what it writes lies below `own`. Its process
    becomes the command."""
    return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", SCRIPT, "sh", str(root), str(own), *words]
