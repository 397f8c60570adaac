"""Rows of the store that cannot be read any more: each costs what it held and one sentence, never the rest of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import StoreError

# What reading a truncated or garbled row raises: text that is no JSON, a series that is no zstd, keys that are missing.
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)
DAMAGED = "damaged"  # the key under which the facts of a run that cannot be read hold the sentence

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A row that cannot be read: of which run, about which cell or board, what it is and why."""

    run_id: str
    subject: str
    what: str
    why: str

    @property
    def sentence(self) -> str:
        """What is lost, for the user."""
        about = f"{self.subject}: " if self.subject else ""
        return f"run {self.run_id}, {about}{self.what} in the store is damaged ({self.why}) and left out"


def readable(
    rows: Sequence[T],
    read: Callable[[T], Any],
    describe: Callable[[T], tuple[str, str]],
    run_id: str,
    damaged: list[Damaged] | None,
) -> list[Any]:
    """The rows that can be read, as `read` gives them; the others are added to `damaged`.

    `describe` names a row's subject and what it is. Raises StoreError with the sentence where `damaged` is None.
    """
    found: list[Any] = []
    for row in rows:
        try:
            found.append(read(row))
        except UNREADABLE as error:
            subject, what = describe(row)
            lost = Damaged(run_id=run_id, subject=subject, what=what, why=_why(error))
            if damaged is None:
                raise StoreError(lost.sentence) from error
            damaged.append(lost)
    return found


def run_facts(run_id: str, text: str) -> Mapping[str, Any]:
    """The facts of a run, or the sentence that they cannot be read, under DAMAGED."""
    try:
        return json.loads(text)
    except ValueError as error:
        lost = Damaged(run_id=run_id, subject="", what="the record of the run", why=_why(error))
        return {DAMAGED: lost.sentence}


def _why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error).splitlines()[0] if str(error) else type(error).__name__
