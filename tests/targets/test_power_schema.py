"""`meters:` of a board: what users may write, and the sentences for what they may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hilbench.targets.power.channel import Accuracy, Scope
from hilbench.targets.power.schema import MeterEntry, settings_of
from hilbench.targets.power.settings import (
    CommandSettings,
    HwmonSettings,
    MeterSettings,
    PlugSettings,
    PmicSettings,
    PowercapSettings,
    ReplaySettings,
    ScpiSettings,
)
from hilbench.targets.yamlfile import YamlFileError, load_yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

ENTRIES: TypeAdapter[list[MeterEntry]] = TypeAdapter(list[MeterEntry])
GIVEN = {"gain": 0.01, "offset_w": 0.02}
LIMITS = Accuracy(gain=0.01, offset_w=0.02, resolution=0.0, source="stated in the inventory")

CASES: list[tuple[dict[str, Any], MeterSettings]] = [
    ({"kind": "hwmon"}, HwmonSettings(rail=None, poll_s=0.02, accuracy=None)),
    (
        {"kind": "hwmon", "rail": "VDD_IN", "rate_hz": 100, "accuracy": GIVEN},
        HwmonSettings(rail="VDD_IN", poll_s=0.01, accuracy=LIMITS),
    ),
    ({"kind": "powercap", "package": "package-1"}, PowercapSettings(package="package-1")),
    ({"kind": "pi-pmic", "rails": ["VDD_CORE"]}, PmicSettings(rails=("VDD_CORE",))),
    ({"kind": "shelly", "host": "192.168.1.40"}, PlugSettings(kind="shelly", address="192.168.1.40", by_power=False)),
    ({"kind": "tasmota", "host": "plug:81"}, PlugSettings(kind="tasmota", address="plug:81", by_power=True)),
    (
        {"kind": "shelly", "host": "[fe80::1]:80", "by": "power"},
        PlugSettings(kind="shelly", address="[fe80::1]:80", by_power=True),
    ),
    (
        {"kind": "command", "command": "picolog --rate '10 Hz'", "accuracy": GIVEN},
        CommandSettings(
            argv=("picolog", "--rate", "10 Hz"),
            on_board=False,
            site="DC input",
            scope=Scope.BOARD_INPUT,
            interval_s=0.1,
            accuracy=LIMITS,
        ),
    ),
    (
        {"kind": "scpi", "resource": "TCPIP0::1.2.3.4::INSTR", "accuracy": GIVEN, "max_w": 50},
        ScpiSettings(
            resource="TCPIP0::1.2.3.4::INSTR",
            voltage_query="MEAS:VOLT?",
            current_query="MEAS:CURR?",
            poll_s=0.2,
            max_w=50,
            accuracy=LIMITS,
        ),
    ),
    ({"kind": "replay", "file": "trace.csv", "accuracy": GIVEN}, ReplaySettings(file="trace.csv", accuracy=LIMITS)),
]


@pytest.mark.parametrize(("entry", "settings"), CASES, ids=[str(entry["kind"]) for entry, _ in CASES])
def test_an_entry_becomes_a_frozen_value(entry: dict[str, Any], settings: MeterSettings) -> None:
    assert settings_of(ENTRIES.validate_python([entry])) == (settings,)


@pytest.mark.parametrize(
    ("entry", "place", "kind"),
    [
        ({"kind": "hwmom"}, (0,), "union_tag_invalid"),
        ({"rail": "VDD_IN"}, (0,), "union_tag_not_found"),
        ({"kind": "hwmon", "rails": ["A"]}, (0, "hwmon", "rails"), "extra_forbidden"),
        ({"kind": "hwmon", "rate_hz": 0}, (0, "hwmon", "rate_hz"), "greater_than"),
        ({"kind": "shelly"}, (0, "shelly", "host"), "missing"),
        ({"kind": "shelly", "host": "http://plug/"}, (0, "shelly", "host"), "value_error"),
        ({"kind": "command", "command": "x"}, (0, "command", "accuracy"), "missing"),
        ({"kind": "command", "command": [], "accuracy": GIVEN}, (0, "command", "command"), "too_short"),
        ({"kind": "command", "command": "it's", "accuracy": GIVEN}, (0, "command", "command"), "value_error"),
        ({"kind": "scpi", "resource": "x", "accuracy": {"gain": 2}}, (0, "scpi", "accuracy", "gain"), "less_than"),
    ],
)
def test_a_wrong_entry_is_refused_where_it_stands(
    entry: dict[str, Any], place: tuple[str | int, ...], kind: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        ENTRIES.validate_python([entry])
    assert [(error["loc"], error["type"]) for error in caught.value.errors()] == [(place, kind)]


class Bench(BaseModel):
    model_config = ConfigDict(extra="forbid")
    meters: list[MeterEntry]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "{kind: hwmom}",
            'bench.yaml:2: meters.0.kind: "hwmom" is not allowed; did you mean "hwmon"? Allowed: hwmon, ',
        ),
        ("{rail: VDD_IN}", 'bench.yaml:2: meters.0: the key "kind" is missing'),
        ("{kind: hwmon, rial: VDD_IN}", 'bench.yaml:2: meters.0: unknown key "rial"; did you mean "rail"? Allowed: '),
        ("{kind: shelly}", 'bench.yaml:2: meters.0: the key "host" is missing'),
        ("{kind: shelly, host: 'http://plug'}", "bench.yaml:2: meters.0.host: it must be a host name or an address, "),
        ("{kind: hwmon, rate_hz: fast}", 'bench.yaml:2: meters.0.rate_hz: must be a number, not "fast"'),
        ('{kind: command, command: "it\'s", accuracy: {gain: 0}}', "bench.yaml:2: meters.0.command: No closing quot"),
    ],
)
def test_a_wrong_meter_is_told_with_file_line_and_what_is_allowed(tmp_path: Path, line: str, sentence: str) -> None:
    file = tmp_path / "bench.yaml"
    file.write_text(f"meters:\n  - {line}\n")
    with pytest.raises(YamlFileError) as caught:
        load_yaml(file, Bench)
    (problem,) = caught.value.problems
    assert problem.removeprefix(f"{tmp_path}/").startswith(sentence)


def test_the_json_schema_describes_every_key() -> None:
    for name, model in ENTRIES.json_schema()["$defs"].items():
        for key, value in model.get("properties", {}).items():
            assert "description" in value, f"{name}.{key}"
