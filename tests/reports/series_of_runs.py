"""Two runs, and series of runs, whose differences are written here and not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from hilbench.reports.energy import EnergyFigure
from hilbench.reports.record import Record, RunRecord, Trial

from .synthetic import Board, run

DATA = {"data": {"digits": {"test": {"sha256": "ab" * 32}}}}


def scaled(record: Record, factor: float, *, sha256: str | None = None) -> Record:
    """The cell with all samples longer by a factor, and with another file if its hash is given."""

    def each(trials: tuple[Trial, ...]) -> tuple[Trial, ...]:
        return tuple(replace(t, samples=np.rint(t.samples * factor).astype(np.int64)) for t in trials)

    artifact = record.artifact
    if artifact is not None and sha256 is not None:
        artifact = replace(artifact, sha256=sha256)
    return replace(record, trials=each(record.trials), twin_trials=each(record.twin_trials), artifact=artifact)


def later(
    boards: Sequence[Board],
    factors: Mapping[str, float],
    *,
    seed: int = 8,
    same_file: bool = False,
    facts: Mapping[str, Any] | None = None,
    **changes: Any,
) -> RunRecord:
    """A later run in which the recipes named take `factors` of their time; `facts` are added to every board's."""
    whole = run(boards, seed=seed, run_id="20261125-1000-bbbb", provenance=DATA)
    sha = None if same_file else "0" * 64
    records = [scaled(r, factors[r.recipe], sha256=sha) if r.recipe in factors else r for r in whole.records]
    told = {name: {**known, **(facts or {})} for name, known in whole.boards.items()}
    return replace(whole, records=tuple(records), boards=told, **changes)


def earlier(boards: Sequence[Board], **changes: Any) -> RunRecord:
    return run(boards, provenance=DATA, **changes)


def metered(whole: RunRecord, recipe: str, total_j: float) -> RunRecord:
    """The run with the energy of one recipe, known to 1 %, where a meter can read the board: not on emulated ones."""
    figure = EnergyFigure(
        meter="ina226",
        site="5 V rail",
        meter_class="board",
        scope="board",
        total_j=total_j,
        net_j=total_j / 2,
        uncertainty_j=total_j / 100,
        net_uncertainty_j=total_j / 50,
        active_w=4.0,
        idle_w=2.0,
        period_s=0.01,
        window_s=5.0,
        blocks=6,
        samples=3000,
        drops=0,
        state="valid",
    )
    records = [replace(r, energy=figure) if r.recipe == recipe and not r.emulated else r for r in whole.records]
    return replace(whole, records=tuple(records))


def nightly(
    boards: Sequence[Board],
    *,
    runs: int,
    upgrade_at: int | None = None,
    slower_at: int | None = None,
    new_file_at: int | None = None,
    recipes: Sequence[str] = ("fp32", "int8-static"),
    between_runs_sd: float = 0.004,
) -> Iterator[RunRecord]:
    """A run a night. From `upgrade_at` on the boards have another kernel and all is 7 % slower; from `slower_at` on
    int8-static takes 5 % more; from `new_file_at` on its file is another one."""
    rng = np.random.default_rng(3)
    for night in range(runs):
        upgraded = upgrade_at is not None and night >= upgrade_at
        whole = run(boards, recipes, seed=100 + night)
        records: list[Record] = []
        for record in whole.records:
            factor = float(np.exp(rng.normal(0, 0.0 if record.emulated else between_runs_sd)))
            factor *= 1.07 if upgraded else 1.0
            subject = record.recipe == "int8-static"
            factor *= 1.05 if subject and slower_at is not None and night >= slower_at else 1.0
            new = subject and new_file_at is not None and night >= new_file_at
            records.append(scaled(record, factor, sha256="1" * 64 if new else None))
        yield replace(
            whole,
            run_id=f"202611{night + 1:02d}-0100-aaaa",
            started_at=f"2026-11-{night + 1:02d}T01:00:00Z",
            records=tuple(records),
            boards={
                name: {**told, "kernel": "Linux 6.18.1" if upgraded else "Linux 6.12.25"}
                for name, told in whole.boards.items()
            },
        )
