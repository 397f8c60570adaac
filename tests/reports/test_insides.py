"""Operators, counters and the long run on the page: beside the baseline, in words, with what is not available."""

from __future__ import annotations

from dataclasses import replace

from hilbench.reports.insides import counter_lines, operator_views, sustained_lines
from hilbench.reports.page import render
from hilbench.reports.record import RunRecord
from hilbench.reports.summary import CellSummary, summarize

from .synthetic import A72, PI, Board, once_trials, run


def looked_into(board: Board = PI) -> RunRecord:
    whole = run(boards=(board,), recipes=("fp32", "int8-static"))
    records = tuple(
        replace(one, trials=(*one.trials, *once_trials(one.cell_id, quantized="int8" in one.recipe)))
        for one in whole.records
    )
    return replace(whole, records=records)


def labelled(whole: RunRecord) -> list[tuple[str, CellSummary]]:
    return [(cell.record.recipe, cell) for cell in summarize(whole).cells]


def test_a_quantized_operator_stands_beside_the_one_that_it_was() -> None:
    (view,) = operator_views(labelled(looked_into()))
    line = view.lines[0]
    assert (view.base, view.label, line.family, line.ratio) == ("fp32", "int8-static", "Conv", 0.2)
    assert line.second.endswith("µs, 89 %, 4 nodes".replace(" %", "\u202f%"))
    assert view.notes == ("int8-static: still compute floats: probabilities (Softmax)",)


def test_a_counter_that_could_not_be_had_says_why_and_is_no_zero() -> None:
    line = counter_lines(labelled(looked_into()))[0]
    assert line.counts[0] == "2.000\u202fM"
    assert line.counts[1:] == ("not available",) * 3
    assert line.why == "cycles: the PMU is in use"


def test_cold_and_sustained_stand_side_by_side_with_the_heat() -> None:
    line = sustained_lines(labelled(looked_into()))[0]
    assert (line.cold, line.sustained, line.slowdown) == ("1.025\u202fms", "1.225\u202fms", "1.195\u202f×")
    assert line.heat == "+7\u202f°C, −700\u202fMHz"
    assert line.note.startswith("not steady in its time after 35")


def test_the_page_has_them_only_where_they_were_measured() -> None:
    assert 'id="inside"' in render(looked_into())
    assert 'id="sustained"' in render(looked_into())
    assert 'id="inside"' not in render(run(boards=(PI,)))


def test_no_time_of_an_emulated_board_is_shown_though_one_was_recorded() -> None:
    assert sustained_lines(labelled(looked_into(A72))) == ()
    assert [cell.sustained for cell in summarize(looked_into(A72)).cells] == [None, None]
    assert 'id="sustained"' not in render(looked_into(A72))
