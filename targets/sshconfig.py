"""A board by the name that the user's own `ssh` knows: the client itself is asked (`ssh -G`), its files are not parsed.

What comes back says how to reach the board, never that its key may be trusted: that is asked for separately.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from .address import DEFAULT_KEY_FILES, agent_key_count
from .board import SshAddress
from .errors import InventoryError

_TIMEOUT_S = 20.0
_MOST_HOPS = 5


def resolve_alias(word: str, *, config: Path | None = None) -> SshAddress:
    """The address that `ssh word` would connect to: HostName, User, Port, IdentityFile and ProxyJump.

    `config` is a file to read instead of the user's own. Raises InventoryError where there is no client to ask, where
    it refuses, or where the way there is a ProxyCommand.
    """
    return _resolve(word, config, hops=0)


def _resolve(word: str, config: Path | None, hops: int) -> SshAddress:
    if hops > _MOST_HOPS:
        raise InventoryError(f'"{word}": the ssh configuration goes through more than {_MOST_HOPS} jump hosts')
    settings = parse_settings(_ask_client(word, config))
    one = {key: values[0] for key, values in settings.items()}
    if one.get("proxycommand", "none") != "none":
        raise InventoryError(f'"{word}" is reached by a ProxyCommand, which hilbench does not run; use ProxyJump')
    return SshAddress(
        host=one["hostname"],
        port=int(one["port"]),
        user=one["user"],
        key_file=identity_file(settings.get("identityfile", [])),
        jump=_jump(one.get("proxyjump", "none"), config, hops + 1),
    )


def _jump(text: str, config: Path | None, hops: int) -> SshAddress | None:
    """`a,b`: through a, then through b (ssh_config(5), ProxyJump). Each is a name that ssh knows, too."""
    if text == "none":
        return None
    before, _, last = text.rpartition(",")
    user, host, port = split_hop(last)
    address = _resolve(host, config, hops)
    address = replace(address, user=user or address.user, port=port or address.port)
    return replace(address, jump=_jump(before, config, hops + 1)) if before else address


def split_hop(text: str) -> tuple[str | None, str, int | None]:
    """`[user@]host[:port]` or `ssh://…` as user, host and port, with None for what is left out."""
    match = re.fullmatch(r"(?:ssh://)?(?:([^@]+)@)?(\[[^\]]+\]|[^:]+)(?::(\d+))?/?", text.strip())
    if match is None:
        raise InventoryError(f'"{text}" in a ProxyJump is no [user@]host[:port]')
    return match[1], match[2].strip("[]"), int(match[3]) if match[3] else None


def parse_settings(output: str) -> dict[str, list[str]]:
    """Keyword (in lower case) -> its values, in the order of `ssh -G`."""
    settings: dict[str, list[str]] = {}
    for line in output.splitlines():
        key, _, value = line.strip().partition(" ")
        if value:
            settings.setdefault(key.lower(), []).append(value)
    return settings


def identity_file(files: list[str]) -> str | None:
    """The key file to use, or None for the SSH agent's keys: one that the configuration names itself comes first.

    `ssh -G` lists its defaults in ~/.ssh like any other; an agent that holds keys goes before those.
    """
    found = [path for path in (Path(file).expanduser() for file in files) if path.is_file()]
    defaults = [Path.home() / ".ssh" / name for name in DEFAULT_KEY_FILES]
    named = next((path for path in found if path not in defaults), None)
    if named is None and not agent_key_count():
        named = next(iter(found), None)
    return None if named is None else str(named)


def _ask_client(word: str, config: Path | None) -> str:
    if not re.fullmatch(r"[^-\s][^\s]*", word):
        raise InventoryError(f'"{word}" is neither user@host[:port] nor a name that ssh could know')
    client = shutil.which("ssh")
    if client is None:
        raise InventoryError(
            f'"{word}" is no user@host[:port], and there is no ssh client here that could know it as a name of its own'
        )
    given = [] if config is None else ["-F", str(config)]
    try:
        done = subprocess.run(
            [client, *given, "-G", "--", word], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InventoryError(f'ssh did not say within {_TIMEOUT_S:g} s what "{word}" is') from error
    if done.returncode != 0:
        reason = " ".join(done.stderr.split()) or f"status {done.returncode}"
        raise InventoryError(f'ssh does not know what "{word}" is: {reason}')
    return done.stdout
