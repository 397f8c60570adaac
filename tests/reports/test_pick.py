"""The pick of each board: who is shipped, who came second and why, who is out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hilbench.reports.measured import Sustained, Window
from hilbench.reports.pareto import Point, Standing, standings
from hilbench.reports.pick import Choice, Purpose, choices
from hilbench.reports.record import Budget, Outcome, RunRecord, Trial, TrialKind
from hilbench.reports.sentences import answers
from hilbench.reports.summary import summarize

from .synthetic import A72, FP32_NS, MACHINE, PI, accuracy, all_failed, latency_trials, mixed, run


def only(whole: RunRecord) -> Choice:
    (choice,) = choices(summarize(whole))
    return choice


def recipe(choice: Choice) -> str | None:
    return choice.chosen.record.recipe if choice.chosen else None


def test_fastest_within_the_budget_is_shipped_on_targets_and_least_work_named_on_emulated_boards() -> None:
    found = choices(summarize(run()))
    assert [(choice.board, choice.purpose, recipe(choice)) for choice in found] == [
        ("pi5", Purpose.SHIP, "int8-static"),
        ("emulated-a72", Purpose.LEAST_WORK, "int8-static"),
    ]


def test_references_are_compared_only_when_no_target_exists() -> None:
    found = choices(summarize(run(boards=(MACHINE, A72))))
    assert [choice.purpose for choice in found] == [Purpose.REFERENCE, Purpose.LEAST_WORK]


def test_candidate_that_breaks_the_budget_is_out_with_the_bound_it_broke() -> None:
    choice = only(run(boards=(PI,)))
    (out,) = choice.rejected
    assert out.cell.record.recipe == "prune-l1+int8-static"
    assert [(check.bound, round(check.value or 0, 6)) for check in out.misses] == [("accuracy_drop", 0.0175)]


def test_runner_up_is_the_next_fastest_with_its_ratio() -> None:
    runner_up = only(run(boards=(PI,))).runner_up
    assert runner_up is not None
    assert runner_up.cell.record.recipe == "int8-dynamic"
    assert runner_up.ratio == pytest.approx(0.78 / 0.52, rel=0.01)
    assert not runner_up.tied


def test_among_candidates_that_time_cannot_tell_apart_accuracy_decides() -> None:
    choice = only(run(boards=(PI,), budget=Budget()))
    assert recipe(choice) == "int8-static"
    assert choice.runner_up is not None
    assert choice.runner_up.cell.record.recipe == "prune-l1+int8-static"
    assert choice.runner_up.tied


def test_nothing_within_the_budget_names_the_nearest_miss_first() -> None:
    choice = only(run(boards=(PI,), budget=Budget(latency_p95_ns=1_000_000)))
    assert choice.chosen is None
    assert choice.rejected[0].cell.record.recipe in ("int8-static", "prune-l1+int8-static")
    assert choice.rejected[0].misses[0].excess == pytest.approx(0.275, abs=0.02)


def test_bound_on_what_was_not_measured_is_not_met() -> None:
    rng = np.random.default_rng(1)
    whole = run(boards=(PI,), recipes=("fp32",), budget=Budget(latency_p95_ns=1e9))
    short = latency_trials("x", FP32_NS, rng, blocks=10, iterations=12)  # 120 iterations: no p95
    choice = only(replace(whole, records=(replace(whole.records[0], trials=short),)))
    assert choice.chosen is None
    assert [(check.bound, check.value) for check in choice.rejected[0].misses] == [("latency_p95_ns", None)]


def test_bound_on_time_does_not_apply_to_emulated_boards_nor_instructions_to_real_ones() -> None:
    found = choices(summarize(run(boards=(PI, A72), budget=Budget(latency_p95_ns=1.0, instructions=1.0))))
    assert [[check.bound for check in choice.rejected[0].misses] for choice in found] == [
        ["latency_p95_ns"],
        ["instructions"],
    ]


def test_baseline_may_win() -> None:
    whole = run(boards=(PI,), recipes=("fp32", "fp16"))
    assert recipe(only(whole)) == "fp32"


def test_failed_and_invalid_cells_are_never_chosen() -> None:
    whole = run(boards=(PI,))
    best = replace(whole.records[3], outcome=Outcome.INVALID, reason="throttled")
    choice = only(replace(whole, records=(*whole.records[:3], best, *whole.records[4:])))
    assert recipe(choice) == "int8-dynamic"


def test_board_on_which_all_failed_has_a_choice_that_says_so() -> None:
    choice = only(all_failed())
    assert (choice.chosen, choice.measured, choice.planned) == (None, 0, 6)


def test_each_model_of_a_board_has_a_choice_of_its_own() -> None:
    one = run(boards=(PI,), recipes=("fp32", "int8-static"))
    other = [replace(item, model="faces", cell_id="faces" + item.cell_id) for item in one.records]
    found = choices(summarize(replace(one, records=(*one.records, *other))))
    assert [choice.model for choice in found] == ["digits", "faces"]


def test_a_run_without_cells_has_no_choices() -> None:
    assert choices(summarize(replace(run(), records=()))) == ()


def test_no_choice_for_accuracy_bound_without_accuracy() -> None:
    whole = run(boards=(PI,), recipes=("fp32", "int8-static"))
    bare = tuple(replace(item, accuracy=None) for item in whole.records)
    assert only(replace(whole, records=bare)).chosen is None
    judged = tuple(replace(item, accuracy=accuracy(0.98)) for item in whole.records)
    assert only(replace(whole, records=judged)).chosen is not None


def point(key: str, work: float, fraction: float, spread: float = 0.0) -> Point:
    return Point(
        key=key,
        work=work,
        work_low=work * (1 - spread),
        work_high=work * (1 + spread),
        accuracy=fraction,
        accuracy_low=fraction - spread,
        accuracy_high=fraction + spread,
    )


def test_front_holds_what_nothing_beats_in_both() -> None:
    points = [point("fast", 1.0, 0.9), point("good", 2.0, 0.95), point("bad", 2.5, 0.94)]
    assert standings(points) == {"fast": Standing.FRONT, "good": Standing.FRONT, "bad": Standing.DOMINATED}


def test_what_cannot_be_told_apart_from_the_front_is_tied() -> None:
    points = [point("first", 1.0, 0.90, 0.02), point("near", 1.01, 0.895, 0.02), point("far", 2.0, 0.895, 0.02)]
    assert standings(points) == {"first": Standing.FRONT, "near": Standing.TIED, "far": Standing.DOMINATED}


def test_tied_with_one_of_those_that_beat_it_is_not_enough() -> None:
    points = [point("best", 1.0, 0.95, 0.005), point("near", 1.99, 0.905, 0.01), point("far", 2.0, 0.9, 0.01)]
    assert standings(points)["far"] is Standing.DOMINATED


def test_hostile_run_still_gets_its_choices() -> None:
    assert [recipe(choice) for choice in choices(summarize(mixed()))] == ["int8-static"] * 3


def after_long_runs(slowdown: dict[str, float]) -> RunRecord:
    """Two candidates on one board, each with a sustained run that begins at its own time and ends so much slower."""
    whole = run(boards=(PI,), recipes=("fp32", "int8-static"), budget=Budget())
    records = [
        replace(
            one, trials=(*one.trials, _long_run(one.cell_id, FP32_NS * first, FP32_NS * first * slowdown[one.recipe]))
        )
        for one, first in zip(whole.records, (1.0, 0.52), strict=True)
    ]
    return replace(whole, records=tuple(records))


def _long_run(cell_id: str, cold_ns: float, sustained_ns: float) -> Trial:
    medians = [cold_ns] * 4 + [sustained_ns] * 8
    windows = tuple(
        Window(start_s=5.0 * i, inferences=100, median_ns=int(m), p95_ns=None, temperature_c=None, freq_khz=None)
        for i, m in enumerate(medians)
    )
    return Trial(
        trial_id=f"{cell_id}-long",
        cell_id=cell_id,
        kind=TrialKind.SUSTAINED,
        block=0,
        attempt=1,
        position=0,
        started_at="2026-11-24T10:45:00Z",
        sustained=Sustained(ended="steady", windows=windows),
    )


def test_on_a_board_that_slows_down_what_a_candidate_keeps_up_decides() -> None:
    whole = after_long_runs({"fp32": 1.0, "int8-static": 2.5})
    choice = only(whole)
    assert (recipe(choice), choice.sustained) == ("fp32", True)
    (answer,) = answers(summarize(whole), [choice])
    assert "The board slows down in long runs, so what a candidate keeps up decides" in " ".join(answer.why)


def test_long_runs_that_change_nothing_leave_the_choice_to_the_blocks() -> None:
    choice = only(after_long_runs({"fp32": 1.0, "int8-static": 1.0}))
    assert (recipe(choice), choice.sustained) == ("int8-static", False)
