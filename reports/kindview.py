"""What the page shows of boards of one kind: a row a candidate, and sentences on what that means for the kind; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .context import board_context
from .kinds import SpreadOfUnits, Unit, spreads_of_units, units_of_kinds
from .language import clauses, listed, mark, tr
from .pick import Choice, checks
from .record import Budget
from .sparks import deviation_scale, strip
from .summary import RunSummary
from .units import Shown, duration, instruction_count, percent
from .wording import candidate_names, work_text

DIFFER = {True: mark("yes"), False: mark("not shown"), None: mark("too few blocks to tell")}
MOST_NAMED = 8  # units whose medians a row names one by one; of more the least and the largest


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRow:
    """One candidate over the units. `medians` are (unit, median) in the column's unit, `strip_svg` the same drawn."""

    label: str
    units: int
    mean: str
    medians: tuple[tuple[str, str], ...]
    strip_svg: str
    range: str
    cv: str
    within: str
    differ: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KindView:
    """One kind of which the run measured several boards."""

    kind: str
    boards: tuple[str, ...]
    emulated: bool
    unit: str
    reach: float
    rows: tuple[KindRow, ...]
    sentences: tuple[str, ...]


def kind_views(summary: RunSummary, choices: Iterable[Choice]) -> tuple[KindView, ...]:
    """All kinds with a candidate on several units, in the order of the run's boards."""
    spreads, picked = spreads_of_units(summary), tuple(choices)
    labels = candidate_names(summary.cells)
    views: list[KindView] = []
    for kind, boards in units_of_kinds(summary.run).items():
        for emulated in (False, True):
            mine = [spread for spread in spreads if spread.kind == kind and spread.emulated is emulated]
            if mine:
                views.append(_view(kind, boards, mine, labels, summary, picked))
    return tuple(views)


def _view(
    kind: str,
    boards: Sequence[str],
    spreads: Sequence[SpreadOfUnits],
    labels: Mapping[str, str],
    summary: RunSummary,
    choices: Sequence[Choice],
) -> KindView:
    emulated, like = spreads[0].emulated, min(unit.median for spread in spreads for unit in spread.units)
    scale = deviation_scale((_by_place(spread) for spread in spreads), 0.001 if emulated else 0.01)
    rows = tuple(
        KindRow(
            label=labels[spread.units[0].cell.record.cell_id],
            units=len(spread.units),
            mean=_shown(spread.mean, spread, like).value,
            medians=tuple((unit.board, _shown(unit.median, spread, like).value) for unit in _named(spread)),
            strip_svg=strip(_by_place(spread), scale),
            range=percent(spread.range, 3 if emulated else 1),
            cv=percent(spread.cv, 3 if emulated else 1),
            within=percent(spread.within, 3 if emulated else 1),
            differ=tr(DIFFER[spread.differ]),
        )
        for spread in spreads
    )
    sentences = (
        *_of_spread(spreads, labels),
        *_of_circumstances(summary, boards),
        *_of_pick(spreads, labels, choices, summary.run.budget),
    )
    unit = (instruction_count if emulated else duration)(like).unit
    return KindView(
        kind=kind,
        boards=tuple(boards),
        emulated=emulated,
        unit=unit,
        reach=scale.high,
        rows=rows,
        sentences=tuple(sentences),
    )


def _by_place(spread: SpreadOfUnits) -> dict[int, float]:
    return {place: unit.median for place, unit in enumerate(spread.units)}


def _named(spread: SpreadOfUnits) -> Sequence[Unit]:
    return spread.units if len(spread.units) <= MOST_NAMED else (spread.fastest, spread.slowest)


def _shown(value: float, spread: SpreadOfUnits, like: float) -> Shown:
    """A median with the digits that the least certain unit allows, so that those of a row can be compared."""
    widest = max(spread.units, key=lambda unit: unit.width or 0.0)
    show = instruction_count if spread.emulated else duration
    return show(value, widest.low, widest.high, like)


