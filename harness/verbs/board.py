"""`hilbench board`: the inventory, and whether a board can be used."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..console import emit, table, verb
from . import boardadd, boardcapture

if TYPE_CHECKING:
    from ...targets.board import Board
    from ..quarantine import Standing


@click.group()
def board() -> None:
    """The boards of the inventory."""


board.add_command(boardadd.add)
board.add_command(boardadd.remove)
board.add_command(boardcapture.capture)


@board.command(name="list")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def list_(inventory: Path | None, *, as_json: bool) -> None:
    """List the boards, and which of them are in quarantine."""
    from ..boardcheck import board_standings
    from ..quarantine import quarantine_sentence
    from ..selection import Boards

    known = Boards(inventory)
    boards = list(known.inventory.boards.values())
    standings = board_standings(known, [entry.name for entry in boards])
    if as_json:
        emit({"boards": [{**_facts(entry), **_standing(standings[entry.name])} for entry in boards]})
    else:
        rows = [
            [b.name, b.role, b.arch, address_text(b), ", ".join(r.name for r in b.runtimes), b.note] for b in boards
        ]
        click.echo(table(rows, ["board", "role", "arch", "reached by", "runtimes", "note"]))
        for name, found in standings.items():
            if found is not None and found.quarantined:
                click.echo(quarantine_sentence(name, found))


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
    from ..boardcheck import board_standings
    from ..occupancy import occupancy
    from ..selection import Boards

    known = Boards(inventory)
    entry = known.board(name)
    standing = board_standings(known, [entry.name])[entry.name]
    facts, code = {**_facts(entry), **_standing(standing), "best settings": _best(entry, known.inventory_path)}, 0
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
        if standing is not None and not standing.quarantined:
            facts["quarantine"] = "no"
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

    A runtime is the board's own, or one that `run` or `bench` put there. Nothing is put there by this. A board in
    quarantine leaves it if it is fit and a runtime can be used, or put, there.

    Exit code 0 if the board is fit and at least one runtime can be used, 4 if not.
    """
    from ..boardcheck import check_board
    from ..boardfacts import remember_facts
    from ..home import find_home
    from ..log import open_log
    from ..progress import Progress
    from ..selection import Boards

    known = Boards(inventory)
    home = find_home(known.inventory_path)
    with open_log(home.log), Progress() as progress:
        found = check_board(known.board(name), home, progress.say)
        if "@" not in name:  # what has no name in the inventory is selected by no fact
            remember_facts(known.inventory_path, found.board, found.facts, say=progress.say)
    if as_json:
        keys = ("version", "reason", "site")
        runtimes = {runtime: {key: getattr(one, key) for key in keys} for runtime, one in found.runtimes.items()}
        health = [{"what": p.what, "action": p.action.value, "sentence": p.sentence} for p in found.problems]
        meters = [{"meter": m.meter, "measures": m.measures, "reason": m.reason} for m in found.meters]
        facts = {"usable": found.usable, "facts": found.facts, "runtimes": runtimes, "health": health, "meters": meters}
        emit({"board": found.board, **facts, "released": found.released is not None})
        return 0 if found.usable else 4
    for key, value in found.facts.items():
        click.echo(f"{key + ':':22} {_text(value)}")
    for runtime, one in found.runtimes.items():
        where = f" (put there by hilbench: {one.site})" if one.site else ""
        click.echo(f"{runtime + ':':22} {one.version or 'cannot be used: ' + str(one.reason)}{where}")
    for line in found.words():
        click.echo(line)
    return 0 if found.usable else 4


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
    from ...targets.power.words import meter_text

    return {
        "name": entry.name,
        "role": entry.role.value,
        "arch": entry.arch.value,
        "reached by": address_text(entry),
        "kind": entry.kind,
        "runtimes": [{"name": r.name, "python": r.python, "site": r.site} for r in entry.runtimes],
        "meters": [meter_text(one) for one in entry.meters],
        "workdir": entry.workdir,
        "tags": list(entry.tags),
        "note": entry.note,
    }


def _best(entry: Board, inventory: Path | None) -> list[str]:
    """What `hilbench optimize` found for files on this board, a sentence each."""
    from ..boardfacts import told_facts
    from ..home import find_home
    from ..optimize.settingsfile import entry_words, fingerprint, read_settings

    entries = read_settings(find_home(inventory).settings(entry.name))
    told = told_facts(inventory).get(entry.name) if entries else None
    return [entry_words(one, now=None if told is None else fingerprint(told, one.runtime)) for one in entries]


def _standing(found: Standing | None) -> dict[str, Any]:
    """`quarantine` is null for a board that is in none; both are null where the store could not be asked."""
    if found is None:
        return {"quarantine": None, "failures in a row": None}
    told = {"since": found.since, "because": found.reason} if found.quarantined else None
    return {"quarantine": told, "failures in a row": found.failures}


def _text(value: Any) -> str:
    if value is None or value == "":
        return "not available"
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items() if item is not None)
    return str(value)
