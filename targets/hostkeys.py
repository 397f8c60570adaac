"""Host keys as OpenSSH writes them: public key lines, fingerprints, `known_hosts` files. Pure, no SSH library.

Formats: sshd(8), section SSH_KNOWN_HOSTS FILE FORMAT; RFC 4253 section 6.6 (the key blob starts with its own type).
"""

from __future__ import annotations

import base64
import binascii
import fnmatch
import hashlib
import hmac
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import HostKeyError

KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
DEFAULT_PORT = 22


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public host key: its type and the blob that goes over the wire."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as `ssh-keygen -lf` and sshd's log print it."""
        return fingerprint(self.blob)

    @property
    def line(self) -> str:
        """`ssh-ed25519 AAAA…`: the form of `host_key:` in the inventory."""
        return f"{self.type} {base64.b64encode(self.blob).decode()}"


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """What known_hosts says of one host: the keys to accept, and those that were revoked."""

    accepted: tuple[HostKey, ...]
    revoked: tuple[HostKey, ...] = ()


def fingerprint(blob: bytes) -> str:
    """SHA-256 fingerprint of a key blob: base64 without padding, the form that OpenSSH prints."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def parse_public_key(text: str) -> HostKey:
    """The key of a line `ssh-ed25519 AAAA… [comment]`. Raises ValueError: the rest of a sentence about the line."""
    words = text.split()
    if len(words) > 1 and words[0] not in KEY_TYPES and words[1] in KEY_TYPES:
        raise ValueError(f'starts with a host name; leave it out and begin with "{words[1]}"')
    if len(words) < 2 or words[0] not in KEY_TYPES:
        raise ValueError(f'is no OpenSSH public key; expected "TYPE AAAA…" with TYPE one of {", ".join(KEY_TYPES)}')
    try:
        blob = base64.b64decode(words[1], validate=True)
    except binascii.Error as error:
        raise ValueError("is no OpenSSH public key: its second word is cut off or no base64") from error
    fields = _fields(blob)
    if len(fields) < 2 or fields[0] != words[0].encode():
        raise ValueError(f"is no OpenSSH public key: its second word is cut off or holds no {words[0]} key")
    return HostKey(words[0], blob)


def _fields(blob: bytes) -> list[bytes]:
    """The length-prefixed strings that a key blob consists of (RFC 4251 section 5); none where it is cut off."""
    fields: list[bytes] = []
    while blob:
        size = int.from_bytes(blob[:4], "big")
        if len(blob) < 4 + size:
            return []
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return fields


def read_known_hosts(path: Path, host: str, port: int) -> KnownKeys:
    """The keys of `host` in a known_hosts file: plain, patterns, `[host]:port`, hashed entries.

    Certificate authorities (`@cert-authority`) are passed over. Raises HostKeyError where the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise HostKeyError(f"the known_hosts file {path} cannot be read: {error.strerror}") from error
    return known_keys(text, host, port)


def known_keys(text: str, host: str, port: int) -> KnownKeys:
    """The same for the text of a known_hosts file. Lines that are no entries are passed over, as ssh does."""
    name = host if port == DEFAULT_PORT else f"[{host}]:{port}"
    accepted: dict[HostKey, None] = {}
    revoked: dict[HostKey, None] = {}
    for line in text.splitlines():
        marker, _, rest = line.strip().partition(" ") if line.strip().startswith("@") else ("", "", line.strip())
        hosts, _, key_text = rest.strip().partition(" ")
        if not hosts or hosts.startswith("#") or marker == "@cert-authority" or not _matches(hosts, name):
            continue
        try:
            key = parse_public_key(key_text)
        except ValueError:
            continue  # a type that is not spoken here any more, such as ssh-dss
        (revoked if marker == "@revoked" else accepted)[key] = None
    return KnownKeys(tuple(key for key in accepted if key not in revoked), tuple(revoked))


def _matches(hosts: str, name: str) -> bool:
    if hosts.startswith("|1|"):
        return _matches_hash(hosts, name)
    patterns = hosts.split(",")
    if any(pattern.startswith("!") and _pattern(pattern[1:], name) for pattern in patterns):
        return False
    return any(not pattern.startswith("!") and _pattern(pattern, name) for pattern in patterns)


def _pattern(pattern: str, name: str) -> bool:
    """`*` and `?` are the only wildcards of OpenSSH; brackets stand for themselves."""
    literal = re.sub(r"\[", "[[]", pattern.lower())
    return fnmatch.fnmatchcase(name.lower(), literal)


def _matches_hash(hashed: str, name: str) -> bool:
    """`|1|salt|HMAC-SHA1(salt, name)`, both base64 (HashKnownHosts in ssh_config(5))."""
    parts = hashed.split("|")
    if len(parts) != 4:
        return False
    try:
        salt, digest = base64.b64decode(parts[2]), base64.b64decode(parts[3])
    except binascii.Error:
        return False
    return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)


def unknown_host_hint(host: str, port: int) -> str:
    """What a person does to learn a board's host key and to trust it for a reason."""
    at_port = "" if port == DEFAULT_PORT else f" -p {port}"
    return (
        f"get it with `ssh-keyscan -t ed25519{at_port} {host}` and compare its fingerprint "
        "with the one at the board's console (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`)"
    )


def pinned_keys(
    host: str, port: int, *, host_key: str | None, known_hosts: str | None
) -> tuple[tuple[HostKey, ...], str]:
    """The keys that this host may show, and where that is written down. Raises HostKeyError where there is none."""
    if host_key is not None:
        try:
            return (parse_public_key(host_key),), "the inventory's host_key"
        except ValueError as error:
            raise HostKeyError(f"{host}:{port}: the pinned host key {error}") from error
    if known_hosts is None:
        raise HostKeyError(f"no host key is pinned for {host}:{port}: {unknown_host_hint(host, port)}")
    keys = read_known_hosts(Path(known_hosts), host, port)
    if not keys.accepted:
        fault = "is revoked in" if keys.revoked else "is not in"
        hint = unknown_host_hint(host, port)
        raise HostKeyError(f"the host key of {host}:{port} {fault} {known_hosts}: {hint}")
    return keys.accepted, known_hosts


def check_host_key(name: str, offered: HostKey, pinned: tuple[HostKey, ...], source: str) -> None:
    """Raise HostKeyError, naming both fingerprints, unless the host showed exactly a pinned key."""
    if offered in pinned:
        return
    expected = " or ".join(f"{key.fingerprint} ({key.type})" for key in pinned)
    raise HostKeyError(
        f"{name}: the host key has changed: the host shows {offered.fingerprint} ({offered.type}), {source} says "
        f"{expected}. Either the board was set up anew, or another machine answers in its place: compare with the "
        "board's console (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`) before you replace the key"
    )
