"""Runs commands on the host with the appliance's files in place of the host's: same kernel, network, devices and
processes, but other programs and libraries. Each command has its own mount namespace, so the host sees none of the
mounts and none remains.
"""

# All files are read-only except these folders, which belong to the caller.
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
    """Makes the folders of WRITABLE below a folder."""
    for name in WRITABLE:
        (own / name).mkdir(parents=True, exist_ok=True)


def argv(root, own, words):
    """The host's command that runs `words` with the files of `root`. It writes below `own`. The process becomes
    `words`, so signals reach them."""
    return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", SCRIPT, "sh", str(root), str(own), *words]
