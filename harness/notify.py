"""Telling people: a run has ended, it ended badly, a board was put into quarantine. By a command or a webhook.

A notification that fails is said and logged, and never fails a run. What the environment put into a command or an
address may be a secret: it appears in no message, and nothing of it is stored.
"""

from __future__ import annotations

import json
import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..targets.errors import TargetError
from ..targets.notice import Notice, Occasion, filled, secrets_of
from ..targets.program import run_program
from .console import SCHEMA_VERSION
from .log import log_event
from .store import now

if TYPE_CHECKING:
    from ..reports.record import RunRecord
    from ..targets.inventory import Inventory
    from .selection import Boards

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened. Fields that do not apply are None: a quarantine has no report, the end of a run no board."""

    occasion: Occasion
    message: str
    at: str
    run: str | None = None
    plan: str | None = None
    board: str | None = None
    state: str | None = None
    exit_code: int | None = None
    outcomes: dict[str, int] | None = None
    report: str | None = None


def end_event(record: RunRecord, exit_code: int, report: Path) -> Event:
    """The end of a run: `failure` unless the exit code is 0 or the user stopped it."""
    outcomes = Counter(each.outcome.value for each in record.records)
    counted = ", ".join(f"{count} {word}" for word, count in sorted(outcomes.items()))
    return Event(
        occasion=Occasion.END if exit_code in (0, 130) else Occasion.FAILURE,
        message=f"run {record.run_id} of plan {record.plan_name} is {record.state}: {counted} (exit code {exit_code})",
        at=record.ended_at or now(),
        run=record.run_id,
        plan=record.plan_name,
        state=record.state,
        exit_code=exit_code,
        outcomes=dict(outcomes),
        report=str(report),
    )


def quarantine_event(board: str, sentence: str, run_id: str) -> Event:
    """A board was put into quarantine."""
    return Event(occasion=Occasion.QUARANTINE, message=sentence, at=now(), run=run_id, board=board)


def teller(known: Boards, say: Callable[[str], None]) -> Callable[[Event], None]:
    """A function that tells all whom the inventory names, if there is one: what a run or a worker is given."""
    inventory = None if known.inventory_path is None else known.inventory
    return lambda event: notify(inventory, event, say=say)


def notify(inventory: Inventory | None, event: Event, *, say: Callable[[str], None] = lambda _: None) -> None:
    """Tell all whom the inventory names for this; each has TIMEOUT_S. Never raises for what goes wrong there.

    Who wants to hear of the end of runs hears of bad ends, too, and once.
    """
    for notice in () if inventory is None else inventory.notices:
        wanted = {Occasion.FAILURE, Occasion.END} if event.occasion is Occasion.FAILURE else {event.occasion}
        if wanted & set(notice.occasions):
            problem = _tell(notice, event)
            if problem is not None:
                say(f"nobody was told of the {event.occasion}: {problem}")
                log_event("notify-failed", problem, failed=True)


def _tell(notice: Notice, event: Event) -> str | None:
    """Why it could not be told, None if it was."""
    body = json.dumps(_facts(event), ensure_ascii=False).encode()
    try:
        if notice.webhook is not None:
            _post(filled(notice.webhook, os.environ), body)
        else:
            words = [filled(word, os.environ) for word in notice.command]
            run_program(words, timeout_s=TIMEOUT_S, stdin=body, environment=_variables(event))
    except TargetError as error:
        return _without_secrets(str(error), notice)
    return None


def _facts(event: Event) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "event": event.occasion.value,
        "message": event.message,
        "at": event.at,
        "host": socket.gethostname(),
        "run": event.run,
        "plan": event.plan,
        "board": event.board,
        "state": event.state,
        "exit_code": event.exit_code,
        "cells": event.outcomes,
        "report": event.report,
    }


def _variables(event: Event) -> dict[str, str]:
    """The same for a command that does not read JSON; what does not apply is empty."""
    names = ("event", "message", "run", "plan", "board", "state", "exit_code", "report")
    facts = _facts(event)
    given = {f"HILBENCH_{name.upper()}": facts[name] for name in names}
    return {name: "" if value is None else str(value).replace("\0", " ") for name, value in given.items()}


def _post(address: str, body: bytes) -> None:
    """POST in a thread of its own: a timeout of a socket bounds neither a name's resolution nor an answer that drips.

    Raises TargetError, which names the host alone: the rest of a webhook's address is its password.
    """
    where = _host(address)
    answers: Queue[str | None] = Queue()
    threading.Thread(target=lambda: answers.put(_posted(address, body)), name="webhook", daemon=True).start()
    try:
        problem = answers.get(timeout=TIMEOUT_S)
    except Empty:
        problem = _too_long()
    if problem is not None:
        raise TargetError(f"the webhook at {where} {problem}")


def _posted(address: str, body: bytes) -> str | None:
    """What went wrong, in words without the address; None where it was taken."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    headers = {"Content-Type": "application/json", "User-Agent": "hilbench"}
    try:
        with urlopen(Request(address, data=body, headers=headers, method="POST"), timeout=TIMEOUT_S):  # noqa: S310
            return None
    except HTTPError as error:
        return f"answered with status {error.code}"
    except URLError as error:
        reason = error.reason
        if isinstance(reason, TimeoutError):
            return _too_long()
        return f"cannot be reached: {getattr(reason, 'strerror', None) or type(reason).__name__}"
    except TimeoutError:
        return _too_long()
    except Exception as error:  # noqa: BLE001  what this library raises besides quotes the address
        return f"cannot be reached: {type(error).__name__}"


def _too_long() -> str:
    """The same words whichever of the two clocks, the socket's or the thread's, runs out first."""
    return f"took longer than {TIMEOUT_S:g} s"


def _host(address: str) -> str:
    """The host of a web address. Raises TargetError where it is none: other schemes could read this machine's files."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        host, parts = None, None
    if parts is None or not host or parts.scheme not in ("http", "https"):
        raise TargetError("the webhook's address is none: it must begin with https:// or http:// and name a host")
    return host


def _without_secrets(message: str, notice: Notice) -> str:
    texts: Sequence[str] = notice.command if notice.webhook is None else (notice.webhook,)
    for secret in (found for text in texts for found in secrets_of(text, os.environ)):
        message = message.replace(secret, "…")
    return message
