"""Debian releases of the host and the appliance, and apt sources for any release, derived from the host's."""

import os
import re
import shutil
import time
from pathlib import Path

from . import command
from .errors import LabError, Unsupported

KNOWN = ("bookworm", "trixie")  # Debian 12 and 13
VARIABLE = "IR_APPLIANCE_RELEASE"
LISTS_SECONDS = 86400
APT_SECONDS = 900
OS_RELEASE = Path("/etc/os-release")
APT = Path("/etc/apt")
# Settings of apt's Acquire that do not affect how the archive is reached.
NO_WAY = re.compile(r"Acquire::(IndexTargets|Changelogs|Languages|CompressionTypes|cdrom|GzipIndexes)")
# The keys that apt verifies packages with. A root that uses the host's sources needs them too.
KEYRINGS = ("trusted.gpg", "trusted.gpg.d", "keyrings")


def of_host():
    """The host's release. Unsupported when the host is not Debian."""
    text = OS_RELEASE.read_text(encoding="utf-8")
    found = re.search(r"^VERSION_CODENAME=(\w+)$", text, re.M)
    if not found or not re.search(r"^ID=debian$", text, re.M):
        raise Unsupported(f"roots are made from the apt sources of a Debian host, and this host is not one: see {OS_RELEASE}")
    return found.group(1)


def of_appliance():
    """The release that IR_APPLIANCE_RELEASE names; else the host's."""
    named = os.environ.get(VARIABLE)
    if named and named not in KNOWN:
        raise LabError(f"{VARIABLE}={named}: must be one of {', '.join(KNOWN)}")
    return named or of_host()


def sources(release):
    """Returns {file name: text} of the apt sources for a release. If the host has files for that release, they are used
    unchanged. Otherwise the files for the host's own release are copied with the suite's name replaced. Files for other
    suites are left out."""
    there = sources_of(release)
    if there:
        return there
    own = of_host()
    translated = {name: suite_pattern(own).sub(lambda found: release + (found[1] or ""), text)
                  for name, text in sources_of(own).items()}
    if not translated:
        raise Unsupported(f"no apt source of {release} or {own} in {APT}/sources.list and {APT}/sources.list.d")
    return translated


def sources_of(suite):
    """The source files that name the suite. Comments are ignored, because they may name unused suites."""
    candidates = [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*"))]
    files = [each for each in candidates if each.suffix in (".list", ".sources") and each.is_file()]
    texts = {each.name: uncommented(each) for each in files}
    return {name: text for name, text in texts.items() if suite_pattern(suite).search(text)}


def suite_pattern(suite):
    return re.compile(rf"(?<!\S){suite}(-updates|-security|/updates)?(?!\S)")


def uncommented(path):
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith("#"))


def write_sources(release, folder):
    """Writes the sources as files below a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, text in sources(release).items():
        paths.append(folder / name)
        paths[-1].write_text(text, encoding="utf-8")
    return paths


def settings():
    """The host's settings for reaching its archive (proxies, certificates, how old lists may be), as lines for
    apt.conf. A program that detects the proxy works only on the host, so it is left out."""
    dump = command.output(["apt-config", "dump", "Acquire"]).splitlines()
    return [line for line in dump if not NO_WAY.match(line) and not line.endswith(' "";') and "Auto-Detect" not in line]


def give_keys(root, texts):
    """Copies into a root what apt needs to verify packages from the host's sources: apt's keyrings, and files that the
    sources or settings name, at the same paths."""
    for name in KEYRINGS:
        copy_missing(APT / name, Path(root) / "etc" / "apt" / name)
    for path in set(re.findall(r'(?<=["\s=])/[^\s";\]]+', "\n".join(texts))):
        if Path(path).is_file():
            copy_missing(Path(path), Path(root) / path.lstrip("/"))


def copy_missing(source, target):
    """Copies a file, or the files of a folder, unless the target already has that name."""
    if source.is_dir():
        for each in source.iterdir():
            copy_missing(each, target / each.name)
    elif source.is_file() and not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


class Apt:
    """apt-get and apt-cache for a release. With `folder` None: the host's own. Otherwise lists and settings are kept
    below `folder`, and the host's are neither needed nor changed. `before` is a command prefix for commands that need
    the network. Two objects with the same release and folder are equal."""

    def __init__(self, name, folder=None, before=()):
        self.release, self.folder, self.before = name, folder and Path(folder), list(before)

    def __eq__(self, other):
        return (self.release, self.folder) == (other.release, other.folder)

    def __hash__(self):
        return hash((self.release, self.folder))

    def run(self, *words, cwd=None):
        """Runs a command; returns its output."""
        if self.folder and not self.fresh():
            self.prepare()
        return self.call(*words, cwd=cwd)

    def call(self, *words, cwd=None):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        if self.folder:
            environment["APT_CONFIG"] = str(self.folder / "apt.conf")
        return command.run([*self.before, *words], env=environment, cwd=cwd, seconds=APT_SECONDS).out

    def fresh(self):
        stamp = self.folder / "stamp"
        return stamp.exists() and time.time() - stamp.stat().st_mtime < LISTS_SECONDS

    def prepare(self):
        """Writes the files and fetches current package lists. If the archive cannot be reached, old lists are used."""
        for name in ("lists/partial", "cache/archives/partial", "etc/preferences.d"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        write_sources(self.release, self.folder / "etc" / "sources.list.d")
        places = {"Dir::Etc": "etc", "Dir::State::lists": "lists", "Dir::Cache": "cache"}
        lines = [*settings(), *(f'{key} "{self.folder / name}/";' for key, name in places.items()),
                 'Dir::Etc::parts "/dev/null";', 'Dir::State::status "/dev/null";', 'Acquire::Languages "none";',
                 f'Dir::Etc::trusted "{APT}/trusted.gpg";', f'Dir::Etc::trustedparts "{APT}/trusted.gpg.d/";']
        (self.folder / "apt.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        stamp = self.folder / "stamp"
        try:
            self.call("apt-get", "update", "-q")
        except LabError:
            if not stamp.exists():
                raise
        stamp.touch()
