"""Did compression pay? What a candidate's file promised, what the board gave, and why not; pure.

A file promises by its MACs (fewer products, less work) and by its bytes. The board's verdict says what came of it.
Where less came than was promised, the operator profile is asked for the reason; without a profile none is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .language import clauses, mark, tr
from .measured import OperatorProfile
from .paid_figures import GainFigures, gain_figures
from .paid_reasons import Reason, reasons
from .record import Record
from .summary import CellSummary
from .units import change
from .verdict import Word
from .wording import amount_text

PART = 0.5  # who gets less than half of what the MACs promised is told why
CLEAR = 0.97  # fewer MACs than this are a promise


class Payoff(StrEnum):
    """What became of the promise."""

    PAID = "paid"
    IN_PART = "paid in part"
    NOT = "did not pay"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """One candidate: the word, one sentence, the figures, and the sentences that prove the reasons."""

    word: Payoff
    sentence: str
    figures: GainFigures
    proof: tuple[str, ...]


def paid(cell: CellSummary, base: CellSummary | None, board: Mapping[str, Any]) -> Paid:
    """Judge a candidate against its baseline on one board. `board` are the board's facts."""
    figures = gain_figures(cell, base)
    word = _word(figures)
    mine, theirs = _profile(cell.record), None if base is None else _profile(base.record)
    found = () if mine is None or word is Payoff.PAID else reasons(figures, mine, theirs, board)
    proof = [tr("{proof}.", proof=f"{reason.proof[0].upper()}{reason.proof[1:]}") for reason in found]
    if base is not None and base.record.runtime != cell.record.runtime:
        other = base.record.runtime
        proof.append(tr("The baseline ran in {runtime}: part of the difference is the runtime's.", runtime=other))
    return Paid(word=word, sentence=_sentence(word, cell, figures, found, mine), figures=figures, proof=tuple(proof))


def _word(figures: GainFigures) -> Payoff:
    measured, macs = figures.measured_ratio, figures.macs_ratio
    match figures.word:
        case Word.FASTER | Word.LESS_WORK if measured is not None:
            promised = macs is not None and macs < CLEAR and 1 - measured < PART * (1 - macs)
            return Payoff.IN_PART if promised else Payoff.PAID
        case Word.EQUIVALENT | Word.SLOWER | Word.MORE_WORK:
            return Payoff.NOT
        case _:
            return Payoff.NOT_JUDGED


def _sentence(
    word: Payoff, cell: CellSummary, figures: GainFigures, found: Sequence[Reason], profile: OperatorProfile | None
) -> str:
    if word is Payoff.NOT_JUDGED:
        reason = _why_not_judged(cell, figures)
        if not found:
            return tr("Not judged: {reason}.", reason=reason)
        return tr("Not judged: {reason}. The profile shows: {causes}.", reason=reason, causes=_because(found))
    assert figures.measured_ratio is not None
    got, promise = amount_text(figures.measured_ratio, counted=figures.counted), _promise(figures)
    match word:
        case Payoff.PAID:
            text = mark("Paid: {got}, with {promise}.") if promise else mark("Paid: {got}.")
        case Payoff.IN_PART:
            text = mark("Paid in part: {got}, though it has {promise}; {why}.")
        case _:
            though = mark("Did not pay: {got}, though it has {promise}; {why}.")
            text = though if promise else mark("Did not pay: {got}; {why}.")
    return tr(text, got=got, promise=promise, why=_why(found, profile))


def _why_not_judged(cell: CellSummary, figures: GainFigures) -> str:
    if cell.verdict is not None and cell.verdict.note:
        return cell.verdict.note
    if cell.verdict_absent:
        return cell.verdict_absent
    return tr("nothing was measured") if figures.measured_ratio is None else tr("there is no verdict")


def _promise(figures: GainFigures) -> str:
    """What the file has less of, zstd's bytes where its own are as many; empty where it has less of nothing."""
    macs = _fewer(figures.macs_ratio, "MACs")
    size = _fewer(figures.bytes_ratio, "bytes") or _fewer(figures.compressed_ratio, "bytes through zstd")
    return tr(" and ").join(part for part in (macs, size) if part)


def _fewer(ratio: float | None, noun: str) -> str:
    return "" if ratio is None or ratio >= CLEAR else change(ratio, noun)


def _why(found: Sequence[Reason], profile: OperatorProfile | None) -> str:
    if found:
        return tr("why: {causes}", causes=_because(found))
    if profile is None:
        return tr("why was not measured: its operators were not profiled")
    if profile.unit is None:
        return tr("why was not measured: the runtime gives no costs of operators")
    return tr("its profile proves no reason")


def _because(found: Sequence[Reason]) -> str:
    return clauses(reason.clause for reason in found[:2])


def _profile(record: Record) -> OperatorProfile | None:
    return next((trial.profile for trial in record.trials if trial.profile is not None), None)
