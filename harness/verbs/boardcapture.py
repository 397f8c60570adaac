"""`hilbench board capture`: what a board is, as a file that tells nobody whose it is."""

from __future__ import annotations

from pathlib import Path

import click

from ..console import emit, verb


@click.command()
@click.argument("name")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file; by default named after what it is.")
@click.option("--no-smoke", is_flag=True, help="Leave out the first inference.")
@click.option("--row", is_flag=True, help="Also print the board's row for docs/hardware.md.")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@verb
def capture(
    name: str, output: Path | None, inventory: Path | None, *, no_smoke: bool, row: bool, as_json: bool
) -> None:
    """Write what a board (NAME or user@host) is into a file, so that its kind can be tested where nobody owns one.

    The file holds the probes' outputs, excerpts of /proc and /sys, words of tools such as vcgencmd or tegrastats, and
    whether a first inference worked, without its figures. Names, numbers and keys that tell whose board it is are
    replaced. It is sent nowhere: read it, then pass it on if you like.
    """
    from ...targets.boardbundle import bundle_name
    from ...targets.boardbundle import row as table_row
    from ..capturing import capture_board, contents_lines, write_bundle
    from ..progress import Progress
    from ..selection import Boards

    board = Boards(inventory).board(name)
    with Progress() as progress:
        made = capture_board(board, smoke=not no_smoke, progress=progress)
    path = write_bundle(made, output or Path.cwd() / f"{bundle_name(made.bundle)}.json")
    if as_json:
        told = {"label": made.bundle["board"]["label"], "replaced": made.replaced, "changed": made.changed}
        emit({"board": name, "file": str(path), **told, "row": table_row(made.bundle)})
        return
    for line in contents_lines(made):
        click.echo(line)
    if row:
        click.echo(table_row(made.bundle))
    click.echo(f"written to {path}; nothing was sent anywhere: read it before you pass it on")
