#!/usr/bin/env python3
"""Makes an OCI image of the package intelligent-river, without a daemon and without a registry: mmdebstrap makes the
files from the host's apt sources, Podman makes the image.

    packaging/image.py [RELEASE]      bookworm or trixie; default: the host's release. Missing packages are built first.

The image is written to out/image/RELEASE.oci.tar. Load it with podman load -i FILE, or with any other tool for OCI
archives. Exit status as in deb.py.
"""

import argparse
import re
import sys
from pathlib import Path

import changelog
import deb

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from platforms.lab import LabError, clean, command, netns, release  # noqa: E402
from platforms.podman.engine import Engine  # noqa: E402

OUT = ROOT / "out" / "image"
NAME = "localhost/intelligent-river"
SECONDS = 1800
USER = 10001  # a number, so that Kubernetes can verify that it is not root
HOME = "/var/lib/intelligent-river"
# Certificate authorities for TLS; time zones for ir-feed; and the part of systemd that makes the package's user.
MORE = ("ca-certificates", "tzdata", "systemd-standalone-sysusers")
CHANGES = (f"USER {USER}:{USER}", f"WORKDIR {HOME}", f"VOLUME {HOME}", 'CMD ["ir-worker","--settings=/etc/intelligent-river/river.conf"]',
           "ENV LANG=C.UTF-8", "LABEL org.opencontainers.image.title=intelligent-river", "LABEL org.opencontainers.image.licenses=MIT")


def package(suite):
    """The package with the programs."""
    def found():
        return [each for each in deb.packages(suite) if each.name.startswith("intelligent-river_")]

    if not found():
        deb.build(suite)
    return found()[0]


def needed(file):
    """The packages that a package depends on. Of several alternatives it takes the first one, unless MORE contains
    another."""
    text = command.output(["dpkg-deb", "-f", file, "Pre-Depends", "Depends"])
    names = set(MORE)
    for item in re.sub(r"^[\w-]+: ", "", text, flags=re.M).replace("\n", ", ").split(","):
        words = re.findall(r"(?:^|\|)\s*([a-z0-9][a-z0-9+.-]+)", item)
        if words and not names & set(words):
            names.add(words[0])
    return sorted(names)


def make_files(suite, file, tree):
    """Makes the image's files: Debian's essential packages, our package, and its dependencies."""
    alone = [*netns.outside_argv(), "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    user = f"intelligent-river:x:{USER}:{USER}:Intelligent River middleware:{HOME}:/usr/sbin/nologin"
    hooks = [f'echo {user} >>"$1/etc/passwd"', f'echo intelligent-river:x:{USER}: >>"$1/etc/group"', f"copy-in {file} /tmp",
             f'chroot "$1" dpkg --install /tmp/{file.name}', f'rm "$1/tmp/{file.name}"']
    argv = [*alone, command.need("mmdebstrap", "distributions"), "--variant=essential", "--quiet", "--format=directory",
            *(f"--aptopt={line}" for line in release.settings()), "--dpkgopt=force-unsafe-io",
            "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/man/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*", f"--include={','.join(needed(file))}",
            *(f"--customize-hook={each}" for each in hooks), suite, tree]
    sources = OUT / f"{suite}.sources"
    done = command.run([*argv, *release.write_sources(suite, sources)], seconds=SECONDS, good=None)
    clean.remove_tree(sources)
    (OUT / f"{suite}.log").write_text(done.out + done.err, encoding="utf-8")
    if done.status != 0:
        raise LabError(f"mmdebstrap failed; see {OUT / f'{suite}.log'}")


def engine(suite):
    return Engine(OUT / f"{suite}.podman", Path("/run") / f"ir-image-{suite}")


def make(suite):
    """Makes the image and its archive; returns the archive's path. The image stays in engine(suite)."""
    OUT.mkdir(parents=True, exist_ok=True)
    file, tree, archive = package(suite), OUT / f"{suite}.tree", OUT / f"{suite}.oci.tar"
    for each in (tree, OUT / f"{suite}.podman"):
        clean.remove_tree(each)
    with clean.Undo() as undo:
        undo.add(clean.remove_tree, tree)
        make_files(suite, file, tree)
        podman = engine(suite)
        undo.add(podman.remove)
        tag = f"{NAME}:{changelog.version()}"
        podman.import_tree(tree, tag, CHANGES)
        archive.unlink(missing_ok=True)
        podman.run("save", "--quiet", "--format=oci-archive", "--output", archive, tag, seconds=SECONDS)
        podman.close()
        undo.keep()
    clean.remove_tree(tree)
    return archive


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("release", nargs="?", metavar="RELEASE")
    suite = parser.parse_args().release or release.of_host()
    if suite not in deb.SUFFIXES:
        print(f"image: RELEASE={suite}: must be one of {', '.join(deb.SUFFIXES)}", file=sys.stderr)
        return 2
    clean.end_on_signals()
    try:
        archive = make(suite)
    except LabError as error:
        print(f"image: {error}", file=sys.stderr)
        return error.status
    print(f"{archive} ({archive.stat().st_size >> 20} MiB): {NAME}:{changelog.version()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
