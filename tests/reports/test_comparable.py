"""What must never be compared is not, and the report says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hilbench.reports.comparable import why_not_comparable
from hilbench.reports.record import Accuracy, Record
from hilbench.reports.summary import summarize
from hilbench.reports.verdict import Word

from .synthetic import A72, MACHINE, PI, Board, record, run

RNG = np.random.default_rng(3)


def pair(board: Board = PI) -> tuple[Record, Record]:
    return record(board, "int8-static", RNG), record(board, "fp32", RNG)


def used(item: Record, **facts: Any) -> Record:
    return replace(item, trials=tuple(replace(trial, used={**trial.used, **facts}) for trial in item.trials))


def test_equal_circumstances_may_be_compared() -> None:
    candidate, baseline = pair()
    assert why_not_comparable(candidate, baseline) is None


def test_an_emulated_board_is_never_compared_with_a_real_one() -> None:
    assert why_not_comparable(pair(A72)[0], pair(PI)[1]) == (
        "one was counted on an emulated board, the other timed on a real one"
    )


def test_two_boards_are_not_compared() -> None:
    assert why_not_comparable(pair(PI)[0], pair(MACHINE)[1]) == "they ran on different boards (pi5, this-machine)"


def test_profiles_are_not_compared() -> None:
    candidate, baseline = pair()
    assert why_not_comparable(replace(candidate, profile="controlled"), baseline) == (
        "they were measured in different profiles (controlled, as-shipped)"
    )


def test_settings_are_not_mixed() -> None:
    candidate, baseline = pair()
    other = replace(candidate, settings={**candidate.settings, "threads": 2})
    assert why_not_comparable(other, baseline) == "they were run with different settings"


@pytest.mark.parametrize(
    ("declared", "really", "reason"),
    [
        ({"threads": 1}, {"threads": 4}, "the candidate ran with threads 4, not with 1 as declared"),
        (
            {"graph_optimization": "all"},
            {"graph_optimization": "basic"},
            "the candidate ran with graph optimization basic, not with all as declared",
        ),
        (
            {"providers": ["NPU"]},
            {"providers": ["CPU"]},
            "the candidate ran on CPU, not on NPU as declared",
        ),
    ],
)
def test_other_settings_than_declared_are_not_compared(
    declared: dict[str, Any], really: dict[str, Any], reason: str
) -> None:
    candidate, baseline = (replace(item, settings={**item.settings, **declared}) for item in pair())
    assert why_not_comparable(used(candidate, **really), used(baseline, **declared)) == reason


def test_bytes_other_than_those_whose_accuracy_was_judged_are_not_compared() -> None:
    candidate, baseline = pair()
    assert candidate.artifact is not None
    judged = Accuracy(metric="top1", host=0.98, artifact_sha256=candidate.artifact.sha256)
    assert why_not_comparable(replace(candidate, accuracy=judged), baseline) is None
    other = replace(candidate, accuracy=replace(judged, artifact_sha256="0" * 64))
    assert why_not_comparable(other, baseline) == (
        "the accuracy of the candidate was judged on another file than the one deployed"
    )
    assert why_not_comparable(candidate, used(baseline, model_sha256="0" * 64)) == (
        "the board ran another file of the baseline than the one whose accuracy was judged"
    )


def test_a_file_made_of_the_artifact_for_another_layout_is_compared_as_the_artifact() -> None:
    candidate, baseline = pair()
    assert baseline.artifact is not None
    made = {"model_sha256": "0" * 64, "made_of": baseline.artifact.sha256, "input_layout": "nhwc"}
    assert why_not_comparable(candidate, used(baseline, **made)) is None
    assert why_not_comparable(candidate, used(baseline, **{**made, "made_of": "1" * 64})) is not None
    declared, other = (replace(one, settings={**one.settings, "input_layout": "nchw"}) for one in (candidate, baseline))
    assert why_not_comparable(declared, used(other, **made)) == (
        "the baseline ran with input layout nhwc, not with nchw as declared"
    )


def test_a_runtime_that_changed_between_the_parts_of_a_campaign_is_not_compared() -> None:
    candidate, baseline = (used(item, runtime_version="1.32.0") for item in pair())
    assert why_not_comparable(candidate, baseline) is None
    assert why_not_comparable(used(candidate, runtime_version="1.33.0"), baseline) == (
        "they ran in different versions of onnxruntime (1.32.0, 1.33.0)"
    )


def test_the_verdict_carries_the_reason() -> None:
    whole = run(boards=(PI,), recipes=("fp32", "int8-static"))
    records = (whole.records[0], replace(whole.records[1], profile="controlled"))
    verdict = summarize(replace(whole, records=records)).cells[1].verdict
    assert verdict is not None
    assert (verdict.word, verdict.ratio) == (Word.NOT_COMPARABLE, None)
    assert verdict.note == "they were measured in different profiles (controlled, as-shipped)"
