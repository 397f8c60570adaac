"""`hilbench board`: the inventory, and whether a board can be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..console import emit, table, verb
from . import boardadd

if TYPE_CHECKING:
    from ...targets.board import Board


@click.group()
def board() -> None:
    """The boards of the inventory."""


board.add_command(boardadd.add)
board.add_command(boardadd.remove)


@board.command(name="list")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def list_(inventory: Path | None, *, as_json: bool) -> None:
    """List the boards."""
    from ..selection import open_inventory

    boards = list(open_inventory(inventory).boards.values())
    if as_json:
        emit({"boards": [_facts(entry) for entry in boards]})
    else:
        rows = [
            [b.name, b.role, b.arch, address_text(b), ", ".join(r.name for r in b.runtimes), b.note] for b in boards
        ]
        click.echo(table(rows, ["board", "role", "arch", "reached by", "runtimes", "note"]))


@board.command()
@click.argument("name")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def show(name: str, inventory: Path | None, *, as_json: bool) -> None:
    """Show what the inventory says of a board. Connects to nothing."""
    from ..selection import open_inventory

    facts = _facts(open_inventory(inventory).board(name))
    if as_json:
        emit({"board": facts})
    else:
        click.echo("\n".join(f"{key + ':':12} {_text(value)}" for key, value in facts.items()))


@board.command()
@click.argument("name")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def check(name: str, inventory: Path | None, *, as_json: bool) -> int:
    """Connect to a board (NAME or user@host), look at it, and import each of its runtimes there.

    Exit code 0 if at least one runtime can be used, 4 if the board or all its runtimes cannot.
    """
    from ...targets.hardware import admission_probes
    from ...targets.open import open_board
    from ...targets.probes import ask_probes
    from ...targets.provision import runtime_versions
    from ..progress import Progress
    from ..selection import Boards

    with Progress() as progress, open_board(Boards(inventory).board(name), say=progress.say) as opened:
        versions = runtime_versions(opened.connection, opened.board)
        facts = {**opened.facts, **ask_probes(opened.connection, opened.board.name, admission_probes(opened.board))}
    usable = [runtime for runtime, found in versions.items() if found.version is not None]
    if as_json:
        runtimes = {runtime: {"version": f.version, "reason": f.reason} for runtime, f in versions.items()}
        emit({"board": opened.board.name, "usable": bool(usable), "facts": facts, "runtimes": runtimes})
        return 0 if usable else 4
    for key, value in facts.items():
        click.echo(f"{key + ':':22} {_text(value)}")
    for runtime, found in versions.items():
        click.echo(f"{runtime + ':':22} {found.version or 'cannot be used: ' + str(found.reason)}")
    return 0 if usable else 4


def address_text(entry: Board) -> str:
    """How a board is reached, in words."""
    from ...targets.board import EmulatedAddress, LocalAddress

    match entry.address:
        case LocalAddress():
            return "this machine"
        case EmulatedAddress(cpu=cpu, memory_mib=memory):
            return f"QEMU, {cpu}, {memory} MiB"
        case address:
            port = "" if address.port == 22 else f":{address.port}"
            return f"ssh {address.user}@{address.host}{port}"


def _facts(entry: Board) -> dict[str, Any]:
    return {
        "name": entry.name,
        "role": entry.role.value,
        "arch": entry.arch.value,
        "reached by": address_text(entry),
        "kind": entry.kind,
        "runtimes": [{"name": r.name, "python": r.python, "site": r.site} for r in entry.runtimes],
        "workdir": entry.workdir,
        "tags": list(entry.tags),
        "note": entry.note,
    }


def _text(value: Any) -> str:
    if value is None or value == "":
        return "not available"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items() if item is not None)
    return str(value)
