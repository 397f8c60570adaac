"""Which of the host's apt sources is Debian's own archive: pure parsing of both of apt's file formats.

Formats: sources.list(5). A host lists others too, so the first `deb` line proves nothing; what counts is that an entry
is signed by Debian's archive keyring, or names one of Debian's suites without saying who signs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

DEBIAN_SUITES = frozenset(
    ("bullseye", "bookworm", "trixie", "forky", "sid", "stable", "oldstable", "oldoldstable", "testing", "unstable")
)
_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s*(?P<components>.*)$")
_USABLE_SCHEMES = ("http:", "https:", "ftp:", "file:", "mirror:", "mirror+http:", "mirror+https:", "mirror+file:")


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """One URI of an enabled binary source. `signed_by` is empty where the entry does not say."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


def parse_one_line(text: str) -> list[AptSource]:
    """Sources of a `.list` file, in its order; what cannot be parsed is left out, as apt itself will complain."""
    found: list[AptSource] = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#", 1)[0].strip())
        if match is None:
            continue
        options = dict(item.split("=", 1) for item in (match["options"] or "").split() if "=" in item)
        found.append(
            AptSource(
                uri=match["uri"],
                suites=(match["suite"],),
                components=tuple(match["components"].split()),
                signed_by=options.get("signed-by", ""),
            )
        )
    return found


def parse_deb822(text: str) -> list[AptSource]:
    """Sources of a `.sources` file, in its order; without stanzas that are disabled or name only source packages."""
    found: list[AptSource] = []
    for stanza in _stanzas(text):
        if "deb" not in stanza.get("types", "").split() or stanza.get("enabled", "yes").lower() in ("no", "false", "0"):
            continue
        found += [
            AptSource(
                uri=uri,
                suites=tuple(stanza.get("suites", "").split()),
                components=tuple(stanza.get("components", "").split()),
                signed_by=stanza.get("signed-by", "").strip(),
            )
            for uri in stanza.get("uris", "").split()
        ]
    return found


def debian_mirror(sources: Iterable[AptSource]) -> str | None:
    """The URI of Debian's main archive among the host's sources, or None where it lists none (as on Ubuntu).

    An entry that names Debian's archive keyring wins over one that names a Debian suite and no keyring. The security
    archive is another one, and so is any that somebody else signs.
    """
    usable = [
        source
        for source in sources
        if source.uri.startswith(_USABLE_SCHEMES)
        and "main" in source.components
        and not any("security" in part for part in (source.uri, *source.suites))
    ]
    signed = [source for source in usable if "debian-archive" in source.signed_by.rsplit("/", 1)[-1]]
    unnamed = [source for source in usable if not source.signed_by and _names_debian_suite(source)]
    best = signed or unnamed
    return best[0].uri.rstrip("/") if best else None


def _names_debian_suite(source: AptSource) -> bool:
    return any(suite.split("-", 1)[0] in DEBIAN_SUITES for suite in source.suites)


def _stanzas(text: str) -> Iterable[Mapping[str, str]]:
    """Stanzas of an RFC 822 style file with lower-case keys; comment lines vanish, continuation lines are joined."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for block in re.split(r"\n\s*\n", "\n".join(lines)):
        stanza: dict[str, str] = {}
        key = ""
        for line in block.splitlines():
            if line[:1] in (" ", "\t") and key:
                stanza[key] += "\n" + line.strip()
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                stanza[key] = value.strip()
        if stanza:
            yield stanza
