"""Does a comparison of two runs pass? Conditions that a pipeline names, each judged cell by cell; pure.

A condition holds where one cell shows it. Where none does but one could not be judged, the answer is `unknown`: it is
neither a pass nor a failure. A change in other circumstances (an upgrade of the kernel, say) is unknown too, unless the
caller wants the circumstances judged with the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .compare import BoardComparison, CellPair, RunComparison
from .comparechanges import Change, Regressed
from .comparewords import change_text, pair_name
from .language import clauses, mark, plural, tr
from .pick import checks
from .wording import bound_text, bounded


class Condition(StrEnum):
    """What may make a comparison fail."""

    SLOWER = "slower"  # more time, or more instructions on an emulated board
    ACCURACY = "accuracy"
    MEMORY = "memory"
    ENERGY = "energy"
    BUDGET = "budget"  # a bound that the earlier run kept is broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A condition with its answer; `sentences` name the cells that it holds for, or that could not be judged."""

    condition: Condition
    answer: Regressed
    sentences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the condition is met, so that the comparison fails."""
        return self.answer is Regressed.YES


_CHANGES: dict[Condition, Callable[[CellPair], Change]] = {
    Condition.SLOWER: lambda pair: pair.work,
    Condition.ACCURACY: lambda pair: pair.accuracy,
    Condition.MEMORY: lambda pair: pair.memory,
    Condition.ENERGY: lambda pair: pair.energy,
}
# The circumstances of a board move its times, counts, memory and energy. Accuracy is judged by the test set.
MANY = 4  # cells that are named one by one where the same is said of them
_BLAMES_CONTEXT = (Condition.SLOWER, Condition.MEMORY, Condition.ENERGY)


def judge(
    comparison: RunComparison, conditions: Sequence[Condition], *, any_context: bool = False
) -> tuple[Judgement, ...]:
    """The answer to each condition, in the order given. `any_context` judges cells in other circumstances too."""
    return tuple(_judge(comparison, condition, any_context) for condition in dict.fromkeys(conditions))


def exit_code(judgements: Sequence[Judgement]) -> int:
    """1 where a condition holds, else 5 where one could not be judged, else 0."""
    answers = {judgement.answer for judgement in judgements}
    return 1 if Regressed.YES in answers else 5 if Regressed.UNKNOWN in answers else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What one cell says of a condition."""

    answer: Regressed
    cell: str
    text: str


def _judge(comparison: RunComparison, condition: Condition, any_context: bool) -> Judgement:
    findings = [*_lost(comparison), *_cells(comparison, condition, any_context)]
    for answer in (Regressed.YES, Regressed.UNKNOWN):
        found = [finding for finding in findings if finding.answer is answer]
        if found:
            return Judgement(condition=condition, answer=answer, sentences=_sentences(found))
    if not findings:
        none = (tr("no cell has figures in both runs"),)
        return Judgement(condition=condition, answer=Regressed.UNKNOWN, sentences=none)
    return Judgement(condition=condition, answer=Regressed.NO, sentences=())


def _sentences(findings: Sequence[_Finding]) -> tuple[str, ...]:
    """One sentence a cell; many cells of which the same is said share one."""
    cells: dict[str, list[str]] = {}
    for finding in findings:
        cells.setdefault(finding.text, []).append(finding.cell)
    return tuple(
        tr(
            "{cells}: {finding}",
            cells=plural(len(names), "cell") if len(names) > MANY else clauses(names),
            finding=text,
        )
        for text, names in cells.items()
    )


def _lost(comparison: RunComparison) -> Iterator[_Finding]:
    """Cells that gave figures earlier and give none now; what the later plan does not ask for is no loss."""
    for board in comparison.boards:
        for pair in board.pairs:
            record = pair.later.record
            if pair.earlier.ok and not pair.later.ok:
                text = tr("was ok and is {outcome} now", outcome=tr(record.outcome.value))
                if record.reason:
                    text = f"{text} ({record.reason})"
                yield _Finding(answer=Regressed.UNKNOWN, cell=pair_name(board, pair), text=text)


def _cells(comparison: RunComparison, condition: Condition, any_context: bool) -> Iterator[_Finding]:
    for board in comparison.boards:
        for pair in board.pairs:
            if not (pair.earlier.ok and pair.later.ok):
                continue
            if condition is Condition.BUDGET:
                yield from _bounds(comparison, board, pair)
            elif not (condition is Condition.ENERGY and board.emulated):  # no energy there is no gap in the data
                yield _finding(board, pair, condition, any_context)


def _finding(board: BoardComparison, pair: CellPair, condition: Condition, any_context: bool) -> _Finding:
    change = _CHANGES[condition](pair)
    answer, text = change.regressed, change_text(change)
    if answer is Regressed.YES and board.context and condition in _BLAMES_CONTEXT and not any_context:
        differences = clauses(difference.text for difference in board.context)
        but = mark("{finding}, but the circumstances differ too ({differences})")
        answer, text = Regressed.UNKNOWN, tr(but, finding=text, differences=differences)
    return _Finding(answer=answer, cell=pair_name(board, pair), text=text)


def _bounds(comparison: RunComparison, board: BoardComparison, pair: CellPair) -> Iterator[_Finding]:
    """The bounds of the later run's plan against both runs' figures."""
    budget = comparison.later.run.budget
    earlier = {check.bound: check for check in checks(pair.earlier, budget)}
    for check in checks(pair.later, budget):
        before = earlier[check.bound]
        broken_before = before.value is not None and not before.met
        answer = Regressed.YES
        if check.met or broken_before:
            answer = Regressed.NO
        elif check.value is None:
            answer = Regressed.UNKNOWN
        yield _Finding(answer=answer, cell=pair_name(board, pair), text=bound_text(check))


def sets_budget(comparison: RunComparison) -> bool:
    """Whether the later run's plan sets a bound that `budget` could look at."""
    return bounded(comparison.later.run)
