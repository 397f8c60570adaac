"""Who is confirmed on a board, and what came nearest where nobody is."""

from __future__ import annotations

from typing import Any

import pytest
from hilbench.harness.search.budget import Limit, parse_limits
from hilbench.harness.ship.finalists import Standing, finalists, standings
from hilbench.harness.ship.nearest import Tried, nearest, nearest_lines
from hilbench.reports.searchrecord import SearchMeasure, SearchRecord, SearchTrial

LIMITS = parse_limits("drop<=1pp, latency<=2ms, memory<=64MiB", {"b": False})
MIB = 2.0**20


def trial(number: int, latency_ms: float, **more: Any) -> SearchTrial:
    given: dict[str, Any] = {
        "drop_pp": 0.0,
        "drop_high_pp": 0.2,
        "size": 1000 + number,
        "memory_mib": 50.0,
        "high_ms": latency_ms,
        **more,
    }
    measures = [
        SearchMeasure(board="b", metric="latency", value=latency_ms * 1e6, ci_high=given["high_ms"] * 1e6, blocks=6)
    ]
    if given["memory_mib"] is not None:
        measures.append(SearchMeasure(board="b", metric="memory", value=given["memory_mib"] * MIB, blocks=1))
    return SearchTrial(
        number=number,
        model="m",
        recipe=f"r{number}",
        parameters={},
        stage="board",
        artifact_bytes=given["size"],
        drop_pp=given["drop_pp"],
        drop_high_pp=given["drop_high_pp"],
        measures=tuple(measures),
        same_as=given.get("same_as"),
    )


def chosen(*trials: SearchTrial, most: int = 2, limits: tuple[Limit, ...] = LIMITS) -> list[str]:
    record = SearchRecord(
        search_id="s",
        name="s",
        seed=1,
        sampler="nsga2",
        state="finished",
        started_at="",
        ended_at=None,
        boards=(),
        objectives=(),
        constraints=(),
        trials=trials,
    )
    return [one.recipe for one in finalists(record, "b", limits, metric="latency", most=most)]


def test_the_least_work_on_the_front_comes_first_and_what_is_behind_it_does_not_come() -> None:
    smaller = trial(2, 1.5, size=500)
    beaten = trial(3, 1.6, size=2000)
    assert chosen(trial(1, 1.0), smaller, beaten, most=5) == ["r1", "r2"]


def test_at_most_as_many_as_asked_are_confirmed() -> None:
    assert chosen(trial(1, 1.0), trial(2, 1.5, size=500), most=1) == ["r1"]


def test_what_misses_a_limit_is_no_finalist_however_fast() -> None:
    assert chosen(trial(1, 0.5, memory_mib=70.0), trial(2, 0.6, drop_pp=1.5), trial(3, 1.0)) == ["r3"]
    assert chosen(trial(1, 2.5)) == []


def test_whose_interval_keeps_the_limits_goes_before_whose_value_does() -> None:
    unsure = trial(1, 1.0, high_ms=2.5)
    assert chosen(unsure, trial(2, 1.4)) == ["r2", "r1"]


def test_what_was_not_measured_is_neither_kept_nor_missed() -> None:
    unknown = trial(1, 1.0, memory_mib=None)
    assert [one.kept for one in standings(unknown, "b", LIMITS)] == [True, True, None]
    assert chosen(unknown, trial(2, 1.5)) == ["r2", "r1"]


def test_the_same_file_is_confirmed_once() -> None:
    assert chosen(trial(1, 1.0), trial(2, 1.0, size=900, same_as=1)) == ["r1"]


def tried(name: str, drop: float, latency: float, memory: float | None) -> Tried:
    values = (drop / 100, latency * 1e6, None if memory is None else memory * MIB)
    return Tried(
        name=name,
        standings=tuple(Standing(limit=limit, value=value) for limit, value in zip(LIMITS, values, strict=True)),
    )


def test_each_limit_is_told_by_how_much_it_alone_would_have_to_be_relaxed() -> None:
    found = nearest([tried("slow", 0.2, 2.6, 50), tried("slower", 0.1, 3.0, 40), tried("wrong", 1.4, 1.0, 60)])
    assert found.candidate == "slow"
    drop, latency, memory = found.relaxations
    assert (drop.candidate, drop.enough) == ("wrong", True)
    assert drop.relax_by == pytest.approx(0.004)
    assert (latency.candidate, latency.enough, latency.relax_by) == ("slow", True, pytest.approx(0.6e6))
    assert (memory.enough, memory.relax_by, memory.kept_by) == (False, 0.0, 3)
    assert nearest_lines(found) == [
        "Nearest: slow, 0.6 ms over latency<=2ms.",
        "drop<=1pp: kept by 2 of 3; relaxed by 0.40 pp, to 1.40 pp, it alone would let wrong through.",
        "latency<=2ms: kept by 1 of 3; relaxed by 0.6 ms, to 2.6 ms, it alone would let slow through.",
        "memory<=64MiB: kept by 3 of 3; relaxing it alone lets nothing through.",
    ]


def test_limits_that_must_be_relaxed_together_say_so() -> None:
    found = nearest([tried("a", 0.2, 2.6, 70)])
    assert [one.enough for one in found.relaxations] == [False, False, False]
    assert "0.6 ms more, to 2.6 ms (a has the least), and other limits as well" in nearest_lines(found)[2]


def test_what_was_ruled_out_before_a_board_saw_it_promises_nothing() -> None:
    found = nearest([tried("a", 1.5, 1.0, None)])
    assert found.relaxations[0].unknown
    assert "a could be measured for the other limits" in nearest_lines(found)[1]
    assert "not measured for any candidate" in nearest_lines(found)[3]


def test_nothing_measured_is_said() -> None:
    assert nearest_lines(nearest([])) == ["No candidate was measured there, so nobody can say what came near."]
