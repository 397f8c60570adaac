"""A search in a few lines for the terminal: the front of each board, and what would be taken."""

from __future__ import annotations

from collections.abc import Sequence

from ...reports.searchrecord import UNITS, SearchRecord, SearchTrial
from ..console import table
from .words import amount

_HEADER = ("trial", "model", "recipe", "cost", "accuracy", "file", "peak memory", "blocks", "")


def search_brief(record: SearchRecord) -> str:
    """One table a board with what nobody dominates, then how many trials came how far."""
    parts: list[str] = []
    for board in record.boards:
        told = " (emulated: instructions, never time)" if board.emulated else ""
        rows = [_row(record, board.name, trial) for trial in _front(record, board.name)]
        parts.append(f"{board.name}{told}")
        parts.append(table(rows, list(_HEADER)) if rows else "no candidate keeps every limit here")
    stages = [trial.stage for trial in record.trials]
    counts = ", ".join(f"{stages.count(stage)} {told}" for stage, told in _STAGES if stages.count(stage))
    parts.append(f"{len(record.trials)} candidates: {counts}")
    for name, error in record.predictor_errors.items():
        parts.append(
            f"{name}: the cost model that ordered candidates is off by {error.median_pct:.0f} % (median of "
            f"{error.candidates}, each left out in turn; at most {error.worst_pct:.0f} %)"
        )
    return "\n\n".join(parts)


_STAGES = (
    ("proposed", "proposed only"),
    ("host", "ended on this machine"),
    ("board", "measured"),
    ("finalist", "measured at full effort"),
)


def _front(record: SearchRecord, board: str) -> list[SearchTrial]:
    """Feasible trials of their own on a board that went no less far than anybody, and the one that would be taken."""
    shown = [
        trial
        for trial in record.trials
        if trial.same_as is None and trial.feasible and _cost(trial, board) is not None
        and (trial.dropped is None or trial.number == record.chosen.get(board))
    ]  # fmt: skip
    return sorted(shown, key=lambda trial: (_cost(trial, board), trial.number))


def _row(record: SearchRecord, board: str, trial: SearchTrial) -> list[str]:
    mine = [one for one in trial.measures if one.board == board and one.metric in ("latency", "instructions")]
    return [
        str(trial.number),
        trial.model,
        trial.recipe,
        amount(mine[0].metric, mine[0].value) + _interval(mine[0].metric, mine[0].ci_low, mine[0].ci_high),
        amount("accuracy", trial.host_accuracy),
        amount("size", trial.artifact_bytes),
        amount("memory", _value(trial, board, ("memory",))),
        str(mine[0].blocks),
        "chosen" if record.chosen.get(board) == trial.number else "",
    ]


def _interval(metric: str, low: float | None, high: float | None) -> str:
    if low is None or high is None or UNITS[metric] != "ns":
        return ""
    return f" [{low / 1e6:.3g}, {high / 1e6:.3g}]"


def _cost(trial: SearchTrial, board: str) -> float | None:
    return _value(trial, board, ("latency", "instructions"))


def _value(trial: SearchTrial, board: str, metrics: Sequence[str]) -> float | None:
    return next((one.value for one in trial.measures if one.board == board and one.metric in metrics), None)
