"""What a campaign takes and can show is said beforehand; a number of blocks that can show nothing is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.harness.blocks import comparisons, planned_blocks, too_few_blocks
from hilbench.harness.errors import PlanError
from hilbench.harness.forecast import Known, forecast_text, forecasts, known_from, least_effects, process_seconds
from hilbench.harness.plan import Cell, Plan, expand, load_plan
from hilbench.harness.protocol import QUICK, STANDARD
from hilbench.harness.selection import Boards
from hilbench.reports.detectable import detectable_in_sd
from hilbench.reports.summary import summarize

from ..reports.synthetic import PI, run

DIGITS = Path(__file__).parents[2] / "models" / "digits"
INVENTORY = "boards:\n  here: {connection: local}\n  a72: {connection: emulated, cpu: cortex-a72}\n"
FIVE = "[fp32, fp16, int8-dynamic, int8-static, prune-l1, prune-l1+int8-static]"


def plan_of(folder: Path, recipes: str = FIVE, more: str = "protocol: standard\n") -> tuple[Plan, tuple[Cell, ...]]:
    (folder / "inventory.yaml").write_text(INVENTORY)
    model = f"models: {{digits: {{file: {DIGITS}/digits.onnx}}}}\n"
    (folder / "plan.yaml").write_text(f"name: t\n{model}recipes: {recipes}\nboards: [here, a72]\n{more}")
    plan = load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))
    return plan, expand(plan, {"digits": "onnx"})


def test_only_candidates_on_timed_boards_are_counted_as_comparisons(tmp_path: Path) -> None:
    assert comparisons(*plan_of(tmp_path)) == 5
    assert comparisons(*plan_of(tmp_path, more="protocol: quick\nshortlist: [fp16]\n")) == 1
    assert comparisons(*plan_of(tmp_path, recipes="[fp32]")) == 0


def test_a_number_of_ones_own_is_kept_where_it_can_reach_a_verdict(tmp_path: Path) -> None:
    plan, cells = plan_of(tmp_path)
    assert planned_blocks(plan, cells, explicit=8) == {"here": 8, "a72": 3}
    assert planned_blocks(plan, cells, explicit=30)["here"] == 30
    assert planned_blocks(plan, cells)["here"] == 12


def test_a_number_that_can_reach_no_verdict_is_refused_with_the_one_that_could(tmp_path: Path) -> None:
    plan, cells = plan_of(tmp_path)
    with pytest.raises(PlanError) as caught:
        planned_blocks(plan, cells, explicit=7)
    assert str(caught.value) == (
        "blocks: 7 cannot prove any of 5 comparisons at 5 %, however large the difference; 8 could"
    )


def test_where_nothing_is_compared_any_number_will_do(tmp_path: Path) -> None:
    assert planned_blocks(*plan_of(tmp_path, recipes="[fp32]"), explicit=1)["here"] == 1


@pytest.mark.parametrize("verdicts", [1, 5, 20, 100])
def test_what_is_refused_can_detect_nothing_and_what_is_advised_can(verdicts: int) -> None:
    sentence = too_few_blocks(1, verdicts)
    assert sentence is not None
    advised = int(sentence.split()[-2])
    assert too_few_blocks(advised, verdicts) is None
    assert least_effects(advised, verdicts)
    assert least_effects(advised - 1, verdicts) == {}


def test_time_is_a_lower_bound_until_an_earlier_run_tells_more(tmp_path: Path) -> None:
    plan, cells = plan_of(tmp_path)
    blocks = planned_blocks(plan, cells)
    here, a72 = forecasts(plan, cells, blocks)
    assert (here.blocks, here.processes, here.at_least) == (12, 12 * 7, True)  # six candidates and the control's twin
    assert here.seconds == pytest.approx(84 * (0.3 + 0.5 + 1.0 + 0.1) + 4 * 6 * 0.3)
    assert (a72.processes, a72.seconds, a72.least_effects) == (3 * 7, None, {})
    slow = Known(inference_s=0.5, start_s=2.0, block_sd=0.01)
    known, _ = forecasts(plan, cells, blocks, {"here": slow})
    assert not known.at_least
    assert known.seconds == pytest.approx(84 * (2.0 + 0.5 + 0.5 + 30 * 0.5 + 0.1) + 4 * 6 * 2.0)
    long, _ = plan_of(tmp_path, more="protocol: standard\nsustained: true\n")
    assert forecasts(long, cells, blocks, {"here": slow})[0].at_least


def test_least_effect_is_that_of_the_whole_table_of_comparisons(tmp_path: Path) -> None:
    plan, cells = plan_of(tmp_path)
    here, _ = forecasts(plan, cells, planned_blocks(plan, cells))
    factor = detectable_in_sd(12, 0.05 / 5)
    assert factor is not None
    assert list(here.least_effects) == [0.005, 0.01, 0.02]
    assert here.least_effects[0.01] == pytest.approx(factor * 0.01, rel=0.01)


def test_an_earlier_run_lends_its_figures() -> None:
    known = known_from(summarize(run(boards=(PI,))), "pi5")
    assert known.inference_s == pytest.approx(0.0022, rel=0.2)
    assert known.start_s == pytest.approx(9 * 0.0022, rel=0.3)  # the synthetic load time
    assert known.block_sd == pytest.approx(0.004 * 2**0.5, rel=0.5)
    assert known_from(summarize(run(boards=(PI,))), "elsewhere") == Known()


def test_the_forecast_is_one_sentence_a_board(tmp_path: Path) -> None:
    plan, cells = plan_of(tmp_path)
    here, a72 = (
        forecast_text(one).replace("\u202f", " ") for one in forecasts(plan, cells, planned_blocks(plan, cells))
    )
    assert here == (
        "here: 12 blocks, 84 timed processes, at least 2 min 47 s; four campaigns in five would see in each of 5 "
        "comparisons a difference of 0.6 % where blocks scatter by 0.5 %, 1.2 % where blocks scatter by 1.0 %, "
        "2.4 % where blocks scatter by 2.0 %"
    )
    assert a72 == "a72: 3 blocks, 21 counting processes; an emulated board's time is not foretold"


def test_a_process_takes_its_iterations_or_its_least_duration_whichever_is_longer() -> None:
    assert process_seconds(QUICK, Known(inference_s=0.001, start_s=0.3)) == pytest.approx(
        0.3 + 0.001 + 0.5 + 1.0 + 0.05
    )
    assert process_seconds(STANDARD, Known(inference_s=2.0, start_s=0.3)) == pytest.approx(0.3 + 2 + 2 + 60 + 0.1)
