"""A run as pytest-benchmark's JSON, so that `pytest-benchmark compare` and what builds on it can read ours; pure.

One round is one process: `stats.data` are process medians in seconds, so its deviations and quartiles mean what they
say. Only times go there. That program compares whatever it is given and looks at no machine, so each board, profile
and model is a group of its own and stands in the full name, and emulated boards, which have no time, are left out.
"""

from __future__ import annotations

from typing import Any

from .errors import ReportError
from .export import export_summary
from .figures import Latency
from .plain import Json, plain
from .record import RunRecord
from .summary import CellSummary, summarize

ROOT_KEY = "hilbench"


def export_benchmark(run: RunRecord) -> Json:
    """The run in pytest-benchmark's format; our whole record rides under the key `hilbench`, which others ignore.

    Cells that failed a gate are left out, as that format cannot mark them: `hilbench.left_out` says why. Raises
    ReportError where no cell has a time.
    """
    from pytest_benchmark import __version__

    summary = summarize(run)
    left_out = {cell.record.cell_id: why for cell in summary.cells if (why := _why_left_out(cell)) is not None}
    timed = [cell for cell in summary.cells if cell.record.cell_id not in left_out]
    if not timed:
        raise ReportError("pytest-benchmark's format holds times only, and this run has no usable time of a real board")
    return {
        "machine_info": {"boards": {name: plain(facts) for name, facts in run.boards.items()}},
        "commit_info": {"id": run.run_id, "time": run.started_at, "dirty": False, "project": run.plan_name},
        "benchmarks": [_benchmark(cell, cell.latency) for cell in timed if cell.latency is not None],
        "datetime": run.started_at,
        "version": __version__,
        ROOT_KEY: {**export_summary(summary), "left_out": left_out},
    }


def _why_left_out(cell: CellSummary) -> str | None:
    if cell.record.emulated:
        return "an emulated board has no time"
    if not cell.ok:
        return f"{cell.record.outcome}: {cell.record.reason}"
    return "no time was measured" if cell.latency is None else None


def _benchmark(cell: CellSummary, time: Latency) -> Json:
    record = cell.record
    name = record.cell_id.removeprefix(f"{record.board}/")
    params = {"board": record.board, "profile": record.profile, "model": record.model, "recipe": record.recipe}
    return {
        "group": f"{record.board} {record.profile} {record.model}",
        "name": name,
        "fullname": f"{record.board}/{record.profile}/{name}",
        "params": {**params, "runtime": record.runtime, **plain(record.settings)},
        "param": name,
        "extra_info": _extra(cell),
        "options": {"disable_gc": True, "timer": "perf_counter", "min_rounds": time.blocks, "warmup": True},
        "stats": _stats(time),
    }


def _stats(time: Latency) -> Json:
    from pytest_benchmark.stats import Stats

    stats: Any = Stats()
    for median_ns in time.block_medians_ns.values():
        stats.update(median_ns / 1e9)
    return {**stats.as_dict(), "data": list(stats.data), "iterations": max(1, time.iterations // time.blocks)}


def _extra(cell: CellSummary) -> Json:
    """What is no time, and what that format cannot say: the verdict is ours, not the colour of its table."""
    verdict = cell.verdict
    return {
        "validity": cell.validity.state.value,
        "accuracy": cell.fraction,
        "memory_peak_bytes": cell.memory.peak_bytes if cell.memory else None,
        "artifact_bytes": cell.record.artifact.bytes if cell.record.artifact else None,
        "artifact_sha256": cell.record.artifact.sha256 if cell.record.artifact else None,
        "verdict": verdict.word.value if verdict else None,
        "ratio_to_baseline": verdict.ratio if verdict else None,
        "baseline": cell.baseline_cell,
    }
