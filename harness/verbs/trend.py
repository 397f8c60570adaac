"""`hilbench trend`: the runs of a plan over time."""

from __future__ import annotations

from pathlib import Path

import click

from ..console import emit, verb
from ..pagelanguage import page_language


@click.command()
@click.argument("plan")
@click.option("--last", type=click.IntRange(min=1), default=50, show_default=True, help="Look at the newest N runs.")
@click.option("--inventory", type=click.Path(path_type=Path), help="The inventory beside whose runs to look.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the page.")
@page_language
@verb
def trend(plan: str, *, last: int, inventory: Path | None, output: Path | None, language: str, as_json: bool) -> None:
    """Show how the figures of a plan moved over its runs.

    PLAN is the name of a plan, or its file. Every candidate on every board is a series. A new kernel, runtime, firmware
    or profile of the board begins a new segment and is no alarm; inside a segment changes of level are found.
    """
    from ...reports.language import Language
    from ...reports.trendpage import render_trend, trend_json
    from ..reporting import write_text
    from ..trending import open_trend, trend_brief

    home, found = open_trend(plan, last=last, inventory=inventory)
    page = write_text(output or home.trend(found.plan_name), render_trend(found, Language(language)))
    if as_json:
        emit({**trend_json(found), "page": str(page)})
    else:
        click.echo(trend_brief(found))
        click.echo(f"\npage: {page}")
