"""`hilbench board add` and `board remove`: boards into the inventory and out of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..console import emit, verb

if TYPE_CHECKING:
    from ...targets.hostlist import Listed
    from ..boardadd import Examined, Wishes
    from ..inventorydraft import InventoryDraft
    from ..progress import Progress

_FILE = click.Path(path_type=Path)


@click.command()
@click.argument("address", required=False)
@click.option("--name", help="The board's name; by default the ssh name, or what the board calls itself.")
@click.option("--kind", help="An entry of `kinds:` whose keys the board takes over.")
@click.option("--tag", "tags", multiple=True, help="A word to select the board by. Repeatable.")
@click.option("--role", type=click.Choice(["target", "reference", "emulated"]), help="Instead of what the facts say.")
@click.option("--host-key", help="The board's public host key or its SHA256:… fingerprint, as read at its console.")
@click.option("--known-hosts", type=_FILE, help="A known_hosts file that holds the board's key.")
@click.option("--key", "key_file", type=_FILE, help="Private key to log in with; else the usual one or the SSH agent.")
@click.option("--python", help="The board's interpreter that has the runtimes; by default python3.")
@click.option(
    "--runtime",
    "runtimes",
    multiple=True,
    type=click.Choice(["onnxruntime", "tflite-runtime", "ai-edge-litert"]),
    help="A runtime that the board shall have; by default one that runs --model, else one of any kind. Repeatable.",
)
@click.option("--no-provision", is_flag=True, help="Put no runtime on a board that lacks one.")
@click.option("--ssh-config", type=_FILE, help="Read ssh names from this file instead of ~/.ssh/config.")
@click.option("--from", "list_file", type=_FILE, help="Add all boards of a file: one address a line, or Ansible's.")
@click.option("--no-smoke", is_flag=True, help="Leave out the first inference and the A/A noise check.")
@click.option("--baseline", "with_baseline", is_flag=True, help="Then measure fp32 of --model on the new boards.")
@click.option("--model", type=_FILE, help="The model of --baseline (.onnx or .tflite).")
@click.option("--data", type=_FILE, help="Labelled data for --baseline (.npz or folder): accuracy is judged too.")
@click.option("--dry-run", is_flag=True, help="Write nothing and put no runtime on the board; show the entry.")
@click.option("--yes", is_flag=True, help="Write without asking. The host key is asked for all the same.")
@click.option("--inventory", type=_FILE, help="An inventory file; by default the nearest one, else ./inventory.yaml.")
@verb
def add(
    address: str | None,
    *,
    list_file: Path | None,
    inventory: Path | None,
    with_baseline: bool,
    model: Path | None,
    data: Path | None,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **words: Any,
) -> int:
    """Look at a board, try it, and add it to the inventory.

    ADDRESS is user@host[:port], or a name that your ssh knows. The board's host key is shown and must be confirmed:
    by you, by --host-key or by --known-hosts. A board that lacks a runtime gets it into a folder of its own, without
    internet and without root there; its packages are not touched, and `board clean` takes it away again.

    Exit code 0 if all boards were added, 3 if some were, 4 if none was.
    """
    from ..boardadd import refuse_model
    from ..progress import Progress

    if with_baseline:
        refuse_model(model)
    wishes = _wishes(words, model=model, dry_run=dry_run)
    listed = _listed(address, list_file, words)
    draft = _draft(inventory)
    asks = sys.stdin.isatty() and not as_json
    with Progress(live=False if asks else None) as progress:  # what redraws a terminal would hide the questions
        boards = [_examined(each, wishes, draft, asks=asks, progress=progress, many=len(listed) > 1) for each in listed]
    good = [board for board in boards if board.reason is None]
    if not as_json:
        _show(boards, draft)
    written = bool(good) and not dry_run and (yes or not asks or click.confirm(f"Write this to {draft.path}?"))
    if written:
        draft.write()
    measured: dict[str, dict[str, Any]] = {}
    if written and with_baseline and model is not None:
        measured = _baselines(model, data, good, draft.path, as_json=as_json)
    _end(boards, draft, written=written, dry_run=dry_run, measured=measured, as_json=as_json)
    if not good:
        return 4
    worst = max([result["exit_code"] for result in measured.values()], default=0)
    return worst or (3 if len(good) < len(boards) else 0)


@click.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Write nothing; show what would be written.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--inventory", type=_FILE, help="An inventory file; by default the nearest one.")
@verb
def remove(name: str, *, dry_run: bool, yes: bool, inventory: Path | None, as_json: bool) -> None:
    """Take a board out of the inventory. The board itself is not touched, and what was measured on it is kept."""
    draft = _draft(inventory, must_exist=True)
    draft.remove(name)
    if not as_json:
        click.echo(draft.diff)
    asks = sys.stdin.isatty() and not as_json
    written = not dry_run and (yes or not asks or click.confirm(f"Write this to {draft.path}?"))
    if written:
        draft.write()
    if as_json:
        emit({"board": name, "inventory": str(draft.path), "diff": draft.diff, "written": written})
    else:
        nothing = "nothing was written" + (" (--dry-run)" if dry_run else "")
        click.echo(f"{name} was taken out of {draft.path}" if written else nothing)


def _wishes(words: dict[str, Any], *, model: Path | None, dry_run: bool) -> Wishes:
    from ...targets.board import Role
    from ..boardadd import Wishes
    from ..errors import PlanError

    if words["host_key"] is not None and words["known_hosts"] is not None:
        raise PlanError("both --host-key and --known-hosts are given; keep one")
    role, smoke, provision = words.pop("role"), not words.pop("no_smoke"), not words.pop("no_provision")
    for option in ("known_hosts", "key_file", "ssh_config"):
        words[option] = None if words[option] is None else words[option].expanduser()
    words["role"] = None if role is None else Role(role)
    form = None if model is None else "tflite" if model.suffix == ".tflite" else "onnx"
    return Wishes(**words, smoke=smoke, provision=provision, dry_run=dry_run, model_format=form)


def _listed(address: str | None, list_file: Path | None, words: dict[str, Any]) -> tuple[Listed, ...]:
    from ...targets.hostlist import Listed, read_hosts
    from ..errors import PlanError

    if (address is None) == (list_file is None):
        raise PlanError("name one board (user@host[:port] or an ssh name), or a file of boards with --from")
    if list_file is None:
        return (Listed(word=str(address)),)
    for option in ("name", "host_key"):
        if words[option] is not None:
            raise PlanError(f"--{option.replace('_', '-')} is for one board; leave it out with --from")
    return read_hosts(list_file)


def _draft(inventory: Path | None, *, must_exist: bool = False) -> InventoryDraft:
    from ...targets.inventory import FILE_NAME, find_inventory
    from ..errors import PlanError
    from ..inventorydraft import InventoryDraft

    path = inventory or find_inventory(Path.cwd())
    if must_exist and (path is None or not path.exists()):
        raise PlanError("there is no inventory.yaml here or in a folder above" if path is None else f"no file {path}")
    return InventoryDraft(path or Path.cwd() / FILE_NAME)


def _examined(
    listed: Listed, wishes: Wishes, draft: InventoryDraft, *, asks: bool, progress: Progress, many: bool
) -> Examined:
    """One board; of several, one that cannot be added does not keep the others from it."""
    from ...targets.errors import TargetError
    from ..boardadd import Examined, examine

    ask: Callable[[str], bool] | None = _confirm if asks else None
    try:
        return examine(listed, wishes, draft, ask=ask, progress=progress)
    except TargetError as error:
        if not many:
            raise
        progress.say(f"{listed.label}: {error}")
        return Examined(word=listed.label, reason=str(error))


def _confirm(question: str) -> bool:
    return click.confirm(question, default=False, err=True)


def _show(boards: list[Examined], draft: InventoryDraft) -> None:
    from ..boardwords import board_lines

    for board in boards:
        if board.reason is None:
            click.echo("\n".join(board_lines(board)) + "\n")
    if draft.diff:
        click.echo(draft.diff + "\n")


def _baselines(
    model: Path, data: Path | None, boards: list[Examined], inventory: Path, *, as_json: bool
) -> dict[str, dict[str, Any]]:
    from ...reports.summary import summarize
    from ..boardadd import baseline
    from ..boardwords import baseline_json, doubt_lines
    from ..laps import Laps
    from ..progress import Progress
    from .run import show_result

    measured: dict[str, dict[str, Any]] = {}
    for board in boards:
        if board.lacking:  # a run would put it there
            click.echo(
                f"no baseline of {board.name}: {board.lacking[0]} is not there, as --no-provision says", err=True
            )
            measured[str(board.name)] = {"run": None, "report": None, "exit_code": 4, "cells": [], "seconds": None}
            continue
        laps = Laps()
        laps.begin("baseline")
        with Progress() as progress:
            result, command = baseline(model, data, str(board.name), inventory, progress)
        laps.end()
        if not as_json:
            show_result(result, command, as_json=False)
            for line in doubt_lines(summarize(result.record)):
                click.echo(line)
        measured[str(board.name)] = {**baseline_json(result), "seconds": laps.seconds["baseline"]}
    return measured


def _end(
    boards: list[Examined],
    draft: InventoryDraft,
    *,
    written: bool,
    dry_run: bool,
    measured: dict[str, dict[str, Any]],
    as_json: bool,
) -> None:
    from ..boardwords import board_json, stay_lines, time_line

    if as_json:
        found = [board_json(board, added=written) for board in boards]
        path, diff = str(draft.path), draft.diff
        emit({"boards": found, "inventory": path, "diff": diff, "written": written, "baseline": measured or None})
        return
    for board in boards:
        if board.reason is not None:
            click.echo(f"not added: {board.word}: {board.reason}")
        else:
            click.echo(time_line(board, measured.get(str(board.name), {}).get("seconds")))
    names = ", ".join(str(board.name) for board in boards if board.reason is None)
    if written:
        click.echo(f"added to {draft.path}: {names}")
        click.echo(f"next:  hilbench bench MODEL --board {names.split(', ')[0]}")
    elif names:
        click.echo("nothing was written" + (" (--dry-run)" if dry_run else ""))
        for line in stay_lines(boards):
            click.echo(line)
