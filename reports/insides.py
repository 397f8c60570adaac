"""What the page shows of the processes that run once for a cell: operators, counters, the long run; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .language import clauses, listed, mark, plural, tr
from .measured import Counters, NodeGroup, OperatorProfile, Sustained
from .memorydelta import MemoryDeltas, deltas
from .operators import FamilyCost, OperatorPair, side_by_side
from .record import MemoryPhases, Record
from .summary import CellSummary
from .sustained import ColdAndSustained, cold_and_sustained
from .units import MINUS, NARROW, duration, instruction_count, percent, ratio

_TOP = 8
_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLine:
    """One family of operators in the baseline and in the candidate, in words; empty where a model has none of it."""

    family: str
    first: str
    second: str
    ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorView:
    """A candidate's operators beside its baseline's. `notes` say what ran elsewhere, what computes floats, what is
    not available."""

    label: str
    base: str
    lines: tuple[OperatorLine, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterLine:
    """A cell's hardware events per inference, as text; `why` says what is missing."""

    label: str
    counts: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SustainedLine:
    """A cell's long run, as text."""

    label: str
    cold: str
    sustained: str
    slowdown: str
    heat: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLine:
    """What the model adds over the bare runtime, and what could not be had of its memory."""

    deltas: MemoryDeltas
    phases: MemoryPhases
    missing: str


Labelled = tuple[str, CellSummary]


def operator_views(cells: Sequence[Labelled]) -> tuple[OperatorView, ...]:
    """Each candidate that was profiled beside its baseline; the baseline alone where nothing else was."""
    by_id = {cell.record.cell_id: (label, cell) for label, cell in cells}
    views: list[OperatorView] = []
    for label, cell in cells:
        base = by_id.get(cell.baseline_cell or "")
        mine, theirs = _profile(cell.record), None if base is None else _profile(base[1].record)
        if mine is None or cell.baseline:
            continue
        views.append(_view(label, mine, "" if base is None else base[0], theirs))
    alone = [(label, _profile(cell.record)) for label, cell in cells if cell.baseline]
    return tuple(views) or tuple(_view(label, found, "", None) for label, found in alone if found is not None)


def _view(label: str, mine: OperatorProfile, base: str, theirs: OperatorProfile | None) -> OperatorView:
    pairs = side_by_side(theirs or _EMPTY, mine)[:_TOP]
    notes = [f"{base}: {note}" for note in _notes(theirs)] if theirs is not None else []
    return OperatorView(
        label=label,
        base=base,
        lines=tuple(_line(pair, theirs, mine) for pair in pairs),
        notes=(*notes, *(f"{label}: {note}" for note in _notes(mine))),
    )


_EMPTY = OperatorProfile(unit=None, source=None, iterations=0)


def _line(pair: OperatorPair, theirs: OperatorProfile | None, mine: OperatorProfile) -> OperatorLine:
    unit = None if theirs is None else theirs.unit
    return OperatorLine(
        family=pair.family, first=_cost(pair.first, unit), second=_cost(pair.second, mine.unit), ratio=pair.ratio
    )


def _cost(cost: FamilyCost | None, unit: str | None) -> str:
    if cost is None:
        return ""
    nodes = plural(cost.nodes, "node")
    if cost.per_inference is None:
        return nodes
    shown = duration(cost.per_inference) if unit == "ns" else instruction_count(cost.per_inference)
    return listed([shown.text, *([] if cost.share is None else [percent(cost.share, 0)]), nodes])


def _notes(profile: OperatorProfile) -> list[str]:
    found = [tr("not available: {reason}", reason=reason) for reason in profile.unavailable.values()]
    if profile.fell_back is not None and profile.fell_back.number:
        found.append(tr("ran on another provider than the first: {nodes}", nodes=_nodes(profile.fell_back)))
    if profile.in_float is not None and profile.in_float.number:
        found.append(tr("still compute floats: {nodes}", nodes=_nodes(profile.in_float)))
    return found


def _nodes(group: NodeGroup) -> str:
    named = [f"{node.name} ({node.op})" if node.name else node.op for node in group.listed[:_LISTED]]
    more = group.number - len(named)
    shown = listed(named)
    return tr("{nodes} and {number} more", nodes=shown, number=more) if more > 0 else shown


def _profile(record: Record) -> OperatorProfile | None:
    return next((trial.profile for trial in record.trials if trial.profile is not None), None)


def counter_lines(cells: Sequence[Labelled]) -> tuple[CounterLine, ...]:
    """The cells whose events were asked for."""
    found = ((label, next((t.counters for t in cell.record.trials if t.counters), None)) for label, cell in cells)
    return tuple(_counters(label, counters) for label, counters in found if counters is not None)


def _counters(label: str, counters: Counters) -> CounterLine:
    totals = (counters.instructions, counters.cycles, counters.cache_misses, counters.branch_misses)
    each = [
        tr("not available") if total is None else instruction_count(total / max(1, counters.iterations)).text
        for total in totals
    ]
    return CounterLine(label=label, counts=tuple(each), why=_together(counters.unavailable))


def _together(reasons: Mapping[str, str]) -> str:
    by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(tr(name.replace("_bytes", "").replace("_", " ")))
    return clauses(
        tr("{figures}: {reason}", figures=listed(names), reason=reason) for reason, names in by_reason.items()
    )


def sustained_lines(cells: Sequence[Labelled]) -> tuple[SustainedLine, ...]:
    """The cells that ran without a break. Of an emulated board no time is told, whatever it recorded."""
    timed = ((label, cell.record) for label, cell in cells if not cell.record.emulated)
    found = ((label, next((trial.sustained for trial in one.trials if trial.sustained), None)) for label, one in timed)
    return tuple(_sustained(label, run) for label, run in found if run is not None)


def _sustained(label: str, run: Sustained) -> SustainedLine:
    both, missing = cold_and_sustained(run), clauses(run.unavailable.values())
    if both is None:
        return SustainedLine(label=label, cold=tr("not available"), sustained="", slowdown="", heat="", note=missing)
    ended = mark("steady after {time}") if both.steady else mark("not steady in its time after {time}")
    note = clauses([tr(ended, time=f"{both.lasted_s:.0f}{NARROW}s"), *([missing] if missing else [])])
    return SustainedLine(
        label=label,
        cold=duration(both.cold_ns).text,
        sustained=duration(both.sustained_ns, like_ns=both.cold_ns).text,
        slowdown=ratio(both.slowdown).text,
        heat=_heat(both),
        note=note,
    )


def _heat(both: ColdAndSustained) -> str:
    parts = [] if both.warmer_c is None else [f"{both.warmer_c:+.0f}{NARROW}°C".replace("-", MINUS)]
    parts += [] if both.slower_khz is None else [f"{-both.slower_khz / 1000:+.0f}{NARROW}MHz".replace("-", MINUS)]
    return listed(parts) or tr("not available")


def memory_line(cell: CellSummary) -> MemoryLine | None:
    """A cell's memory over the bare runtime; None where no process read it."""
    read = next((trial.memory for trial in cell.record.trials if trial.memory is not None), None)
    return None if read is None else MemoryLine(deltas=deltas(read), phases=read, missing=_together(read.unavailable))
