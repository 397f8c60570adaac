"""Where the time of a run went: the controller's phases as notes, and the part of them that measured something."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .store import Note, Store

RUN = "run"  # the subject of phases that belong to no board
PHASES = ("queued", "compress", "wait", "open", "provide", "deploy", "measure", "report")
KIND = "phase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What one board, or the run itself (`subject` "run"), took by phase, in seconds.

    `processes_s` is the part of `measure` in which a process on the board started, warmed up, measured or ended; None
    where no process told (emulated boards). `overhead_s` is all that is not that: waiting for a lease is not in it.
    """

    subject: str
    seconds: Mapping[str, float]
    processes_s: float | None = None

    @property
    def total_s(self) -> float:
        """All phases together."""
        return sum(self.seconds.values())

    @property
    def overhead(self) -> float | None:
        """The share of the time, waiting for others apart, in which no process measured; None where that is unknown."""
        own_s = self.total_s - self.seconds.get("wait", 0.0) - self.seconds.get("queued", 0.0)
        if self.processes_s is None or own_s <= 0:
            return None
        return 1 - self.processes_s / own_s


@contextmanager
def phase(store: Store, run_id: str, name: str, subject: str = RUN) -> Generator[None]:
    """Note how long the body took, also where it fails."""
    begun = time.monotonic()
    try:
        yield
    finally:
        note_phase(store, run_id, name, time.monotonic() - begun, subject)


def note_phase(store: Store, run_id: str, name: str, seconds: float, subject: str = RUN) -> None:
    """Note a phase that was timed elsewhere."""
    store.add_note(run_id, subject, KIND, {"phase": name, "seconds": round(seconds, 3)})


def spent(notes: Sequence[Note]) -> list[Spent]:
    """The phases of a run, its own first, then the boards' in the order in which they began. A resumed run adds up."""
    seconds: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    processes: defaultdict[str, float] = defaultdict(float)
    for note in notes:
        if note.kind == KIND:
            seconds[note.subject][str(note.facts["phase"])] += float(note.facts["seconds"])
        elif note.kind == "collected" and note.facts.get("processes_s") is not None:
            processes[note.subject] += float(note.facts["processes_s"])
    ordered = sorted(seconds, key=lambda subject: (subject != RUN, list(seconds).index(subject)))
    return [
        Spent(
            subject=subject,
            seconds={name: seconds[subject][name] for name in PHASES if name in seconds[subject]},
            processes_s=processes.get(subject),
        )
        for subject in ordered
    ]


def in_words(found: Sequence[Spent]) -> list[str]:
    """One line a subject, such as `pi: open 1 s, measure 60 s; 8 % of it, waiting apart, measured nothing`."""
    return [_line(one) for one in found if one.total_s >= 0.5]


def _line(one: Spent) -> str:
    parts = [f"{name} {seconds:.0f} s" for name, seconds in one.seconds.items() if seconds >= 0.5]
    overhead = "" if one.overhead is None else f"; {one.overhead:.0%} of it, waiting apart, measured nothing"
    return f"{one.subject}: {', '.join(parts)}{overhead}"
