"""A first inference on a board and its A/A noise check, by the same path as every run, in a store that is thrown away.

One tiny model is measured under two names. What the two differ by is what this board's figures differ by on their own.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..targets.board import Board
from .home import Home
from .plan import ModelPlan, Plan, TaskPlan
from .progress import Progress
from .runtimeplan import RuntimePlan
from .smokemodel import write_smoke_model

if TYPE_CHECKING:
    from ..reports.summary import CellSummary, RunSummary

_LARGEST_COUNT_SPREAD = 0.01  # processes that count instructions differ by less; a clock that runs in real time by more


@dataclass(frozen=True, slots=True, kw_only=True)
class Smoke:
    """What the tiny model gave. Figures that were not measured are None; `words` are sentences for a person.

    `latency_ns` or `instructions` is the median of an inference, `differed` the share by which the two names differ,
    `equal` whether the A/A check found no difference. `trusted` is False where the figures must not be used.
    """

    outcome: str
    reason: str | None = None
    runtime: str | None = None
    latency_ns: float | None = None
    instructions: float | None = None
    counts_from: str | None = None
    differed: float | None = None
    equal: bool | None = None
    trusted: bool | None = None
    words: tuple[str, ...] = ()


def smoke_test(board: Board, progress: Progress) -> Smoke:
    """Measure the tiny model twice on a board. Never raises TargetError: what failed is the outcome's reason."""
    from ..reports.summary import summarize
    from .run import run_plan

    names = [one.name for one in board.runtimes if not one.command] or [one.name for one in board.runtimes]
    runtime = "onnxruntime" if "onnxruntime" in names else names[0]
    with tempfile.TemporaryDirectory(prefix="hilbench-smoke-") as name:
        folder = Path(name)
        model = write_smoke_model(folder, runtime)
        home = Home(folder=folder / "state")
        result = run_plan(_plan(model, board, runtime), home, new=True, command="hilbench board add", progress=progress)
        if result.record.state == "interrupted":
            raise KeyboardInterrupt
        summary = summarize(result.record)
    return judge(summary)


def judge(summary: RunSummary) -> Smoke:
    """The smoke run, which has one cell, in figures and plain words. Pure."""
    from ..reports.wording import control_text

    (cell,) = summary.cells
    record, control = cell.record, summary.controls.get(cell.record.board)
    if not cell.ok:
        words = (f"The first inference failed ({record.outcome}): {record.reason}.",)
        return Smoke(outcome=record.outcome.value, reason=record.reason, runtime=record.runtime, words=words)
    source = cell.instructions.source if cell.instructions else None
    spread = (control.verdict.mde or 0.0) if control else 0.0
    real_clock = source == "virtual-clock" and spread > _LARGEST_COUNT_SPREAD
    equal = None if control is None else control.equal
    return Smoke(
        outcome=record.outcome.value,
        runtime=record.runtime,
        latency_ns=cell.latency.median_ns if cell.latency else None,
        instructions=cell.instructions.median if cell.instructions and not real_clock else None,
        counts_from=source,
        differed=abs((control.verdict.ratio or 1.0) - 1) if control else None,
        equal=equal,
        trusted=None if equal is None else equal and not real_clock,
        words=_clock_words(record.runtime, spread)
        if real_clock
        else (_first_words(cell, source), control_text(control, record.board)),
    )


def _first_words(cell: CellSummary, source: str | None) -> str:
    runtime = cell.record.runtime
    if cell.latency is not None:
        return f"First inference by {runtime}: {cell.latency.median_ns / 1e6:.3f} ms, and it computes what we compute."
    count = "an unknown number of" if cell.instructions is None else f"{cell.instructions.median:,.0f}"
    by = {"pmu": "the processor's counter", "virtual-clock": "the clock, as the counter is closed to this account"}
    return (
        f"First inference by {runtime}: {count} instructions by {by.get(source or '', 'an unknown source')}, "
        "and it computes what we compute."
    )


def _clock_words(runtime: str, spread: float) -> tuple[str, ...]:
    found = (
        f"First inference by {runtime}: it computes what we compute. Nothing was counted: the counter is closed to "
        f"this account, and the clock in its place differed by {spread:.1%} from process to process, so it runs in "
        "real time."
    )
    advice = (
        "Do not use counts of this board. Open the counter to this account (sysctl kernel.perf_event_paranoid=2, as "
        "root on the board), or add the board with `--role target` and read its times as those of a virtual machine."
    )
    return (found, advice)


def _plan(model: Path, board: Board, runtime: str) -> Plan:
    from ..compression.recipe import parse_recipe

    task = TaskPlan(kind="none", test=None, calibration=None, scale=None, mean=(), std=(), layout="nchw")
    source: dict[str, Any] = {"name": "smoke", "models": {"smoke": {"file": model.name}}, "recipes": ["fp32"]}
    return Plan(
        name="smoke",
        path=None,
        source={**source, "boards": [board.name]},
        models=(ModelPlan(name="smoke", file=model, task=task, input_shapes={}),),
        recipes=(parse_recipe("fp32"),),
        boards=(board,),
        runtimes=(RuntimePlan(name=runtime),),
        protocol="quick",
        baseline="fp32",
        shortlist=(),
        budget={},
        accuracy_samples=None,
        seed=1,
    )
