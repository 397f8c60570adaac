"""What the board's own meters show, read from texts of their documented form, and which of their rails is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.targets.agent.power_text import parse_pmic, parse_sample_line, pmic_power_w
from hilbench.targets.power import hwmon, pi_pmic, powercap
from hilbench.targets.power.channel import Accuracy, MeterClass, Sampling, Scope
from hilbench.targets.power.meter import MeterError

FIXTURES = Path(__file__).parents[1] / "fixtures" / "power"


def text(name: str) -> str:
    return (FIXTURES / f"{name}.txt").read_text()


def test_an_ina226_gives_its_power_register_with_the_limits_of_its_data_sheet() -> None:
    (rail,) = hwmon.parse_listing(text("ina226"))
    assert (rail.chip, rail.label, rail.paths) == ("ina226", "ina226", ("/sys/class/hwmon/hwmon1/power1_input",))
    assert rail.factor == 1e-6
    channel = hwmon.channel_of(rail, poll_s=0.02)
    assert channel.accuracy.gain == pytest.approx(0.012)
    assert channel.accuracy.offset_w == pytest.approx(0.005)  # 10 µV over 10 mΩ at 5 V
    assert channel.accuracy.resolution == pytest.approx(0.00625)  # 25 steps of 250 µA, at 1 V
    assert channel.max_w == pytest.approx(8.19 * 5 * 0.995)
    assert (channel.interval_s, channel.meter_class, channel.unit) == (0.02, MeterClass.E3, "W")


def test_an_ina219_carries_the_label_of_its_place() -> None:
    (rail,) = hwmon.parse_listing(text("ina219"))
    assert rail.label == "DC jack"
    assert hwmon.channel_of(rail, poll_s=0.02).accuracy.resolution == pytest.approx(0.002)


def test_a_jetsons_rails_are_voltage_times_current_and_the_input_rail_is_taken() -> None:
    rails = hwmon.parse_listing(text("jetson-orin-nx-ina3221"))
    assert [rail.label for rail in rails] == ["VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"]
    rail = hwmon.choose_rail(rails, None)
    assert rail.paths == ("/sys/class/hwmon/hwmon3/in1_input", "/sys/class/hwmon/hwmon3/curr1_input")
    channel = hwmon.channel_of(rail, poll_s=0.01)
    assert channel.scope is Scope.BOARD_INPUT
    assert channel.interval_s == pytest.approx(0.02)  # the sensor is slower than the polling
    assert channel.accuracy.resolution == pytest.approx(0.008 * 5.072)  # 40 µV over 5 mΩ: 8 mA


def test_a_rail_that_is_asked_for_is_taken_as_a_rail() -> None:
    rails = hwmon.parse_listing(text("jetson-orin-nx-ina3221"))
    assert hwmon.channel_of(hwmon.choose_rail(rails, "VDD_SOC"), poll_s=0.01).scope is Scope.RAIL
    with pytest.raises(MeterError, match='no rail "VDD_SOCK"; it has VDD_IN, VDD_CPU_GPU_CV, VDD_SOC'):
        hwmon.choose_rail(rails, "VDD_SOCK")


def test_rails_that_may_overlap_are_never_added_up_but_asked_for() -> None:
    rails = hwmon.parse_listing(text("jetson-agx-two-ina3221"))
    assert [rail.label for rail in rails] == [
        "VDD_GPU_SOC",
        "VDD_CPU_CV",
        "VDDQ_VDD2_1V8AO",
    ]  # VIN_SYS_5V0 is switched off
    with pytest.raises(MeterError, match="never added up: name one of VDD_GPU_SOC, VDD_CPU_CV, VDDQ_VDD2_1V8AO"):
        hwmon.choose_rail(rails, None)


@pytest.mark.parametrize("listing", ["", "hwmon0/name:cpu_thermal\n", "grep: nonsense\n"])
def test_a_board_without_sensors_is_told(listing: str) -> None:
    with pytest.raises(MeterError, match="no power sensor in /sys/class/hwmon of this board"):
        hwmon.choose_rail(hwmon.parse_listing(listing), None)


def test_a_stated_accuracy_replaces_the_data_sheet_and_an_unknown_chip_is_assumed_bad() -> None:
    stated = Accuracy(gain=0.003, offset_w=0.001, resolution=0.001, source="calibrated")
    (rail,) = hwmon.parse_listing(text("ina226"))
    assert hwmon.channel_of(rail, poll_s=0.02, accuracy=stated).accuracy is stated
    (unknown,) = hwmon.parse_listing("hwmon0/name:acme9\nhwmon0/power1_input:1000\n")
    assert hwmon.channel_of(unknown, poll_s=0.02).accuracy.gain == 0.05
    assert hwmon.channel_of(unknown, poll_s=0.02).max_w is None


def test_the_package_of_a_processor_is_one_counter_that_wraps() -> None:
    (zone,) = powercap.parse_listing(text("rapl"))
    assert (zone.name, zone.path) == ("package-0", "/sys/class/powercap/intel-rapl:0/energy_uj")
    channel = powercap.channel_of(powercap.choose_zone([zone], None), poll_s=0.1)
    assert (channel.sampling, channel.unit, channel.quantity) == (Sampling.ACCUMULATING, "J", "energy")
    assert channel.meter_class is MeterClass.E5
    assert channel.wrap == pytest.approx(262143.32885)


def test_a_counter_for_root_only_is_told() -> None:
    without = "".join(line + "\n" for line in text("rapl").splitlines() if "/energy_uj" not in line)
    with pytest.raises(MeterError, match="may be read by root only"):
        powercap.parse_listing(without)
    with pytest.raises(MeterError, match="no energy counter in /sys/class/powercap"):
        powercap.choose_zone(powercap.parse_listing(""), None)


def test_the_pmics_rails_with_voltage_and_current_are_added_up() -> None:
    rails = parse_pmic(text("pi5-pmic"))
    assert list(rails) == ["3V7_WL_SW", "3V3_SYS", "1V8_SYS", "VDD_CORE", "HDMI"]
    assert rails["VDD_CORE"] == (0.8, 1.004)
    assert pmic_power_w(text("pi5-pmic"), ["VDD_CORE"]) == pytest.approx(0.8032)
    assert pmic_power_w(text("pi5-pmic"), None) == pytest.approx(1.8031, abs=1e-3)
    assert pi_pmic.check_rails(text("pi5-pmic"), None) == tuple(rails)


def test_a_board_without_pmic_or_rail_is_told() -> None:
    with pytest.raises(MeterError, match="this board's firmware shows no PMIC rails"):
        pi_pmic.check_rails("Command not registered\n", None)
    with pytest.raises(MeterError, match='no rail "EXT5V"; it has 3V7_WL_SW, '):
        pi_pmic.check_rails(text("pi5-pmic"), ["EXT5V"])
    with pytest.raises(ValueError, match="no rail with voltage and current"):
        pmic_power_w("error=1", None)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"time_s": 1.5, "power_w": 4.25}', (1.5, 4.25)),
        ('{"power_w": 4.25, "volts": 5}', (None, 4.25)),
        ("[1.5, 4.25]", (1.5, 4.25)),
        ("1.5,4.25", (1.5, 4.25)),
        ("  4.25\r", (None, 4.25)),
        ("time_s,power_w", None),
        ("Time (s),Power (W)", None),
        ("# started", None),
        ("", None),
    ],
)
def test_lines_of_a_meters_program(line: str, expected: tuple[float | None, float] | None) -> None:
    assert parse_sample_line(line) == expected


@pytest.mark.parametrize(
    "line", ["1,2,3", "4.2 W", '{"watts": 3}', "{broken", '{"power_w": "x"}', "inf,4", "[]", "no device"]
)
def test_a_line_without_time_and_watts_is_refused_in_words(line: str) -> None:
    with pytest.raises(ValueError, match=r"no time and watts in the line|not a JSON value"):
        parse_sample_line(line)
