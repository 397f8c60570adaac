"""`inventory.yaml` to boards: layers merged, every error of the file named at once. No connection is made here."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .board import (
    DEFAULT_CACHE_LIMIT_MIB,
    Address,
    Arch,
    Board,
    BoardRuntime,
    EmulatedAddress,
    LocalAddress,
    Role,
    SshAddress,
)
from .emulatedentry import EMULATED_RUNTIME_FOLDER, EMULATED_RUNTIMES, emulated_arch, misfit
from .errors import InventoryError
from .hostkeys import DEFAULT_PORT, unknown_host_hint
from .hours import parse_hours
from .notice import Notice
from .power.settings import MeterSettings, ReplaySettings
from .powercycle import command_words
from .yamlerrors import Location, choice
from .yamlfile import Positions, YamlFileError, draft7_schema, load_yaml

if TYPE_CHECKING:
    from .inventory_schema import BoardEntry, InventoryFile, Layer, NotifyEntry, RuntimeEntry, SshKeys

FILE_NAME = "inventory.yaml"

_SSH_KEYS = ("host", "port", "user", "key", "host_key", "known_hosts", "jump")
_EMULATED_KEYS = ("cpu", "memory_mib")
_POWER_KEYS = ("power_cycle", "power_cycle_wait_s")
_ROLE = {"ssh": Role.TARGET, "local": Role.REFERENCE, "emulated": Role.EMULATED}
_MACHINES = {"x86_64": Arch.X86_64, "aarch64": Arch.ARM64, "arm64": Arch.ARM64, "armv7l": Arch.ARMHF}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The boards of one inventory file, by name, in the file's order."""

    path: Path
    boards: Mapping[str, Board]
    notices: tuple[Notice, ...] = ()

    def board(self, name: str) -> Board:
        """The board of that name. Raises InventoryError with the nearest name."""
        if (found := self.boards.get(name)) is None:
            raise InventoryError(f'{self.path}: there is no board "{name}"{choice(name, self.boards)}')
        return found


def find_inventory(start: Path) -> Path | None:
    """The nearest `inventory.yaml` in `start` or a folder above it, or None."""
    folder = start.absolute()
    candidates = (parent / FILE_NAME for parent in (folder, *folder.parents))
    return next((path for path in candidates if path.is_file()), None)


def load_inventory(path: Path, text: str | None = None) -> Inventory:
    """Read, validate and merge an inventory. Raises InventoryError with all problems, one line each, by line number.

    `text` is judged in place of what the file holds now, as if it stood there.
    """
    from .inventory_schema import InventoryFile

    try:
        file, positions = load_yaml(path, InventoryFile, text)
    except YamlFileError as error:
        raise InventoryError(str(error)) from error
    merging = _Merging(path, file, positions)
    boards = {name: merging.board(name, entry) for name, entry in file.boards.items()}
    if merging.problems:
        raise InventoryError("\n".join(text for _, text in sorted(merging.problems)))
    notices = tuple(_notice(entry, path.absolute().parent) for entry in file.notify)
    found = {name: board for name, board in boards.items() if board is not None}
    return Inventory(path=path, boards=found, notices=notices)


def inventory_schema() -> dict[str, Any]:
    """JSON Schema (draft 7) of the inventory. Editors use it by a first line
    `# yaml-language-server: $schema=inventory.schema.json` in the file, after `hilbench schema inventory > …`.
    """
    from .inventory_schema import InventoryFile

    return draft7_schema(InventoryFile, title="hilbench inventory")


