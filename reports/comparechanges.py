"""How one figure of a cell changed between two runs: instructions, accuracy, memory, energy; pure.

Each change has a word and says whether it is a change for the worse. That has three answers: `yes`, `no`, and
`unknown` where the data cannot tell, so that a gate never takes silence for consent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

from .drop import accuracy_drop
from .language import mark, tr
from .record import Accuracy
from .summary import CellSummary
from .units import percent, points
from .verdict import COUNT_MARGIN, LEAST_PROCESSES, relative_range

ACCURACY_MARGIN = 0.005  # fraction; a loss shown to be below half a percentage point is called none
MEMORY_MARGIN = 0.02  # of the earlier peak
MEMORY_LEAST_BYTES = 2**20  # allocators and page sizes move a peak by some hundred kB from process to process
ENERGY_MARGIN = 0.05


class ChangeWord(StrEnum):
    """What may be said of a figure in a later run against an earlier one."""

    FASTER = "faster"
    SLOWER = "slower"
    LESS_WORK = "less-work"
    MORE_WORK = "more-work"
    BETTER = "better"
    WORSE = "worse"
    LESS = "less"
    MORE = "more"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not-comparable"
    NOT_MEASURED = "not-measured"


class Regressed(StrEnum):
    """Whether a change is one for the worse."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


