"""Boards of one kind: units that are known to differ by so much, and units that differ by nothing but noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hilbench.reports.export import export_json
from hilbench.reports.kinds import SpreadOfUnits, spreads_of_units, units_of_kinds
from hilbench.reports.kindview import KindView, kind_views
from hilbench.reports.page import render
from hilbench.reports.pick import choices
from hilbench.reports.record import Budget, Outcome, RunRecord
from hilbench.reports.summary import summarize

from .synthetic import A72, MACHINE, PI, Board, run, without_figures

RECIPES = ("fp32", "int8-static")


def fleet(speeds: Sequence[float], like: Board = PI, kind: str | None = "pi5-4gb", **changes: object) -> RunRecord:
    """A run on one board of a kind for each speed, and on a machine that has no kind."""
    boards = [replace(like, name=f"unit-{letter}", speed=speed) for letter, speed in zip("abcdefghijkl", speeds)]  # noqa: B905
    whole = run((*boards, MACHINE), RECIPES)
    told = {name: {**facts, "kind": kind} if name != MACHINE.name else facts for name, facts in whole.boards.items()}
    return replace(whole, boards=told, **changes)  # pyright: ignore[reportArgumentType]


def spread(whole: RunRecord, recipe: str = "int8-static") -> SpreadOfUnits:
    return next(s for s in spreads_of_units(summarize(whole)) if s.units[0].cell.record.recipe == recipe)


def view(whole: RunRecord) -> KindView:
    summary = summarize(whole)
    (found,) = kind_views(summary, choices(summary))
    return found


def test_the_spread_between_units_is_the_one_that_was_put_in() -> None:
    found = spread(fleet([1.0, 1.03, 1.06]))
    assert [unit.board for unit in found.units] == ["unit-a", "unit-b", "unit-c"]
    assert found.range == pytest.approx(0.06 / 1.03, abs=0.008)
    assert found.cv == pytest.approx(0.03 / 1.03, abs=0.004)
    assert found.differ is True
    assert (found.fastest.board, found.slowest.board) == ("unit-a", "unit-c")
    assert found.within is not None
    assert found.within < found.range


def test_units_that_differ_by_noise_alone_are_not_told_apart() -> None:
    assert [s.differ for s in spreads_of_units(summarize(fleet([1.0] * 12)))] == [False, False]
    assert view(fleet([1.0] * 4)).sentences[0].startswith("The units are not shown to differ")


def test_too_few_blocks_say_so() -> None:
    found = fleet([1.0, 1.3], like=replace(PI, blocks=4))
    assert spread(found).differ is None
    assert view(found).sentences[0].startswith("Too few blocks to tell whether the units differ")
    assert {row.differ for row in view(found).rows} == {"too few blocks to tell"}


def test_emulated_units_are_compared_in_instructions() -> None:
    same, other = fleet([9.0, 9.0], like=A72), fleet([9.0, 9.05], like=A72)
    assert (spread(same).emulated, spread(same).differ) == (True, False)
    assert spread(other).differ is True
    assert view(other).unit == "M"
    assert "the one with most instructions" in view(other).sentences[-1]
    assert "ms" not in " ".join(view(other).sentences)


def test_only_cells_that_are_ok_and_ran_the_same_file_count() -> None:
    whole = fleet([1.0, 1.0, 1.0])
    failed = replace(
        whole,
        records=tuple(without_figures(r, Outcome.ERROR, "x") if r.board == "unit-a" else r for r in whole.records),
    )
    assert [unit.board for unit in spread(failed).units] == ["unit-b", "unit-c"]
    other = tuple(
        replace(r, artifact=replace(r.artifact, sha256="0" * 64)) if r.board == "unit-a" and r.artifact else r
        for r in whole.records
    )
    assert [unit.board for unit in spread(replace(whole, records=other)).units] == ["unit-b", "unit-c"]


def test_runs_that_know_no_kind_and_kinds_of_one_board_have_no_such_section() -> None:
    assert units_of_kinds(fleet([1.0, 1.0], kind=None)) == {}
    assert units_of_kinds(fleet([1.0])) == {}
    assert "Units of one kind" not in render(fleet([1.0]))
    assert export_json(fleet([1.0]))["run"]["units"] == []


def test_the_section_says_what_differs_and_that_one_file_must_hold_on_the_slowest() -> None:
    said = view(fleet([1.0, 1.03, 1.06])).sentences
    assert said[0].startswith("For 2 of 2 candidates the units differ by more than their own intervals: by up to ")
    assert "unit-c over unit-a" in said[0]
    assert said[-1].startswith(
        "One file of digits must hold on all 3 units, so on unit-c, the slowest: int8-static is the choice on each of "
        "them and takes 1.3"
    )


def test_a_bound_that_the_slowest_unit_breaks_leaves_the_kind_without_a_file() -> None:
    limit = Budget(latency_p95_ns=1.4e6)
    fast, slow = fleet([1.0, 1.02], budget=limit), fleet([1.0, 1.3], budget=limit)
    assert "int8-static is the choice on each" in view(fast).sentences[-1]
    assert view(slow).sentences[-1] == (
        "No candidate of digits meets the budget on all 2 units, so none can be the kind's."
    )


def test_units_under_other_circumstances_are_named() -> None:
    whole = fleet([1.0, 1.0])
    upgraded = {**whole.boards, "unit-b": {**whole.boards["unit-b"], "kernel": "Linux 6.18.1"}}
    assert "kernel Linux 6.12.25 (unit-a), Linux 6.18.1 (unit-b)" in view(replace(whole, boards=upgraded)).sentences[1]


def test_page_and_export_give_the_same_units() -> None:
    whole = fleet([1.0, 1.03, 1.06])
    page, exported = render(whole), export_json(whole)["run"]["units"]
    assert '<h2 id="h-units">Units of one kind</h2>' in page
    assert page.count('href="#units"') == 1
    assert [(e["kind"], e["recipe"], e["differ"]) for e in exported] == [("pi5-4gb", r, True) for r in RECIPES]
    assert list(exported[0]["medians"]) == ["unit-a", "unit-b", "unit-c"]


def test_where_the_units_choose_differently_the_least_work_on_the_slowest_decides() -> None:
    """On unit-a the candidates are tied within the margin, so its accuracy decides; on unit-b int8-static is ahead."""
    whole = fleet([1.0, 1.02])
    alike = {r.cell_id: r for r in run((replace(PI, name="unit-a"),), ("fp32",)).records}
    tied = tuple(
        replace(r, trials=alike["unit-a/digits/fp32"].trials) if r.cell_id == "unit-a/digits/int8-static" else r
        for r in whole.records
    )
    assert (
        "the units' own choices differ, and of the candidates that meet the budget on each of them int8-static"
        in (view(replace(whole, records=tied)).sentences[-1])
    )
