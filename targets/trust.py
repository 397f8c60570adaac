"""Whether a board's host key may be trusted: a person, a key given in words, or a known_hosts file says so.

Nothing is ever accepted silently, and nobody is logged in to before the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .board import SshAddress
from .errors import HostKeyError, TargetError
from .hostkeys import KEY_TYPES, HostKey, check_host_key, parse_public_key, pinned_keys
from .ssh import server_key

Ask = Callable[[str], bool]
Say = Callable[[str], None]

_AT_THE_CONSOLE = "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` at its console"


def trusted_address(
    address: SshAddress,
    *,
    host_key: str | None = None,
    known_hosts: Path | None = None,
    ask: Ask | None = None,
    say: Say = lambda _: None,
) -> SshAddress:
    """The address with the host key that its server shows pinned, once that key is confirmed; jump hosts first.

    `host_key` is the board's public key or its `SHA256:…` fingerprint, `known_hosts` a file that holds it (and those of
    jump hosts); else `ask` gets the fingerprint in a question. Without any of them, and for another key than was given,
    HostKeyError names what the server showed.
    """
    if address.jump is not None:
        jump = trusted_address(address.jump, known_hosts=known_hosts, ask=ask, say=say)
        address = replace(address, jump=jump)
    name = f"{address.host}:{address.port}"
    if host_key is not None:
        offered, source = _as_given(address, name, host_key), "as given"
    elif known_hosts is not None:
        pinned, source = pinned_keys(address.host, address.port, host_key=None, known_hosts=str(known_hosts))
        offered = server_key(address, types=tuple(key.type for key in pinned))
        check_host_key(name, offered, pinned, source)
        source = f"known from {source}"
    else:
        offered, source = _as_asked(address, name, ask), "confirmed"
    say(f"host key of {name}: {offered.fingerprint} ({offered.type}), {source}")
    return replace(address, host_key=offered.line, known_hosts=None)


def _as_given(address: SshAddress, name: str, text: str) -> HostKey:
    if not text.startswith("SHA256:"):
        try:
            key = parse_public_key(text)
        except ValueError as error:
            raise HostKeyError(f'the given host key "{text}" {error}; its SHA256:… fingerprint will do, too') from error
        offered = server_key(address, types=(key.type,))
        check_host_key(name, offered, (key,), "the given host key")
        return offered
    shown = [server_key(address)]
    if shown[0].fingerprint != text:
        shown += _other_keys(address, shown[0].type)
    match = next((key for key in shown if key.fingerprint == text), None)
    if match is None:
        has = " and ".join(f"{key.fingerprint} ({key.type})" for key in shown)
        raise HostKeyError(f"{name}: the server shows {has}, not the given {text}; compare with {_AT_THE_CONSOLE}")
    return match


def _other_keys(address: SshAddress, known_type: str) -> list[HostKey]:
    """A server may have a key of each type; one that has none of a type refuses to go on."""
    found: list[HostKey] = []
    for kind in KEY_TYPES:
        if kind != known_type:
            try:
                found.append(server_key(address, types=(kind,)))
            except TargetError:
                continue
    return found


def _as_asked(address: SshAddress, name: str, ask: Ask | None) -> HostKey:
    offered = server_key(address)
    shows = f"{name} shows the host key {offered.fingerprint} ({offered.type})"
    if ask is None:
        raise HostKeyError(
            f"{shows}, and nobody is here to confirm it: compare it with {_AT_THE_CONSOLE}, then give it with "
            "--host-key, or a file that holds it with --known-hosts"
        )
    if not ask(f"{shows}.\nIs that what {_AT_THE_CONSOLE} prints?"):
        raise HostKeyError(f"{name}: its host key was not confirmed; nothing was sent and nothing written")
    return offered
