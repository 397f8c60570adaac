"""`hilbench search`: measured figures choose the next candidate."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import emit, verb
from ..pagelanguage import page_language

if TYPE_CHECKING:
    from ..search.searching import SearchResult


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--trials", type=click.IntRange(1, 10_000), help="How many candidates, instead of the plan's number.")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@click.option("--any-time", is_flag=True, help="Use boards outside their hours, too.")
@click.option("--quiet", is_flag=True, help="No progress.")
@page_language
@verb
def search(
    plan: Path,
    *,
    trials: int | None,
    inventory: Path | None,
    any_time: bool,
    quiet: bool,
    language: str,
    as_json: bool,
) -> int:
    """Search for the best models on boards, as a plan's section `search` says.

    Candidates are proposed, made, judged on this machine and measured on the boards; what was measured decides what is
    proposed next. Called again with the same plan, it goes on: with more trials or boards in the plan, too.
    """
    from ...reports.language import Language
    from ..openplan import open_plan
    from ..search.records import page_path, write_page
    from ..search.searching import search_plan
    from .run import command_again

    with open_plan(plan, inventory=inventory, any_time=any_time, quiet=quiet) as opened:
        result = search_plan(opened.plan, opened.home, command=command_again(), progress=opened.progress, trials=trials)
    page = write_page(result.record, page_path(opened.home, result.record.search_id), Language(language))
    _show(result, page, as_json=as_json)
    return result.exit_code


def _show(result: SearchResult, page: Path, *, as_json: bool) -> None:
    from ..search.brief import search_brief

    record = result.record
    if as_json:
        emit({"search": asdict(record), "record": str(result.path), "report": str(page), "stopped": result.stopped})
        return
    click.echo(search_brief(record))
    click.echo()
    if result.stopped is not None:
        from .run import command_again

        click.echo(f"{result.stopped}; `{command_again()}` goes on with it and measures only what is missing.")
    click.echo(f"search: {record.search_id}")
    click.echo(f"record: {result.path}")
    click.echo(f"report: {page}")
