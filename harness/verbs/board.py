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
@click.option("--offline", is_flag=True, help="Connect to nothing: only what the inventory says.")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def show(name: str, offline: bool, inventory: Path | None, *, as_json: bool) -> int:
    """Show a board (NAME or user@host): what the inventory says, and who uses it.

    The board is asked for that: who, what for, until when. An emulated board is not started. Exit code 4 if the board
    cannot be reached.
    """
    from ...targets.errors import TargetError
    from ..occupancy import occupancy
    from ..selection import Boards

    entry = Boards(inventory).board(name)
    facts, code = _facts(entry), 0
    if not offline:
        try:
            facts |= occupancy(entry)
        except TargetError as error:
            facts["unreachable"] = " ".join(str(error).split())
            code = 4
    if as_json:
        emit({"board": facts})
    else:
        facts |= {key: "nobody" for key in ("in use by", "reserved by") if facts.get(key, key) is None}
        click.echo("\n".join(f"{key + ':':12} {_text(value)}" for key, value in facts.items()))
    return code


@board.command()
@click.argument("name")
@click.option("--for", "duration", metavar="TIME", help="How long from now: 30m, 2h, 1d.")
@click.option("--note", default="", help="What for; others read it.")
@click.option("--release", is_flag=True, help="End your reservation.")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def reserve(
    name: str,
    duration: str | None,
    note: str,
    release: bool,
    inventory: Path | None,
    *,
    as_json: bool,
) -> None:
    """Keep a board (NAME or user@host) for yourself: runs of others wait, your own go on.

    The reservation is kept on the board and ends by itself, at the latest when the board restarts.
    """
    from ..occupancy import release_board, reserve_board
    from ..selection import Boards

    entry = Boards(inventory).board(name)
    facts = release_board(entry, duration) if release else reserve_board(entry, duration, note)
    if as_json:
        emit({"board": entry.name, **facts})
    elif release:
        click.echo(f"{entry.name} is not reserved by you any more")
    else:
        click.echo(f"{entry.name} is reserved for {facts['reserved']['person']} until {facts['reserved']['until']}")


@board.command()
@click.argument("name")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def check(name: str, inventory: Path | None, *, as_json: bool) -> int:
    """Connect to a board (NAME or user@host), look at it, and import each of its runtimes there.

    A runtime is the board's own, or one that `run` or `bench` put there. Nothing is put there by this.

    Exit code 0 if at least one runtime can be used, 4 if the board or all its runtimes cannot.
    """
    from ...targets.hardware import admission_probes
    from ...targets.open import open_board
    from ...targets.probes import ask_probes
    from ...targets.provision import runtime_versions
    from ..boardfacts import remember_facts
    from ..progress import Progress
    from ..selection import Boards

    boards = Boards(inventory)
    with Progress() as progress, open_board(boards.board(name), say=progress.say) as opened:
        versions = runtime_versions(opened.connection, opened.board)
        facts = {**opened.facts, **ask_probes(opened.connection, opened.board.name, admission_probes(opened.board))}
    remember_facts(boards.inventory_path, opened.board.name, facts)
    usable = [runtime for runtime, found in versions.items() if found.version is not None]
    if as_json:
        keys = ("version", "reason", "site")
        runtimes = {runtime: {key: getattr(f, key) for key in keys} for runtime, f in versions.items()}
        emit({"board": opened.board.name, "usable": bool(usable), "facts": facts, "runtimes": runtimes})
        return 0 if usable else 4
    for key, value in facts.items():
        click.echo(f"{key + ':':22} {_text(value)}")
    for runtime, found in versions.items():
        where = f" (put there by hilbench: {found.site})" if found.site else ""
        click.echo(f"{runtime + ':':22} {found.version or 'cannot be used: ' + str(found.reason)}{where}")
    return 0 if usable else 4


@board.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Say what would go; remove nothing.")
@click.option("--force", is_flag=True, help="Remove jobs whose results no run has collected, too.")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def clean(name: str, inventory: Path | None, *, dry_run: bool, force: bool, as_json: bool) -> None:
    """Remove from a board (NAME or user@host) what hilbench put there under this account.

    These are the agent, runtimes, jobs, and this account's files of the cache. Files of other accounts stay.
    """
    from ...targets.transfer import megabytes
    from ..cleaning import clean_board, described
    from ..progress import Progress
    from ..selection import Boards

    with Progress() as progress:
        files = clean_board(Boards(inventory).board(name), dry_run=dry_run, force=force, say=progress.say)
    total = sum(files.bytes_by_part.values())
    if as_json:
        facts = {"workdir": files.workdir, "bytes": total, "bytes_by_part": dict(files.bytes_by_part)}
        emit({"board": name, "removed": not dry_run, **facts, "jobs": files.jobs})
        return
    for line in described(files):
        click.echo(line)
    click.echo(f"{megabytes(total)} {'would be' if dry_run else 'were'} removed from {files.workdir} on {name}")


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
