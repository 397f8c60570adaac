"""What the store costs: storing 1,000 runs of 1,000 samples, one commit a run, and reading what a comparison needs.

Not part of `make test`: it times, so it wants a quiet machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.harness.assemble import assemble
from hilbench.harness.blocks import TWIN
from hilbench.harness.store import RunRow, Store
from hilbench.reports.record import Trial, TrialKind
from hilbench.reports.summary import summarize

RUNS, SAMPLES = 1000, 1000
LONGEST_STORING_S, LONGEST_READING_S = 2.0, 0.020
CELLS, BLOCKS, SAMPLES_OF_A_TRIAL = 20, 10, 200  # a run of ordinary size


def run_row(number: int, blocks: int) -> RunRow:
    return RunRow(
        run_id=f"20260101-{number:06}-aaaa",
        plan_name="bench",
        plan_hash="h",
        seed=1,
        protocol="quick",
        state="finished",
        started_at=f"2026-01-01T00:00:00.{number:06}Z",
        ended_at=None,
        facts={
            "plan": {"name": "bench"},
            "hilbench": "0.1.0",
            "baseline": "r0",
            "budget": {},
            "shortlist": [],
            "blocks": {"board": blocks},
            "provenance": {},
        },
    )


def cell_facts(recipe: str, *, twin: bool) -> dict[str, Any]:
    return {
        "role": "target",
        "emulated": False,
        "arch": "arm64",
        "model": "m",
        "recipe": recipe,
        "runtime": "onnxruntime",
        "settings": {"threads": 1, "graph_optimization": "all", "providers": []},
        "twin": twin,
    }


def trial(cell: str, block: int, samples: int) -> Trial:
    """As long as those of a real board: skewed times around 2 ms with an outlier here and there."""
    random = np.random.default_rng(block)
    times = (2e6 + random.gamma(2.0, 2e4, samples) + (random.random(samples) < 0.01) * 3e5).astype(np.int64)
    state: dict[str, Any] = {
        "load1": 0.42,
        "temperatures_c": {"cpu-thermal": 51.2, "gpu-thermal": 49.9},
        "cpu_mhz": [1800.0, 1800.0, 1800.0, 1800.0],
        "throttled": 0,
        "governors": ["performance"],
    }
    return Trial(
        trial_id=f"{cell}#latency#{block}#1",
        cell_id=cell,
        kind=TrialKind.LATENCY,
        block=block,
        attempt=1,
        position=0,
        started_at="2026-01-01T00:00:00.000Z",
        load_ns=10**8,
        first_ns=10**7,
        warmup=times[:20],
        samples=times,
        used={"providers": ["CPUExecutionProvider"]},
        state_before=state,
        state_after=state,
    )


def store_runs(store: Store, trials: Sequence[Trial]) -> None:
    cells = [("board/m/r0", "board", cell_facts("r0", twin=False))]
    for number, one in enumerate(trials):
        store.add_run(run_row(number, 1), cells, trials=[one])


@pytest.fixture
def trials() -> list[Trial]:
    return [trial("board/m/r0", number, SAMPLES) for number in range(RUNS)]


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/runs.sqlite"
    store = Store.open(url if request.param == "sqlite" else request.getfixturevalue("postgres").url())
    yield store
    store.close()


def test_a_thousand_runs_are_stored_in_two_seconds(
    benchmark: Any, trials: list[Trial], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    numbers = iter(range(100))

    def fresh() -> tuple[tuple[Store, list[Trial]], dict[str, Any]]:
        return (Store.open(f"sqlite:///{tmp_path}/{next(numbers)}.sqlite"), trials), {}

    benchmark.pedantic(store_runs, setup=fresh, rounds=3)
    assert benchmark.stats.stats.median <= LONGEST_STORING_S


def test_a_comparison_is_read_in_20_ms(benchmark: Any, store: Store, trials: list[Trial]) -> None:
    """`RunRecord` of one run of 20 cells and its A/A control, out of a store of 1,000 others, and its summary."""
    store_runs(store, trials)
    row = run_row(RUNS, BLOCKS)
    names = [f"board/m/r{number}" for number in range(CELLS)]
    cells = [(name, "board", cell_facts(name.rpartition("/")[2], twin=name == names[0])) for name in names]
    measured = [trial(name, block, SAMPLES_OF_A_TRIAL) for name in [*names, names[0] + TWIN] for block in range(BLOCKS)]
    store.add_run(row, cells, notes=[("board", "board", {"machine": "aarch64"})], trials=measured)
    record = benchmark(lambda: assemble(store, store.run(row.run_id)))
    assert len(summarize(record).cells) == CELLS
    assert all(len(one.trials) == BLOCKS for one in record.records)
    assert benchmark.stats.stats.median <= LONGEST_READING_S
