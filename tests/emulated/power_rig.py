"""What both tests of the power path share: a board, a script on it that drives a known curve, and the judgement."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from hilbench.targets.board import SshAddress
from hilbench.targets.connection import Connection
from hilbench.targets.emulated.guest import set_clock_command
from hilbench.targets.emulated.machine import Machine
from hilbench.targets.power.budget import Energy, combine
from hilbench.targets.power.clocks import same_clock
from hilbench.targets.power.integrate import BlockEnergy, Validity, measure_block
from hilbench.targets.power.meter import Meter
from hilbench.targets.power.windows import Window
from hilbench.targets.ssh import open_ssh

WORKDIR = "/var/tmp/hilbench"
IDLE_W, LOW_W, HIGH_W = 3, 5, 7
_MORE_ATTEMPTS = 3

# Follows a definition of `apply(watts)`. Prints when the power was changed to what, and the marks of the windows.
_DRIVE = """
import json, time
clock, changes, marks = time.perf_counter_ns, [], []
def set_power(watts, seconds):
    apply(watts)
    changes.append([clock(), watts])
    time.sleep(seconds)
set_power({idle_w}, 0.1)
marks.append(clock())
time.sleep({idle_s})
marks.append(clock())
for inference in range({inferences}):
    set_power({high_w}, 0.1)
    set_power({low_w}, 0.1)
set_power({idle_w}, 0)
marks.append(changes[-1][0])
time.sleep({idle_s})
marks.append(clock())
time.sleep(0.2)
print(json.dumps({{"changes": changes, "marks": marks}}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """A run of the script: its windows, and the joules per inference that it injected."""

    window: Window
    total_j: float

    @property
    def net_j(self) -> float:
        return self.total_j - IDLE_W * self.window.period_s


@contextmanager
def board_of(machine: Machine) -> Generator[Connection]:
    """The clean board, its clock set; restored afterwards."""
    machine.restore()
    image = machine.image
    address = SshAddress(
        host="127.0.0.1", port=machine.port, user="root", key_file=str(image.key_file), host_key=image.host_key
    )
    connection = open_ssh(address)
    connection.run(set_clock_command(time.time()), timeout_s=60)
    yield connection
    connection.close()
    machine.restore()


def drive(board: Connection, apply: str, *, inferences: int, idle_s: float) -> Driven:
    """Drive the curve; `apply` is Python that defines the function of that name."""
    script = apply + _DRIVE.format(idle_w=IDLE_W, low_w=LOW_W, high_w=HIGH_W, idle_s=idle_s, inferences=inferences)
    done = board.run("python3 -", timeout_s=200, stdin=script.encode())
    assert done.status == 0, done.stderr.decode()
    told = json.loads(done.stdout)
    window = Window.of_marks(told["marks"], inferences)
    two, three = window.active.start_ns, window.active.end_ns
    edges_s = np.clip([at for at, _ in told["changes"]] + [three], two, three) / 1e9  # what lies outside has no length
    return Driven(
        window=window, total_j=float(np.sum(np.diff(edges_s) * [watts for _, watts in told["changes"]])) / inferences
    )


def measured(meter: Callable[[], Meter], curve: Callable[[], Driven]) -> tuple[Energy, Driven]:
    """A block's energy and what was injected. A block that lost samples is run again, as in a campaign.

    A sampler on the one processor of an emulated board, on a busy host, comes late now and then.
    """
    block, driven = _once(meter(), curve)
    for _ in range(_MORE_ATTEMPTS):
        if not any("the meter lost" in reason for reason in block.reasons):
            break
        block, driven = _once(meter(), curve)
    assert block.validity is Validity.VALID, block.reasons
    return combine([block]), driven


def _once(meter: Meter, curve: Callable[[], Driven]) -> tuple[BlockEnergy, Driven]:
    meter.setup()
    meter.start()
    driven = curve()
    meter.stop()
    (trace,) = meter.samples()
    return measure_block(trace, driven.window, same_clock()), driven


def assert_within(energy: Energy, driven: Driven) -> None:
    """Both joules are within what is stated, and what is stated is not absurd."""
    assert energy.total_j is not None
    assert energy.net_j is not None
    assert energy.uncertainty_j is not None
    assert energy.net_uncertainty_j is not None
    assert abs(energy.total_j - driven.total_j) <= energy.uncertainty_j
    assert abs(energy.net_j - driven.net_j) <= energy.net_uncertainty_j
    assert energy.uncertainty_j / energy.total_j < 0.05
    assert energy.idle_w == pytest.approx(IDLE_W, abs=0.02)
