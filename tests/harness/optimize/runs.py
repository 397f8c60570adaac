"""Runs of settings with a known truth, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hilbench.harness.runtimeplan import RuntimePlan
from hilbench.reports.record import MemoryPhases, Outcome, Record, RunRecord, Trial, TrialKind
from hilbench.reports.summary import RunSummary, summarize

DEFAULT = RuntimePlan(name="onnxruntime")


def trial(cell: str, kind: TrialKind, block: int, value: float, used: Mapping[str, Any]) -> Trial:
    plain = Trial(
        trial_id=f"{cell}#{kind}#{block}",
        cell_id=cell,
        kind=kind,
        block=block,
        attempt=1,
        position=0,
        started_at="2026-01-01T00:00:00Z",
        used=used,
    )
    if kind is TrialKind.MEMORY:
        return replace(plain, memory=MemoryPhases(load_peak_bytes=int(value) // 2, steady_peak_bytes=int(value)))
    source = "pmu" if kind is TrialKind.COUNT else None
    return replace(plain, samples=np.full(5, round(value), np.int64), counter_source=source)


def record(
    setting: RuntimePlan,
    values: Sequence[float],
    *,
    kind: TrialKind = TrialKind.LATENCY,
    memory: Sequence[float] = (),
    twin: Sequence[float] = (),
    outcome: Outcome = Outcome.OK,
    used: Mapping[str, Any] | None = None,
) -> Record:
    """A cell with this setting, one value for each block."""
    name = f"b/m/fp32/{setting.variant('onnxruntime')}"
    ran = {**setting.settings(), "providers": None, **(used or {})}
    return Record(
        cell_id=name,
        board="b",
        role="emulated" if kind is TrialKind.COUNT else "target",
        emulated=kind is TrialKind.COUNT,
        arch="arm64",
        model="m",
        recipe="fp32",
        runtime="onnxruntime",
        settings=setting.settings(),
        outcome=outcome,
        reason=None if outcome is Outcome.OK else "it broke",
        trials=(
            *(trial(name, kind, block, value, ran) for block, value in enumerate(values)),
            *(trial(name, TrialKind.MEMORY, block, value, ran) for block, value in enumerate(memory)),
        ),
        twin_trials=tuple(trial(f"{name}~aa", kind, block, value, ran) for block, value in enumerate(twin)),
    )


def run(*records: Record) -> RunSummary:
    return summarize(
        RunRecord(
            run_id="r",
            started_at="2026-01-01T00:00:00.000Z",
            ended_at=None,
            state="finished",
            plan={},
            plan_name="p",
            plan_hash="h",
            seed=1,
            protocol="quick",
            hilbench_version="0",
            boards={},
            records=records,
            planned_blocks={"b": 6},
        )
    )
