"""When a job will end: from its own progress once it has any, else from earlier runs. Pure; None is "not known"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import median

from .store import Note


def end_by_progress(began_s: float, at_s: float, done: int | None, of: int | None) -> float | None:
    """If it goes on as it went so far. Processes that were done before it began again do not count: then it is late."""
    if not done or not of or at_s <= began_s:
        return None
    return began_s + (at_s - began_s) * of / done


def measured_s(notes: Iterable[Note]) -> dict[str, float]:
    """How long each board of a run measured: from the start of its jobs to their collecting, all parts together."""
    began: dict[str, float] = {}
    total: defaultdict[str, float] = defaultdict(float)
    for note in notes:
        if note.kind == "session":
            began[note.subject] = _seconds(note.at)
        elif note.kind == "collected" and note.subject in began:
            total[note.subject] += _seconds(note.at) - began.pop(note.subject)
    return dict(total)


def usual_s(earlier: Sequence[Mapping[str, float]], board: str) -> float | None:
    """The median of what earlier runs took on a board."""
    known = [run[board] for run in earlier if board in run]
    return median(known) if known else None


def ends_in_turn(first_free_s: float | None, lengths_s: Sequence[float | None]) -> list[float | None]:
    """The ends of jobs that follow one another from a moment on; from the first one that is not known on, none is."""
    ends: list[float | None] = []
    moment = first_free_s
    for length_s in lengths_s:
        moment = None if moment is None or length_s is None else moment + length_s
        ends.append(moment)
    return ends


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
