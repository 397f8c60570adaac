"""What `compare --json` and `trend --json` give fulfils their published schemas, and those refuse what is wrong."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hilbench.reports.compare import compare_runs
from hilbench.reports.compare_schema import comparison_schema
from hilbench.reports.comparegate import Condition, judge
from hilbench.reports.compareplain import comparison_json
from hilbench.reports.record import Outcome
from hilbench.reports.trend import trend
from hilbench.reports.trend_schema import trend_schema
from hilbench.reports.trendpage import trend_json

from .series_of_runs import earlier, later, metered, nightly
from .synthetic import A72, PI, without_figures

Edit = Callable[[dict[str, Any]], object]


def printed(data: dict[str, Any], **more: object) -> dict[str, Any]:
    """As a verb prints it and another program reads it."""
    return json.loads(json.dumps({"schema_version": 1, **data, "page": "page.html", **more}, allow_nan=False))


@pytest.fixture(scope="module")
def comparison() -> dict[str, Any]:
    before = metered(earlier([PI, A72]), "fp32", 0.010)
    after = metered(later([PI, A72], {"int8-static": 1.06}, facts={"kernel": "Linux 6.18.1"}), "fp32", 0.0108)
    failed = [without_figures(r, Outcome.TIMEOUT, "slow") if r.recipe == "fp16" else r for r in after.records]
    found = compare_runs(before, replace(after, records=tuple(failed)))
    conditions = [each for each in Condition if each is not Condition.BUDGET]
    return printed(comparison_json(found, judge(found, conditions)), exit_code=1)


@pytest.fixture(scope="module")
def series() -> dict[str, Any]:
    found = trend("demo", nightly([PI, A72], runs=24, upgrade_at=11, slower_at=18, new_file_at=18), ["one is damaged"])
    assert any(segment.changes for each in found.series for segment in each.segments)
    return printed(trend_json(found))


def errors(schema: dict[str, Any], data: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(data)]


def test_both_schemas_are_valid_themselves() -> None:
    for schema in (comparison_schema(), trend_schema()):
        jsonschema.Draft7Validator.check_schema(schema)


def test_a_comparison_fulfils_its_schema(comparison: dict[str, Any]) -> None:
    assert errors(comparison_schema(), comparison) == []
    assert {"emulated-a72", "pi5"} == {board["board"] for board in comparison["boards"]}


def test_a_trend_fulfils_its_schema(series: dict[str, Any]) -> None:
    assert errors(trend_schema(), series) == []
    assert errors(trend_schema(), printed(trend_json(trend("demo", [])))) == []


@pytest.mark.parametrize("key", ["earlier", "summary", "boards", "gate", "exit_code", "page", "schema_version"])
def test_a_comparison_without_a_key_is_refused(comparison: dict[str, Any], key: str) -> None:
    assert errors(comparison_schema(), {name: value for name, value in comparison.items() if name != key})


@pytest.mark.parametrize(
    "edit",
    [
        lambda whole: whole["boards"][0]["cells"][0]["work"].pop("margin"),
        lambda whole: whole["boards"][0]["cells"][0]["work"].update(word="a bit slower"),
        lambda whole: whole["boards"][0]["cells"][0].update(outcomes=["ok"]),
        lambda whole: whole["boards"][0]["cells"][0].update(sha256=["x", None]),
        lambda whole: next(b for b in whole["boards"] if b["emulated"])["cells"][0]["work"].update(metric="latency_ns"),
        lambda whole: next(b for b in whole["boards"] if b["emulated"])["cells"][0]["energy"].update(later=0.1),
        lambda whole: whole["gate"][0].update(holds="perhaps"),
    ],
)
def test_a_comparison_that_is_wrong_inside_is_refused(comparison: dict[str, Any], edit: Edit) -> None:
    wrong = copy.deepcopy(comparison)
    edit(wrong)
    assert errors(comparison_schema(), wrong)


@pytest.mark.parametrize(
    "edit",
    [
        lambda whole: whole["series"][0]["points"][0].update(value=0),
        lambda whole: whole["series"][0]["points"].clear(),
        lambda whole: whole["series"][0]["segments"][0].pop("because"),
        lambda whole: next(s for s in whole["series"] if s["emulated"]).update(metric="latency_ns"),
        lambda whole: next(s for s in whole["series"] if not s["emulated"]).update(metric="instructions"),
        lambda whole: whole["runs"][0].pop("started_at"),
    ],
)
def test_a_trend_that_is_wrong_inside_is_refused(series: dict[str, Any], edit: Edit) -> None:
    wrong = copy.deepcopy(series)
    edit(wrong)
    assert errors(trend_schema(), wrong)
