"""A geometric mean over models is given where all of them gave a ratio, and is that of each block."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hilbench.reports.across import across_models
from hilbench.reports.export import export_json
from hilbench.reports.record import Outcome, RunRecord
from hilbench.reports.summary import summarize
from hilbench.reports.wording import across_text

from .synthetic import A72, PI, Board, record, run


def two_models(board: Board = PI) -> RunRecord:
    rng = np.random.default_rng(5)
    recipes = ("fp32", "int8-static", "fp16")
    records = tuple(record(board, recipe, rng, model=model) for model in ("digits", "faces") for recipe in recipes)
    return replace(run(boards=(board,), recipes=recipes), records=records)


def test_the_mean_of_logarithms_is_taken_block_by_block() -> None:
    summary = summarize(two_models())
    (static, fp16) = across_models(summary)
    assert (static.recipe, static.models, static.blocks) == ("int8-static", ("digits", "faces"), 10)
    ratios = [c.verdict.ratio for c in summary.cells if c.record.recipe == "int8-static" and c.verdict]
    assert static.ratio == pytest.approx(math.sqrt(math.prod(r for r in ratios if r is not None)), rel=0.002)
    assert static.ci_low is not None
    assert static.ci_high is not None
    assert static.ci_low < 0.52 < static.ci_high
    assert fp16.ratio == pytest.approx(1.06, rel=0.01)


def test_one_model_has_no_mean() -> None:
    assert across_models(summarize(run())) == ()


def test_a_model_without_a_figure_withholds_the_mean_of_that_recipe_only() -> None:
    whole = two_models()
    broken = replace(whole.records[4], outcome=Outcome.ERROR, reason="lost", trials=())
    summary = summarize(replace(whole, records=(*whole.records[:4], broken, whole.records[5])))
    assert broken.recipe == "int8-static"
    assert [mean.recipe for mean in across_models(summary)] == ["fp16"]


def test_a_ratio_that_must_not_be_taken_enters_no_mean() -> None:
    whole = two_models()
    elsewhere = replace(whole.records[4], profile="controlled")
    summary = summarize(replace(whole, records=(*whole.records[:4], elsewhere, whole.records[5])))
    assert [mean.recipe for mean in across_models(summary)] == ["fp16"]


def test_counts_have_a_range_and_no_time() -> None:
    (static, _) = across_models(summarize(two_models(A72)))
    assert (static.metric, static.blocks) == ("instructions", 3)
    assert static.ci_low is not None
    assert static.ci_low <= static.ratio


def test_it_is_named_for_what_it_is() -> None:
    (static, _) = across_models(summarize(two_models()))
    text = across_text(static, "fp32").replace("\u202f", " ")
    assert text.startswith("int8-static against fp32, geometric mean over 2 models (digits, faces), onnxruntime: 48 % ")


def test_the_export_has_it_with_its_models() -> None:
    (static, _) = export_json(two_models())["run"]["across_models"]
    assert (static["models"], static["settings"]["threads"]) == (["digits", "faces"], 1)
