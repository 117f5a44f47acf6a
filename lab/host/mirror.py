"""This machine's own package mirror, read from apt's sources when it is needed.

The lab's images are Debian, and their packages come from wherever this machine gets its own: a
company mirror, a proxy, an air-gapped copy. Nothing about it is written in the project.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

APT = Path("/etc/apt")
SUITE = "trixie"

# A key that Debian's own package of keys has at the same place in every image.
DEBIAN_KEYS = re.compile(r"/usr/share/keyrings/debian-archive-[a-z-]+\.(gpg|pgp|asc)$")


@dataclass(frozen=True)
class Source:
    """One place that packages come from, as apt's sources say it."""

    uri: str
    suites: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str) -> str:
        """The value of an option such as signed-by; empty when it is not set."""
        return dict(self.options).get(name, "")


@dataclass(frozen=True)
class Mirror:
    """A Debian mirror with what is needed to trust and to reach it."""

    uri: str
    signed_by: str = ""
    trusted: bool = False
    proxy: str = ""


def parse_list(text: str) -> Iterator[Source]:
    """Sources in the one-line style: deb [option=value …] URI SUITE COMPONENT…"""
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)", line)
        if found:
            options = (pair.split("=", 1) for pair in (found[1] or "").split() if "=" in pair)
            yield Source(found[2], (found[3],), tuple((k.lower(), v) for k, v in options))


def parse_deb822(text: str) -> Iterator[Source]:
    """Sources in deb822 style: stanzas of `Field: value`, continued on indented lines."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no":
            options = tuple((k, v) for k, v in fields.items() if k in ("signed-by", "trusted"))
            for uri in fields.get("uris", "").split():
                yield Source(uri, tuple(fields.get("suites", "").split()), options)


def _fields(stanza: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and name:
            fields[name] += "\n" + line.strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def read_sources(apt: Path = APT) -> tuple[Source, ...]:
    """Every enabled source of this machine; none where there is no apt."""
    parts = apt / "sources.list.d"
    lists = [apt / "sources.list", *sorted(parts.glob("*.list"))]
    found = [s for file in lists if file.is_file() for s in parse_list(file.read_text())]
    for file in sorted(parts.glob("*.sources")):
        found += parse_deb822(file.read_text())
    return tuple(found)


def choose(sources: tuple[Source, ...]) -> Source | None:
    """The source that leads to Debian itself: a release by name, no security or backports."""
    plain = re.compile(r"(bullseye|bookworm|trixie|forky|sid|stable|testing|unstable)/?$")
    for source in sources:
        if any(plain.match(suite) for suite in source.suites):
            return source
    return None


def find(apt: Path = APT) -> Mirror | None:
    """The mirror of this machine, or what $LAB_APT_MIRROR names; None where neither is known."""
    proxy = _proxy()
    if named := os.environ.get("LAB_APT_MIRROR"):
        return Mirror(uri=named, proxy=proxy)
    source = choose(read_sources(apt))
    if source is None:
        return None
    trusted = source.option("trusted") == "yes"
    return Mirror(source.uri, source.option("signed-by"), trusted, proxy)


def _proxy() -> str:
    if not shutil.which("apt-config"):
        return ""
    asked = subprocess.run(
        ["apt-config", "shell", "P", "Acquire::http::Proxy"], capture_output=True, text=True
    )
    found = re.search(r"P='(.*)'", asked.stdout)
    return found[1] if found else ""


def key_of(mirror: Mirror) -> tuple[str, bytes] | None:
    """File name and content of a key that Debian's own images do not have; None otherwise."""
    named = mirror.signed_by
    if "BEGIN PGP" in named:
        # deb822 writes an empty line of the key as a single dot.
        lines = ("" if line == "." else line for line in named.strip().splitlines())
        return "lab-mirror.asc", ("\n".join(lines) + "\n").encode()
    if not named.startswith("/") or DEBIAN_KEYS.match(named) or not Path(named).is_file():
        return None
    return f"lab-mirror{Path(named).suffix}", Path(named).read_bytes()


def as_files(mirror: Mirror | None) -> dict[str, bytes]:
    """What the base image is given: file name under /etc/apt/lab-mirror, and content.

    Without a mirror lab.sources is empty and the image keeps Debian's own sources.
    """
    if mirror is None:
        return {"lab.sources": b""}
    lines = ["Types: deb", f"URIs: {mirror.uri}", f"Suites: {SUITE}", "Components: main"]
    files: dict[str, bytes] = {}
    signed_by = "/usr/share/keyrings/debian-archive-keyring.gpg"
    if key := key_of(mirror):
        files[key[0]] = key[1]
        signed_by = f"/etc/apt/lab-mirror/{key[0]}"
    lines.append("Trusted: yes" if mirror.trusted else f"Signed-By: {signed_by}")
    files["lab.sources"] = ("\n".join(lines) + "\n").encode()
    if mirror.proxy:
        files["lab.conf"] = f'Acquire::http::Proxy "{mirror.proxy}";\n'.encode()
    return files
