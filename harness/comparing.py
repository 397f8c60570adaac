"""Two runs out of the store, side by side on the terminal; the page has the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..reports.compare import BoardComparison, CellPair, RunComparison, compare_runs
from ..reports.comparechanges import Change
from ..reports.comparegate import Condition, Judgement, sets_budget
from ..reports.comparewords import context_text, drift_text, size_text, summary_text, value_text
from ..reports.wording import name
from .console import table
from .errors import PlanError
from .home import Home
from .reporting import open_run

ANSWERS = {"yes": "it holds", "no": "it does not hold", "unknown": "could not be judged"}


def open_comparison(earlier: str, later: str, inventory: Path | None) -> tuple[Home, RunComparison]:
    """Read and compare two runs. Raises NoSuchRunError; PlanError where both words name one run."""
    home, first = open_run(earlier, inventory)
    _, second = open_run(later, inventory)
    if first.run_id == second.run_id:
        raise PlanError(f"{earlier} and {later} are the same run ({first.run_id}); name two")
    return home, compare_runs(first, second)


def refuse_without_budget(comparison: RunComparison, conditions: Sequence[Condition]) -> None:
    """Raises PlanError where a budget is to be judged and the later run's plan sets none."""
    if Condition.BUDGET in conditions and not sets_budget(comparison):
        run = comparison.later.run.run_id
        raise PlanError(f"--fail-on budget: the plan of {run} sets no budget; add `budget:` to it and run it again")


def comparison_brief(comparison: RunComparison, judgements: Sequence[Judgement]) -> str:
    """One table a board, the circumstances below it, then the conditions."""
    return "\n\n".join(_parts(comparison, judgements))


def _parts(comparison: RunComparison, judgements: Sequence[Judgement]) -> Iterator[str]:
    earlier, later = comparison.earlier.run, comparison.later.run
    yield f"{later.run_id} against {earlier.run_id}: {summary_text(comparison)}"
    for board in comparison.boards:
        kind = " (emulated: instructions, never time)" if board.emulated else ""
        ratio = "later/earlier [range]" if board.emulated else "later/earlier [95 %]"
        header = ["candidate", "earlier", "later", ratio, "word", "accuracy", "peak memory", "energy"]
        rows = [_row(board, pair) for pair in board.pairs]
        if all(row[-1] == "not measured" for row in rows):
            header, rows = header[:-1], [row[:-1] for row in rows]
        yield f"{board.board}{kind}\n{table(rows, header)}\n{context_text(board)} {drift_text(board)}"
    for judgement in judgements:
        lines = [f"--fail-on {judgement.condition}: {ANSWERS[judgement.answer.value]}", *judgement.sentences]
        yield "\n  ".join(lines)


def _row(board: BoardComparison, pair: CellPair) -> list[str]:
    work = pair.work
    return [
        name(pair.later, [other.later for other in board.pairs]),
        value_text(work.metric, work.earlier),
        value_text(work.metric, work.later),
        size_text(work) or str(work.note),
        work.word.value,
        *(_short(change) for change in (pair.accuracy, pair.memory, pair.energy)),
    ]


def _short(change: Change) -> str:
    if change.size is None:
        return change.word.value.replace("-", " ")
    return f"{change.word.value} {size_text(change)}"
