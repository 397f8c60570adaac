"""Is a board fit for a job? Judged from what it says of itself; what it does not say is not judged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hilbench.harness.health import (
    CRITICAL_C,
    HOT_C,
    SPARE_DISK_BYTES,
    SPARE_MEMORY_BYTES,
    Action,
    Needs,
    Problem,
    needs_of,
    problems,
)
from hilbench.targets.cachelimit import CacheFile
from hilbench.targets.vitals import parse_clock, parse_running

NOW_S = 1_800_000_000.0
WELL: dict[str, Any] = {
    "workdir_free_bytes": 10**9,
    "memory": {"available_bytes": 10**9},
    "temperatures_c": {"cpu-thermal": 45.0},
    "cores": 4,
    "load": (0.1, 0.1, 0.1),
    "running": 1,
    "clock_s": NOW_S + 2,
}


def found(needs: Needs = Needs(), **facts: Any) -> list[Problem]:  # noqa: B008  frozen
    return list(problems("pi", {**WELL, **facts}, needs, clock_s=NOW_S))


def only(needs: Needs = Needs(), **changes: Any) -> Problem:  # noqa: B008  frozen
    (problem,) = found(needs, **changes)
    return problem


def test_nothing_is_wrong_with_a_board_that_is_well() -> None:
    assert found() == []


def test_what_a_board_does_not_tell_is_not_judged() -> None:
    for facts in (dict.fromkeys(WELL), {}):
        assert list(problems("pi", facts, Needs(), clock_s=NOW_S)) == []


def test_the_disk_must_hold_what_is_sent_and_some_spare_room() -> None:
    needed = SPARE_DISK_BYTES + 5_000_000
    needs = Needs(sent_bytes=5_000_000)
    assert found(needs, workdir_free_bytes=needed) == []
    problem = only(needs, workdir_free_bytes=needed - 1)
    assert (problem.what, problem.action) == ("disk", Action.REFUSE)
    assert "needs 37.0 MB (5.0 MB to send and 32.0 MB to spare)" in problem.sentence
    assert "has 0.0 MB" in only(workdir_free_bytes=0).sentence
    assert found(replace(needs, removable_bytes=1), workdir_free_bytes=needed - 1) == []


def test_only_what_the_board_lacks_is_sent_and_only_what_no_job_needs_makes_room(tmp_path: Path) -> None:
    there, lacking = tmp_path / "there.onnx", tmp_path / "lacking.npz"
    there.write_bytes(bytes(100))
    lacking.write_bytes(bytes(7))
    cache = [
        CacheFile(name="aa.onnx", size_bytes=100, removable=True),
        CacheFile(name="bb.npz", size_bytes=3, removable=True),  # what an earlier transfer left of it
        CacheFile(name="cc.onnx", size_bytes=40, removable=True),
        CacheFile(name="dd.onnx", size_bytes=500, removable=False),
    ]
    needs = needs_of(cache, {"aa": there, "bb": lacking}, model_bytes=9, timed=True)
    assert (needs.sent_bytes, needs.removable_bytes, needs.model_bytes) == (7, 40, 9)


def test_memory_that_others_hold_is_no_fault_of_the_board() -> None:
    needed = SPARE_MEMORY_BYTES + 2 * 50_000_000
    needs = Needs(model_bytes=50_000_000)
    assert found(needs, memory={"available_bytes": needed}) == []
    problem = only(needs, memory={"available_bytes": needed - 1})
    assert (problem.what, problem.action) == ("memory", Action.SKIP)
    assert found(memory={"available_bytes": None}) == []


@pytest.mark.parametrize(
    ("hottest_c", "action"),
    [(HOT_C - 0.1, None), (HOT_C, Action.WAIT), (CRITICAL_C - 0.1, Action.WAIT), (CRITICAL_C, Action.REFUSE)],
)
def test_a_hot_board_is_waited_for_and_a_boiling_one_refused(hottest_c: float, action: Action | None) -> None:
    assert [problem.action for problem in found(temperatures_c={"gpu": 20.0, "cpu": hottest_c})] == [action][
        : action is not None
    ]


@pytest.mark.parametrize("zones", [None, {}, {"dead": -273.15, "open": 255.0}])
def test_no_honest_sensor_is_no_temperature(zones: dict[str, float] | None) -> None:
    assert found(temperatures_c=zones) == []


@pytest.mark.parametrize(
    ("load", "running", "cores", "busy"),
    [
        (2.0, 3, 4, True),
        (2.0, 1, 4, False),  # the average still holds what ended a moment ago
        (0.2, 9, 4, False),  # a moment's burst
        (0.6, 2, 1, True),
        (1.9, 9, 4, False),
    ],
)
def test_a_board_is_busy_if_the_last_minute_and_this_moment_say_so(
    load: float, running: int, cores: int, busy: bool
) -> None:
    said = found(load=(load, load, load), running=running, cores=cores)
    assert [(problem.what, problem.action) for problem in said] == [("load", Action.WAIT)][:busy]


def test_a_board_that_counts_instructions_may_be_hot_and_busy() -> None:
    assert found(Needs(timed=False), temperatures_c={"cpu": 99.0}, load=(9.0, 9.0, 9.0), running=9) == []


@pytest.mark.parametrize(
    ("off_s", "words"),
    [
        (-20 * 365.25 * 86400, "20 years behind"),
        (3 * 86400, "3 days ahead"),
        (-301, "5 minutes behind"),
    ],
)
def test_a_wrong_clock_is_told_and_stops_nothing(off_s: float, words: str) -> None:
    problem = only(clock_s=NOW_S + off_s)
    assert (problem.what, problem.action) == ("clock", Action.NOTE)
    assert words in problem.sentence


def test_what_boards_print_is_read() -> None:
    assert parse_running("0.52 0.58 0.59 3/602 29931\n") == 3
    assert parse_running("no such file") is None
    assert parse_clock("1764000000\n") == 1764000000.0
    assert parse_clock("date: not found") is None
