"""The page that compares two runs: complete, escaped, without a script, the same for the same runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hilbench.reports.compare import compare_runs
from hilbench.reports.comparegate import Condition, judge
from hilbench.reports.comparepage import render_comparison
from hilbench.reports.compareplain import comparison_json
from hilbench.reports.record import RunRecord

from .series_of_runs import earlier, later, metered
from .synthetic import A72, HOSTILE, PI, all_failed, mixed, run
from .test_page import Outline

Runs = Callable[[], tuple[RunRecord, RunRecord]]


def slower() -> tuple[RunRecord, RunRecord]:
    return earlier([PI, A72]), later([PI, A72], {"int8-static": 1.06}, facts={"kernel": "Linux 6.18.1 " + HOSTILE})


def hostile() -> tuple[RunRecord, RunRecord]:
    return mixed(), replace(mixed(), run_id=HOSTILE)


def failed() -> tuple[RunRecord, RunRecord]:
    return run(), replace(all_failed(), run_id="later")


def energy() -> tuple[RunRecord, RunRecord]:
    return metered(earlier([PI]), "fp32", 0.01), metered(later([PI], {}), "fp32", 0.0109)


def nothing() -> tuple[RunRecord, RunRecord]:
    return earlier([PI], records=()), later([A72], {})


@pytest.mark.parametrize("runs", [slower, hostile, failed, energy, nothing])
def test_the_page_is_whole_escaped_and_the_same_each_time(runs: Runs) -> None:
    comparison = compare_runs(*runs())
    judgements = judge(comparison, list(Condition))
    page = render_comparison(comparison, judgements)
    assert page == render_comparison(compare_runs(*runs()), judgements)
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert (parser.open, parser.errors) == ([], [])
    tags = [tag for tag, _ in parser.tags]
    assert "script" not in tags
    assert "img" not in tags
    assert not [value for _, attributes in parser.tags for key, value in attributes.items() if key == "style"]


def test_the_page_says_what_changed_and_what_else_did() -> None:
    comparison = compare_runs(*slower())
    parser = Outline()
    parser.feed(render_comparison(comparison, judge(comparison, [Condition.SLOWER])))
    assert "pi5, int8-static: time: slower 1.06" in parser.text
    assert "both the file and the circumstances differ, so neither can be blamed alone" in parser.text
    assert "slower: it could not be judged" in parser.text
    assert "Linux 6.12.25" in parser.text


@pytest.mark.parametrize("runs", [slower, hostile, failed, energy, nothing])
def test_the_json_is_plain_and_complete(runs: Runs) -> None:
    comparison = compare_runs(*runs())
    whole = json.loads(json.dumps(comparison_json(comparison, judge(comparison, list(Condition))), allow_nan=False))
    cells = [cell for board in whole["boards"] for cell in board["cells"]]
    assert len(cells) == len(comparison.pairs)
    keys = {"metric", "word", "earlier", "later", "change", "ci_low", "ci_high", "margin", "regressed", "note"}
    assert all(set(cell[figure]) == keys for cell in cells for figure in ("work", "accuracy", "memory", "energy"))
    assert [one["condition"] for one in whole["gate"]] == ["slower", "accuracy", "memory", "energy", "budget"]
