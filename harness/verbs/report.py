"""`hilbench report`: a run, or a search, as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import emit, verb
from ..pagelanguage import page_language

if TYPE_CHECKING:
    from ...reports.language import Language


@click.command()
@click.argument("run", default="latest")
@click.option("--inventory", type=click.Path(path_type=Path), help="The inventory beside whose runs to look.")
@click.option("-o", "output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the file.")
@page_language
@verb
def report(run: str, *, inventory: Path | None, output: Path | None, language: str, as_json: bool) -> None:
    """Write the report of a run as one HTML file.

    RUN is the id of a run, the beginning of one, `latest` (the newest run), or the id of a search.
    """
    from ...reports.collecting import without_collection
    from ...reports.language import Language
    from ..errors import NoSuchRunError
    from ..reporting import open_report, write_report

    try:
        with without_collection():  # from the store to the page in one go
            home, record, earlier = open_report(run, inventory)
            path = write_report(record, output or home.report(record.run_id), earlier, Language(language))
    except NoSuchRunError as error:
        search_id, path = _of_search(run, inventory, output, Language(language), no_run=error)
        _tell({"search": search_id}, path, as_json=as_json)
        return
    _tell({"run": record.run_id}, path, as_json=as_json)


def _of_search(
    word: str, inventory: Path | None, output: Path | None, language: Language, *, no_run: Exception
) -> tuple[str, Path]:
    """The report of the search of that name; where there is none either, what was said of runs is said."""
    from ...targets.inventory import find_inventory
    from ..errors import NoSuchRunError
    from ..home import find_home
    from ..search.records import find_record, page_path, write_page

    home = find_home(inventory or find_inventory(Path.cwd()))
    try:
        record = find_record(home, word) if word != "latest" else None
    except NoSuchRunError:
        record = None
    if record is None:
        raise no_run
    return record.search_id, write_page(record, output or page_path(home, record.search_id), language)


def _tell(what: dict[str, str], path: Path, *, as_json: bool) -> None:
    if as_json:
        emit({**what, "report": str(path)})
    else:
        click.echo(path)
