"""Why a cell has no joules, in words that are true of it."""

from __future__ import annotations

from dataclasses import replace

from hilbench.reports.joules import NO_METER, energy_absent

from .synthetic import PI, run

METER = {"meter": "rail", "refused": []}


def test_a_board_without_a_meter_and_a_runtime_without_windows_each_have_their_own_reason() -> None:
    whole = run(boards=(PI,))
    one = whole.records[0]
    assert energy_absent(one, whole) == NO_METER
    metered = replace(whole, boards={"pi5": {**whole.boards["pi5"], "power_meter": METER}})
    assert energy_absent(one, metered) == "rail: no process was metered"
    command = replace(one, runtime="command")
    assert "marks no windows" in str(energy_absent(command, metered))
    assert energy_absent(command, whole) == NO_METER
