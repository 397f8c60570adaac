"""Each board has a budget of its own; what a board cannot tell is refused before anything is measured."""

from __future__ import annotations

import pytest
from hilbench.harness.errors import PlanError
from hilbench.harness.planread import read_budget
from hilbench.harness.ship.limits import BOUNDS, limits_on, plan_budget, read_limits, search_constraints
from hilbench.targets.board import Arch, Board, EmulatedAddress, LocalAddress, Role


def board(name: str, *, emulated: bool = False) -> Board:
    return Board(
        name=name,
        address=EmulatedAddress(cpu="cortex-a76") if emulated else LocalAddress(),
        arch=Arch.ARM64,
        role=Role.EMULATED if emulated else Role.TARGET,
        runtimes=(),
    )


PI, SIM = board("pi5"), board("sim", emulated=True)


def test_a_limit_for_all_is_on_each_board_and_one_that_names_it_goes_before() -> None:
    limits = read_limits(["drop<=1pp, memory<=64MiB", "memory<=32MiB on pi5", "p95<=30ms on pi5"], (PI, SIM))
    assert [one.written for one in limits_on(limits, PI)] == ["drop<=1pp", "memory<=32MiB on pi5", "p95<=30ms on pi5"]
    assert [one.written for one in limits_on(limits, SIM)] == ["drop<=1pp", "memory<=64MiB"]


def test_a_board_without_a_limit_on_accuracy_gets_the_usual_one() -> None:
    limits = read_limits(["drop<=3pp on pi5, size<=1MB"], (PI, SIM))
    assert {b.name: limit.value for b in (PI, SIM) for limit in limits_on(limits, b) if limit.metric == "drop"} == {
        "pi5": 0.03,
        "sim": 0.01,
    }


@pytest.mark.parametrize(
    ("budget", "sentence"),
    [
        ("p95<=30ms", "sim is emulated: what is counted there are instructions, and they say nothing of milliseconds"),
        ("p95<=30ms", 'for one board alone write "p95<=30ms on pi5"'),
        ("p95<=30ms on sim", "limit `instructions` instead"),
        ("energy<=1mJ on sim", "they say nothing of joules"),
        ("energy<=1mJ on pi5", "pi5 has no power meter"),
        ("instructions<=5M", "pi5 is timed, and instructions are counted on emulated boards only"),
        ("drop<=1pp, speed<=3", 'nothing is called "speed"'),
        ("drop<=1pp,", "is no limit"),
        ("p95<=30ms on pi6", 'there is no board "pi6" here'),
    ],
)
def test_what_a_board_cannot_tell_is_refused_with_what_is_allowed(budget: str, sentence: str) -> None:
    with pytest.raises(PlanError, match=r"^[^\n]*$") as caught:
        read_limits([budget], (PI, SIM))
    assert sentence in str(caught.value)
    assert caught.value.exit_code == 2


def test_times_and_instructions_may_stand_without_a_name_where_all_boards_can_tell_them() -> None:
    assert read_limits(["p95<=30ms"], (PI,))[0].metric == "p95"
    assert read_limits(["instructions<=5M"], (SIM,))[0].metric == "instructions"


def test_the_plan_of_a_confirmation_says_the_same_in_the_units_of_records() -> None:
    texts = ["drop<=0.5pp, p95<=2.5ms, latency<=300us, memory<=64MiB, size<=307201B"]
    limits = limits_on(read_limits(texts, (PI,)), PI)
    bounds = read_budget(plan_budget(limits))
    for limit in limits:
        assert bounds[BOUNDS[limit.metric]] == pytest.approx(limit.value, rel=1e-12), limit.written


def test_the_search_is_not_told_what_would_rule_files_out_on_other_boards() -> None:
    limits = read_limits(["drop<=1pp, size<=9kB on sim, instructions<=5M on sim, p95<=3ms on pi5"], (PI, SIM))
    assert search_constraints(limits, (PI, SIM)) == ["drop<=1pp", "instructions<=5M on sim", "p95<=3ms on pi5"]
    alone = read_limits(["drop<=1pp on sim, size<=9kB on sim"], (SIM,))
    assert search_constraints(alone, (SIM,)) == ["drop<=1pp on sim", "size<=9kB"]
