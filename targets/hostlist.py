"""Many boards from a file: one address or ssh name a line, or an Ansible inventory in its INI or YAML form."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from .address import split_address, usual_key_file
from .ansible import AnsibleError, AnsibleHost, parse_data, parse_ini
from .board import SshAddress
from .errors import InventoryError
from .sshconfig import resolve_alias


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One board of such a file. `word` is what a person would type: `user@host[:port]`, or a name that ssh knows.

    Where the file says more, `user`, `port`, `key_file`, `python` and `name` are set; None means that it does not.
    """

    word: str
    name: str | None = None
    user: str | None = None
    port: int | None = None
    key_file: str | None = None
    python: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.name or self.word


def read_hosts(path: Path) -> tuple[Listed, ...]:
    """The boards that a file lists, in its order; local ones are left out. Raises InventoryError in one sentence."""
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except OSError as error:
        raise InventoryError(f"{path}: the file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InventoryError(f"{path}: the file is not UTF-8 text (byte {error.start})") from error
    try:
        found = _read(path, text)
    except AnsibleError as error:
        raise InventoryError(f"{path}: {error}") from error
    if not found:
        raise InventoryError(f"{path}: the file lists no board that is reached by SSH")
    return found


def address_of(listed: Listed, *, key_file: Path | None = None, config: Path | None = None) -> SshAddress:
    """How a listed board is reached, without any word on its host key. Raises InventoryError.

    `user@host` is taken as it stands; any other word is what the user's `ssh` says it is (`config` in place of its
    usual file). The private key is `key_file`, the list's, the ssh configuration's, else the usual one.
    """
    given = str(key_file.expanduser().absolute()) if key_file is not None else listed.key_file
    if "@" in listed.word:
        try:
            parts = split_address(listed.word)
        except ValueError as error:
            raise InventoryError(str(error)) from error
        return SshAddress(**parts, key_file=given or usual_key_file())
    address = resolve_alias(listed.word, config=config)
    said = {"user": listed.user, "port": listed.port, "key_file": given}
    return replace(address, **{key: value for key, value in said.items() if value is not None})


def _read(path: Path, text: str) -> tuple[Listed, ...]:
    if path.suffix.lower() in (".yaml", ".yml"):
        from .yamlfile import YamlFileError, read_yaml

        try:
            data, _ = read_yaml(path, text)
        except YamlFileError as error:
            raise InventoryError(str(error)) from error
        return _from_ansible(parse_data(data), path)
    if looks_like_ini(text):
        return _from_ansible(parse_ini(text), path)
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    words = list(dict.fromkeys(line for line in lines if line))
    for word in words:
        if len(word.split()) > 1:
            raise InventoryError(f'{path}: "{word}" is more than one word; write one user@host[:port] a line')
    return tuple(Listed(word=word) for word in words)


def looks_like_ini(text: str) -> bool:
    """Whether a file is Ansible's INI form rather than a plain list: it has a section or a `KEY=VALUE`."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith(("#", ";"))]
    return any(re.fullmatch(r"\[[^\]]+\].*", line) or re.search(r"\s\w+\s*=", line) for line in lines)


def _from_ansible(hosts: tuple[AnsibleHost, ...], path: Path) -> tuple[Listed, ...]:
    return tuple(
        Listed(
            word=host.host,
            name=host.name,
            user=host.user,
            port=host.port,
            key_file=_key(host.key_file, path),
            python=None if host.python in (None, "auto", "auto_silent", "auto_legacy") else host.python,
            tags=host.groups,
        )
        for host in hosts
        if not host.local
    )


def _key(text: str | None, path: Path) -> str | None:
    """A key file of an Ansible inventory: `~` expanded; a relative one stands beside the file."""
    return None if text is None else str(path.absolute().parent / Path(text).expanduser())
