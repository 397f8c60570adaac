"""`hilbench submit`, `queue`, `cancel`, `retry`: runs for workers to carry out."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..console import emit, table, verb

if TYPE_CHECKING:
    from ..queuestore import WorkerRow
    from ..queueview import Entry
    from ..submit import Submitted

PRIORITY = click.Choice(["high", "normal", "low"])
_FOLLOW_S = 2.0
_inventory = click.option(
    "--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one."
)


@click.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "--board",
    "boards",
    multiple=True,
    help="Instead of the plan's boards: NAME, user@host, kind:K, tag:T, FACT=VALUE, any:K. Repeatable.",
)
@click.option("--priority", type=PRIORITY, default="normal", show_default=True, help="Who goes first on a board.")
@click.option("--new", is_flag=True, help="Submit a new run even if one of this plan did not finish.")
@_inventory
@verb
def submit(
    plan: Path, *, boards: tuple[str, ...], priority: str, new: bool, inventory: Path | None, as_json: bool
) -> None:
    """Give a plan to the queue; a worker compresses, measures and reports.

    The plan is checked now and carried out as it is now. Submitted again, a run that did not finish goes on.
    """
    from ..lab import open_lab
    from ..submit import Wanted, submit_plan

    wanted = Wanted(plan=plan, boards=boards, priority=priority, new=new, inventory=inventory, command=command_line())
    with open_lab(inventory, near=plan, say=_say) as lab:
        _show(submit_plan(wanted, lab.home, lab.store, lab.engine, say=_say), as_json=as_json)


@click.command()
@click.option("--follow", is_flag=True, help="Show it again whenever something changes, until it is empty.")
@_inventory
@verb
def queue(*, follow: bool, inventory: Path | None, as_json: bool) -> None:
    """What runs, what waits and why, and when it is expected to end."""
    from ..lab import open_lab
    from ..queueview import look

    with open_lab(inventory, say=_say) as lab:
        last = ""
        while True:
            entries, workers = look(lab, time.time())
            text = _queue_text(entries, workers)
            if not follow or not entries:
                break
            if text != last:
                click.echo(text, err=as_json)
                click.echo(err=as_json)
                last = text
            time.sleep(_FOLLOW_S)
        if as_json:
            names = [{"name": row.name, "host": row.host, "since": row.started_at} for row in workers]
            emit({"queue": [entry.facts() for entry in entries], "workers": names})
        else:
            click.echo(text)


@click.command()
@click.argument("run")
@_inventory
@verb
def cancel(run: str, *, inventory: Path | None, as_json: bool) -> None:
    """Take a run out of the queue: what waits at once, what runs at its next gap.

    What was measured stays, and the report is written.
    """
    from ..lab import open_lab
    from ..progress import counted
    from ..submit import cancel_run

    with open_lab(inventory, say=_say) as lab:
        row, under_way = cancel_run(run, lab.home, lab.store, lab.engine)
    if as_json:
        emit({"run": row.run_id, "state": row.state, "under_way": under_way})
    elif under_way:
        click.echo(
            f"run {row.run_id}: {counted(under_way, 'job')} under way stop at the next gap; the rest is cancelled"
        )
    else:
        click.echo(f"run {row.run_id} is cancelled; report: {lab.home.report(row.run_id)}")


@click.command()
@click.argument("run")
@click.option("--priority", type=PRIORITY, help="By default that of the first time.")
@_inventory
@verb
def retry(run: str, *, priority: str | None, inventory: Path | None, as_json: bool) -> None:
    """Put what failed in a run into the queue again; what is finished is not touched.

    Failed is a cell with outcome error, timeout or invalid, and what a board that was lost did not measure.
    """
    from ..lab import open_lab
    from ..submit import retry_run

    with open_lab(inventory, say=_say) as lab:
        submitted = retry_run(run, lab.home, lab.store, lab.engine, priority=priority)
        if submitted is not None:
            _show(submitted, as_json=as_json)
            return
        run_id = lab.store.run(run).run_id
    if as_json:
        emit({"run": run_id, "state": "finished", "retried": []})
    else:
        click.echo(f"nothing failed in run {run_id}: there is nothing to retry")


def command_line() -> str:
    """What was typed, without what concerns this call only."""
    return shlex.join(["hilbench", *(word for word in sys.argv[1:] if word not in ("--new", "--json"))])


def _show(submitted: Submitted, *, as_json: bool) -> None:
    from ..submit import described

    submission = submitted.submission
    if as_json:
        told = {"priority": submission.priority, "boards": list(submission.boards), "person": submission.person}
        emit({"run": submitted.run_id, "state": "queued", "already": submitted.already, **told})
    else:
        click.echo(described(submitted))


def _queue_text(entries: list[Entry], workers: list[WorkerRow]) -> str:
    names = ", ".join(f"{row.name} ({row.host})" if row.name != row.host else row.name for row in workers)
    lines = [f"workers: {names or 'none'}"]
    if not entries:
        return "\n".join([*lines, "the queue is empty"])
    rows = [
        [
            entry.board or "(compression)",
            entry.state,
            entry.run,
            entry.plan,
            entry.priority,
            entry.person,
            _progress(entry),
            _clock(entry.expected_end),
            _why(entry),
        ]
        for entry in entries
    ]
    header = ["BOARD", "STATE", "RUN", "PLAN", "PRIORITY", "WHO", "DONE", "ENDS", "WHY"]
    return "\n".join([*lines, table(rows, header)])


def _progress(entry: Entry) -> str:
    return "" if entry.of is None else f"{entry.done}/{entry.of}"


def _why(entry: Entry) -> str:
    if entry.state == "running":
        return f"since {_clock(entry.since)} by {entry.worker}"
    until = "" if entry.until is None else f", until {_clock(entry.until)}"
    return f"{entry.why}{until}"


def _clock(moment: float | None) -> str:
    if moment is None:
        return "not known"
    from datetime import datetime

    from ...targets.claim import clock_time

    return clock_time(datetime.fromtimestamp(moment).astimezone(), now=datetime.now().astimezone())


def _say(line: str) -> None:
    click.echo(line, err=True)
