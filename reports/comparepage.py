"""Two runs side by side as one HTML file that opens from disk, loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .compare import BoardComparison, CellPair, RunComparison, compare_runs
from .comparechanges import Change, Regressed
from .comparegate import Condition, Judgement, judge
from .comparemoved import is_better, moved
from .comparewords import cause_text, context_text, drift_text, size_text, summary_text, value_text
from .language import Language, mark, speaking, tr
from .page import LARGE_CELLS, fill
from .record import Outcome, RunRecord
from .sparks import Scale, interval, ratio_scale
from .verdict import Verdict, Word
from .wording import name


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A change as a table shows it."""

    word: str
    tone: str
    earlier: str
    later: str
    size: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CellRow:
    """One cell in both runs: its changes, the drawing of the ratio of work, and what it may be put down to."""

    label: str
    outcome: str
    file: str
    work: Figure
    drawing: str
    others: tuple[Figure, ...]
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardSection:
    """A board with its rows; `metered` says whether any of its cells has energy in either run."""

    board: BoardComparison
    rows: tuple[CellRow, ...]
    metered: bool
    context: str
    drift: str


def comparison_page(
    earlier: RunRecord,
    later: RunRecord,
    conditions: Sequence[Condition] = (),
    *,
    any_context: bool = False,
    language: Language = Language.ENGLISH,
) -> str:
    """Two runs compared, judged and written down in one language."""
    with speaking(language):
        comparison = compare_runs(earlier, later)
        return render_comparison(comparison, judge(comparison, conditions, any_context=any_context))


def render_comparison(comparison: RunComparison, judgements: Sequence[Judgement] = ()) -> str:
    """The whole page as HTML text, in the language that is spoken, as the comparison is; the same for the same runs."""
    return fill(
        "compare.html.j2",
        "compare.css",
        earlier=comparison.earlier.run,
        later=comparison.later.run,
        large=sum(len(board.pairs) for board in comparison.boards) > LARGE_CELLS,
        summary=summary_text(comparison),
        boards=[_section(board) for board in comparison.boards],
        judgements=judgements,
        moved=moved(comparison),
        only_earlier=[cell.record.cell_id for cell in comparison.only_earlier],
        only_later=[cell.record.cell_id for cell in comparison.only_later],
    )


def _section(board: BoardComparison) -> BoardSection:
    metered = any(v is not None for pair in board.pairs for v in (pair.energy.earlier, pair.energy.later))
    scale = ratio_scale(_as_verdict(pair.work) for pair in board.pairs if pair.work.ratio is not None)
    return BoardSection(
        board=board,
        rows=tuple(_row(board, pair, scale, metered=metered) for pair in board.pairs),
        metered=metered,
        context=context_text(board),
        drift=drift_text(board),
    )


def _row(board: BoardComparison, pair: CellPair, scale: Scale, *, metered: bool) -> CellRow:
    outcomes = (pair.earlier.record.outcome, pair.later.record.outcome)
    others = (pair.accuracy, pair.memory, *((pair.energy,) if metered else ()))
    work = pair.work
    return CellRow(
        label=name(pair.later, [other.later for other in board.pairs]),
        outcome="" if outcomes == (Outcome.OK, Outcome.OK) else f"{tr(outcomes[0].value)} → {tr(outcomes[1].value)}",
        file={None: mark("not known"), True: mark("the same"), False: mark("another")}[pair.same_file],
        work=_figure(work),
        drawing=interval(_as_verdict(work), scale) if work.ratio is not None else "",
        others=tuple(_figure(change) for change in others),
        cause=cause_text(board, pair),
    )


def _figure(change: Change) -> Figure:
    tone = "bad" if change.regressed is Regressed.YES else "good" if is_better(change) else "plain"
    return Figure(
        word=change.word.value,
        tone=tone,
        earlier=value_text(change.metric, change.earlier),
        later=value_text(change.metric, change.later),
        size=size_text(change),
        note=change.note or "",
    )


def _as_verdict(change: Change) -> Verdict:
    """What the drawing of an interval takes; words that it does not know are drawn without a colour."""
    known = {word.value: word for word in Word}
    return Verdict(
        word=known.get(change.word.value, Word.INCONCLUSIVE),
        metric=change.metric,
        ratio=change.ratio,
        ci_low=change.low,
        ci_high=change.high,
        margin=change.margin,
    )
