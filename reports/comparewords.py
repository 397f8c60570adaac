"""A comparison of two runs in words, for the terminal and the page alike; pure."""

from __future__ import annotations

from .compare import BoardComparison, Cause, CellPair, RunComparison
from .comparechanges import Change, ChangeWord
from .joules import joules
from .language import clauses, listed, mark, tr
from .units import NOT_MEASURED, duration, instruction_count, memory, percent, ratio, signed_points
from .wording import amount_text, name

_CAUSES = {
    Cause.MODEL: mark("the file differs and the circumstances are the same, so it is the model"),
    Cause.CONTEXT: mark("the file is the same and the circumstances differ, so it is not the model"),
    Cause.BOTH: mark("both the file and the circumstances differ, so neither can be blamed alone"),
    Cause.NEITHER: mark(
        "the file and all recorded circumstances are the same, so it is the board or something that is not recorded"
    ),
}
_QUIET = (ChangeWord.EQUIVALENT, ChangeWord.NOT_COMPARABLE, ChangeWord.NOT_MEASURED, ChangeWord.INCONCLUSIVE)


def pair_name(board: BoardComparison, pair: CellPair) -> str:
    """Board and candidate, as short as they are clear."""
    candidate = name(pair.later, [other.later for other in board.pairs])
    return tr("{board}, {candidate}", board=board.board, candidate=candidate)


def value_text(metric: str, value: float | None) -> str:
    """A figure of either run in a unit that suits it."""
    if value is None:
        return tr(NOT_MEASURED)
    match metric:
        case "latency_ns":
            return duration(value).text
        case "instructions":
            return instruction_count(value).text
        case "accuracy":
            return percent(value, 2)
        case "memory_bytes":
            return memory(value)
        case _:
            return joules(value)


def size_text(change: Change) -> str:
    """How much a figure changed, with the bounds of the change; empty where nothing can be said."""
    if change.size is None:
        return ""
    if change.metric == "accuracy":
        bounds = _bounds(*(None if b is None else signed_points(b) for b in (change.low, change.high)))
        return f"{signed_points(change.size)} pp{bounds}"
    shown = ratio(change.size, change.low, change.high)
    return f"{shown.text}{_bounds(shown.low, shown.high)}"


def _bounds(low: str | None, high: str | None) -> str:
    return "" if low is None or high is None else f" [{low}, {high}]"


def change_text(change: Change) -> str:
    """A change as a clause: the word, both figures, how much, and why there is no clearer word."""
    word = word_text(change)
    if change.size is None:
        return tr("{word}: {note}", word=word, note=change.note) if change.note else word
    values = f"{value_text(change.metric, change.earlier)} → {value_text(change.metric, change.later)}"
    figures = tr("{values}, {size}", values=values, size=size_text(change))
    proof = clauses([figures, *([change.note] if change.note else [])])
    return tr("{figure} {word} ({proof})", figure=tr(_WHAT[change.metric]), word=word, proof=proof)


def word_text(change: Change) -> str:
    """The word of a change as it stands in a sentence."""
    return tr(change.word.value.replace("-", " "))


_WHAT = {
    "latency_ns": mark("time"),
    "instructions": mark("instructions"),
    "accuracy": mark("accuracy"),
    "memory_bytes": mark("memory"),
    "energy_j": mark("energy"),
}


def cause_text(board: BoardComparison, pair: CellPair) -> str:
    """What a change may be put down to; empty where nothing changed that asks for a cause."""
    if all(one.word in _QUIET for one in (pair.work, pair.memory, pair.energy)):
        return ""
    text = tr(_CAUSES[pair.cause])
    if pair.cause is Cause.BOTH and board.drift is not None:
        drift = amount_text(board.drift, counted=board.emulated)
        return tr("{cause} (files that did not change took {drift})", cause=text, drift=drift)
    return text


def drift_text(board: BoardComparison) -> str:
    """What happened to candidates whose file did not change."""
    if board.drift is None:
        return tr("No candidate with the same file could be compared, so what the board itself did is not known.")
    drift = amount_text(board.drift, counted=board.emulated)
    return tr("Candidates whose file did not change took {drift} (their median).", drift=drift)


def context_text(board: BoardComparison) -> str:
    """Where the circumstances differ, as a sentence."""
    if not board.context:
        return tr("The circumstances that are recorded are the same in both runs.")
    return tr(
        "The circumstances differ: {differences}. What changed here is not the model's doing alone.",
        differences=clauses(difference.text for difference in board.context),
    )


def summary_text(comparison: RunComparison) -> str:
    """How many cells did what, in one sentence."""
    pairs = comparison.pairs
    if not pairs:
        return tr("The two runs have no cell in common.")
    words: dict[str, int] = {}
    for pair in pairs:
        words[pair.work.word.value] = words.get(pair.work.word.value, 0) + 1
    counted = listed(
        tr("{number} {word}", number=count, word=tr(word.replace("-", " ")))
        for word, count in sorted(words.items(), key=_most)
    )
    alone = len(comparison.only_earlier) + len(comparison.only_later)
    if alone:
        text = mark("{number} cells are in both runs: {words}. {alone} are in one run only.")
        return tr(text, number=len(pairs), words=counted, alone=alone)
    return tr("{number} cells are in both runs: {words}.", number=len(pairs), words=counted)


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]
