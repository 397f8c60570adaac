"""One computation of all figures: what a summary says of records whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hilbench.reports.figures import latency, memory, one_per_block
from hilbench.reports.record import Accuracy, MemoryPhases, Outcome, Record, RunRecord, TrialKind
from hilbench.reports.summary import CellSummary, RunSummary, summarize
from hilbench.reports.validity import State
from hilbench.reports.verdict import Word

from .synthetic import A72, FP32_NS, MACHINE, PI, TRUTH, latency_trials, mixed, run, without_figures


def cell(summary: RunSummary, board: str, recipe: str) -> CellSummary:
    return next(c for c in summary.cells if (c.record.board, c.record.recipe) == (board, recipe))


def changed(whole: RunRecord, board: str, recipe: str, **changes: object) -> RunRecord:
    records = [
        replace(item, **changes) if (item.board, item.recipe) == (board, recipe) else item  # pyright: ignore[reportArgumentType]
        for item in whole.records
    ]
    return replace(whole, records=tuple(records))


def test_every_cell_is_there_in_the_order_of_the_plan() -> None:
    whole = mixed()
    assert [c.record.cell_id for c in summarize(whole).cells] == [item.cell_id for item in whole.records]


def test_figures_find_the_truth() -> None:
    summary = summarize(run())
    for recipe, truth in TRUTH.items():
        timed, counted = cell(summary, "pi5", recipe), cell(summary, "emulated-a72", recipe)
        assert timed.latency is not None
        assert timed.latency.median_ns == pytest.approx(FP32_NS * truth.work, rel=0.01)
        assert (timed.latency.blocks, timed.latency.iterations) == (10, 1200)
        assert counted.instructions is not None
        assert counted.instructions.median == pytest.approx(FP32_NS * 9 * truth.work, rel=0.001)
        assert counted.instructions.source == "pmu"


def test_emulated_cells_never_have_a_time_even_if_a_trial_claims_one() -> None:
    whole = run(boards=(A72,))
    rogue = latency_trials("x", 1e6, np.random.default_rng(1))
    spoiled = changed(whole, "emulated-a72", "fp32", trials=(*whole.records[0].trials, *rogue))
    assert cell(summarize(spoiled), "emulated-a72", "fp32").latency is None


def test_interval_of_a_cell_is_over_blocks_not_iterations() -> None:
    rng = np.random.default_rng(4)
    base = run(boards=(PI,), recipes=("fp32",)).records[0]
    levels = [-0.05, -0.03, -0.01, 0.01, 0.03, 0.05]
    trials = latency_trials("x", 1e6, rng, blocks=6, process_sd=0.0, block_effects=levels)
    time = latency(replace(base, trials=trials))
    assert time is not None
    assert time.ci_low_ns is not None
    assert time.ci_high_ns is not None
    assert time.ci_high_ns / time.ci_low_ns == pytest.approx(np.exp(0.1), rel=0.01)


def test_first_attempt_at_a_block_counts() -> None:
    rng = np.random.default_rng(4)
    first = latency_trials("x", 1e6, rng, blocks=1)[0]
    again = replace(first, attempt=2, samples=first.samples * 2)
    assert one_per_block((again, first), TrialKind.LATENCY)[0].attempt == 1


def test_percentiles_are_withheld_where_a_sample_is_a_mean() -> None:
    base = run(boards=(PI,), recipes=("fp32",)).records[0]
    looped = tuple(replace(trial, loop_k=10) for trial in base.trials)
    time = latency(replace(base, trials=looped))
    assert time is not None
    assert (time.p90_ns, time.p95_ns, time.p99_ns) == (None, None, None)


def test_memory_peak_is_the_largest_phase_and_missing_stays_missing() -> None:
    base = run(boards=(PI,), recipes=("fp32",)).records[0]
    phases = MemoryPhases(baseline_bytes=10, load_peak_bytes=90, steady_peak_bytes=70)
    trial = replace(base.trials[-1], memory=phases)
    found = memory(replace(base, trials=(trial,)))
    assert found is not None
    assert found.peak_bytes == 90
    assert found.phases.first_peak_bytes is None
    assert memory(replace(base, trials=base.trials[:-1])) is None


def test_verdicts_are_the_truth() -> None:
    summary = summarize(run())
    words = {recipe: cell(summary, "pi5", recipe).verdict for recipe in TRUTH}
    assert words.pop("fp32") is None
    assert {recipe: verdict.word for recipe, verdict in words.items() if verdict} == {
        "fp16": Word.SLOWER,
        "int8-dynamic": Word.FASTER,
        "int8-static": Word.FASTER,
        "prune-l1": Word.EQUIVALENT,
        "prune-l1+int8-static": Word.FASTER,
    }
    emulated = cell(summary, "emulated-a72", "int8-static").verdict
    assert emulated is not None
    assert emulated.word is Word.LESS_WORK


def test_emulated_boards_are_never_called_faster() -> None:
    timed = {Word.FASTER, Word.SLOWER}
    for c in summarize(mixed()).cells:
        if c.record.emulated and c.verdict:
            assert c.verdict.word not in timed


def test_quick_protocol_judges_the_shortlist_only() -> None:
    summary = summarize(run(boards=(PI, A72), protocol="quick", shortlist=("int8-static",)))
    listed, other = cell(summary, "pi5", "int8-static"), cell(summary, "pi5", "int8-dynamic")
    assert listed.verdict is not None
    assert listed.verdict.comparisons == 1
    assert other.verdict is None
    assert other.verdict_absent == "not on the plan's shortlist: the quick protocol gives verdicts to those only"
    assert cell(summary, "emulated-a72", "int8-dynamic").verdict is not None


def test_shortlist_means_nothing_outside_the_quick_protocol() -> None:
    summary = summarize(run(boards=(PI,), protocol="standard", shortlist=("int8-static",)))
    assert cell(summary, "pi5", "int8-dynamic").verdict is not None


def test_failed_baseline_makes_candidates_not_comparable() -> None:
    whole = changed(run(boards=(PI,)), "pi5", "fp32", outcome=Outcome.ERROR, trials=(), reason="lost")
    verdict = cell(summarize(whole), "pi5", "int8-static").verdict
    assert verdict is not None
    assert (verdict.word, verdict.ratio) == (Word.NOT_COMPARABLE, None)


def test_settings_are_compared_with_a_baseline_of_the_same_settings() -> None:
    one = run(boards=(PI,), recipes=("fp32", "int8-static"))
    two = [
        replace(item, cell_id=item.cell_id + "/t2", settings={**item.settings, "threads": 2}) for item in one.records
    ]
    summary = summarize(replace(one, records=(*one.records, *two)))
    assert [c.baseline_cell for c in summary.cells] == [
        "pi5/digits/fp32",
        "pi5/digits/fp32",
        "pi5/digits/fp32/t2",
        "pi5/digits/fp32/t2",
    ]


def test_control_that_differs_marks_the_board_and_widens_its_margin() -> None:
    whole = run(boards=(PI, MACHINE))
    shifted = latency_trials("twin", FP32_NS * 1.06, np.random.default_rng(2))
    summary = summarize(changed(whole, "pi5", "fp32", twin_trials=shifted))
    control = summary.controls["pi5"]
    assert not control.equal
    assert control.margin == pytest.approx(0.06, abs=0.01)
    assert summary.controls["this-machine"].equal
    assert "the A/A control of this board differed from itself: comparisons are unproven" in (
        cell(summary, "pi5", "int8-static").validity.reasons
    )
    fp16 = cell(summary, "pi5", "fp16").verdict
    assert fp16 is not None
    assert fp16.word is not Word.SLOWER  # 6 % slower, but the board differs by as much from itself


def test_invalid_cell_keeps_its_figures_and_loses_its_verdict() -> None:
    throttled = cell(summarize(mixed()), "this-machine", "prune-l1")
    assert throttled.latency is not None
    assert throttled.validity.state is State.INVALID
    assert throttled.verdict is not None
    assert throttled.verdict.word is Word.NOT_COMPARABLE


def test_spread_and_missing_blocks_become_findings() -> None:
    rng = np.random.default_rng(8)
    base = run(boards=(PI,), recipes=("fp32",))
    trials = latency_trials("x", 1e6, rng, blocks=5, block_effects=[0, 0.6, 0, 0.5, 0])
    reasons = summarize(changed(base, "pi5", "fp32", trials=trials)).cells[0].validity.reasons
    assert "only 5 of 10 planned blocks" in reasons
    assert any(reason.startswith("block medians vary by") for reason in reasons)


def test_accuracy_loss_is_on_the_host_where_both_were_judged_there_else_on_the_board() -> None:
    summary = summarize(run(boards=(PI,)))
    drop = cell(summary, "pi5", "int8-static").drop
    assert drop is not None
    assert drop.value == pytest.approx(0.003)
    assert drop.low is not None
    assert drop.low < drop.value
    assert drop.paired
    only_board = Accuracy(metric="top1", board=0.97, board_samples=100)
    whole = changed(run(boards=(PI,)), "pi5", "int8-static", accuracy=only_board)
    drop = cell(summarize(whole), "pi5", "int8-static").drop
    assert drop is not None
    assert (drop.on_board_images, round(drop.value, 9)) == (True, 0.02)


def test_accuracy_without_any_judgement_is_none() -> None:
    empty: Record = replace(run(boards=(PI,), recipes=("fp32",)).records[0], accuracy=Accuracy(metric="top1"))
    assert summarize(replace(run(boards=(PI,)), records=(empty,))).cells[0].accuracy is None


def test_counts_of_different_sources_are_not_compared() -> None:
    whole = run(boards=(A72,), recipes=("fp32", "int8-static"))
    clocked = tuple(replace(trial, counter_source="virtual-clock") for trial in whole.records[1].trials)
    verdict = cell(
        summarize(changed(whole, "emulated-a72", "int8-static", trials=clocked)), "emulated-a72", "int8-static"
    ).verdict
    assert verdict is not None
    assert (verdict.word, verdict.note) == (Word.NOT_COMPARABLE, "the two were counted by different sources")


def test_cell_that_broke_off_keeps_what_it_measured_but_proves_nothing() -> None:
    whole = run(boards=(A72,))
    part = whole.records[3].trials[:1]
    broken = changed(
        whole, "emulated-a72", "int8-static", outcome=Outcome.ERROR, reason="the emulator was killed", trials=part
    )
    found = cell(summarize(broken), "emulated-a72", "int8-static")
    assert found.instructions is not None
    assert found.instructions.processes == 1
    assert found.validity.state is State.INVALID
    assert "the emulator was killed" in found.validity.reasons
    assert found.verdict is not None
    assert found.verdict.word is Word.NOT_COMPARABLE


def test_what_is_worth_knowing_does_not_make_a_figure_suspect() -> None:
    rng = np.random.default_rng(8)
    base = run(boards=(PI,), recipes=("fp32",))
    trials = latency_trials("x", 1e6, rng, process_sd=0.03)
    found = summarize(changed(base, "pi5", "fp32", trials=trials, twin_trials=())).cells[0].validity
    assert found.state is State.VALID
    assert any(remark.startswith("10 blocks know the time no better than ±1 %") for remark in found.remarks)


def test_a_warm_up_that_was_too_short_is_remarked() -> None:
    base = run(boards=(PI,), recipes=("fp32",))
    slope = np.linspace(1.01, 1.0, 120)
    trials = tuple(
        replace(trial, samples=np.rint(trial.samples * slope).astype(np.int64)) if trial.samples.size else trial
        for trial in base.records[0].trials
    )
    found = summarize(changed(base, "pi5", "fp32", trials=trials)).cells[0]
    assert found.latency is not None
    assert found.latency.sloped_blocks >= 5
    assert any("processes time still changed along the iterations, by -" in remark for remark in found.validity.remarks)
    assert found.validity.state is State.VALID  # 1 % is less than what any verdict rests on


def test_where_a_board_cannot_run_the_baseline_its_conversion_stands_in() -> None:
    whole = replace(run(boards=(A72, PI), recipes=("fp32", "fp16", "int8-static")), stand_in_recipe="fp16")
    here = replace(
        whole,
        records=tuple(
            without_figures(item, Outcome.UNSUPPORTED, "no onnxruntime")
            if (item.board, item.recipe) == ("emulated-a72", "fp32")
            else item
            for item in whole.records
        ),
    )
    summary = summarize(here)
    stand_in, small = cell(summary, "emulated-a72", "fp16"), cell(summary, "emulated-a72", "int8-static")
    assert (stand_in.baseline, stand_in.verdict) == (True, None)
    assert (small.baseline_cell, small.baseline_recipe) == (stand_in.record.cell_id, "fp16")
    assert small.verdict is not None
    assert small.verdict.word is Word.LESS_WORK
    assert cell(summary, "pi5", "int8-static").baseline_recipe == "fp32", "this board has the baseline itself"
    assert not cell(summary, "pi5", "fp16").baseline
