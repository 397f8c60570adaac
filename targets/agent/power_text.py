"""What power meters print, as numbers: the Raspberry Pi 5's PMIC, and one line a sample of any program. Pure.

Used on the board by the sampler and on the controller by targets/power. Standard library only.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

# `vcgencmd pmic_read_adc` prints one line a reading: `VDD_CORE_A current(7)=1.00400000A`, `VDD_CORE_V volt(15)=…V`.
_PMIC_LINE = re.compile(r"^\s*(?P<rail>\w+)_(?P<kind>[AV])\s+(?:current|volt)\(\d+\)=(?P<value>-?[0-9.]+)[AV]\s*$")

_HEADER = re.compile(r"[A-Za-z_ ()/,]*(power|watt)[A-Za-z_ ()/,]*", re.IGNORECASE)


def parse_pmic(text: str) -> dict[str, tuple[float, float]]:
    """Rail -> (volts, amperes) of `vcgencmd pmic_read_adc`; only rails that have both.

    EXT5V and BATT have a voltage and no current: what the board draws from its 5 V input is not measured.
    """
    volts: dict[str, float] = {}
    amperes: dict[str, float] = {}
    for line in text.splitlines():
        match = _PMIC_LINE.match(line)
        if match is not None:
            (volts if match["kind"] == "V" else amperes)[match["rail"]] = float(match["value"])
    return {rail: (volts[rail], amperes[rail]) for rail in amperes if rail in volts}


def pmic_power_w(text: str, rails: Sequence[str] | None) -> float:
    """The power of some rails of the PMIC together, or of all; ValueError where one of them is missing."""
    found = parse_pmic(text)
    if not found:
        raise ValueError("no rail with voltage and current in the output of pmic_read_adc")
    lacking = [rail for rail in rails or () if rail not in found]
    if lacking:
        raise ValueError(f"the PMIC has no rail {lacking[0]}; it has {', '.join(found)}")
    return sum(found[rail][0] * found[rail][1] for rail in (rails or found))


def parse_sample_line(line: str) -> tuple[float | None, float] | None:
    """(time in s or None, watts) of one line that a meter's program prints; None for a line to skip.

    Forms: `{"time_s": 1.5, "power_w": 4.2}`, `[1.5, 4.2]`, `1.5,4.2`, and each without the time: then a sample's time
    is when its line came. Empty lines, `#` comments and a CSV header are skipped. Raises ValueError for anything else.
    """
    text = line.strip()
    if not text or text.startswith("#"):
        return None
    if text[0] in "{[":
        return _numbers(_json_fields(text), text)
    fields = [field.strip() for field in text.split(",")]
    if _HEADER.fullmatch(text):
        return None
    return _numbers(fields, text)


def _json_fields(text: str) -> list[Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not a JSON value: {text[:80]}") from error
    if isinstance(data, dict):
        return [data[name] for name in ("time_s", "power_w") if data.get(name) is not None] if "power_w" in data else []
    return data


def _numbers(fields: Sequence[Any], text: str) -> tuple[float | None, float]:
    try:
        values = [float(field) for field in fields]
    except (TypeError, ValueError):
        values = []
    # A reading that is no finite number stays in the trace: integration says so instead of passing over it.
    if len(values) not in (1, 2) or (len(values) == 2 and not math.isfinite(values[0])):
        raise ValueError(f"no time and watts in the line: {text[:80]}")
    return (None, values[0]) if len(values) == 1 else (values[0], values[1])