class _Merging:
    """Merges the layers of each board and collects what is wrong, with the line of the layer that says it."""

    def __init__(self, path: Path, file: InventoryFile, positions: Positions) -> None:
        self.path, self.file, self.positions = path, file, positions
        self.problems: list[tuple[int, str]] = []

    def problem(self, about: Location, text: str, *, line_of: Location | None = None) -> None:
        line = self.positions.line(line_of or about)
        self.problems.append((line, f"{self.path}:{line}: {'.'.join(str(part) for part in about)}: {text}"))

    def board(self, name: str, entry: BoardEntry) -> Board | None:
        """The board with all layers merged; None where a problem was found (the other boards are still judged)."""
        known_before = len(self.problems)
        layers = self._layers(name, entry)
        merged: dict[str, Any] = {}
        origin: dict[str, Location] = {}
        for where, layer in layers:
            for key in layer.model_fields_set - {"kind"}:
                if (value := getattr(layer, key)) is not None:
                    merged[key], origin[key] = value, (*where, key)
        connection = str(merged.get("connection", "ssh"))
        self._refuse_foreign_keys(name, entry, connection)
        meters = self._meters(name, entry, connection, merged)
        address = self._address(name, connection, merged, origin)
        role = self._role(name, connection, merged, origin)
        arch = Arch(merged.get("arch") or _default_arch(connection, merged.get("cpu")))
        runtimes = self._runtimes(name, connection, arch, merged.get("runtimes"), origin)
        if isinstance(address, EmulatedAddress) and (found := misfit(arch, address.cpu, runtimes)) is not None:
            self.problem(("boards", name, found[0]), found[1], line_of=origin.get(found[0]))
        if len(self.problems) > known_before or address is None:
            return None
        return Board(
            name=name,
            address=address,
            arch=arch,
            role=role,
            runtimes=runtimes,
            kind=entry.kind,
            cache_limit_bytes=merged.get("cache_limit_mib", DEFAULT_CACHE_LIMIT_MIB) * 2**20,
            tags=tuple(merged.get("tags", ())),
            hours=tuple(parse_hours(text) for text in merged.get("hours", ())),
            **{key: merged[key] for key in ("workdir", "note") if key in merged},
            meters=meters,
            **self._power(name, address, merged),
        )

    def _layers(self, name: str, entry: BoardEntry) -> list[tuple[Location, Layer]]:
        layers: list[tuple[Location, Layer]] = [(("defaults",), self.file.defaults)]
        if entry.kind is not None:
            kind = self.file.kinds.get(entry.kind)
            if kind is None:
                where = ("boards", name, "kind")
                self.problem(where, f'there is no kind "{entry.kind}"{choice(entry.kind, self.file.kinds)}')
            else:
                layers.append((("kinds", entry.kind), kind))
        return [*layers, (("boards", name), entry)]

    def _refuse_foreign_keys(self, name: str, entry: BoardEntry, connection: str) -> None:
        """A board's own key that its connection does not use is a mistake; one taken over from a layer is not."""
        for owner, keys in (("ssh", (*_SSH_KEYS, *_POWER_KEYS)), ("emulated", _EMULATED_KEYS)):
            for key in keys:
                if owner != connection and getattr(entry, key) is not None:
                    text = f'"{key}" belongs to "connection: {owner}", but this board has "connection: {connection}"'
                    self.problem(("boards", name, key), text)

    def _address(
        self, name: str, connection: str, merged: dict[str, Any], origin: dict[str, Location]
    ) -> Address | None:
        if connection == "local":
            return LocalAddress()
        if connection == "emulated":
            if "cpu" not in merged:
                self.problem(("boards", name), 'the key "cpu" is missing: the CPU model to emulate, such as cortex-a72')
                return None
            return EmulatedAddress(**{key: merged[key] for key in _EMULATED_KEYS if key in merged})
        return self._ssh(("boards", name), merged, origin)

    def _ssh(self, about: Location, merged: dict[str, Any], origin: dict[str, Location]) -> SshAddress | None:
        missing = [key for key in ("host", "user") if key not in merged]
        for key in missing:
            self.problem(about, f'the key "{key}" is missing: "connection: ssh" needs it')
        host, port = merged.get("host", "HOST"), merged.get("port", DEFAULT_PORT)
        if "host_key" not in merged and "known_hosts" not in merged:
            self.problem(about, f'no "host_key" and no "known_hosts": {unknown_host_hint(host, port)}')
            return None
        if "host_key" in merged and "known_hosts" in merged and origin["host_key"][:-1] == origin["known_hosts"][:-1]:
            self.problem(about, 'both "host_key" and "known_hosts" are given; keep one', line_of=origin["known_hosts"])
        jump = self._jump((*about, "jump"), merged, origin["jump"]) if "jump" in merged else None
        if missing:
            return None
        # The nearer layer's word counts: a pinned key of the board beats a file named in the defaults, and vice versa.
        pinned = "host_key" in merged and not _nearer(origin, "known_hosts", "host_key")
        return SshAddress(
            host=host,
            port=port,
            user=merged["user"],
            key_file=self._file(merged.get("key")),
            host_key=merged["host_key"].strip() if pinned else None,
            known_hosts=None if pinned else self._file(merged.get("known_hosts")),
            jump=jump,
        )

    def _jump(self, about: Location, board: dict[str, Any], written: Location) -> SshAddress | None:
        """A jump host takes over how the board behind it logs in and which file it trusts; its own keys are nearer."""
        taken_over = {key: board[key] for key in ("key", "known_hosts", "user") if key in board}
        own = _given(board["jump"])
        origin = {key: ("defaults", key) for key in taken_over} | {key: (*written, key) for key in own}
        return self._ssh(about, taken_over | own, origin)

    def _power(self, name: str, address: Address, merged: dict[str, Any]) -> dict[str, Any]:
        """How the board is switched off and on; what a layer says of it is nothing to boards without SSH."""
        if not isinstance(address, SshAddress) or "power_cycle" not in merged:
            return {}
        places = {"name": name, "host": address.host}
        words = command_words(merged["power_cycle"], places, self.path.absolute().parent)
        waiting = {"power_cycle_wait_s": merged["power_cycle_wait_s"]} if "power_cycle_wait_s" in merged else {}
        return {"power_cycle": words, **waiting}

    def _meters(
        self, name: str, entry: BoardEntry, connection: str, merged: dict[str, Any]
    ) -> tuple[MeterSettings, ...]:
        """What reads the board's power; what a layer says of it is nothing to emulated boards, which have no watts."""
        if connection == "emulated":
            if entry.meters:
                text = (
                    '"meters" is not for emulated boards: they count instructions, and nobody can measure their joules'
                )
                self.problem(("boards", name, "meters"), text)
            return ()
        from .power.schema import settings_of

        found = settings_of(merged.get("meters", []))
        return tuple(
            replace(one, file=str(self._file(one.file))) if isinstance(one, ReplaySettings) else one for one in found
        )

    def _file(self, name: str | None) -> str | None:
        """A file named in the inventory: `~` expanded, else relative to the inventory's folder."""
        return None if name is None else str(self.path.absolute().parent / Path(name).expanduser())

    def _role(self, name: str, connection: str, merged: dict[str, Any], origin: dict[str, Location]) -> Role:
        role = Role(merged.get("role", _ROLE[connection]))
        about = ("boards", name, "role")
        if connection == "emulated" and role is not Role.EMULATED and origin["role"][0] == "boards":
            text = f'"{role}" is not allowed: an emulated board counts and never times. Allowed: emulated'
            self.problem(about, text)
        if connection == "local" and role is Role.EMULATED:
            text = '"emulated" is not allowed for this machine itself. Allowed: reference, target'
            self.problem(about, text, line_of=origin["role"])
        return _ROLE[connection] if connection == "emulated" else role

    def _runtimes(
        self,
        name: str,
        connection: str,
        arch: Arch,
        entries: list[RuntimeEntry] | None,
        origin: dict[str, Location],
    ) -> tuple[BoardRuntime, ...]:
        if entries is None:
            names = EMULATED_RUNTIMES.get(arch, ()) if connection == "emulated" else ("onnxruntime",)
            return tuple(_runtime(each, connection, None, None) for each in names)
        where = origin["runtimes"]
        seen: set[str] = set()
        for index, entry in enumerate(entries):
            if entry.name in seen:
                text = f'duplicate runtime "{entry.name}"; keep one'
                self.problem(("boards", name, "runtimes", index), text, line_of=(*where, index))
            if entry.python == "controller" and connection != "local":
                text = (
                    '"controller" is for "connection: local" only; name the interpreter on the board, such as python3'
                )
                self.problem(("boards", name, "runtimes", index, "python"), text, line_of=(*where, index, "python"))
            for key in ("version", "numpy"):
                if getattr(entry, key) is not None and connection != "ssh":
                    text = f'"{key}" is for "connection: ssh" only: nothing is put on other boards'
                    self.problem(("boards", name, "runtimes", index, key), text, line_of=(*where, index, key))
            seen.add(entry.name)
        return tuple(
            _with_releases(_runtime(entry.name, connection, entry.python, entry.site), entry) for entry in entries
        )


