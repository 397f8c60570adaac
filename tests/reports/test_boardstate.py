"""The state of a board at both ends of its run, as its own processes told it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hilbench.reports.boardstate import board_state
from hilbench.reports.page import render
from hilbench.reports.record import RunRecord

from .synthetic import PI, run


def state(celsius: float) -> dict[str, Any]:
    return {
        "governor": ["performance", "performance"],
        "cpu_freq_min_khz": [2_400_000, 2_400_000],
        "cpu_freq_max_khz": None,
        "temperature_c": {"cpu-thermal": celsius, "gpu": 20.0},
    }


def told() -> RunRecord:
    """A run whose processes grow half a degree warmer a block."""
    whole = run(boards=(PI,), recipes=("fp32", "fp16"))
    records = tuple(
        replace(
            record,
            trials=tuple(
                replace(t, state_before=state(40 + t.block / 2), state_after=state(40.5 + t.block / 2))
                for t in record.trials
            ),
        )
        for record in whole.records
    )
    return replace(whole, records=records)


def test_the_first_and_the_last_timed_process_tell() -> None:
    assert board_state(told().records) == (
        ("before the first block", "governor performance, lowest clock 2400 MHz, 40.0 °C (cpu-thermal)"),
        ("after the last block", "governor performance, lowest clock 2400 MHz, 45.0 °C (cpu-thermal)"),
    )


def test_a_board_that_tells_nothing_has_no_such_lines() -> None:
    assert board_state(run().records) == ()
    assert board_state(()) == ()


def test_the_page_shows_state_hash_and_place_of_every_file() -> None:
    page = render(told())
    assert "<dt>after the last block</dt><dd>governor performance, lowest clock 2400 MHz, 45.0 °C (cpu-thermal)" in page
    for record in told().records:
        assert record.artifact is not None
        assert f'{record.artifact.sha256}<td class="wrap">artifacts/{record.recipe}.onnx' in page
