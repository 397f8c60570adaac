"""The budget of each board: what was asked, completed and checked, as limits and as the `budget` of a plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...targets.board import Board
from ..errors import PlanError
from ..planread import DEFAULT_DROP_PP
from ..search.budget import Limit, parse_limits

# metric -> the key of a plan's budget and how many base units one of its units is; the field of `reports.record.Budget`
PLAN_KEYS: Mapping[str, tuple[str, float]] = {
    "drop": ("accuracy_drop_pp", 1e-2),
    "p95": ("latency_p95_ms", 1e6),
    "latency": ("latency_median_ms", 1e6),
    "memory": ("memory_peak_mib", 2.0**20),
    "size": ("artifact_kb", 1e3),
    "instructions": ("instructions", 1.0),
    "energy": ("energy_mj", 1e-3),
}
BOUNDS: Mapping[str, str] = {
    "drop": "accuracy_drop",
    "p95": "latency_p95_ns",
    "latency": "latency_median_ns",
    "memory": "memory_peak_bytes",
    "size": "artifact_bytes",
    "instructions": "instructions",
    "energy": "energy_j",
}


def read_limits(written: Sequence[str], boards: Sequence[Board]) -> tuple[Limit, ...]:
    """All limits of the texts that `--budget` was given; each text may hold several with commas between.

    Nobody ships a model because it is small and wrong: a board for which no loss of accuracy is limited gets the limit
    of plans. Raises PlanError, a sentence for the first that is wrong.
    """
    kinds = {board.name: board.emulated for board in boards}
    texts = [part for text in written for part in text.split(",")]
    limits = parse_limits(texts, kinds, each_board=True)
    for limit in limits:
        _refuse_without_meter(limit, boards)
    return (*limits, *_missing_drops(limits, boards))


def limits_on(limits: Sequence[Limit], board: Board) -> tuple[Limit, ...]:
    """The limits that are to be kept on a board; one that names the board goes before one for all."""
    mine = {one.metric: one for one in limits if one.board is None}
    mine |= {one.metric: one for one in limits if one.board == board.name}
    return tuple(mine.values())


def plan_budget(limits: Sequence[Limit]) -> dict[str, float]:
    """The section `budget` of a plan that says the same as the limits of one board."""
    found: dict[str, float] = {}
    for limit in limits:
        key, unit = PLAN_KEYS[limit.metric]
        found[key] = round(limit.value / unit, 9)
    return found


def search_constraints(limits: Sequence[Limit], boards: Sequence[Board]) -> list[str]:
    """What the search is told. What holds on some boards only and the host can tell would rule files out everywhere:
    that is left to the choice of each board's finalists."""
    told: list[str] = []
    for limit in limits:
        everywhere = limit.board is None or len(boards) == 1
        if limit.metric in ("size", "drop") and not everywhere:
            continue
        text = limit.written.partition(" on ")[0].strip() if limit.metric == "size" else limit.written
        told.append(text)
    return told


def _missing_drops(limits: Sequence[Limit], boards: Sequence[Board]) -> list[Limit]:
    usual = f"drop <= {DEFAULT_DROP_PP:g}pp"
    value = DEFAULT_DROP_PP / 100
    drops = [limit for limit in limits if limit.metric == "drop"]
    if not drops:
        return [Limit(metric="drop", value=value, written=usual)]
    if any(limit.board is None for limit in drops):
        return []
    named = {limit.board for limit in drops}
    return [
        Limit(metric="drop", value=value, board=board.name, written=f"{usual} on {board.name}")
        for board in boards
        if board.name not in named
    ]


def _refuse_without_meter(limit: Limit, boards: Sequence[Board]) -> None:
    if limit.metric != "energy":
        return
    for board in boards:
        if limit.binds(board.name, emulated=board.emulated) and not board.meters:
            raise PlanError(
                f'"{limit.written}": {board.name} has no power meter, so its energy cannot be measured; '
                "give it one under `meters` in the inventory, or leave this limit out"
            )
