"""What a model file promises beside what a board measured: parameters, zeros, MACs, bytes, and their ratios; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .summary import CellSummary
from .verdict import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFigures:
    """What was counted in a file; None = not counted. `why` says what kept its MACs from being counted."""

    parameters: int | None
    nonzero_share: float | None
    macs: int | None
    why: tuple[str, ...]
    by_type: Mapping[str, int]
    bytes: int | None
    compressed_bytes: int | None

    def share_of(self, *types: str) -> float:
        """The share of the parameters that is stored in one of these types."""
        return sum(self.by_type.get(one, 0) for one in types) / self.parameters if self.parameters else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GainFigures:
    """A candidate beside its baseline; ratios are candidate over baseline, None = one of the two is not known.

    `measured_ratio` is of time on a real board, of instructions on an emulated one (`counted`), with its interval;
    `proven` says that it comes with a verdict. `word` is that verdict's.
    """

    file: FileFigures
    base: FileFigures | None
    macs_ratio: float | None
    bytes_ratio: float | None
    compressed_ratio: float | None
    measured_ratio: float | None
    measured_low: float | None
    measured_high: float | None
    word: Word | None
    counted: bool


def file_figures(cell: CellSummary) -> FileFigures:
    """What is known of a cell's file."""
    artifact = cell.record.artifact
    costs: Mapping[str, Any] = (artifact.costs if artifact is not None else None) or {}
    return FileFigures(
        parameters=costs.get("parameters"),
        nonzero_share=costs.get("nonzero_share"),
        macs=costs.get("macs"),
        why=tuple(costs.get("not_counted") or ()),
        by_type=costs.get("by_type") or {},
        bytes=None if artifact is None else artifact.bytes,
        compressed_bytes=None if artifact is None else artifact.compressed_bytes,
    )


def gain_figures(cell: CellSummary, base: CellSummary | None) -> GainFigures:
    """A candidate's figures over its baseline's. Without a verdict the measured ratio is that of the two medians."""
    mine, theirs = file_figures(cell), None if base is None else file_figures(base)
    verdict = cell.verdict
    ratio = verdict.ratio if verdict is not None else None
    if ratio is None and (verdict is None or verdict.word is not Word.NOT_COMPARABLE) and base is not None:
        ratio = _over(cell.work, base.work)
    return GainFigures(
        file=mine,
        base=theirs,
        macs_ratio=None if theirs is None else _over(mine.macs, theirs.macs),
        bytes_ratio=None if theirs is None else _over(mine.bytes, theirs.bytes),
        compressed_ratio=None if theirs is None else _over(mine.compressed_bytes, theirs.compressed_bytes),
        measured_ratio=ratio,
        measured_low=None if verdict is None else verdict.ci_low,
        measured_high=None if verdict is None else verdict.ci_high,
        word=None if verdict is None else verdict.word,
        counted=cell.record.emulated,
    )


def _over(first: float | None, second: float | None) -> float | None:
    return None if first is None or not second else first / second
