"""The inventory entry that a board's facts suggest: only what its kind and the defaults do not say already. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from .board import BoardRuntime, Role, SshAddress
from .hardware import arch_of
from .hostkeys import DEFAULT_PORT
from .probes import is_virtual_machine

# What a layer that says nothing means; such values need not be written.
_UNSAID = {"port": DEFAULT_PORT, "role": Role.TARGET.value, "connection": "ssh", "tags": []}


def suggested_entry(
    address: SshAddress,
    facts: Mapping[str, Any],
    runtimes: Sequence[BoardRuntime],
    *,
    kind: str | None,
    layers: Mapping[str, Any],
    role: Role | None,
    tags: Sequence[str],
) -> dict[str, Any]:
    """The entry as plain data, in the order in which a person reads it.

    `layers` is what the kind and the defaults say, by key; `runtimes` are those that import on the board (none: the
    entry leaves them out). `role` None means that the facts decide: a virtual machine is `emulated`.
    """
    arch = arch_of(facts.get("machine"), facts.get("userland_bits"))
    virtual = is_virtual_machine(facts.get("virtualization"))
    decided = role or (Role.EMULATED if virtual else Role.TARGET)
    wanted: dict[str, Any] = {
        "connection": "ssh",
        **_reached(address),
        "arch": None if arch is None else arch.value,
        "role": decided.value,
        "runtimes": [_runtime(runtime) for runtime in runtimes] or None,
        "tags": list(dict.fromkeys([*(layers.get("tags") or []), *tags])),
        "note": None if virtual else facts.get("model"),  # a virtual machine's model names no product
    }
    said = {**_UNSAID, **layers}
    kept = {key: value for key, value in wanted.items() if value is not None and said.get(key) != value}
    return {**({} if kind is None else {"kind": kind}), **kept}


def _reached(address: SshAddress) -> dict[str, Any]:
    return {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "key": None if address.key_file is None else home_relative(address.key_file),
        "host_key": address.host_key,
        "jump": None if address.jump is None else _jump(address.jump),
    }


def _jump(address: SshAddress) -> dict[str, Any]:
    found = {key: value for key, value in _reached(address).items() if value is not None}
    return {key: value for key, value in found.items() if (key, value) != ("port", DEFAULT_PORT)}


def _runtime(runtime: BoardRuntime) -> Any:
    more = {"python": runtime.python if runtime.python != "python3" else None, "site": runtime.site}
    more |= {"version": runtime.version, "numpy": runtime.numpy}
    more = {key: value for key, value in more.items() if value is not None}
    return {"name": runtime.name, **more} if more else runtime.name


def home_relative(file: str) -> str:
    """A file below the home folder as `~/…`, so that the inventory serves other people, too."""
    path, home = Path(file).expanduser().absolute(), Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def suggested_name(hostname: str | None, host: str) -> str:
    """A board's name from what it calls itself, else from its address, with the characters that names may have."""
    for text in (hostname, host):
        first = (text or "").strip()
        first = first if re.fullmatch(r"[\d.:]+", first) else first.partition(".")[0]
        name = re.sub(r"[^A-Za-z0-9._-]", "-", first).lstrip("._-")[:63]
        if name and name != "localhost":
            return name
    return "board"


def free_name(name: str, taken: Collection[str]) -> str:
    """The name with the first number behind it that is still free."""
    return next(f"{name[:58]}-{number}" for number in range(2, 10_000) if f"{name[:58]}-{number}" not in taken)
