"""A captured board as one file: anonymous texts of it, and the facts that our parsers read in them.

The file goes to people who own no such board: `tests/fixtures/boards/` keeps some, and the tests read them all anew.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .anonymous import anonymous
from .board import Board, EmulatedAddress, LocalAddress, SshAddress
from .capture import CMDLINE, Capture, all_probes
from .errors import TargetError
from .probes import is_virtual_machine, with_interpreters

SCHEMA_VERSION = 1
_KIND = "hilbench board capture"
_LONGEST_COMMAND = 1200  # a longer one carries a program of ours, which its hash names
_USUAL = ("/usr/", "/opt/hilbench/", "/var/tmp/hilbench")  # noqa: S108  where hilbench works on a board
_PER_BOARD = ("hostname", "boot_id")  # facts that are placeholders in every bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A bundle, what was replaced in it by kind, and facts that making it anonymous changed against the board's own."""

    bundle: Mapping[str, Any]
    replaced: Mapping[str, int]
    changed: tuple[str, ...]

    @property
    def text(self) -> str:
        """The file's content: the same bundle gives the same bytes."""
        return json.dumps(self.bundle, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def make_bundle(board: Board, captured: Capture, smoke: Mapping[str, Any] | None, *, version: str) -> Made:
    """The bundle of a board. `smoke` is the first inference without figures, None where none was made. Pure."""
    commands = {probe.name: _short(probe.command) for probe in all_probes(board)}
    pythons = {f"runtime:{one.name}": one.python for one in board.runtimes}
    texts = {
        **{f"command:{name}": text for name, text in commands.items()},
        **{f"file:{path}": text for path, text in captured.files.items()},
        **{f"output:{name}": text for name, text in captured.probes.items()},
        **{f"tool:{name}": text for name, text in captured.tools.items() if text is not None},
        **pythons,
        **({} if smoke is None else {"smoke": json.dumps(smoke)}),
    }
    texts = {name: _without_paths(text, board) for name, text in texts.items()}
    hosts, users = _names_on_the_way(board)
    done = anonymous(
        texts,
        hosts=(*captured.hosts, *hosts),
        users=(*captured.users, *users),
        cmdlines=[f"file:{CMDLINE}"],
    )
    outputs = _part(done.texts, "output:")
    facts, real = facts_from(outputs, board), facts_from(captured.probes, board)
    changed = tuple(name for name in facts if facts[name] != real[name] and name not in _PER_BOARD)
    bundle = {
        "schema_version": SCHEMA_VERSION,
        "what": _KIND,
        "hilbench": version,
        "board": {
            "label": _label(board, facts),
            "reached_by": _reached_by(board),
            "arch": board.arch.value,
            "runtimes": [{"name": one.name, "python": done.texts[f"runtime:{one.name}"]} for one in board.runtimes],
        },
        "probes": {
            name: {"command": done.texts[f"command:{name}"], "output": outputs.get(name, "")} for name in commands
        },
        "facts": facts,
        "files": _part(done.texts, "file:"),
        "tools": {name: done.texts.get(f"tool:{name}") for name in captured.tools},
        "smoke": None if smoke is None else json.loads(done.texts["smoke"]),
    }
    return Made(bundle=bundle, replaced=done.replaced, changed=changed)


def facts_from(outputs: Mapping[str, str], board: Board) -> dict[str, Any]:
    """What our parsers read in the probes' outputs, as plain data."""
    facts: dict[str, Any] = {}
    for probe in all_probes(board):
        output = outputs.get(probe.name, "")
        facts[probe.name] = probe.parse(output) if output.strip() else None
    return json.loads(json.dumps(with_interpreters(facts)))


def read_bundle(path: Path) -> Mapping[str, Any]:
    """A bundle from its file. Raises TargetError where it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TargetError(f"{path}: this is no capture of a board: {error}") from error
    if not isinstance(found, dict) or found.get("what") != _KIND:
        raise TargetError(f"{path}: this is no capture of a board: `hilbench board capture NAME` writes one")
    if found.get("schema_version") != SCHEMA_VERSION:
        raise TargetError(f"{path}: version {found.get('schema_version')} of the format; this hilbench reads 1")
    return found


def answered_probes(bundle: Mapping[str, Any]) -> int:
    """How many probes printed something."""
    return sum(bool(one["output"].strip()) for one in bundle["probes"].values())


ROW_HEADER = "| board | reached as | CPU | system | probes that answered | first inference |"


def row(bundle: Mapping[str, Any]) -> str:
    """The bundle's row in the table of docs/hardware.md."""
    facts: Mapping[str, Any] = bundle["facts"]
    answered = answered_probes(bundle)
    smoke = bundle["smoke"]
    first = "not tried" if smoke is None else f"{smoke['outcome']} by {smoke['runtime']}"
    counted = f", counts by {smoke['counts_from']}" if smoke is not None and smoke.get("counts_from") else ""
    cells = (
        bundle["board"]["label"],
        bundle["board"]["reached_by"],
        ", ".join(facts.get("cpu_models") or ["not told"]),
        ", ".join(str(facts.get(key) or "not told") for key in ("os", "kernel")),
        f"{answered} of {len(bundle['probes'])}",
        first + counted,
    )
    return "| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |"


def bundle_name(bundle: Mapping[str, Any]) -> str:
    """A file's name from what the board is, never from what somebody calls it."""
    return re.sub(r"[^a-z0-9]+", "-", bundle["board"]["label"].lower()).strip("-")[:60] or "board"


def _label(board: Board, facts: Mapping[str, Any]) -> str:
    """What the board is. A machine made by software says so and never poses as a product."""
    if isinstance(board.address, EmulatedAddress):
        return f"QEMU {board.address.cpu} ({board.arch.value}, emulated)"
    if is_virtual_machine(facts.get("virtualization")):
        cpu = "" if not facts.get("cpu_models") else f", {facts['cpu_models'][0].partition(' x ')[2]}"
        return f"virtual machine ({board.arch.value}{cpu})"
    return str(facts.get("model") or f"{board.arch.value} board without a name")


def _reached_by(board: Board) -> str:
    match board.address:
        case LocalAddress():
            return "local"
        case EmulatedAddress():
            return "emulated"
        case _:
            return "ssh"


def _names_on_the_way(board: Board) -> tuple[list[str], list[str]]:
    """Hosts and accounts by which the board is reached, jump hosts too."""
    hosts: list[str] = []
    users: list[str] = []
    address = board.address if isinstance(board.address, SshAddress) else None
    while address is not None:
        hosts.append(address.host)
        users.append(address.user)
        address = address.jump
    return hosts, users


def _without_paths(text: str, board: Board) -> str:
    """Folders that somebody chose may tell whose they are; the usual places of a system do not."""
    chosen = {
        **{one.python: f"/path/to/{one.python.rpartition('/')[2]}" for one in board.runtimes},
        **{one.site: "/path/to/site" for one in board.runtimes if one.site is not None},
        board.workdir: "/path/to/workdir",
    }
    for path in sorted(chosen, key=len, reverse=True):
        if path.startswith("/") and not path.startswith(_USUAL):
            text = text.replace(path, chosen[path])
    return text


def _short(command: str) -> str:
    if len(command) <= _LONGEST_COMMAND:
        return command
    digest = hashlib.sha256(command.encode()).hexdigest()[:12]
    return f"{command[:80]} … ({len(command)} characters, sha256 {digest})"


def _part(texts: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): text for name, text in texts.items() if name.startswith(prefix)}