_BAD = {ChangeWord.SLOWER, ChangeWord.MORE_WORK, ChangeWord.WORSE, ChangeWord.MORE}
_GOOD = {ChangeWord.FASTER, ChangeWord.LESS_WORK, ChangeWord.BETTER, ChangeWord.LESS, ChangeWord.EQUIVALENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One figure in two runs.

    `metric` is `latency_ns`, `instructions`, `accuracy`, `memory_bytes` or `energy_j`. `size` is later over earlier,
    for accuracy later minus earlier (a fraction); `low` and `high` bound it: a 95 % interval, for instructions the
    range over processes, None where there is none. `harmless` says that a change for the worse beyond the margin is
    ruled out though the word is unclear. `note` says in a clause why there is no clearer word.
    """

    metric: str
    word: ChangeWord
    earlier: float | None = None
    later: float | None = None
    size: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float | None = None
    harmless: bool = False
    note: str | None = None

    @classmethod
    def without(cls, metric: str, note: str, earlier: float | None = None, later: float | None = None) -> Change:
        """A change that cannot be judged, with the reason."""
        both = earlier is not None and later is not None
        word = ChangeWord.NOT_COMPARABLE if both else ChangeWord.NOT_MEASURED
        return cls(metric=metric, word=word, earlier=earlier, later=later, note=note)

    @property
    def regressed(self) -> Regressed:
        """Whether it is shown to be a change for the worse, shown not to be one, or neither."""
        if self.word in _BAD:
            return Regressed.YES
        return Regressed.NO if self.harmless or self.word in _GOOD else Regressed.UNKNOWN

    @property
    def ratio(self) -> float | None:
        """Later over earlier; None for accuracy."""
        return None if self.metric == "accuracy" else self.size


def count_change(earlier: CellSummary, later: CellSummary, noise: float) -> Change:
    """Instructions per inference by the rule of a run's own verdicts: beyond 0.1 %, the spread of either run over its
    processes, and `noise`, for every process of one run against every process of the other."""
    a, b = earlier.by_block, later.by_block
    low, high = min(b.values()) / max(a.values()), max(b.values()) / min(a.values())
    threshold = max(COUNT_MARGIN, noise, relative_range(a), relative_range(b))
    word, note = ChangeWord.INCONCLUSIVE, None
    if min(len(a), len(b)) < LEAST_PROCESSES:
        note = tr("a run has fewer than {least} processes", least=LEAST_PROCESSES)
    elif high < 1 - threshold:
        word = ChangeWord.LESS_WORK
    elif low > 1 + threshold:
        word = ChangeWord.MORE_WORK
    elif max(1 - low, high - 1) <= max(COUNT_MARGIN, noise):
        word = ChangeWord.EQUIVALENT
    else:
        text = mark("the difference is not larger than what separates processes (±{margin})")
        note = tr(text, margin=percent(threshold, 2))
    assert earlier.work is not None
    assert later.work is not None
    return Change(
        metric="instructions",
        word=word,
        earlier=earlier.work,
        later=later.work,
        size=later.work / earlier.work,
        low=low,
        high=high,
        margin=threshold,
        harmless=note is None and high <= 1 + threshold,
        note=note,
    )


def accuracy_change(
    earlier: CellSummary,
    later: CellSummary,
    *,
    data: tuple[str | None, str | None],
    same_seed: bool,
    same_file: bool,
) -> Change:
    """Accuracy on the same images, paired image by image; not comparable where the two were judged on other images.

    `data` are the hashes of the test sets. The board's own images are a seeded part of the test set, so they are the
    same only under the same seed.
    """
    a, b = earlier.accuracy, later.accuracy
    before, after = earlier.fraction, later.fraction
    if a is None or b is None:
        return Change.without("accuracy", _unjudged(a, b), before, after)
    if a.metric != b.metric:
        note = tr("judged by {first} first and by {then} then", first=a.metric, then=b.metric)
        return Change.without("accuracy", note, before, after)
    if data[0] is not None and data[1] is not None and data[0] != data[1]:
        return Change.without("accuracy", tr("judged on another test set (its hash differs)"), before, after)
    # The same answers by the same file on as many images: nobody has exchanged the images.
    known = None not in data or (same_file and a.host_right is not None and a.host_right == b.host_right)
    drop = accuracy_drop(_paired(b, paired=known), _paired(a, paired=known))
    if drop is None or (drop.on_board_images and not same_seed):
        return Change.without("accuracy", tr("judged on other images of the test set"), before, after)
    change = Change(
        metric="accuracy",
        word=ChangeWord.INCONCLUSIVE,
        earlier=before,
        later=after,
        size=0.0 - drop.value,
        low=None if drop.high is None else -drop.high,
        high=None if drop.low is None else -drop.low,
        margin=ACCURACY_MARGIN,
    )
    unchanged = same_file and known and drop.value == 0 and not (drop.lost or drop.gained)
    return _accuracy_word(change, unchanged=unchanged)


def _accuracy_word(change: Change, *, unchanged: bool) -> Change:
    low, high = change.low, change.high
    if unchanged:
        return replace(change, word=ChangeWord.EQUIVALENT, note=tr("the same file gave the same answers"))
    if low is None or high is None:
        return replace(change, note=tr("this metric has no interval"))
    if low >= -ACCURACY_MARGIN and high <= ACCURACY_MARGIN:
        return replace(change, word=ChangeWord.EQUIVALENT)
    if high < 0:
        return replace(change, word=ChangeWord.WORSE)
    if low > 0:
        return replace(change, word=ChangeWord.BETTER)
    note = tr("the interval of the change is {low} to {high}", low=points(low), high=points(high))
    return replace(change, harmless=low >= -ACCURACY_MARGIN, note=note)


def _paired(accuracy: Accuracy, *, paired: bool) -> Accuracy:
    """Without its answers by image where it is not known that both runs saw the same images."""
    return accuracy if paired else replace(accuracy, host_right=None, board_right=None)


def _unjudged(a: Accuracy | None, b: Accuracy | None) -> str:
    if a is None and b is None:
        return tr("accuracy was judged in neither run")
    if a is None:
        return tr("accuracy was not judged in the earlier run")
    return tr("accuracy was not judged in the later run")


def memory_change(earlier: CellSummary, later: CellSummary) -> Change:
    """The largest resident memory. One process reads it, so there is no interval: a rule decides."""
    before = earlier.memory.peak_bytes if earlier.memory else None
    after = later.memory.peak_bytes if later.memory else None
    if before is None or after is None:
        return Change.without("memory_bytes", _missing(mark("memory"), before, after), before, after)
    allowed = max(MEMORY_MARGIN * before, MEMORY_LEAST_BYTES)
    word = ChangeWord.EQUIVALENT
    if abs(after - before) > allowed:
        word = ChangeWord.MORE if after > before else ChangeWord.LESS
    return Change(
        metric="memory_bytes",
        word=word,
        earlier=before,
        later=after,
        size=after / before,
        margin=allowed / before,
        note=None if word is ChangeWord.EQUIVALENT else tr("from one process in each run, so without an interval"),
    )


def energy_change(earlier: CellSummary, later: CellSummary) -> Change:
    """Joules per inference by the same kind of meter at the same place.

    The uncertainties (k = 2) are added in quadrature. The gain of one meter would cancel, so this is on the safe side.
    """
    a, b = earlier.energy, later.energy
    before, after = (None if figure is None else figure.total_j for figure in (a, b))
    if a is None or b is None or before is None or after is None:
        return Change.without("energy_j", _missing(mark("energy"), before, after), before, after)
    if (a.meter, a.site, a.scope) != (b.meter, b.site, b.scope):
        note = tr("metered by {first} first and by {then} then", first=a.name, then=b.name)
        return Change.without("energy_j", note, before, after)
    parts = [(figure.uncertainty_j or 0.0) / joules for figure, joules in ((a, before), (b, after))]
    ratio, half = after / before, math.hypot(*parts)
    low, high = ratio * (1 - half), ratio * (1 + half)
    word = ChangeWord.INCONCLUSIVE
    note = tr("a change must exceed the meters' uncertainty of ±{uncertainty}", uncertainty=percent(half))
    if low > 1 or high < 1:
        word, note = ChangeWord.MORE if low > 1 else ChangeWord.LESS, None
    if low >= 1 - ENERGY_MARGIN and high <= 1 + ENERGY_MARGIN:
        word, note = ChangeWord.EQUIVALENT, None
    return Change(
        metric="energy_j",
        word=word,
        earlier=before,
        later=after,
        size=ratio,
        low=low,
        high=high,
        margin=ENERGY_MARGIN,
        harmless=high <= 1 + ENERGY_MARGIN,
        note=note,
    )


def _missing(what: str, before: float | None, after: float | None) -> str:
    if before is None and after is None:
        return tr("{figure} was measured in neither run", figure=tr(what))
    if before is None:
        return tr("{figure} was not measured in the earlier run", figure=tr(what))
    return tr("{figure} was not measured in the later run", figure=tr(what))
