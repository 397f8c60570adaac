"""Why candidates went no further, in kinds, with how often and at which stage; pure.

The record has a sentence for each candidate with its own figures in it. Sentences that name the same limit, or that
tell of the same kind of end, are one kind here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .language import plural
from .searchrecord import SearchConstraint, SearchRecord, SearchTrial
from .searchwords import brief

MOST_KINDS = 12
STAGES = {
    "proposed": "proposed, not judged yet",
    "host": "judged on this machine",
    "board": "measured on a board",
    "finalist": "measured at full effort (finalists)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """One kind of end: how many before any board saw them, how many after, and the first few of their numbers."""

    reason: str
    on_host: int
    on_boards: int
    numbers: tuple[int, ...]

    @property
    def count(self) -> int:
        """All of them."""
        return self.on_host + self.on_boards


def dropped(record: SearchRecord) -> tuple[Dropped, ...]:
    """The kinds, the most frequent first; the rare ones beyond MOST_KINDS as one."""
    kinds: dict[str, list[SearchTrial]] = {}
    for trial in record.trials:
        if trial.dropped is not None:
            kinds.setdefault(reason_kind(trial.dropped, record.constraints), []).append(trial)
    ordered = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    shown, rest = ordered[:MOST_KINDS], ordered[MOST_KINDS:]
    if rest:
        others = sorted((trial for _, trials in rest for trial in trials), key=lambda trial: trial.number)
        shown.append((f"{plural(len(rest), 'other reason')}, see the table of candidates", others))
    return tuple(_dropped(reason, trials) for reason, trials in shown)


def reason_kind(sentence: str, constraints: Sequence[SearchConstraint]) -> str:
    """The kind of a sentence: what all that say the same of other candidates have in common."""
    for one in sorted(constraints, key=lambda each: -len(each.written)):
        if sentence.endswith(f"over the limit {one.written}"):
            return f"over the limit {brief(one.written)}"
    if sentence.startswith("behind the front"):
        certain = "not by more than" not in sentence
        return "behind the front" if certain else "behind the front, though not by more than the intervals"
    if sentence.startswith("the same file as trial"):
        return "the same file to the byte as an earlier candidate, so not measured again"
    return brief(sentence, 200)


def stages(record: SearchRecord) -> tuple[tuple[str, int], ...]:
    """How many candidates came how far, each counted at its furthest stage."""
    found = [trial.stage for trial in record.trials]
    return tuple((words, found.count(stage)) for stage, words in STAGES.items() if stage in found)


def _dropped(reason: str, trials: Sequence[SearchTrial]) -> Dropped:
    late = sum(trial.rung is not None for trial in trials)
    numbers = tuple(trial.number for trial in trials)
    return Dropped(reason=reason, on_host=len(trials) - late, on_boards=late, numbers=numbers)
