"""What a campaign will take and what it can show, said before it begins; pure.

Nothing here is a measurement. Times are lower bounds unless an earlier run on the board lends its figures, and the
least detectable effect depends on how much blocks scatter, which only a run can tell: it is given for three spreads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..reports.detectable import detectable_in_sd
from ..reports.statistics import ALPHA
from ..reports.summary import RunSummary
from ..reports.units import percent
from ..reports.verdict import log_ratios
from .blocks import comparisons
from .plan import Cell, Plan
from .protocol import MeasurementProtocol, protocol_for

ASSUMED_START_S = 0.3  # start a program, import a runtime, load a small model: the least that was seen
ASSUMED_SPREADS = (0.005, 0.01, 0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an earlier run on a board tells: one inference, the start of a process, the scatter of block log ratios."""

    inference_s: float | None = None
    start_s: float | None = None
    block_sd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One board's part of a campaign. `seconds` is None on emulated boards, whose clock says nothing of ours.

    `processes` are those of the blocks, without the few that run once for a cell. `at_least` says that something is not
    in the time: that of the inferences where no run told it, the idle windows of a meter, sustained runs.
    `least_effects` maps an assumed or known standard deviation of a block's log ratio to the change that would be told
    from none in 80 % of campaigns, all comparisons of the run counted; empty where nothing is compared in time.
    """

    board: str
    blocks: int
    processes: int
    seconds: float | None
    at_least: bool
    comparisons: int
    least_effects: Mapping[float, float]


def forecasts(
    plan: Plan, cells: Sequence[Cell], blocks: Mapping[str, int], known: Mapping[str, Known] | None = None
) -> tuple[Forecast, ...]:
    """One for each board of the plan that has a cell to run."""
    verdicts = comparisons(plan, cells)
    found: list[Forecast] = []
    for board in plan.boards:
        mine = [cell for cell in cells if cell.board.name == board.name and cell.skip is None]
        told = (known or {}).get(board.name, Known())
        per_block = len(mine) + sum(cell.twin for cell in mine)
        count = blocks[board.name]
        seconds = None
        if not board.emulated:
            process_s = process_seconds(protocol_for(plan.protocol, emulated=False), told)
            once = 2 + plan.measuring.operators + plan.measuring.counters  # outputs and memory, and these
            once_s = once * len(mine) * (ASSUMED_START_S if told.start_s is None else told.start_s)
            seconds = count * per_block * process_s + once_s
        if mine:
            found.append(
                Forecast(
                    board=board.name,
                    blocks=count,
                    processes=count * per_block,
                    seconds=seconds,
                    at_least=told.inference_s is None or bool(board.meters) or plan.measuring.sustained,
                    comparisons=0 if board.emulated else verdicts,
                    least_effects={} if board.emulated else least_effects(count, verdicts, told.block_sd),
                )
            )
    return tuple(found)


def process_seconds(protocol: MeasurementProtocol, known: Known) -> float:
    """What one timed process takes: start, first inference, warm-up, samples, and the gap after it."""
    inference_s = known.inference_s or 0.0
    start_s = ASSUMED_START_S if known.start_s is None else known.start_s
    warm_up_s = max(protocol.warmup_seconds, protocol.warmup_iterations * inference_s)
    steady_s = max(protocol.min_seconds, protocol.iterations * inference_s)
    return start_s + inference_s + warm_up_s + steady_s + protocol.gap_s


def least_effects(blocks: int, verdicts: int, block_sd: float | None = None) -> dict[float, float]:
    """The least change told from none, by the standard deviation of a block's log ratio: the known one, else three."""
    factor = detectable_in_sd(blocks, ALPHA / verdicts) if verdicts else None
    if factor is None:
        return {}
    return {sd: math.expm1(factor * sd) for sd in (ASSUMED_SPREADS if block_sd is None else (block_sd,))}


def known_from(summary: RunSummary, board: str) -> Known:
    """What a run tells of a board for the next one; None where it has no times."""
    cells = [cell for cell in summary.on_board(board) if cell.ok and cell.latency is not None]
    by_id = {cell.record.cell_id: cell for cell in cells}
    inferences = [cell.latency.median_ns / 1e9 for cell in cells if cell.latency is not None]
    starts = [
        (trial.load_ns + int(trial.used.get("import_ns") or 0)) / 1e9
        for cell in cells
        for trial in cell.record.trials
        if trial.load_ns is not None
    ]
    spreads: list[float] = []
    for cell in cells:
        base = None if cell.baseline else by_id.get(cell.baseline_cell or "")
        d = [] if base is None else log_ratios(cell.by_block, base.by_block)
        if len(d) > 2:
            spreads.append(float(np.std(d, ddof=1)))
    return Known(inference_s=_middle(inferences), start_s=_middle(starts), block_sd=_middle(spreads))


def _middle(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def forecast_text(forecast: Forecast) -> str:
    """One sentence for the person who is about to wait."""
    kind = "counting" if forecast.seconds is None else "timed"
    what = f"{forecast.board}: {forecast.blocks} blocks, {forecast.processes} {kind} processes"
    if forecast.seconds is None:
        return f"{what}; an emulated board's time is not foretold"
    takes = f"{what}, {'at least' if forecast.at_least else 'about'} {_minutes(forecast.seconds)}"
    if not forecast.least_effects:
        return takes
    effects = ", ".join(
        f"{percent(effect)} where blocks scatter by {percent(sd)}" for sd, effect in forecast.least_effects.items()
    )
    many = f" in each of {forecast.comparisons} comparisons" if forecast.comparisons > 1 else ""
    return f"{takes}; four campaigns in five would see{many} a difference of {effects}"


def _minutes(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60:02d} s"
