"""What a plan asks beside the protocol: its keys, what is still to be measured, blocks that a board spoilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hilbench.harness.assemble import profile_of
from hilbench.harness.blocks import MOST_ATTEMPTS, counting_trials, missing_blocks, whole_blocks
from hilbench.harness.errors import PlanError
from hilbench.harness.measuring import Measuring, process_limit_s, still_once
from hilbench.harness.plan import Plan, expand, load_plan
from hilbench.harness.selection import Boards
from hilbench.harness.spoilt import given_up_text, repeated_text, spoilt_on
from hilbench.reports.record import Trial, TrialKind
from hilbench.targets.board import Arch, Board, EmulatedAddress, LocalAddress, Role

HERE = Board(name="here", address=LocalAddress(), arch=Arch.X86_64, role=Role.REFERENCE, runtimes=())
A72 = replace(HERE, name="a72", address=EmulatedAddress(cpu="cortex-a72"), role=Role.EMULATED)
ORDER = ("a", "b")
MODEL = Path(__file__).parents[2] / "models" / "digits" / "digits.onnx"


def plan(folder: Path, keys: str, runtimes: str = "") -> Plan:
    (folder / "inventory.yaml").write_text(f"boards:\n  here:\n    connection: local\n{runtimes}")
    text = f"name: p\nmodels: {{digits: {{file: {MODEL}}}}}\nboards: [here]\n{keys}"
    (folder / "plan.yaml").write_text(text)
    return load_plan(folder / "plan.yaml", Boards(folder / "inventory.yaml"))


def trial(cell: str, block: int, attempt: int = 1, *, stopped: bool = False, profile: str = "as-shipped") -> Trial:
    samples = np.full(40, 1_000_000, np.int64)
    samples[20] += 3_000_000_000 if stopped else 0
    return Trial(
        trial_id=f"{cell}#{block}#{attempt}",
        cell_id=cell,
        kind=TrialKind.LATENCY,
        block=block,
        attempt=attempt,
        position=0,
        started_at="2026-01-01T00:00:00Z",
        samples=samples,
        used={"board_profile": profile},
    )


def round_of(block: int, attempt: int = 1, *, stopped: str = "", profile: str = "as-shipped") -> list[Trial]:
    return [trial(cell, block, attempt, stopped=cell == stopped, profile=profile) for cell in ORDER]


def test_the_keys_of_a_plan_reach_the_job_in_its_units(tmp_path: Path) -> None:
    keys = "profile: controlled\nfallback: as-shipped\nfrequency_mhz: 1500\nrate_hz: 10\nsustained: {limit_s: 30}\n"
    assert plan(tmp_path, keys).measuring == Measuring(
        profile="controlled",
        fallback=True,
        frequency_khz=1_500_000,
        rate_hz=10.0,
        sustained=True,
        sustained_limit_s=30.0,
    )


def test_usual_keys_leave_the_plan_what_it_was_and_certify_brings_a_sustained_run(tmp_path: Path) -> None:
    usual = plan(tmp_path, "profile: as-shipped\noperators: true\n")
    assert usual.measuring == Measuring()
    assert set(usual.source) == {"name", "models", "boards"}
    assert plan(tmp_path, "protocol: certify\n").measuring.sustained
    assert not plan(tmp_path, "protocol: certify\nsustained: false\n").measuring.sustained


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("profile: fast\n", "plan.yaml:4: profile: "),
        ("frequency_mhz: 1500\n", '"frequency_mhz" belongs to "profile: controlled"'),
        ("rate_hz: 0\n", "plan.yaml:4: rate_hz: "),
        ("sustained: {window_s: 60, limit_s: 5}\n", '"window_s" is 60; it must be at most "limit_s" (5)'),
    ],
)
def test_a_bad_value_gets_one_sentence_with_its_line(tmp_path: Path, keys: str, sentence: str) -> None:
    with pytest.raises(PlanError, match=r"plan\.yaml") as error:
        plan(tmp_path, keys)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_program_runs_models_of_any_format_and_without_outputs_is_not_checked(tmp_path: Path) -> None:
    words = '    runtimes: [{name: command, command: [mytool, "{model}"]}]\n'
    (cell,) = expand(plan(tmp_path, "runtimes: [{name: command}]\n", words), {"digits": "tflite"})
    assert cell.skip is None
    assert cell.board_runtime.command == ("mytool", "{model}")
    assert not cell.board_runtime.tells_outputs


def test_what_is_stored_is_not_measured_again_and_only_what_a_board_can_have_is_asked() -> None:
    wanted = Measuring(sustained=True)
    stored = [replace(trial("a", 0), kind=kind) for kind in (TrialKind.MEMORY, TrialKind.PROFILE)]
    left = still_once(wanted, "a", HERE, stored, command=False)
    assert (left.memory, left.profile, left.counters, left.sustained) == (False, False, True, True)
    assert not still_once(wanted, "a", A72, [], command=False).sustained
    program = still_once(wanted, "a", HERE, [], command=True)
    assert (program.memory, program.profile, program.counters, program.sustained) == (True, False, False, False)


def test_no_memory_process_is_asked_for_where_the_plan_wants_none() -> None:
    assert not still_once(Measuring(memory_processes=0), "a", HERE, [], command=False).memory
    assert not still_once(Measuring(memory_processes=0), "a", HERE, [], command=True).memory


def test_a_process_that_is_sustained_may_take_its_limit_and_a_minute() -> None:
    assert process_limit_s(Measuring(sustained=True, sustained_limit_s=600), HERE, 300) == 660
    assert process_limit_s(Measuring(sustained=True, sustained_limit_s=100), HERE, 300) == 300
    assert process_limit_s(Measuring(sustained=True), A72, 300) == 300


def left(trials: Sequence[Trial], blocks: int = 2) -> list[int]:
    missing = missing_blocks([ORDER] * blocks, trials, alive=ORDER, emulated=False, attempt=9)
    return [block.block for block in missing]


def test_a_block_with_a_process_that_was_stopped_is_run_again_and_counted() -> None:
    first = [*round_of(0), *round_of(1, stopped="b")]
    assert whole_blocks(first, ORDER) == {0: 1}
    assert left(first) == [1]
    both = [*first, *round_of(1, 2)]
    assert left(both) == []
    counting = counting_trials(both, alive=ORDER, emulated=False)
    assert {(t.block, t.attempt) for t in counting} == {(0, 1), (1, 2)}
    text = repeated_text(spoilt_on(both, ORDER))
    assert text == (
        "1 block was invalid and was run again (b: the process stood still for 3.0 s inside a timed window)"
    )


def test_a_block_that_is_spoilt_each_time_is_given_up_and_says_why() -> None:
    tries = [t for attempt in range(1, MOST_ATTEMPTS + 1) for t in round_of(1, attempt, stopped="a")]
    assert left([*round_of(0), *tries[:-2]]) == [1]
    assert left([*round_of(0), *tries]) == []
    text = given_up_text(spoilt_on([*round_of(0), *tries], ORDER), 2)
    assert text is not None
    assert text.startswith("1 of 2 blocks were invalid in each of 3 attempts: a: the process stood still")


def throttled(one: Trial) -> Trial:
    return replace(one, state_before={"thermal_throttles": 1}, state_after={"thermal_throttles": 4})


def test_throttling_spoils_a_controlled_block_and_is_a_result_as_shipped() -> None:
    assert left([throttled(t) for t in round_of(0, profile="controlled")], 1) == [0]
    assert left([throttled(t) for t in round_of(0)], 1) == []


def test_a_cell_has_the_profile_of_its_blocks_and_never_a_better_name() -> None:
    assert profile_of(round_of(0, profile="controlled")) == "controlled"
    assert profile_of([*round_of(0), *round_of(1, profile="controlled")]) == "mixed"
    assert profile_of([]) == "as-shipped"
