"""A running campaign ends at its cap, or when all that it will judge is known well enough; whole blocks only count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hilbench.harness.blocks import whole_blocks
from hilbench.harness.early import campaign_is_over, completed_log_ratios
from hilbench.harness.plan import Cell, Plan, expand, load_plan
from hilbench.harness.selection import Boards
from hilbench.reports.record import Trial, TrialKind

DIGITS = Path(__file__).parents[2] / "models" / "digits"
CAP = 30
LEVEL = {"fp32": 1e6, "fp16": 1.1e6, "int8-static": 0.5e6}


@pytest.fixture
def planned(tmp_path: Path) -> tuple[Plan, list[Cell]]:
    (tmp_path / "inventory.yaml").write_text("boards:\n  here: {connection: local}\n")
    model = f"models: {{digits: {{file: {DIGITS}/digits.onnx}}}}\n"
    (tmp_path / "plan.yaml").write_text(f"name: t\n{model}recipes: [fp32, fp16, int8-static]\nboards: [here]\n")
    plan = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))
    return plan, list(expand(plan, {"digits": "onnx"}))


def trials_of(cells: list[Cell], blocks: int, scatter: dict[str, float]) -> list[Trial]:
    rng = np.random.default_rng(1)
    return [
        Trial(
            trial_id=f"{cell.cell_id}#{block}",
            cell_id=cell.cell_id,
            kind=TrialKind.LATENCY,
            block=block,
            attempt=1,
            position=0,
            started_at="2026-01-01T00:00:00.000Z",
            samples=np.full(9, LEVEL[cell.recipe] * np.exp(rng.normal(0, scatter.get(cell.recipe, 0.001))), np.int64),
        )
        for block in range(blocks)
        for cell in cells
    ]


def over(planned: tuple[Plan, list[Cell]], trials: list[Trial], width_pct: float | None = 1.0) -> bool:
    plan, cells = planned
    names = [cell.cell_id for cell in cells]
    return campaign_is_over(plan, cells, trials, alive=names, width_pct=width_pct, cap=CAP)


def test_it_goes_on_until_every_comparison_is_narrow(planned: tuple[Plan, list[Cell]]) -> None:
    cells = planned[1]
    assert not over(planned, trials_of(cells, 9, {}))
    assert over(planned, trials_of(cells, 10, {}))
    assert not over(planned, trials_of(cells, 10, {"fp16": 0.05}))
    assert not over(planned, trials_of(cells, 10, {}), width_pct=None)
    assert over(planned, trials_of(cells, CAP, {"fp16": 0.05}), width_pct=None)


def test_an_incomplete_block_tells_nothing(planned: tuple[Plan, list[Cell]]) -> None:
    cells = planned[1]
    trials = trials_of(cells, 10, {})
    assert not over(planned, trials[:-1])
    plan, names = planned[0], [cell.cell_id for cell in cells]
    ratios = completed_log_ratios(plan, cells, trials[:-1], whole=whole_blocks(trials[:-1], names))
    assert [len(d) for d in ratios] == [9, 9]
    assert np.mean(ratios[0]) == pytest.approx(np.log(1.1), abs=0.002)
    assert np.mean(ratios[1]) == pytest.approx(np.log(0.5), abs=0.002)


def test_only_what_gets_a_verdict_is_waited_for(planned: tuple[Plan, list[Cell]], tmp_path: Path) -> None:
    text = (tmp_path / "plan.yaml").read_text() + "protocol: quick\nshortlist: [int8-static]\n"
    (tmp_path / "plan.yaml").write_text(text)
    plan = load_plan(tmp_path / "plan.yaml", Boards(tmp_path / "inventory.yaml"))
    trials = trials_of(planned[1], 10, {"fp16": 0.05})
    assert over((plan, planned[1]), trials)
    assert not over(planned, trials)


def test_a_candidate_that_failed_for_good_holds_nothing_up(planned: tuple[Plan, list[Cell]]) -> None:
    plan, cells = planned
    left = [cell for cell in cells if cell.recipe != "fp16"]
    trials = trials_of(left, 10, {})
    alive = [cell.cell_id for cell in left]
    assert campaign_is_over(plan, cells, trials, alive=alive, width_pct=1.0, cap=CAP)
