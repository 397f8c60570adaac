"""`hilbench worker`: carries out what is in the queue."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from ..console import emit, verb


@click.command()
@click.option("--name", help="Its name, the same at each start; by default this host's.")
@click.option(
    "--boards",
    "words",
    multiple=True,
    help="Measure on these boards only: NAME, kind:K, tag:T, FACT=VALUE. Repeatable.",
)
@click.option("--once", is_flag=True, help="End when nothing waits that could be done now.")
@click.option("--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one.")
@click.option("--quiet", is_flag=True, help="No progress.")
@verb
def worker(
    *, name: str | None, words: tuple[str, ...], once: bool, inventory: Path | None, quiet: bool, as_json: bool
) -> None:
    """Run the jobs of the queue until it is stopped (Ctrl-C, SIGTERM).

    Jobs under way stop at their next gap and stay in the queue. Several workers with different names share one queue.
    """
    from ..lab import open_lab
    from ..progress import Progress, counted
    from ..selection import Boards
    from ..submit import submit_by_schedule
    from ..worker import WorkerPlan, run_worker

    boards = tuple(board.name for board in Boards(inventory).select_all(words).boards) if words else ()
    told = WorkerPlan(name=name or socket.gethostname(), boards=boards, once=once)
    say = Progress(quiet=quiet, live=False).say
    with open_lab(inventory, say=say, patient=True) as lab:
        jobs = run_worker(
            told,
            lab.home,
            lab.store,
            lab.engine,
            tick=lambda at, what: submit_by_schedule(at, what, lab.home, lab.store, lab.engine, say=say),
            say=say,
        )
    if as_json:
        emit({"worker": told.name, "jobs": jobs})
    else:
        say(f"worker {told.name}: ended after {counted(jobs, 'job')}")
