"""What a pipeline hears of two runs: it holds, it does not, or nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hilbench.reports.compare import RunComparison, compare_runs
from hilbench.reports.comparegate import Condition, Judgement, exit_code, judge
from hilbench.reports.record import Budget, Outcome

from .series_of_runs import earlier, later
from .synthetic import A72, PI, accuracy, without_figures


def answer(comparison: RunComparison, condition: Condition, *, any_context: bool = False) -> Judgement:
    (found,) = judge(comparison, [condition], any_context=any_context)
    return found


def test_a_slower_candidate_fails_the_gate_and_is_named() -> None:
    found = answer(compare_runs(earlier([PI, A72]), later([PI, A72], {"int8-static": 1.06})), Condition.SLOWER)
    assert found.holds
    assert exit_code([found]) == 1
    assert [text.partition(":")[0] for text in found.sentences] == ["pi5, int8-static", "emulated-a72, int8-static"]


def test_equal_runs_pass_all_that_was_measured() -> None:
    comparison = compare_runs(earlier([PI, A72]), later([PI, A72], {}))
    for condition in (Condition.SLOWER, Condition.ACCURACY, Condition.MEMORY, Condition.BUDGET):
        assert answer(comparison, condition).answer == "no", condition
    energy = answer(comparison, Condition.ENERGY)
    assert energy.answer == "unknown"
    assert energy.sentences == ("6 cells: not measured: energy was measured in neither run",)
    assert exit_code([energy]) == 5


def test_an_upgrade_is_not_blamed_on_the_model_unless_the_caller_wants_it() -> None:
    comparison = compare_runs(
        earlier([PI]), later([PI], {"int8-static": 1.06}, same_file=True, facts={"kernel": "Linux 6.18.1"})
    )
    found = answer(comparison, Condition.SLOWER)
    assert exit_code([found]) == 5
    assert "the circumstances differ too (kernel Linux 6.12.25 → Linux 6.18.1)" in found.sentences[0]
    assert exit_code([answer(comparison, Condition.SLOWER, any_context=True)]) == 1


def test_too_few_blocks_are_no_pass() -> None:
    few = replace(PI, blocks=2)
    found = answer(compare_runs(earlier([few]), later([few], {"int8-static": 1.03})), Condition.SLOWER)
    assert found.answer == "unknown"
    assert "the interval reaches across the margin" in found.sentences[0]


def test_a_lost_cell_is_no_pass() -> None:
    whole = later([PI], {})
    lost = [without_figures(r, Outcome.ERROR, "gone") if r.recipe == "fp16" else r for r in whole.records]
    found = answer(compare_runs(earlier([PI]), replace(whole, records=tuple(lost))), Condition.SLOWER)
    assert found.sentences == ("pi5, fp16: was ok and is error now (gone)",)
    assert exit_code([found]) == 5


def test_a_lower_accuracy_fails_the_gate_whatever_the_circumstances() -> None:
    whole = later([PI], {}, facts={"kernel": "Linux 6.18.1"})
    records = [replace(r, accuracy=accuracy(0.96)) if r.recipe == "fp32" else r for r in whole.records]
    found = answer(compare_runs(earlier([PI]), replace(whole, records=tuple(records))), Condition.ACCURACY)
    assert found.holds


def test_a_bound_that_the_earlier_run_kept_fails_the_gate_and_one_that_was_broken_before_does_not() -> None:
    budget = Budget(latency_p95_ns=1.34e6)
    comparison = compare_runs(earlier([PI], budget=budget), later([PI], {"int8-static": 1.1}, budget=budget))
    found = answer(comparison, Condition.BUDGET)
    assert found.holds
    assert [text.partition(":")[0] for text in found.sentences] == ["pi5, int8-static"]  # fp32 never kept it


def test_runs_without_a_common_cell_cannot_be_judged() -> None:
    found = answer(compare_runs(earlier([PI]), later([A72], {})), Condition.SLOWER)
    assert found.sentences == ("no cell has figures in both runs",)


@pytest.mark.parametrize(
    ("words", "code"), [(["no", "unknown", "yes"], 1), (["no", "unknown"], 5), (["no"], 0), ([], 0)]
)
def test_exit_codes(words: list[str], code: int) -> None:
    from hilbench.reports.comparechanges import Regressed

    judgements = [Judgement(condition=Condition.SLOWER, answer=Regressed(word), sentences=()) for word in words]
    assert exit_code(judgements) == code
