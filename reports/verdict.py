"""Is a candidate faster than its baseline on this board? One word, with the interval it rests on; pure.

On real boards the evidence is one paired log ratio per block. A word is a claim about a margin (2 %, or the A/A
control's own difference if that is larger) and is checked by the exact signed-rank test, adjusted by Holm over all
claims of the run. On emulated boards counts are nearly deterministic, so a rule without a test decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from .detectable import least_detectable_shift
from .language import mark, tr
from .statistics import (
    ALPHA,
    blocks_needed,
    holm,
    signed_rank,
)

TIME_MARGIN = 0.02
# Counts repeat within 0.05 % over processes, so 0.1 % is twice the noise that the protocol allows; a margin of 2 %
# would hide real changes of work.
COUNT_MARGIN = 0.001
LEAST_PROCESSES = 3


class Word(StrEnum):
    """What may be said of a candidate against its baseline."""

    FASTER = "faster"
    SLOWER = "slower"
    LESS_WORK = "less-work"
    MORE_WORK = "more-work"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"
    NOT_COMPARABLE = "not-comparable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A word with its evidence. `metric` is `latency_ns` or `instructions`; ratios are candidate over baseline.

    `ci_low`/`ci_high` bound the ratio: a 95 % interval over blocks for times, the range over importer processes for
    counts. `mde` is the least relative change that this much data would show beside so many comparisons (80 % power
    for times, None where so few blocks can show nothing; the threshold of the rule for counts). `p_zero` is the p-value
    of no difference at all, Holm-adjusted over the run; times only. `note` says in one sentence why there is no clearer
    word.
    """

    word: Word
    metric: str
    ratio: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    mde: float | None = None
    margin: float | None = None
    pairs: int = 0
    comparisons: int = 1
    p_zero: float | None = None
    note: str | None = None

    @property
    def differs(self) -> bool:
        """Whether the interval would be clear of no difference after Holm, whatever the margin."""
        return self.p_zero is not None and self.p_zero <= ALPHA


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A candidate against a baseline in time, before the adjustment for how many were compared.

    `claim` is the word that the data would support alone, `p` the two-sided p-value of that claim, `p_zero` that of no
    difference at all. `log_ratios` are the evidence, one a block.
    """

    ratio: float
    ci_low: float | None
    ci_high: float | None
    margin: float
    log_ratios: tuple[float, ...]
    claim: Word
    p: float
    p_zero: float

    @property
    def pairs(self) -> int:
        """How many blocks measured both."""
        return len(self.log_ratios)


def log_ratios(candidate: Mapping[int, float], baseline: Mapping[int, float]) -> list[float]:
    """ln(candidate / baseline) of each block that both have, in block order."""
    return [math.log(candidate[block] / baseline[block]) for block in sorted(candidate.keys() & baseline.keys())]


def compare_times(
    candidate: Mapping[int, float], baseline: Mapping[int, float], margin: float = TIME_MARGIN
) -> Comparison | None:
    """Compare medians by block, paired; None without a common block.

    The three claims (faster than the margin, slower than it, inside it) exclude each other, and each is tested
    one-sided at alpha/2, so a wrong word has a chance of at most alpha wherever the truth lies.
    """
    d = log_ratios(candidate, baseline)
    if not d:
        return None
    test = signed_rank(d)
    low, high = math.log1p(-margin), math.log1p(margin)
    chances = {
        Word.FASTER: test.p_below(low),
        Word.SLOWER: test.p_above(high),
        Word.EQUIVALENT: max(test.p_below(high), test.p_above(low)),
    }
    claim = min(chances, key=lambda word: chances[word])
    estimate = test.estimate()
    return Comparison(
        ratio=math.exp(estimate.value),
        ci_low=None if estimate.low is None else math.exp(estimate.low),
        ci_high=None if estimate.high is None else math.exp(estimate.high),
        margin=margin,
        log_ratios=tuple(d),
        claim=claim,
        p=min(1.0, 2 * chances[claim]),
        p_zero=test.p_anywhere(),
    )


def judge_times(comparisons: Mapping[str, Comparison]) -> dict[str, Verdict]:
    """The verdicts of all comparisons of a run in time, together: their number decides how strong each must be."""
    words = holm({key: comparison.p for key, comparison in comparisons.items()})
    zeros = holm({key: comparison.p_zero for key, comparison in comparisons.items()})
    return {
        key: _verdict_in_time(comparison, words[key] <= ALPHA, zeros[key], len(comparisons))
        for key, comparison in comparisons.items()
    }


def _verdict_in_time(comparison: Comparison, proven: bool, p_zero: float, comparisons: int) -> Verdict:
    shift = least_detectable_shift(comparison.log_ratios, ALPHA / comparisons)
    return Verdict(
        word=comparison.claim if proven else Word.INCONCLUSIVE,
        metric="latency_ns",
        ratio=comparison.ratio,
        ci_low=comparison.ci_low,
        ci_high=comparison.ci_high,
        mde=None if shift is None else math.expm1(shift),
        margin=comparison.margin,
        pairs=comparison.pairs,
        comparisons=comparisons,
        p_zero=p_zero,
        note=None if proven else _why_inconclusive(comparison, p_zero, comparisons),
    )


def _why_inconclusive(comparison: Comparison, p_zero: float, comparisons: int) -> str:
    needed = blocks_needed(comparisons)
    margin = f"±{100 * comparison.margin:.1f} %"
    if comparison.pairs < needed:
        one, many = (
            mark("{blocks} blocks cannot prove a comparison at 5 %; {needed} blocks could"),
            mark("{blocks} blocks cannot prove any of {number} comparisons at 5 %; {needed} blocks could"),
        )
        return tr(one if comparisons == 1 else many, blocks=comparison.pairs, needed=needed, number=comparisons)
    if comparison.p <= ALPHA:
        return tr("clear alone, but not as one of {number} comparisons", number=comparisons)
    if p_zero <= ALPHA:
        return tr("there is a difference, but it is not shown to be larger than the margin of {margin}", margin=margin)
    return tr("the interval reaches across the margin of {margin}", margin=margin)


def judge_counts(
    candidate: Mapping[int, float], baseline: Mapping[int, float], noise: float = 0.0, metric: str = "instructions"
) -> Verdict:
    """Compare instruction counts by importer process. `noise` is what the A/A control differed by.

    The rule: `less-work` or `more-work` when every process's ratio is beyond the threshold on one side; the threshold
    is the largest of 0.1 %, the spread of either cell over its processes, and `noise`. `equivalent` when every ratio
    is within 0.1 %. A test is of no use here: three processes can reject nothing, and need not, as counts hardly vary.
    """
    common = sorted(candidate.keys() & baseline.keys())
    if not common:
        return Verdict(word=Word.NOT_COMPARABLE, metric=metric, note=tr("no process measured both"))
    ratios = [candidate[block] / baseline[block] for block in common]
    threshold = max(COUNT_MARGIN, noise, relative_range(candidate), relative_range(baseline))
    low, high = min(ratios), max(ratios)
    word, note = Word.INCONCLUSIVE, None
    if len(common) < LEAST_PROCESSES:
        text = mark("only {number} of at least {least} processes measured both")
        note = tr(text, number=len(common), least=LEAST_PROCESSES)
    elif high < 1 - threshold:
        word = Word.LESS_WORK
    elif low > 1 + threshold:
        word = Word.MORE_WORK
    elif max(1 - low, high - 1) <= COUNT_MARGIN:
        word = Word.EQUIVALENT
    else:
        text = mark("the difference is not larger than what separates processes (±{threshold} %)")
        note = tr(text, threshold=f"{100 * threshold:.2f}")
    return Verdict(
        word=word,
        metric=metric,
        ratio=float(np.median(ratios)),
        ci_low=low,
        ci_high=high,
        mde=threshold,
        margin=threshold,
        pairs=len(common),
        note=note,
    )


def relative_range(values: Mapping[int, float]) -> float:
    """(largest - smallest) / median over processes."""
    ordered = list(values.values())
    return (max(ordered) - min(ordered)) / float(np.median(ordered))