def _of_spread(spreads: Sequence[SpreadOfUnits], labels: Mapping[str, str]) -> Iterable[str]:
    apart = [spread for spread in spreads if spread.differ]
    untold = [spread for spread in spreads if spread.differ is None]
    widest = max(apart or spreads, key=lambda spread: spread.range)
    digits = 3 if widest.emulated else 1
    span = percent(widest.range, digits)
    name, slow, fast = labels[widest.units[0].cell.record.cell_id], widest.slowest.board, widest.fastest.board
    within = percent(widest.within, digits)
    if apart:
        yield tr(
            "For {some} of {all} candidates the units differ by more than their own intervals: by up to {span} of "
            "their mean ({name}, {slow} over {fast}), where the interval within a unit is at most {within} wide.",
            some=len(apart),
            all=len(spreads),
            span=span,
            name=name,
            slow=slow,
            fast=fast,
            within=within,
        )
    elif len(untold) == len(spreads):
        yield tr(
            "Too few blocks to tell whether the units differ; their medians lie up to {span} apart ({name}).",
            span=span,
            name=name,
        )
    else:
        yield tr(
            "The units are not shown to differ: their medians lie up to {span} apart ({name}), "
            "and the interval within a unit is {within} wide.",
            span=span,
            name=name,
            within=within,
        )


def _of_circumstances(summary: RunSummary, boards: Sequence[str]) -> Iterable[str]:
    """Units under other circumstances differ for other reasons than being other pieces."""
    told: dict[str, dict[str, list[str]]] = {}
    for board in boards:
        for what, value in board_context(summary.run, board).items():
            told.setdefault(what, {}).setdefault(value, []).append(board)
    found = [
        f"{tr(what)} " + listed(f"{value} ({listed(those)})" for value, those in values.items())
        for what, values in told.items()
        if len(values) > 1
    ]
    if found:
        yield tr(
            "The units do not run alike, which may be part of the spread: {circumstances}.",
            circumstances=clauses(found),
        )


def _of_pick(
    spreads: Sequence[SpreadOfUnits], labels: Mapping[str, str], choices: Sequence[Choice], budget: Budget
) -> Iterable[str]:
    for model in dict.fromkeys(spread.units[0].cell.record.model for spread in spreads):
        mine = [spread for spread in spreads if spread.units[0].cell.record.model == model]
        boards = {unit.board for spread in mine for unit in spread.units}
        asked = [choice for choice in choices if choice.model == model and choice.board in boards]
        if asked and len(asked) == len(boards):
            yield _pick(model, mine, labels, asked, budget)


def _pick(
    model: str,
    spreads: Sequence[SpreadOfUnits],
    labels: Mapping[str, str],
    choices: Sequence[Choice],
    budget: Budget,
) -> str:
    """Which one file may be the kind's: it keeps the budget on each unit, so on the slowest."""
    everywhere = [spread for spread in spreads if len(spread.units) == len(choices)]
    holding = [s for s in everywhere if all(check.met for unit in s.units for check in checks(unit.cell, budget))]
    if not holding:
        return tr(
            "No candidate of {model} meets the budget on all {units} units, so none can be the kind's.",
            model=model,
            units=len(choices),
        )
    chosen = {choice.chosen.record.cell_id for choice in choices if choice.chosen is not None}
    agreed = [s for s in holding if all(unit.cell.record.cell_id in chosen for unit in s.units)]
    best = agreed[0] if agreed else min(holding, key=lambda spread: spread.slowest.median)
    name, slowest = labels[best.units[0].cell.record.cell_id], best.slowest
    if best.emulated:
        worst = tr("{board}, the one with most instructions", board=slowest.board)
    else:
        worst = tr("{board}, the slowest", board=slowest.board)
    told = {"model": model, "units": len(choices), "worst": worst, "name": name, "work": work_text(slowest.cell)}
    if agreed:
        return tr(
            "One file of {model} must hold on all {units} units, so on {worst}: {name} is the choice on each of them "
            "and takes {work} there.",
            **told,
        )
    return tr(
        "One file of {model} must hold on all {units} units, so on {worst}: the units' own choices differ, and of the "
        "candidates that meet the budget on each of them {name} has the least work there, {work}.",
        **told,
    )
