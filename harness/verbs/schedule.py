"""`hilbench schedule`: plans that are submitted by the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..console import emit, table, verb
from .queue import PRIORITY, command_line

if TYPE_CHECKING:
    from ..job import Schedule

_inventory = click.option(
    "--inventory", type=click.Path(path_type=Path), help="An inventory file; by default the nearest one."
)


@click.group()
def schedule() -> None:
    """Plans that workers submit by the clock.

    Times that pass while no worker runs are left out: the next one counts. So is a time at which the run before is
    still in the queue.
    """


@schedule.command()
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--cron", required=True, help='When: "minute hour day-of-month month day-of-week", as "0 2 * * *".')
@click.option("--timezone", "zone", default="UTC", show_default=True, help="Whose clock, such as Europe/Berlin.")
@click.option("--name", help="What it is called; by default the plan's name.")
@click.option(
    "--board",
    "boards",
    multiple=True,
    help="Instead of the plan's boards: NAME, user@host, kind:K, tag:T, FACT=VALUE, any:K. Repeatable.",
)
@click.option("--priority", type=PRIORITY, default="low", show_default=True, help="Who goes first on a board.")
@_inventory
@verb
def add(
    plan: Path,
    *,
    cron: str,
    zone: str,
    name: str | None,
    boards: tuple[str, ...],
    priority: str,
    inventory: Path | None,
    as_json: bool,
) -> None:
    """Submit a plan again and again, each time as it is then."""
    from ...targets.claim import this_person
    from ..lab import open_lab
    from ..scheduling import When, schedule_of
    from ..selection import Boards

    made = schedule_of(
        plan,
        When(cron=cron, zone=zone, name=name),
        Boards(inventory, near=plan),
        boards=boards,
        priority=priority,
        command=command_line(),
        person=this_person(),
    )
    with open_lab(inventory, near=plan, say=_say) as lab:
        lab.engine.add_schedule(made)
    if as_json:
        emit({"schedule": _facts(made)})
    else:
        click.echo(f"{made.name}: {made.cron} ({made.zone}), next at {_next(made)}; workers submit it")


@schedule.command("list")
@_inventory
@verb
def list_(*, inventory: Path | None, as_json: bool) -> None:
    """All schedules."""
    from ..lab import open_lab

    with open_lab(inventory, say=_say) as lab:
        known = lab.engine.schedules()
    if as_json:
        emit({"schedules": [_facts(one) for one in known]})
    elif known:
        rows = [
            [one.name, one.cron, one.zone, _next(one), one.last_tick or "never", one.what["priority"], one.what["plan"]]
            for one in known
        ]
        click.echo(table(rows, ["NAME", "WHEN", "ZONE", "NEXT", "LAST", "PRIORITY", "PLAN"]))
    else:
        click.echo("there are no schedules; `hilbench schedule add PLAN --cron ...` makes one")


@schedule.command()
@click.argument("name")
@_inventory
@verb
def remove(name: str, *, inventory: Path | None, as_json: bool) -> None:
    """Forget a schedule. Runs that it submitted stay."""
    from ..lab import open_lab

    with open_lab(inventory, say=_say) as lab:
        lab.engine.remove_schedule(name)
    if as_json:
        emit({"removed": name})
    else:
        click.echo(f"{name}: removed")


def _facts(one: Schedule) -> dict[str, Any]:
    told = {key: one.what[key] for key in ("plan", "boards", "priority", "person")}
    return {"name": one.name, "cron": one.cron, "timezone": one.zone, "next": _next(one), "last": one.last_tick, **told}


def _next(one: Schedule) -> str:
    from ..cron import next_tick

    return next_tick(one, datetime.now(UTC)).isoformat(timespec="minutes")


def _say(line: str) -> None:
    click.echo(line, err=True)
