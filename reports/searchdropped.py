"""Why candidates went no further, in kinds, with how often and at which stage; pure.

The record has a sentence for each candidate with its own figures in it. Sentences that name the same limit, or that
tell of the same kind of end, are one kind here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .language import mark, plural, tr
from .searchreasons import reason_text
from .searchrecord import SearchConstraint, SearchRecord, SearchTrial
from .searchwords import brief

MOST_KINDS = 12
STAGES = {
    "proposed": mark("{number} proposed, not judged yet"),
    "host": mark("{number} judged on this machine"),
    "board": mark("{number} measured on a board"),
    "finalist": mark("{number} measured at full effort (finalists)"),
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
        text = mark("{reasons}, see the table of candidates")
        shown.append((tr(text, reasons=plural(len(rest), "other reason")), others))
    return tuple(_dropped(reason, trials) for reason, trials in shown)


def reason_kind(sentence: str, constraints: Sequence[SearchConstraint]) -> str:
    """The kind of a sentence: what all that say the same of other candidates have in common."""
    for one in sorted(constraints, key=lambda each: -len(each.written)):
        if sentence.endswith(f"over the limit {one.written}"):
            return tr("over the limit {limit}", limit=brief(one.written))
    if sentence.startswith("behind the front"):
        certain = "not by more than" not in sentence
        unsure = mark("behind the front, though not by more than the intervals")
        return tr("behind the front") if certain else tr(unsure)
    if sentence.startswith("no more effort"):
        return tr("no more effort, as one that was measured with all blocks may be as good in every objective")
    if sentence.startswith("the same file as trial"):
        return tr("the same file to the byte as an earlier candidate, so not measured again")
    return brief(reason_text(sentence), 200)


def stages(record: SearchRecord) -> tuple[str, ...]:
    """How many candidates came how far, each counted at its furthest stage: a clause for each stage."""
    found = [trial.stage for trial in record.trials]
    return tuple(tr(words, number=found.count(stage)) for stage, words in STAGES.items() if stage in found)


def _dropped(reason: str, trials: Sequence[SearchTrial]) -> Dropped:
    late = sum(trial.rung is not None for trial in trials)
    numbers = tuple(trial.number for trial in trials)
    return Dropped(reason=reason, on_host=len(trials) - late, on_boards=late, numbers=numbers)
