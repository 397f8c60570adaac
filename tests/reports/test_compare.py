"""Two runs with a known truth: what changed is found, what did not is not, and a model is blamed only if it may be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hilbench.reports.compare import Cause, CellPair, RunComparison, compare_runs
from hilbench.reports.comparetimes import judge_time_pairs, time_pair
from hilbench.reports.record import Outcome

from .series_of_runs import DATA, earlier, later, metered
from .synthetic import A72, PI, TRUTH, accuracy, run, without_figures


def pair(comparison: RunComparison, recipe: str, board: str = "pi5") -> CellPair:
    return next(p for p in comparison.pairs if (p.later.record.recipe, p.later.record.board) == (recipe, board))


def test_only_the_candidate_that_became_slower_is_called_slower() -> None:
    found = compare_runs(earlier([PI, A72]), later([PI, A72], {"int8-static": 1.06}))
    changed = pair(found, "int8-static").work
    assert changed.word == "slower"
    assert changed.low is not None
    assert changed.high is not None
    assert changed.low < 1.06 < changed.high
    counted = pair(found, "int8-static", "emulated-a72").work
    assert (counted.metric, counted.word) == ("instructions", "more-work")
    assert counted.size == pytest.approx(1.06, abs=0.001)
    others = [p for p in found.pairs if p.later.record.recipe != "int8-static"]
    assert {p.work.word for p in others} == {"equivalent"}


def test_a_candidate_that_became_faster_is_called_faster() -> None:
    found = compare_runs(earlier([PI, A72]), later([PI, A72], {"fp16": 0.9}))
    assert pair(found, "fp16").work.word == "faster"
    assert pair(found, "fp16", "emulated-a72").work.word == "less-work"


@pytest.mark.parametrize(
    ("same_file", "facts", "cause"),
    [
        (False, {}, Cause.MODEL),
        (True, {}, Cause.NEITHER),
        (True, {"kernel": "Linux 6.18.1"}, Cause.CONTEXT),
        (False, {"runtimes": {"onnxruntime": "1.33.0"}}, Cause.BOTH),
    ],
)
def test_the_cause_follows_from_file_and_circumstances(same_file: bool, facts: dict[str, object], cause: Cause) -> None:
    found = compare_runs(earlier([PI]), later([PI], {"int8-static": 1.06}, same_file=same_file, facts=facts))
    assert pair(found, "int8-static").cause is cause


def test_the_difference_of_circumstances_names_what_both_runs_know() -> None:
    told = {"kernel": "Linux 6.18.1", "governor": "performance", "uptime_s": 7, "firmware": "2026-11"}
    found = compare_runs(earlier([PI]), later([PI], {}, facts=told, hilbench_version="0.2.0"))
    assert [difference.text for difference in found.boards[0].context] == [
        "kernel Linux 6.12.25 → Linux 6.18.1",
        "governor ondemand → performance",
        "hilbench 0.1.0 → 0.2.0",
    ]


def test_a_board_that_slows_everything_down_is_not_held_against_a_new_file() -> None:
    """All unchanged files take 9 % more: what a changed file takes more within that is no proof against it."""
    factors = dict.fromkeys(TRUTH, 1.09)
    whole = later([PI], factors, same_file=True)
    files = [
        replace(r, artifact=replace(r.artifact, sha256="0" * 64)) if r.recipe == "fp16" and r.artifact else r
        for r in whole.records
    ]
    found = compare_runs(earlier([PI]), replace(whole, records=tuple(files)))
    assert found.boards[0].drift == pytest.approx(1.09, abs=0.01)
    assert pair(found, "fp32").work.word == "slower"
    assert pair(found, "fp16").work.word == "inconclusive"


def test_accuracy_is_paired_image_by_image_on_the_same_test_set_only() -> None:
    worse = later([PI], {})
    records = [
        replace(r, accuracy=accuracy(0.970), artifact=replace(r.artifact, sha256="0" * 64))
        if r.recipe == "fp32" and r.artifact
        else r
        for r in worse.records
    ]
    worse = replace(worse, records=tuple(records))
    paired = pair(compare_runs(earlier([PI]), worse), "fp32").accuracy
    assert (paired.word, paired.size) == ("worse", pytest.approx(-0.018))
    unpaired = pair(compare_runs(replace(earlier([PI]), provenance={}), worse), "fp32").accuracy
    assert paired.low is not None
    assert unpaired.low is not None
    assert unpaired.low < paired.low  # without the hash nobody knows that the images are the same
    other = {"data": {"digits": {"test": {"sha256": "cd" * 32}}}}
    exchanged = pair(compare_runs(replace(earlier([PI]), provenance=other), worse), "fp32").accuracy
    assert (exchanged.word, exchanged.note) == ("not-comparable", "judged on another test set (its hash differs)")


def test_the_same_file_with_the_same_answers_is_equivalent_however_few_the_images() -> None:
    found = compare_runs(earlier([PI]), later([PI], {}))
    assert {p.accuracy.word for p in found.pairs} == {"equivalent"}


def test_memory_and_energy_have_words_of_their_own() -> None:
    before, after = metered(earlier([PI]), "fp32", 0.010), metered(later([PI], {}), "fp32", 0.0108)
    grown = [
        replace(
            r,
            trials=tuple(
                replace(t, memory=replace(t.memory, load_peak_bytes=90 * 2**20)) if t.memory else t for t in r.trials
            ),
        )
        for r in after.records
    ]
    found = compare_runs(before, replace(after, records=tuple(grown)))
    assert pair(found, "fp32").memory.word == "more"
    assert pair(found, "fp32").energy.word == "more"
    assert pair(found, "fp32").energy.size == pytest.approx(1.08)
    assert pair(found, "fp16").energy.word == "not-measured"


def test_what_cannot_be_compared_says_why() -> None:
    whole = later([PI], {})
    broken = [
        without_figures(r, Outcome.TIMEOUT, "no answer") if r.recipe == "fp16" else replace(r, profile="controlled")
        for r in whole.records
    ]
    found = compare_runs(earlier([PI]), replace(whole, records=tuple(broken)))
    assert pair(found, "fp16").work.note == "its outcome in the later run is timeout"
    assert pair(found, "fp32").work.note == "the board's profile was as-shipped first and controlled then"


def test_cells_of_one_run_only_are_named() -> None:
    found = compare_runs(run([PI], ("fp32", "fp16")), run([PI], ("fp32", "int8-static"), provenance=DATA))
    assert [c.record.recipe for c in found.only_earlier] == ["fp16"]
    assert [c.record.recipe for c in found.only_later] == ["int8-static"]


def medians(rng: np.random.Generator, processes: int, sd: float, factor: float = 1.0) -> dict[int, float]:
    return {block: float(1e6 * factor * np.exp(rng.normal(0, sd))) for block in range(processes)}


def test_false_alarms_between_equal_runs_stay_below_five_percent() -> None:
    """Two runs of 10 processes, 12 cells each, whose processes scatter by 1.5 %: the margin of 2 % is within reach."""
    rng = np.random.default_rng(4)
    wrong, equivalent = 0, 0
    for _ in range(200):
        cells = {str(cell): time_pair(medians(rng, 10, 0.015), medians(rng, 10, 0.015), 0.0) for cell in range(12)}
        words = {change.word for change in judge_time_pairs(cells).values()}
        wrong += bool(words & {"faster", "slower"})
        equivalent += "equivalent" in words
    assert wrong <= 10
    assert equivalent >= 100  # it is not silence that keeps it right


def test_a_difference_exactly_at_the_margin_is_called_larger_in_at_most_five_percent() -> None:
    rng = np.random.default_rng(5)
    slower = 0
    for _ in range(400):
        before, after = medians(rng, 8, 0.01), medians(rng, 8, 0.01, factor=1.02)
        slower += judge_time_pairs({"one": time_pair(before, after, 0.0)})["one"].word == "slower"
    assert slower <= 20
