"""The on-board sampler in this process and as the program it is on a board, and the meter that drives it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hilbench.targets.agent import power_polling
from hilbench.targets.agent.power_marks import between_idle
from hilbench.targets.agent.power_polling import poll
from hilbench.targets.agent.power_sampler import keep_off
from hilbench.targets.agent.power_samples import Bounds, Samples
from hilbench.targets.agent.power_sources import FileSource, PmicSource
from hilbench.targets.local import open_local
from hilbench.targets.power.board_clock import compare_clocks
from hilbench.targets.power.channel import Accuracy, Scope
from hilbench.targets.power.meter import MeterError
from hilbench.targets.power.open import open_meter
from hilbench.targets.power.settings import CommandSettings, HwmonSettings, PmicSettings, PowercapSettings
from hilbench.targets.power.windows import Window

STATED = Accuracy(gain=0.01, offset_w=0.01, resolution=0.001, source="stated")


def polled(
    read: Callable[[], list[float]], *, most: int, stopped: Callable[[], bool] = lambda: False, max_s: float = 60
) -> Samples:
    bounds = Bounds(max_samples=most, max_s=max_s, stopped=stopped, ready=lambda: None)
    return poll(read, bounds, period_s=0.002, seed=1)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_ns = 0

    def perf_counter_ns(self) -> int:
        return self.now_ns

    def sleep(self, seconds: float) -> None:
        self.now_ns += max(1, round(seconds * 1e9))


def test_polling_is_jittered_evenly_around_its_period(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(power_polling, "time", Clock())
    samples = polled(lambda: [1.0, 2.0], most=500)
    steps_ms = np.diff(np.array(samples.time_ns)) / 1e6
    assert 1.0 <= steps_ms.min() < 1.05  # the period is 2 ms
    assert 2.95 < steps_ms.max() <= 3.001
    assert steps_ms.mean() == pytest.approx(2.0, abs=0.1)
    assert list(samples.slots) == list(range(500))
    assert [set(values) for values in samples.values] == [{1.0}, {2.0}]


def test_polling_is_bounded() -> None:
    samples = polled(lambda: [1.0], most=20)
    assert samples.truncated
    assert len(samples.time_ns) == 20
    assert (np.diff(np.array(samples.time_ns)) > 0).all()


def test_a_failed_reading_leaves_a_hole_in_the_slots_and_the_reason() -> None:
    calls: list[int] = []

    def read() -> list[float]:
        calls.append(1)
        if len(calls) in (5, 6):
            raise OSError("Remote I/O error")
        return [3.0]

    samples = polled(read, most=10)
    assert len(samples.time_ns) == 10
    assert samples.slots[-1] >= 11
    assert samples.error == "Remote I/O error"


def test_a_process_that_was_kept_from_running_counts_the_polls_that_fell_out() -> None:
    def read() -> list[float]:
        if not seen:
            time.sleep(0.1)
        seen.append(1)
        return [3.0]

    seen: list[int] = []
    samples = polled(read, most=5)
    assert samples.slots[1] - samples.slots[0] >= 20  # 100 ms at 2 ms a poll
    assert samples.longest_read_ns >= 100_000_000


def test_after_a_stall_polls_are_not_made_up_for_in_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(power_polling, "time", clock)

    def read() -> list[float]:
        seen.append(1)
        if len(seen) == 10:
            clock.sleep(0.1)
        return [3.0]

    seen: list[int] = []
    samples = polled(read, most=100)
    assert np.diff(np.array(samples.time_ns)).min() >= 1_000_000
    assert samples.slots[-1] == pytest.approx(99 + 50, abs=3)


def test_a_meter_that_stays_silent_ends_the_polling() -> None:
    def read() -> list[float]:
        raise OSError("gone")

    samples = polled(read, most=10**6)
    assert (len(samples.time_ns), samples.error, samples.truncated) == (0, "gone", False)


def test_a_sampler_that_is_told_to_stop_ends() -> None:
    told = threading.Event()
    samples = polled(lambda: [float(told.set() or 1)], most=10**6, stopped=told.is_set)
    assert len(samples.time_ns) == 1
    assert not samples.truncated


def test_channels_share_their_files_and_are_products(tmp_path: Path) -> None:
    (tmp_path / "volts").write_text("5000\n")
    (tmp_path / "amperes").write_text("400\n")
    volts, amperes = str(tmp_path / "volts"), str(tmp_path / "amperes")
    source = FileSource([{"paths": [volts, amperes], "factor": 1e-6}, {"paths": [volts], "factor": 1e-3}])
    assert source() == pytest.approx([2.0, 5.0])
    (tmp_path / "amperes").write_text("800\n")
    assert source() == pytest.approx([4.0, 5.0])
    with pytest.raises(FileNotFoundError):
        FileSource([{"paths": [str(tmp_path / "none")], "factor": 1}])


def test_the_pmic_is_read_by_its_program(tmp_path: Path) -> None:
    vcgencmd = program(tmp_path / "vcgencmd", "echo ' VDD_CORE_A current(7)=2.0A'; echo ' VDD_CORE_V volt(15)=0.5V'")
    assert PmicSource([str(vcgencmd), "pmic_read_adc"], None)() == [1.0]
    with pytest.raises(OSError, match="failed"):
        PmicSource([str(program(tmp_path / "broken", "exit 3"))], None)()


def test_the_sampler_keeps_off_the_measured_cores_where_there_are_others() -> None:
    mine = os.sched_getaffinity(0)
    try:
        first = min(mine)
        assert keep_off([first]) == sorted(mine - {first} or mine)
        assert os.sched_getaffinity(0) == (mine - {first} or mine)
        os.sched_setaffinity(0, mine)
        assert keep_off(sorted(mine)) == sorted(mine)
    finally:
        os.sched_setaffinity(0, mine)


def program(path: Path, body: str) -> Path:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def hwmon_tree(root: Path) -> Path:
    folder = root / "class/hwmon/hwmon0"
    folder.mkdir(parents=True)
    values = {"name": "ina226", "power1_input": 5_000_000, "in1_input": 5000, "shunt_resistor": 10000}
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")
    return folder


def test_a_sensor_of_the_board_is_sampled_by_a_process_of_its_own(tmp_path: Path) -> None:
    folder = hwmon_tree(tmp_path / "sys")
    settings = HwmonSettings(poll_s=0.005, sysfs=str(tmp_path / "sys"))
    meter = open_meter(settings, open_local(), workdir=str(tmp_path), python=sys.executable)
    (channel,) = meter.setup()
    assert channel.name == "ina226 ina226"
    before_ns = time.perf_counter_ns()
    meter.start()
    with (folder / "power1_input").open("r+") as file:  # in one write, as the kernel's values change
        file.write("7000000\n")
    changed_ns = time.perf_counter_ns() + 50_000_000
    time.sleep(0.6)
    meter.stop()
    meter.stop()
    (trace,) = meter.samples()
    assert before_ns < trace.time_ns[0] < trace.time_ns[-1] < time.perf_counter_ns()
    assert trace.values[0] == 5.0
    assert set(trace.values[trace.time_ns > changed_ns]) == {7.0}
    assert trace.sequence is not None
    assert trace.error is None
    assert list(tmp_path.glob("power-*")) == []  # nothing is left on the board
    meter.setup()  # the next block
    meter.start()
    meter.stop()
    (trace,) = meter.samples()
    assert set(trace.values) == {7.0}


def test_a_program_on_the_board_is_a_meter_too(tmp_path: Path) -> None:
    printing = program(tmp_path / "watts", "while :; do echo 4.5; sleep 0.01; done")
    settings = CommandSettings(
        argv=(str(printing),), on_board=True, site="5 V", scope=Scope.BOARD_INPUT, interval_s=0.01, accuracy=STATED
    )
    meter = open_meter(settings, open_local(), workdir=str(tmp_path), python=sys.executable)
    meter.setup()
    meter.start()
    meter.stop()
    (trace,) = meter.samples()
    assert set(trace.values) == {4.5}


def test_a_sensor_that_vanishes_is_told_at_the_start_and_costs_no_more_than_the_trace(tmp_path: Path) -> None:
    folder = hwmon_tree(tmp_path / "sys")
    settings = HwmonSettings(sysfs=str(tmp_path / "sys"))
    meter = open_meter(settings, open_local(), workdir=str(tmp_path), python=sys.executable)
    meter.setup()
    (folder / "power1_input").unlink()
    with pytest.raises(MeterError, match="power1_input: No such file"):
        meter.start()
    meter.stop()
    assert list(tmp_path.glob("power-*")) == []


def test_a_sampler_that_was_killed_leaves_a_trace_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hilbench.targets.power import board_sampler

    monkeypatch.setattr(board_sampler, "_OUT_TIMEOUT_S", 1)
    hwmon_tree(tmp_path / "sys")
    settings = HwmonSettings(sysfs=str(tmp_path / "sys"))
    meter = open_meter(settings, open_local(), workdir=str(tmp_path), python=sys.executable)
    meter.setup()
    meter.start()
    (ready,) = tmp_path.glob("power-*/out.json.ready")
    os.kill(int(ready.read_text()), 9)
    meter.stop()
    (trace,) = meter.samples()
    assert len(trace.values) == 0
    assert trace.error is not None
    assert trace.error.startswith("the sampler's samples failed on the board")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (HwmonSettings(), "no power sensor in /sys/class/hwmon of this board"),
        (PowercapSettings(), "no energy counter in /sys/class/powercap of this board"),
        (PmicSettings(), "this board's firmware shows no PMIC rails"),
    ],
)
def test_a_board_without_the_meter_is_told(
    tmp_path: Path, settings: HwmonSettings | PowercapSettings | PmicSettings, words: str
) -> None:
    if not isinstance(settings, PmicSettings):
        settings = replace(settings, sysfs=str(tmp_path / "nothing"))
    meter = open_meter(settings, open_local(), workdir=str(tmp_path))
    with pytest.raises(MeterError, match=words):
        meter.setup()
    meter.stop()


def test_the_windows_are_marked_around_the_work() -> None:
    told = between_idle(lambda: time.sleep(0.05) or 7, idle_s=0.02)
    window = Window.of_marks(told["marks_ns"], told["inferences"])
    assert window.active.duration_s >= 0.05
    assert min(window.idle_before.duration_s, window.idle_after.duration_s) >= 0.02
    assert window.period_s == pytest.approx(window.active.duration_s / 7)


def test_clocks_of_one_machine_agree_within_their_half_width() -> None:
    offset = compare_clocks(open_local(), sys.executable)
    assert abs(offset.offset_ns) <= offset.half_width_ns
    with pytest.raises(MeterError, match="the board's clock cannot be read"):
        compare_clocks(open_local(), "false")
