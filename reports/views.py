"""What the page shows of each board: rows in reading order with their small drawings, and the chart; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .across import across_models
from .boardstate import board_state
from .charts import MANY, Mark, trade_off
from .control import Control
from .explore import Pair, every_pair, possible_pairs
from .gap import gap_lines
from .insides import (
    CounterLine,
    MemoryLine,
    OperatorView,
    SustainedLine,
    counter_lines,
    memory_line,
    operator_views,
    sustained_lines,
)
from .joules import NO_METER, meter_text
from .language import mark, tr
from .paid_view import PaidTable, paid_table
from .pareto import Point, Standing, standings
from .pick import Choice
from .plain import plain
from .sparks import Scale, deviation_scale, interval, memory_bar, memory_scale, ratio_scale, strip
from .summary import CellSummary, RunSummary
from .units import duration, instruction_count, percent
from .wording import across_text, amount_text, control_text, names

MOST_PAIRS = 66  # of twelve candidates; above, a table of pairs is no help


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One cell as the tables show it. The drawings are SVG text made by this package, empty where nothing is known."""

    cell: CellSummary
    label: str
    chosen: bool
    standing: Standing | None
    amount: str
    interval_svg: str
    strip_svg: str
    memory_svg: str
    memory: MemoryLine | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """Two candidates side by side, for exploration."""

    pair: Pair
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTable:
    """The pairs of a board; no `rows` where so many are possible that a page cannot show them."""

    possible: int
    rows: tuple[PairRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryExtras:
    """Columns of the memory table that a board may have nothing for."""

    pss: bool
    cgroup: bool
    missing: bool

    @property
    def absent(self) -> str:
        """What is left out, in words; empty where nothing is."""
        names = [name for name, there in (("PSS", self.pss), (tr("the peak of a cgroup"), self.cgroup)) if not there]
        return tr("Not measured on this board: {figures}.", figures=tr(" and ").join(names)) if names else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoardView:
    """One board: the baseline first, then from the least work, what has no figures last."""

    name: str
    role: str
    arch: str
    emulated: bool
    rows: tuple[Row, ...]
    like: float
    unit: str
    reach: float
    chart_wide: str
    chart_narrow: str
    undrawn: int
    control: Control | None
    control_text: str
    across: tuple[str, ...]
    pairs: PairTable
    facts: tuple[tuple[str, str], ...]
    operators: tuple[OperatorView, ...] = ()
    counters: tuple[CounterLine, ...] = ()
    sustained: tuple[SustainedLine, ...] = ()
    meter_text: str = ""
    paid: PaidTable | None = None
    gaps: tuple[str, ...] = ()

    @property
    def metered(self) -> bool:
        """Whether the board has a meter, whatever it gave; an emulated one never has."""
        return not self.emulated and any(
            row.cell.energy is not None or row.cell.energy_absent not in (None, NO_METER) for row in self.rows
        )

    @property
    def memory_extras(self) -> MemoryExtras:
        """Which of the columns that few boards can fill have a figure here."""
        lines = [row.memory for row in self.rows if row.memory is not None]
        return MemoryExtras(
            pss=any(line.phases.pss_bytes is not None for line in lines),
            cgroup=any(line.phases.cgroup_peak_bytes is not None for line in lines),
            missing=any(line.missing for line in lines),
        )

    @property
    def measured(self) -> bool:
        """Whether any cell of this board has figures."""
        return any(row.cell.work is not None for row in self.rows)


def board_views(summary: RunSummary, choices: Iterable[Choice]) -> tuple[BoardView, ...]:
    """All boards with cells, targets first, emulated ones last."""
    chosen = {choice.chosen.record.cell_id for choice in choices if choice.chosen is not None}
    ranks = {"target": 0, "reference": 1, "emulated": 2}
    means, labels = across_models(summary), names(summary.cells)
    possible = {board: possible_pairs(summary.on_board(board)) for board in summary.boards}
    pairs = every_pair(summary) if any(1 < count <= MOST_PAIRS for count in possible.values()) else ()
    views = [
        _board(
            board,
            summary,
            labels,
            chosen,
            tuple(across_text(mean, summary.run.baseline_recipe) for mean in means if mean.board == board),
            PairTable(
                possible=possible[board],
                rows=tuple(
                    PairRow(pair=pair, first=labels[pair.first], second=labels[pair.second])
                    for pair in pairs
                    if pair.board == board and possible[board] <= MOST_PAIRS
                ),
            ),
        )
        for board in summary.boards
        if summary.on_board(board)
    ]
    return tuple(sorted(views, key=lambda view: ranks.get(view.role, 1)))


def _board(
    board: str,
    summary: RunSummary,
    labels: Mapping[str, str],
    chosen: set[str],
    across: tuple[str, ...],
    pairs: PairTable,
) -> BoardView:
    cells = sorted(summary.on_board(board), key=_reading_order)
    first = cells[0].record
    works = [cell.work for cell in cells if cell.work is not None]
    like = min(works, default=1.0)
    points = [point for point in map(_point, cells) if point is not None]
    spread = deviation_scale((cell.by_block for cell in cells), 0.001 if first.emulated else 0.01)
    rows = _rows(cells, labels, chosen, standings(points), spread)
    wide, narrow = _charts(rows, {point.key: point for point in points}, summary, like)
    control = summary.controls.get(board)
    labelled = [(row.label, row.cell) for row in rows]
    told = summary.run.boards.get(board, {})
    records = [(label, cell.record) for label, cell in labelled]
    return BoardView(
        name=board,
        role=first.role,
        arch=first.arch,
        emulated=first.emulated,
        rows=rows,
        like=like,
        unit=(instruction_count if first.emulated else duration)(like).unit if works else "",
        chart_wide=wide,
        chart_narrow=narrow,
        reach=spread.high,
        undrawn=len(cells) - len(points),
        control=control,
        control_text=control_text(control, board),
        across=across,
        pairs=pairs,
        facts=(*flatten(told), *board_state(record for _, record in records)),
        operators=operator_views(labelled),
        counters=counter_lines(labelled),
        sustained=sustained_lines(labelled),
        paid=paid_table(labelled, told, boards=len(summary.boards)),
        gaps=tuple(gap_lines(records, told, summary.run.provenance)),
        meter_text=meter_text(control, [cell.energy for cell in cells if cell.energy and cell.energy.total_j]),
    )


def _reading_order(cell: CellSummary) -> tuple[str, bool, bool, float]:
    return (cell.record.model, cell.work is None, not cell.baseline, cell.work or 0.0)


def _rows(
    cells: Sequence[CellSummary],
    labels: Mapping[str, str],
    chosen: set[str],
    standing: dict[str, Standing],
    spread: Scale,
) -> tuple[Row, ...]:
    ratios = ratio_scale(cell.verdict for cell in cells if cell.verdict is not None)
    memories = memory_scale([cell.memory.phases for cell in cells if cell.memory is not None])

    def row(cell: CellSummary) -> Row:
        verdict, label = cell.verdict, labels[cell.record.cell_id]
        ratio = verdict.ratio if verdict else None
        return Row(
            cell=cell,
            label=label,
            chosen=cell.record.cell_id in chosen,
            standing=standing.get(cell.record.cell_id),
            amount="" if ratio is None else amount_text(ratio, counted=cell.record.emulated),
            interval_svg=interval(verdict, ratios) if verdict else "",
            strip_svg=strip(cell.by_block, spread) if cell.by_block else "",
            memory_svg=memory_bar(cell.memory.phases, memories) if cell.memory else "",
            memory=memory_line(cell),
        )

    return tuple(row(cell) for cell in cells)


def _point(cell: CellSummary) -> Point | None:
    if not cell.ok or cell.work is None or cell.fraction is None or cell.accuracy is None:
        return None
    low, high = _work_interval(cell)
    on_host = cell.accuracy.host is not None
    bounds = (cell.accuracy.host_ci_low, cell.accuracy.host_ci_high) if on_host else cell.board_interval or (None, None)
    return Point(
        key=cell.record.cell_id,
        work=cell.work,
        work_low=low,
        work_high=high,
        accuracy=cell.fraction,
        accuracy_low=bounds[0],
        accuracy_high=bounds[1],
    )


def _work_interval(cell: CellSummary) -> tuple[float | None, float | None]:
    if cell.instructions is not None:
        return min(cell.by_block.values()), max(cell.by_block.values())
    return (cell.latency.ci_low_ns, cell.latency.ci_high_ns) if cell.latency else (None, None)


def _charts(rows: Sequence[Row], points: dict[str, Point], summary: RunSummary, like: float) -> tuple[str, str]:
    marks = [_mark(row, points[row.cell.record.cell_id]) for row in rows if row.cell.record.cell_id in points]
    if len(marks) < 2:  # one point trades nothing
        return "", ""
    record, budget = rows[0].cell.record, summary.run.budget
    base = next((m.point.accuracy for m in marks if m.baseline), None)
    several = len({row.cell.record.model for row in rows}) > 1
    drop = budget.accuracy_drop
    limit = None if base is None or drop is None or several else base - drop
    label = tr("instructions per inference") if record.emulated else tr("median latency")
    title = (
        tr("Accuracy over instructions per inference on {board}: up and to the left is better", board=record.board)
        if record.emulated
        else tr("Accuracy over median latency on {board}: up and to the left is better", board=record.board)
    )
    show: Callable[..., Any] = instruction_count if record.emulated else duration
    unit = show(like).unit

    def draw(width: int, height: int) -> str:
        return trade_off(
            marks,
            width=width,
            height=height,
            title=title,
            x_label=tr("{quantity}, less is better", quantity=f"{label} ({unit})" if unit else label),
            show_x=lambda value: tick(value, like, show),
            work_limit=budget.instructions if record.emulated else None,
            accuracy_limit=limit,
        )

    return draw(1210, 400), draw(350, 340) if len(marks) <= MANY else ""  # many marks need the width: it scrolls


def tick(value: float, like: float, show: Callable[..., Any]) -> str:
    """A tick's value in the unit of its axis, without needless zeros."""
    text = str(show(value, like_ns=like).value) if show is duration else str(show(value, like=like).value)
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


_STANDINGS = {
    Standing.FRONT: mark("on the front"),
    Standing.TIED: mark("not told apart from the front"),
    Standing.DOMINATED: mark("dominated"),
}


def _mark(row: Row, point: Point) -> Mark:
    record, shown = row.cell.record, (duration(point.work), instruction_count(point.work))
    work = tr("{count} instructions", count=shown[1].text) if record.emulated else shown[0].text
    standing = row.standing or Standing.DOMINATED
    return Mark(
        point=point,
        label=row.label,
        standing=standing,
        baseline=row.cell.baseline,
        chosen=row.chosen,
        tooltip=tr(
            "{candidate}: {work}, accuracy {accuracy}; {standing}",
            candidate=row.label,
            work=work,
            accuracy=percent(point.accuracy, 2),
            standing=tr(_STANDINGS[standing]),
        ),
    )


def flatten(value: object, prefix: str = "") -> list[tuple[str, str]]:
    """Any nested facts as (path, text) pairs in their order; None becomes `not available`. The paths are no words."""
    clean = plain(value)
    if isinstance(clean, dict) and clean:
        return [pair for key, item in clean.items() for pair in flatten(item, f"{prefix} {key}".strip())]
    if isinstance(clean, list) and clean:
        return [(prefix, ", ".join(str(item) for item in clean))]
    return [(prefix, tr("not available") if clean is None or clean in ({}, []) else str(clean))]
