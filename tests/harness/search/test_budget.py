"""A budget is read as people write it; what no board can tell is refused with the reason."""

from __future__ import annotations

import pytest
from hilbench.harness.search.budget import BudgetError, Limit, parse_limits

BOARDS = {"pi5": False, "emulated-a76": True}


def only(text: str, boards: dict[str, bool] = BOARDS) -> Limit:
    (limit,) = parse_limits(text, boards)
    return limit


@pytest.mark.parametrize(
    ("text", "metric", "value", "board"),
    [
        ("accuracy drop <= 1pp", "drop", 0.01, None),
        ("drop<=0.5pp", "drop", 0.005, None),
        ("Accuracy drop at most 1 point", "drop", 0.01, None),
        ("p95 <= 30ms", "p95", 30e6, None),
        ("latency <= 250 us on pi5", "latency", 250e3, "pi5"),
        ("peak memory <= 64MiB on emulated-a76", "memory", 64 * 2**20, "emulated-a76"),
        ("instructions <= 5M on emulated-a76", "instructions", 5e6, "emulated-a76"),
        ("instructions <= 5e6", "instructions", 5e6, None),
        ("size ≤ 100kB", "size", 100e3, None),
        ("energy <= 2.5mJ", "energy", 2.5e-3, None),
    ],
)
def test_a_limit_is_read_into_base_units(text: str, metric: str, value: float, board: str | None) -> None:
    limit = only(text)
    assert (limit.metric, limit.board, limit.written) == (metric, board, text)
    assert limit.value == pytest.approx(value)


def test_a_budget_is_limits_with_commas_between() -> None:
    limits = parse_limits("drop<=1pp, p95<=30ms, memory<=64MiB", BOARDS)
    assert [limit.metric for limit in limits] == ["drop", "p95", "memory"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("p95 <= 30ms on emulated-a76", "instructions, and they say nothing of milliseconds"),
        ("energy <= 1mJ on emulated-a76", "they say nothing of joules"),
        ("instructions <= 5M on pi5", "counted on emulated boards only"),
        ("latncy <= 3ms", 'did you mean "latency"'),
        ("p95 <= 30", "a unit is missing; allowed: ns, us"),
        ("p95 <= 30MiB", '"MiB" is no unit of p95'),
        ("p95 >= 30ms", "is no limit"),
        ("memory <= 64MiB on pi6", 'did you mean "pi5"'),
        ("size <= 1kB on pi5", "the same size on every board"),
        ("drop <= 1pp, drop <= 2pp", "a limit of this kind already"),
        ("", "is no limit"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(text: str, sentence: str) -> None:
    with pytest.raises(BudgetError) as caught:
        parse_limits(text, BOARDS)
    assert sentence in str(caught.value)
    assert caught.value.exit_code == 2


def test_times_are_refused_where_every_board_is_emulated() -> None:
    with pytest.raises(BudgetError, match="emulated: what is counted there are instructions"):
        parse_limits(["drop <= 1pp", "p95 <= 30ms"], {"emulated-a76": True})


def test_a_limit_without_a_board_binds_those_that_can_tell() -> None:
    assert only("p95 <= 30ms").binds("pi5", emulated=False)
    assert not only("p95 <= 30ms").binds("emulated-a76", emulated=True)
    assert only("memory <= 1MiB").binds("emulated-a76", emulated=True)
    assert not only("memory <= 1MiB on pi5").binds("emulated-a76", emulated=True)


def test_the_place_of_a_wrong_limit_is_known() -> None:
    with pytest.raises(BudgetError) as caught:
        parse_limits(["drop <= 1pp", "nonsense"], BOARDS)
    assert caught.value.index == 1
