"""When schedules come up: the words that users write, judged and evaluated."""

from __future__ import annotations

from datetime import datetime

from .errors import PlanError
from .job import Schedule


def refuse_bad_cron(cron: str, zone: str) -> None:
    """Raise PlanError for words that are no schedule in a time zone."""
    from zoneinfo import ZoneInfo

    from croniter import croniter

    if len(cron.split()) != 5 or not croniter.is_valid(cron):
        raise PlanError(
            f'"{cron}" is no schedule: five fields are allowed, "minute hour day-of-month month day-of-week", such as '
            '"0 2 * * *" (each night at 2) or "30 18 * * mon-fri"'
        )
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise PlanError(f'"{zone}" is no time zone: UTC or a name such as Europe/Berlin') from error


def next_tick(schedule: Schedule, after: datetime) -> datetime:
    """When a schedule comes up next."""
    from zoneinfo import ZoneInfo

    from croniter import croniter

    return croniter(schedule.cron, after.astimezone(ZoneInfo(schedule.zone))).get_next(datetime)
