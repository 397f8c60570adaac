"""The power path on a real ARM guest: the sampler reads a tree like sysfs while a script there drives a known curve."""

from __future__ import annotations

import pytest
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.power import windows
from hilbench.targets.power.open import open_meter
from hilbench.targets.power.settings import HwmonSettings

from .power_rig import WORKDIR, assert_within, board_of, drive, measured

SYSFS = "/tmp/sysfs"

# An INA226 as sysfs shows it.
MAKE_SENSOR = f"""
mkdir -p {SYSFS}/class/hwmon/hwmon0 && cd {SYSFS}/class/hwmon/hwmon0 &&
echo ina226 >name && echo 3000000 >power1_input && echo 5000 >in1_input && echo 10000 >shunt_resistor
"""
APPLY = f"""
file = open("{SYSFS}/class/hwmon/hwmon0/power1_input", "r+b", buffering=0)
def apply(watts):
    file.seek(0)
    file.write(b"%d" % (watts * 1000000))
"""


def test_the_joules_of_a_known_curve_are_within_the_stated_uncertainty(
    a72: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rule of 10 s is tested elsewhere; here two seconds of guest time are enough to see the whole path.
    monkeypatch.setattr(windows, "_SHORTEST_S", 2.0)
    monkeypatch.setattr(windows, "_IDLE_SHORTEST_S", 0.8)
    with board_of(a72) as board:
        assert board.run(MAKE_SENSOR, timeout_s=30).status == 0
        energy, driven = measured(
            lambda: open_meter(HwmonSettings(poll_s=0.03, sysfs=SYSFS), board, workdir=WORKDIR),
            lambda: drive(board, APPLY, inferences=12, idle_s=1.0),
        )
        assert_within(energy, driven)
        assert (energy.meter, energy.meter_class) == ("ina226", "E3")
        assert board.run(f"ls -d {WORKDIR}/power-*", timeout_s=30).status != 0  # nothing is left on the board
