"""The power path on a real ARM guest: the sampler reads a tree like sysfs while a script there drives a known curve."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hilbench.targets.board import SshAddress
from hilbench.targets.connection import Connection
from hilbench.targets.emulated.guest import set_clock_command
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.power import windows
from hilbench.targets.power.budget import combine
from hilbench.targets.power.clocks import same_clock
from hilbench.targets.power.integrate import Validity, measure_block
from hilbench.targets.power.open import open_meter
from hilbench.targets.power.settings import HwmonSettings
from hilbench.targets.power.windows import Span, Window
from hilbench.targets.ssh import open_ssh

WORKDIR = "/var/tmp/hilbench"
SYSFS = "/tmp/sysfs"

# An INA226 as sysfs shows it. The script prints when it changed the power to what, and the marks of its windows.
MAKE_SENSOR = f"""
mkdir -p {SYSFS}/class/hwmon/hwmon0 && cd {SYSFS}/class/hwmon/hwmon0 &&
echo ina226 >name && echo 3000000 >power1_input && echo 5000 >in1_input && echo 10000 >shunt_resistor
"""
DRIVE = f"""
import json, time
clock, changes, marks = time.perf_counter_ns, [], []
file = open("{SYSFS}/class/hwmon/hwmon0/power1_input", "r+b", buffering=0)
def set_power(watts, seconds):
    file.seek(0)
    file.write(b"%d" % (watts * 1000000))
    changes.append([clock(), watts])
    time.sleep(seconds)
set_power(3, 0.1)
marks.append(clock())
time.sleep(1.1)
set_power(5, 0)
marks.append(changes[-1][0])
for inference in range(12):
    set_power(7, 0.1)
    set_power(5, 0.1)
set_power(3, 0)
marks.append(changes[-1][0])
time.sleep(1.1)
marks.append(clock())
time.sleep(0.1)
print(json.dumps({{"changes": changes, "marks": marks}}))
"""


@pytest.fixture
def board(a72: Machine) -> Iterator[Connection]:
    a72.restore()
    image = a72.image
    connection = open_ssh(
        SshAddress(host="127.0.0.1", port=a72.port, user="root", key_file=str(image.key_file), host_key=image.host_key)
    )
    connection.run(set_clock_command(time.time()), timeout_s=60)
    yield connection
    connection.close()
    a72.restore()


def true_joules(changes: list[list[int]], start_ns: int, end_ns: int) -> float:
    """The integral of a power that keeps its value until it is changed."""
    times = np.clip([at for at, _ in changes] + [end_ns], start_ns, end_ns) / 1e9
    return float(np.sum(np.diff(times) * [watts for _, watts in changes]))


def test_the_joules_of_a_known_curve_are_within_the_stated_uncertainty(
    board: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The rule of 10 s is tested elsewhere; here two seconds of guest time are enough to see the whole path.
    monkeypatch.setattr(windows, "_SHORTEST_S", 2.0)
    monkeypatch.setattr(windows, "_IDLE_SHORTEST_S", 1.0)
    assert board.run(MAKE_SENSOR, timeout_s=30).status == 0
    meter = open_meter(HwmonSettings(poll_s=0.02), board, workdir=WORKDIR, sysfs=SYSFS)
    (channel,) = meter.setup()
    meter.start()
    driven = json.loads(board.run("python3 -", timeout_s=120, stdin=DRIVE.encode()).stdout)
    meter.stop()
    (trace,) = meter.samples()

    one, two, three, four = driven["marks"]
    window = Window(
        idle_before=Span(start_ns=one, end_ns=two),
        active=Span(start_ns=two, end_ns=three),
        idle_after=Span(start_ns=three, end_ns=four),
        inferences=12,
    )
    block = measure_block(trace, window, same_clock())
    energy = combine([block])
    truth_j = true_joules(driven["changes"], two, three) / 12
    net_truth_j = truth_j - 3.0 * window.period_s

    assert block.validity is Validity.VALID, block.reasons
    assert channel.name == "ina226 ina226"
    assert block.samples > 100
    assert energy.total_j is not None
    assert energy.net_j is not None
    assert energy.uncertainty_j is not None
    assert energy.net_uncertainty_j is not None
    assert abs(energy.total_j - truth_j) <= energy.uncertainty_j
    assert abs(energy.net_j - net_truth_j) <= energy.net_uncertainty_j
    assert energy.uncertainty_j / energy.total_j < 0.05
    assert energy.idle_w == pytest.approx(3.0, abs=0.01)
    assert board.run(f"ls -d {WORKDIR}/power-*", timeout_s=30).status != 0  # nothing is left on the board
