"""Root filesystems of Debian releases with this project's dependencies installed, for builds and tests on a release
other than the host's. mmdebstrap and tools/install make them; they are kept in the cache of tools/install. They are
rebuilt when their inputs change or after REFRESH_DAYS, so that they get updates.

    with Root("trixie", ["build", "run"]) as root:
        root.sandbox(layer=FOLDER).run(["make", "build"], "build.log")

Package clients in a root use the host's configuration: apt's sources and settings, the files of pip and Maven,
environment variables such as proxies, and the certificates that the host trusts.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
from pathlib import Path

from cache import cache_directory

from . import command, netns, release
from .clean import Undo, remove_tree
from .errors import LabError, Unsupported
from .sandbox import SCRIPT, Sandbox
from .places import PROJECT

MAKE_SECONDS = 1800
REFRESH_DAYS = 7
PACKAGES = "ca-certificates,make,git"
SOURCES = "/srv/intelligent-river"  # where the project is mounted in a root
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.S)
# Variables of package clients that also hold in a root, including those that name a file of certificates.
CLIENT = re.compile(r"(?i:(https?|ftp|all|no)_proxy)|PIP_\w+|MAVEN_(OPTS|ARGS)|JAVA_TOOL_OPTIONS|SSL_CERT_(FILE|DIR)|"
                    r"REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE")
BUNDLES = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CLIENT_FILES = ("/etc/pip.conf", "/etc/mavenrc", "/etc/maven/settings.xml")
HOME_FILES = (".config/pip/pip.conf", ".pip/pip.conf", ".m2/settings.xml", ".m2/settings-security.xml", ".mavenrc")


class Root:
    """A root filesystem. While it is in use (`with`), no other program replaces it with a newer one."""

    def __init__(self, name, groups):
        self.release, self.groups = name, list(groups)
        self.folder = cache_directory() / "roots"
        self.kind = f"{name}-{hashlib.sha256(' '.join(self.groups).encode()).hexdigest()[:6]}"
        self.path = self.folder / f"{self.kind}-{self.digest()}"
        self.log = self.folder / f"{self.kind}.log"
        self.made = None  # how many seconds it took to make, if this program made it
        self.note = ""
        self.lock = None

    def digest(self):
        """A digest of all inputs."""
        made = hashlib.sha256()
        texts = release.sources(self.release)
        for part in (PACKAGES, *texts, *texts.values(), *release.settings(), *certificates(), *environment().items(),
                     *(each.read_bytes() for each in client_files()), *(each.read_bytes() for each in inputs())):
            made.update(part if isinstance(part, bytes) else repr(part).encode())
        return made.hexdigest()[:12]

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)  # the files of pip and Maven may hold secrets
        self.lock = open(self.folder / f"{self.kind}.lock", "w", encoding="ascii")  # noqa: SIM115 - closed by __exit__
        try:
            self.keep()
            while not self.path.exists():  # another program, with a different tools/install, replaced it
                self.keep()
        except BaseException:
            self.lock.close()
            raise
        return self

    def __exit__(self, *_):
        self.lock.close()

    def keep(self):
        """Makes the root if it is missing or too old, and locks it."""
        if self.stale():
            self.hold(fcntl.LOCK_EX)
            self.refresh()
        self.hold(fcntl.LOCK_SH)

    def hold(self, how):
        deadline = time.monotonic() + MAKE_SECONDS
        while True:
            with contextlib.suppress(BlockingIOError):
                return fcntl.flock(self.lock, how | fcntl.LOCK_NB)
            if time.monotonic() > deadline:
                raise LabError(f"{self.lock.name}: held by another program for {MAKE_SECONDS} s")
            time.sleep(0.2)

    def stale(self):
        return not self.path.exists() or time.time() - self.path.stat().st_mtime > REFRESH_DAYS * 86400

    def refresh(self):
        """Makes the root, unless another program has made it meanwhile. If that fails, an existing root that is only
        too old is kept."""
        if not self.stale():
            return
        begin = time.monotonic()
        part = self.folder / f"part-{self.kind}"
        remove_tree(part)
        with Undo() as undo:
            undo.add(remove_tree, part)
            try:
                self.make(part)
            except LabError as error:
                if not self.path.exists():
                    raise
                self.note = f"the root is older than {REFRESH_DAYS} days and could not be renewed: {error}"
                return
            for each in self.folder.glob(f"{self.kind}-*"):
                remove_tree(each)
            os.utime(part)
            part.rename(self.path)
            undo.keep()
        self.made = round(time.monotonic() - begin, 1)

    def make(self, part):
        self.log.write_text("", encoding="utf-8")
        work = self.folder / f"sources-{self.kind}"
        with contextlib.ExitStack() as stack:
            stack.callback(remove_tree, work)
            self.bootstrap(part, release.write_sources(self.release, work))
        furnish(part, self.release)
        for words in (["update-ca-certificates"], [f"{SOURCES}/tools/install", *self.groups]):
            sandbox = Sandbox(part, name=self.release, binds=[("ro", PROJECT, SOURCES), *client_binds(part)],
                              environment={**environment(), "DEBIAN_FRONTEND": "noninteractive"})
            if sandbox.run(words, self.log, network=True, seconds=MAKE_SECONDS, before=netns.outside_argv()) != 0:
                raise LabError(f"{words[0]} failed in a root of {self.release}: {last_line(self.log)} (all of it: "
                               f"{self.log})")
        command.run(["chroot", part, "apt-get", "clean"])

    def bootstrap(self, part, sources):
        mmdebstrap = command.need("mmdebstrap", "distributions")
        alone = [*netns.outside_argv(), "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        options = [f"--aptopt={line}" for line in release.settings()]
        done = command.run([*alone, mmdebstrap, "--variant=minbase", "--quiet", "--format=directory", *options,
                            "--dpkgopt=force-unsafe-io", f"--include={PACKAGES}", self.release, part, *sources],
                           seconds=MAKE_SECONDS, good=None)
        self.log.write_text(done.out + done.err, encoding="utf-8")
        if done.status != 0:
            told = [line for line in done.err.splitlines() if re.search(r"^E:|error", line)]
            raise Unsupported(f"mmdebstrap could not make a root of {self.release}: {' '.join(told[:3])[:500]} (all of it: "
                              f"{self.log})", "is there a network?")

    def sandbox(self, layer=None, binds=()):
        """A Sandbox over this root, without the host's network."""
        return Sandbox(self.path, layer, self.release, binds)


