"""`hilbench run`: the main job."""

from __future__ import annotations

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import emit, verb
from ..pagelanguage import page_language

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...targets.board import Board
    from ..campaign import RunResult


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--new", is_flag=True, help="Start a new run even if one of this plan did not finish.")
@click.option(
    "--board",
    "boards",
    multiple=True,
    help="Instead of the plan's boards: NAME, user@host, kind:K, tag:T, FACT=VALUE, any:K. Repeatable.",
)
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@page_language
@click.option("--any-time", is_flag=True, help="Use boards outside their hours, too.")
@click.option("--quiet", is_flag=True, help="No progress.")
@verb
def run(
    plan: Path,
    *,
    new: bool,
    boards: tuple[str, ...],
    inventory: Path | None,
    language: str,
    any_time: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Compress, deploy, measure and report, as a plan says.

    It works now, in this process. Called again with the same plan, it goes on with a run that did not finish and
    measures only what is missing.
    """
    from ...reports.language import Language
    from ..home import find_home
    from ..log import open_log
    from ..notify import teller
    from ..plan import load_plan
    from ..progress import Progress
    from ..run import run_plan
    from ..selection import Boards

    found = Boards(inventory, near=plan)
    loaded = load_plan(plan, found, boards=boards or None)
    if not any_time:
        refuse_outside_hours(loaded.boards)
    home = find_home(found.inventory_path)
    with open_log(home.log), Progress(quiet=quiet) as progress:
        for remark in loaded.remarks:
            progress.say(remark)
        result = run_plan(
            loaded,
            home,
            new=new,
            command=command_again(),
            progress=progress,
            tell=teller(found, progress.say),
            language=Language(language),
        )
    show_result(result, command_again(), as_json=as_json)
    return result.exit_code


def refuse_outside_hours(boards: Sequence[Board]) -> None:
    """Raise PlanError for a board that may not be used at this hour."""
    import time
    from datetime import datetime

    from ...targets.claim import clock_time
    from ..errors import PlanError
    from ..hours import opening

    for board in boards:
        opens = opening(board.hours, time.time())
        if opens is not None:
            until = clock_time(datetime.fromtimestamp(opens).astimezone(), now=datetime.now().astimezone())
            hint = "--any-time runs now, `hilbench submit` waits for them"
            raise PlanError(f"{board.name} is outside its hours, which begin at {until}: {hint}")


def show_result(result: RunResult, again: str, *, as_json: bool) -> None:
    """The figures in brief, the run's id and the report's path. `again` is the command that goes on with the run."""
    from ...reports.summary import summarize
    from ..brief import brief
    from ..phases import in_words
    from ..stepsummary import append_step_summary

    record = result.record
    if (failed := append_step_summary(record)) is not None:
        click.echo(f"hilbench: {failed}", err=True)
    if as_json:
        cells = [{"cell": r.cell_id, "outcome": r.outcome.value, "reason": r.reason} for r in record.records]
        times = [asdict(one) for one in result.times]
        emit(
            {"run": record.run_id, "state": record.state, "report": str(result.report), "cells": cells, "times": times}
        )
        return
    click.echo(brief(summarize(record)))
    click.echo()
    if record.state in ("interrupted", "incomplete"):
        click.echo(f"This run is {record.state}: `{again}` goes on with it and measures only what is missing.")
    for line in in_words(result.times):
        click.echo(f"time:   {line}")
    click.echo(f"run:    {record.run_id}")
    click.echo(f"report: {result.report}")


def command_again() -> str:
    """The words that go on with this run, or repeat it: what was typed, without what concerns this call only."""
    return shlex.join(["hilbench", *(word for word in sys.argv[1:] if word not in ("--new", "--json", "--quiet"))])
