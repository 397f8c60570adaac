"""Two runs side by side: each cell that either has, and what differs between the boards as they were then. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...reports.record import RunRecord
from ...reports.summary import CellSummary, RunSummary
from ...reports.units import file_size, memory, percent
from ...reports.wording import work_text
from .cellstate import candidate_of

CONTEXT = ("kernel", "os", "governors", "cpu_models", "glibc", "python", "runtimes", "firmware")
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A cell in one of the runs, in words. `sha256` is that of its model file."""

    outcome: str
    work: str
    accuracy: str
    memory: str
    size: str
    sha256: str | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A cell in both runs; None where a run has no such cell. `same_file`: None where that cannot be told."""

    board: str
    candidate: str
    before: Side | None
    after: Side | None

    @property
    def same_file(self) -> bool | None:
        """Whether both measured the same bytes."""
        if self.before is None or self.after is None or None in (self.before.sha256, self.after.sha256):
            return None
        return self.before.sha256 == self.after.sha256


def pairs_of(before: RunSummary, after: RunSummary) -> list[Pair]:
    """The cells of two runs, those of the first one first."""
    one, two = _sides(before), _sides(after)
    return [
        Pair(board=board, candidate=candidate, before=one.get((board, candidate)), after=two.get((board, candidate)))
        for board, candidate in dict.fromkeys([*one, *two])
    ]


def context_differences(before: RunRecord, after: RunRecord) -> list[tuple[str, str, str, str]]:
    """(board, what, then, now) for what may change a figure beside the model: empty where nothing differs."""
    found: list[tuple[str, str, str, str]] = []
    for board in before.boards:
        if board in after.boards:
            old, new = before.boards[board], after.boards[board]
            found += [
                (board, key.replace("_", " "), _text(old.get(key)), _text(new.get(key)))
                for key in CONTEXT
                if _text(old.get(key)) != _text(new.get(key))
            ]
    pairs = (
        ("protocol", before.protocol, after.protocol),
        ("hilbench", before.hilbench_version, after.hilbench_version),
    )
    return [*(("the run", what, old, new) for what, old, new in pairs if old != new), *found]


def _sides(summary: RunSummary) -> Mapping[Key, Side]:
    return {(cell.record.board, candidate_of(_facts(cell))): _side(cell) for cell in summary.cells}


def _facts(cell: CellSummary) -> dict[str, Any]:
    record = cell.record
    return {"model": record.model, "recipe": record.recipe, "runtime": record.runtime, "settings": record.settings}


def _side(cell: CellSummary) -> Side:
    artifact, peak = cell.record.artifact, None if cell.memory is None else cell.memory.peak_bytes
    return Side(
        outcome=cell.record.outcome.value,
        work=work_text(cell) if cell.ok else "not measured",
        accuracy="not judged" if cell.fraction is None else percent(cell.fraction, 2),
        memory="not measured" if peak is None else memory(peak),
        size="no file" if artifact is None else file_size(artifact.bytes),
        sha256=None if artifact is None else artifact.sha256,
        reason=cell.record.reason,
    )


def _text(value: Any) -> str:
    if value is None or value == [] or value == {}:
        return "not told"
    if isinstance(value, Mapping):
        items: Mapping[Any, Any] = value
        return ", ".join(f"{key} {_text(item)}" for key, item in sorted(items.items(), key=lambda item: str(item[0])))
    if isinstance(value, Sequence) and not isinstance(value, str):
        parts: Sequence[Any] = value
        return ", ".join(_text(item) for item in parts)
    return str(value)
