"""What the first screen says, word by word. Read the golden files as a reader would; a change must be meant.

HILBENCH_GOLDEN=write rewrites them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hilbench.reports.gaps import failures, not_measured, scope_text, state_text
from hilbench.reports.pick import choices
from hilbench.reports.record import Budget, RunRecord
from hilbench.reports.sentences import answers
from hilbench.reports.summary import summarize
from hilbench.reports.wording import budget_text

from .synthetic import A72, FP32_NS, MACHINE, PI, all_failed, latency_trials, mixed, run, without_data

GOLDEN = Path(__file__).parent / "golden"


def first_screen(whole: RunRecord) -> str:
    summary = summarize(whole)
    lines = [state_text(summary) or "", scope_text(summary), budget_text(whole), ""]
    for answer in answers(summary, choices(summary)):
        lines += [answer.headline, *answer.why, answer.file, *answer.cost, *answer.sure, *answer.others, ""]
    lines += ["Not measured:", *not_measured(summary), "", "Failed:", *failures(summary)]
    return "\n".join(lines).strip().replace("\u202f", " ") + "\n"


def quick_demo() -> RunRecord:
    return run(boards=(A72, replace(MACHINE, blocks=6)), protocol="quick")


def over_budget() -> RunRecord:
    return run(boards=(PI,), budget=Budget(latency_p95_ns=1_000_000))


def noisy() -> RunRecord:
    whole = run(boards=(PI,), recipes=("fp32", "int8-static"))
    rng = np.random.default_rng(3)
    loud = [
        replace(item, trials=latency_trials(item.cell_id, FP32_NS, rng, blocks=6, process_sd=0.08))
        for item in whole.records
    ]
    return replace(whole, records=tuple(loud), budget=Budget(), state="interrupted", ended_at=None)


def no_cells() -> RunRecord:
    return replace(run(), records=())


@pytest.mark.parametrize("make", [run, mixed, all_failed, without_data, quick_demo, over_budget, noisy, no_cells])
def test_first_screen_reads_as_approved(make: Callable[[], RunRecord]) -> None:
    golden = GOLDEN / f"{make.__name__}.txt"
    text = first_screen(make())
    if os.environ.get("HILBENCH_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_emulated_boards_are_never_given_a_time_or_called_faster() -> None:
    text = first_screen(run(boards=(A72,)))
    for forbidden in (" ms", " µs", "faster", "slower", "latency"):
        assert forbidden not in text, forbidden


def test_board_without_control_or_memory_says_so() -> None:
    whole = run(boards=(PI,), recipes=("fp32", "int8-static"), budget=Budget())
    bare = tuple(replace(item, twin_trials=(), trials=item.trials[:-1]) for item in whole.records)
    text = first_screen(replace(whole, records=bare))
    assert "No A/A control was run on pi5." in text
    assert "pi5: no A/A control, so its own noise is not known." in text
    assert "pi5: memory was not measured for 2 cells." in text


def test_short_runs_say_which_percentiles_they_cannot_give() -> None:
    rng = np.random.default_rng(1)
    whole = run(boards=(PI,), recipes=("fp32",), budget=Budget())
    short = latency_trials("x", FP32_NS, rng, blocks=10, iterations=12)
    text = first_screen(replace(whole, records=(replace(whole.records[0], trials=short),)))
    assert "pi5: p95 and p99 not given for 1 cell: 120 iterations, at least 130 needed." in text


def test_settings_are_named_only_where_they_differ() -> None:
    one = run(boards=(PI,), recipes=("fp32",))
    two = replace(one.records[0], cell_id="two", settings={**one.records[0].settings, "threads": 2})
    assert "threads" not in first_screen(one)
    assert "fp32 · threads 2" in first_screen(replace(one, records=(*one.records, two)))


def test_a_detection_says_what_its_accuracy_is_and_the_map_beside_it() -> None:
    whole = run(boards=(PI,))
    judged = [
        replace(item, accuracy=replace(item.accuracy, metric="image-f1", host_map50=0.931, board_map50=0.5))
        for item in whole.records
        if item.accuracy is not None
    ]
    told = "That is the mean F1 score of an image; mAP@0.5 of all is 93.10"
    assert told in first_screen(replace(whole, records=tuple(judged)))
    assert told not in first_screen(whole)