def _runtime(name: str, connection: str, python: str | None, site: str | None) -> BoardRuntime:
    """A runtime with what its connection implies: this interpreter, or the emulated image's own folder."""
    if connection == "local" and python in (None, "controller"):
        return BoardRuntime(name=name, python=sys.executable, site=site)
    if connection == "emulated" and python is None and site is None:
        return BoardRuntime(name=name, site=f"{EMULATED_RUNTIME_FOLDER}/{name}")
    return BoardRuntime(name=name, python=python or "python3", site=site)


def _with_releases(runtime: BoardRuntime, entry: RuntimeEntry) -> BoardRuntime:
    return replace(runtime, version=entry.version, numpy=entry.numpy, command=tuple(entry.command or ()))


def _notice(entry: NotifyEntry, folder: Path) -> Notice:
    command = () if entry.command is None else command_words(entry.command, {}, folder)
    return Notice(occasions=tuple(entry.on), command=command, webhook=entry.webhook)


def _default_arch(connection: str, cpu: str | None) -> Arch:
    if connection == "local":
        return _MACHINES.get(platform.machine(), Arch.X86_64)
    return emulated_arch(cpu) if connection == "emulated" else Arch.ARM64


def _given(entry: SshKeys) -> dict[str, Any]:
    return {key: value for key in _SSH_KEYS if (value := getattr(entry, key)) is not None}


def _nearer(origin: dict[str, Location], key: str, other: str) -> bool:
    """Whether `key` was given by a nearer layer than `other`."""
    order = ("defaults", "kinds", "boards")
    return key in origin and order.index(str(origin[key][0])) > order.index(str(origin[other][0]))
