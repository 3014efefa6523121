"""Debian's changelog, made from CHANGELOG.md: one entry for each section "## VERSION, DATE"."""

import datetime
import re
import textwrap
from email.utils import format_datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECTION = re.compile(r"^## (\S+), (\d{4}-\d\d-\d\d)\n(.*?)(?=^## |\Z)", re.M | re.S)
MAINTAINER = re.compile(r"^Maintainer: (.*)$", re.M)


def version():
    return (ROOT / "VERSION").read_text(encoding="ascii").strip()


def sections():
    """Returns [(version, date, text)], newest first."""
    return SECTION.findall((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))


def debian(suffix):
    """The text of debian/changelog. `suffix` is appended to each version; it distinguishes the packages of different
    releases."""
    maintainer = MAINTAINER.search((ROOT / "packaging" / "debian" / "control").read_text(encoding="utf-8"))[1]
    return "\n".join(entry(*each, suffix, maintainer) for each in sections())


def entry(number, date, text, suffix, maintainer):
    items = [" ".join(each.split()) for each in re.split(r"^- ", text, flags=re.M)[1:]] or ["See CHANGELOG.md."]
    told = "\n".join(textwrap.fill(each, 76, initial_indent="  * ", subsequent_indent="    ") for each in items)
    when = datetime.datetime.fromisoformat(date).replace(tzinfo=datetime.timezone.utc)
    return (f"intelligent-river ({number}{suffix}) unstable; urgency=medium\n\n{told}\n\n"
            f" -- {maintainer}  {format_datetime(when)}\n")