def inputs():
    return (PROJECT / "tools" / "install", PROJECT / "tests" / "requirements.txt", Path(__file__), SCRIPT)


def last_line(path):
    lines = Path(path).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "(it said nothing)"


# ---- the configuration of the host's package clients ----


def environment():
    return {key: value for key, value in os.environ.items() if CLIENT.fullmatch(key)}


def client_files():
    """The configuration files that exist on the host."""
    named = os.environ.get("PIP_CONFIG_FILE")
    paths = [*CLIENT_FILES, *(Path.home() / each for each in HOME_FILES), *([named] if named else [])]
    return [path for each in paths if (path := Path(each)).is_file()]


def client_binds(root):
    """Mounts for absolute paths that the variables name and the root lacks."""
    words = set(re.findall(r"(?<![\w/.])/[\w./+-]+", " ".join(environment().values())))
    missing = [word for word in sorted(words) if Path(word).exists() and not (root / word.lstrip("/")).exists()]
    return [("ro", word, word) for word in missing]


def certificates():
    """All certificates that the host's clients trust, in order."""
    bundles = {BUNDLE, *(Path(os.environ[each]) for each in BUNDLES if os.environ.get(each))}
    texts = [path.read_text("latin-1") for path in bundles if path.is_file()]
    return sorted({found for text in texts for found in CERTIFICATE.findall(text)})


def furnish(root, name):
    """Adds keys, files of pip and Maven, and the certificates that Debian's own collection lacks."""
    texts = release.sources(name)
    release.give_keys(root, [*texts.values(), *release.settings()])
    # Keep configuration files that exist before their package is installed, such as Maven's settings.
    keep = root / "etc" / "apt" / "apt.conf.d" / "90keep"
    keep.write_text('DPkg::Options:: "--force-confold";\n', encoding="ascii")
    for path in client_files():
        inside = Path("/root") / path.relative_to(Path.home()) if path.is_relative_to(Path.home()) else path
        target = root / inside.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    there = set(CERTIFICATE.findall((root / BUNDLE.relative_to("/")).read_text("latin-1")))
    folder = root / "usr" / "local" / "share" / "ca-certificates"
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(each for each in certificates() if each not in there):
        (folder / f"host-{number}.crt").write_text(text, encoding="latin-1")
