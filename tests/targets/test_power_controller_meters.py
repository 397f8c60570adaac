"""Meters on this side: a program's lines, a recorded trace, an instrument that speaks SCPI."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hilbench.targets.power.channel import Accuracy, Channel, MeterClass, Scope
from hilbench.targets.power.command import CommandMeter, channel_of
from hilbench.targets.power.meter import MeterError, Trace
from hilbench.targets.power.replay import ReplayMeter
from hilbench.targets.power.scpi import ScpiMeter

SUPPLY = Path(__file__).parents[1] / "fixtures" / "power" / "supply.yaml"
ADDRESS = "TCPIP0::192.0.2.50::INSTR"
STATED = Accuracy(gain=0.01, offset_w=0.01, resolution=0.001, source="stated")


def program(body: str) -> tuple[list[str], Channel]:
    argv = [sys.executable, "-u", "-c", body]
    channel = channel_of(
        argv, on_board=False, site="DC input", scope=Scope.BOARD_INPUT, interval_s=0.01, accuracy=STATED
    )
    return argv, channel


def run_to_the_end(meter: CommandMeter) -> Trace:
    """Sample until the program ends by itself."""
    meter.setup()
    meter.start()
    assert meter._sampling is not None
    meter._sampling._thread.join(60)
    meter.stop()
    meter.stop()
    (trace,) = meter.samples()
    return trace


def test_lines_of_a_program_are_stamped_as_they_come() -> None:
    body = "import time\nfor i in range(20): print(4 + i % 2, flush=True); time.sleep(0.01)"
    before_ns = time.perf_counter_ns()
    trace = run_to_the_end(CommandMeter(*program(body)))
    assert list(trace.values) == [4.0, 5.0] * 10
    steps_ns = np.diff(trace.time_ns)
    assert (steps_ns >= 0).all()
    assert len(set(trace.time_ns)) > 1, (
        "two lines that are read at once have one time; all of them would be a stamp of the end"
    )
    assert before_ns < trace.time_ns[0] < trace.time_ns[-1] < time.perf_counter_ns()
    assert trace.error == "the meter's program ended with status 0"
    assert trace.sequence is None  # nobody counts a program's lines: lost ones are seen as gaps
    assert trace.channel.meter_class is MeterClass.E2


def test_times_of_the_program_keep_their_spacing_though_lines_come_in_bursts() -> None:
    body = """
import time
for burst in range(5):
    for i in range(10): print('{"time_s": %f, "power_w": 5}' % (1000 + burst * 0.1 + i * 0.01))
    time.sleep(0.02)
"""
    trace = run_to_the_end(CommandMeter(*program(body)))
    assert len(trace.values) == 50
    assert np.diff(trace.time_ns) == pytest.approx(10_000_000, abs=2000)
    assert abs(int(trace.time_ns[0]) - time.perf_counter_ns()) < 120e9


def test_a_program_that_ends_leaves_its_samples_and_why() -> None:
    trace = run_to_the_end(
        CommandMeter(*program("print('time_s,power_w'); print('1,4'); print('2,5'); raise SystemExit(3)"))
    )
    assert list(trace.values) == [4.0, 5.0]
    assert trace.error == "the meter's program ended with status 3"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise SystemExit(2)", "gives no samples: the meter's program ended with status 2"),
        ("while True: print('no device found')", "gives no samples: no time and watts in the line: no device found"),
    ],
)
def test_a_program_that_gives_nothing_is_told(body: str, words: str) -> None:
    meter = CommandMeter(*program(body))
    with pytest.raises(MeterError, match=words):
        meter.start()


def test_a_program_that_is_not_there_is_told() -> None:
    _, channel = program("")
    with pytest.raises(MeterError, match="the meter's program `/nowhere/meter` gives no samples: No such file"):
        CommandMeter(["/nowhere/meter"], channel).start()


def test_a_stopped_program_is_ended_with_what_it_started(tmp_path: Path) -> None:
    body = f"""
import subprocess, time
child = subprocess.Popen(["sleep", "600"])
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
while True: print(1); time.sleep(0.01)
"""
    meter = CommandMeter(*program(body))
    meter.setup()
    meter.start()
    meter.stop()
    child = Path("/proc") / (tmp_path / "child").read_text()
    deadline = time.monotonic() + 20
    while child.exists() and "\nState:\tZ" not in (child / "status").read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not child.exists() or "\nState:\tZ" in (child / "status").read_text()


def test_a_recorded_trace_is_played_with_its_own_times(tmp_path: Path) -> None:
    file = tmp_path / "trace.csv"
    file.write_text("time_s,power_w\n10.0,4\n10.1,5\n10.2,6\n")
    meter = ReplayMeter(file, accuracy=STATED)
    (channel,) = meter.setup()
    assert channel.interval_s == pytest.approx(0.1)
    (trace,) = meter.samples()
    assert list(trace.time_ns) == [10_000_000_000, 10_100_000_000, 10_200_000_000]
    assert list(trace.values) == [4.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1,4\n2,x\n", r"trace.csv:2: no time and watts in the line: 2,x"),
        ("1,4\n5\n", r"trace.csv:2: a recorded sample needs its time"),
        ("time_s,power_w\n1,4\n", r"trace.csv: a trace needs at least two samples, this file has 1"),
    ],
)
def test_a_trace_that_cannot_be_read_is_told_with_file_and_line(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "trace.csv"
    file.write_text(content)
    with pytest.raises(MeterError, match=words):
        ReplayMeter(file, accuracy=STATED).setup()
    with pytest.raises(MeterError, match=r"none.csv: No such file"):
        ReplayMeter(tmp_path / "none.csv", accuracy=STATED).setup()


def scpi(resource: str = ADDRESS, *, current_query: str = "MEAS:CURR?") -> ScpiMeter:
    return ScpiMeter(resource, accuracy=STATED, poll_s=0.01, backend=f"{SUPPLY}@sim", current_query=current_query)


def test_an_instrument_gives_volts_times_amperes() -> None:
    meter = scpi()
    (channel,) = meter.setup()
    assert (channel.meter, channel.meter_class) == ("ACME PS 3000", MeterClass.E2)
    meter.start()
    meter.stop()
    (trace,) = meter.samples()
    assert len(trace.values) >= 1
    assert set(trace.values) == {6.0}
    assert trace.error is None


@pytest.mark.parametrize(
    ("meter", "words"),
    [
        pytest.param(
            scpi("TCPIP0::192.0.2.51::INSTR"),
            "TCPIP0::192.0.2.51::INSTR cannot be opened: it does not answer",
            marks=pytest.mark.filterwarnings("ignore:read string doesn't end:UserWarning"),
        ),
        (scpi("no address"), "no address cannot be opened: "),
        (scpi(current_query="MEAS:NONSENSE?"), "gives no power: could not convert string to float"),
    ],
)
def test_an_instrument_that_cannot_be_used_is_told(meter: ScpiMeter, words: str) -> None:
    with pytest.raises(MeterError, match=words):
        meter.setup()


def test_without_pyvisa_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyvisa", None)
    with pytest.raises(MeterError, match=r"pip install 'hilbench\[power\]'"):
        scpi().setup()
