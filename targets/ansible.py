"""Hosts of an Ansible inventory, in its INI and its YAML form. Pure: text in, hosts out; nothing of Ansible is run.

Only what says how a host is reached is read, and its groups. Formats: Ansible's user guide, "How to build your
inventory"; of variables, a host's own win over its groups', a child group's over its parents', and `all` is the last.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_WORDS = {
    "host": ("ansible_host", "ansible_ssh_host"),
    "user": ("ansible_user", "ansible_ssh_user"),
    "port": ("ansible_port", "ansible_ssh_port"),
    "key": ("ansible_ssh_private_key_file", "ansible_private_key_file"),
    "connection": ("ansible_connection",),
    "python": ("ansible_python_interpreter",),
}
_RANGE = re.compile(r"\[(\w+):(\w+)(?::(\d+))?\]")
_OWN_GROUPS = ("all", "ungrouped")


class AnsibleError(ValueError):
    """The file is no Ansible inventory that can be read; the message is the rest of a sentence about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsibleHost:
    """One host: its name, what is said of how to reach it (None where nothing is), and its groups."""

    name: str
    host: str
    user: str | None = None
    port: int | None = None
    key_file: str | None = None
    python: str | None = None
    local: bool = False
    groups: tuple[str, ...] = ()


@dataclass(slots=True)
class _Group:
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    children: list[str] = field(default_factory=list[str])
    variables: dict[str, Any] = field(default_factory=dict[str, Any])


def parse_ini(text: str) -> tuple[AnsibleHost, ...]:
    """The hosts of the INI form, in its order. Raises AnsibleError with the line that cannot be read."""
    groups: dict[str, _Group] = {"all": _Group(), "ungrouped": _Group()}
    name, kind = "ungrouped", "hosts"
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip()
        if not bare or bare.startswith(("#", ";")):
            continue
        if section := re.fullmatch(r"\[([^:\]]+)(?::(children|vars))?\]\s*(?:[#;].*)?", bare):
            name, kind = section[1].strip(), section[2] or "hosts"
            groups.setdefault(name, _Group())
            continue
        try:
            _ini_line(bare, kind, groups, name)
        except ValueError as error:
            raise AnsibleError(f"line {number} cannot be read: {error}") from error
    return _hosts(groups)


def _ini_line(bare: str, kind: str, groups: dict[str, _Group], name: str) -> None:
    group = groups[name]
    if kind == "vars":
        key, _, value = bare.partition("=")
        group.variables[key.strip()] = " ".join(shlex.split(value.strip(), comments=True))
        return
    words = shlex.split(bare, comments=True)
    if kind == "children":
        groups.setdefault(words[0], _Group())
        group.children.append(words[0])
        return
    variables = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    if len(variables) != len(words) - 1:
        raise ValueError("after a host's name come only KEY=VALUE words")
    for host in expand_range(words[0]):
        bare_host, own = _with_port(host)
        group.hosts[bare_host] = {**group.hosts.get(bare_host, {}), **own, **variables}


def _with_port(host: str) -> tuple[str, dict[str, Any]]:
    match = re.fullmatch(r"([^:\[\]]+|\[[^\]]+\]):(\d+)", host)
    return (host, {}) if match is None else (match[1].strip("[]"), {"ansible_port": match[2]})


def expand_range(pattern: str) -> Iterator[str]:
    """`pi[01:03]` as pi01, pi02, pi03; `pi[a:c]`; `pi[0:8:2]`. A name without a range stands for itself."""
    match = _RANGE.search(pattern)
    if match is None:
        yield pattern
        return
    first, last, step = match[1], match[2], int(match[3] or 1) or 1
    if first.isdigit() and last.isdigit():
        width = len(first) if first.startswith("0") else 0
        values = [f"{number:0{width}}" for number in range(int(first), int(last) + 1, step)]
    elif len(first) == len(last) == 1:
        values = [chr(code) for code in range(ord(first), ord(last) + 1, step)]
    else:
        raise ValueError(f'"{match[0]}" is no range')
    for value in values:
        yield from expand_range(pattern[: match.start()] + value + pattern[match.end() :])


def parse_data(data: Mapping[str, Any]) -> tuple[AnsibleHost, ...]:
    """The hosts of the YAML form, given as plain data. Raises AnsibleError where a part is no mapping."""
    groups: dict[str, _Group] = {"all": _Group(), "ungrouped": _Group()}
    for name, part in data.items():
        _read_group(str(name), part, groups)
    return _hosts(groups)


def _read_group(name: str, part: Any, groups: dict[str, _Group]) -> None:
    group = groups.setdefault(name, _Group())
    body = _mapping(part, f'group "{name}"')
    for pattern, variables in _mapping(body.get("hosts"), f'"hosts" of group "{name}"').items():
        try:
            hosts = list(expand_range(str(pattern)))
        except ValueError as error:
            raise AnsibleError(str(error)) from error
        for host in hosts:
            own = _mapping(variables, f'host "{host}"')
            group.hosts[host] = {**group.hosts.get(host, {}), **own}
    group.variables |= _mapping(body.get("vars"), f'"vars" of group "{name}"')
    for child, below in _mapping(body.get("children"), f'"children" of group "{name}"').items():
        group.children.append(str(child))
        _read_group(str(child), below, groups)


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise AnsibleError(f"{what} is no mapping")
    return value  # pyright: ignore[reportUnknownVariableType]


def _hosts(groups: dict[str, _Group]) -> tuple[AnsibleHost, ...]:
    names = dict.fromkeys(host for group in groups.values() for host in group.hosts)
    return tuple(_host(name, groups) for name in names)


def _host(name: str, groups: Mapping[str, _Group]) -> AnsibleHost:
    """Own variables last, so that they win; before them those of the groups, the farthest first."""
    depth: dict[str, int] = {}
    level = [group for group, content in groups.items() if name in content.hosts]
    for distance in range(len(groups) + 1):
        for group in level:
            depth.setdefault(group, distance)
        level = [parent for parent, content in groups.items() if set(content.children) & set(level)]
    merged: dict[str, Any] = dict(groups["all"].variables)
    for group in sorted((g for g in depth if g != "all"), key=lambda g: -depth[g]):
        merged |= groups[group].variables
    for group in depth:
        merged |= groups[group].hosts.get(name, {})
    said = {
        key: next((str(merged[w]) for w in words if merged.get(w) is not None), None) for key, words in _WORDS.items()
    }
    if said["port"] is not None and not said["port"].isdigit():
        raise AnsibleError(f'host "{name}": ansible_port "{said["port"]}" is no number')
    return AnsibleHost(
        name=name,
        host=said["host"] or name,
        user=said["user"],
        port=int(said["port"]) if said["port"] else None,
        key_file=said["key"],
        python=said["python"],
        local=said["connection"] == "local",
        groups=tuple(group for group in groups if group in depth and group not in _OWN_GROUPS),
    )
