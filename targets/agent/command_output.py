"""What a program that stands for a runtime prints: JSON objects, one a line, between whatever else it prints; pure.

Keys, each optional, over as many objects as the program likes: `latency_ns` (one number or a list, nanoseconds per
inference), `warmup_ns` (likewise), `load_ns`, `first_ns`, `loop_k` (how many inferences one sample is the mean of),
`version`. Other keys are ignored. docs/command-runtime.md is this for people.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .failures import ERROR, CellFailure

_MOST_SAMPLES = 1_000_000
_LARGEST_NS = 2**53
_SERIES = ("latency_ns", "warmup_ns")
_SINGLE = ("load_ns", "first_ns")


@dataclass(slots=True, kw_only=True)
class Printed:
    """What the objects said together. `unknown` are the keys that mean nothing, to be named where nothing else came."""

    samples: array[int] = field(default_factory=lambda: array("q"))
    warmup: array[int] = field(default_factory=lambda: array("q"))
    load_ns: int | None = None
    first_ns: int | None = None
    loop_k: int = 1
    version: str | None = None
    unknown: set[str] = field(default_factory=set[str])


def read_output(lines: Iterable[str]) -> Printed:
    """Read a program's output. Raises CellFailure with the line where an object is not as agreed."""
    printed = Printed()
    for number, line in enumerate(lines, start=1):
        if line.lstrip().startswith("{"):
            _take(printed, _object(line, number), number)
    if not printed.samples:
        others = f"; it printed {', '.join(sorted(printed.unknown))}" if printed.unknown else ""
        raise CellFailure(ERROR, f"the program printed no latency_ns{others}")
    return printed


def check_against_clock(printed: Printed, ran_ns: int) -> None:
    """Raise CellFailure where the inferences cannot fit into the time that the program ran: a wrong unit."""
    total_ns = sum(printed.samples) * printed.loop_k
    if total_ns > ran_ns:
        told, ran = f"{total_ns / 1e9:.3g} s of inferences", f"{ran_ns / 1e9:.3g} s"
        raise CellFailure(ERROR, f"the program reports {told}, but ran for {ran} only: latency_ns is in nanoseconds")


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        return json.loads(line)
    except ValueError as error:
        raise CellFailure(ERROR, f"line {number} of the program's output begins like JSON, but is none") from error


def _take(printed: Printed, values: dict[str, Any], number: int) -> None:
    for key, value in values.items():
        if key in _SERIES:
            series = printed.samples if key == "latency_ns" else printed.warmup
            series.extend(_numbers(key, value, number))
            if len(series) > _MOST_SAMPLES:
                raise CellFailure(ERROR, f"the program printed more than {_MOST_SAMPLES} values of {key}")
        elif key in _SINGLE:
            setattr(printed, key, _nanoseconds(key, value, number))
        elif key == "loop_k":
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise _wrong(key, value, number, "a whole number from 1 on")
            printed.loop_k = value
        elif key == "version":
            printed.version = str(value)[:100]
        else:
            printed.unknown.add(key[:40])


def _numbers(key: str, value: Any, number: int) -> Iterator[int]:
    for one in value if isinstance(value, list) else [value]:
        yield _nanoseconds(key, one, number)


def _nanoseconds(key: str, value: Any, number: int) -> int:
    wanted = "a number of nanoseconds above 0"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(key, value, number, wanted)
    if not 0 < value < _LARGEST_NS:  # NaN is not, either
        raise _wrong(key, value, number, wanted)
    return max(1, round(value))


def _wrong(key: str, value: Any, number: int, wanted: str) -> CellFailure:
    shown = json.dumps(value)[:40]
    return CellFailure(ERROR, f"line {number} of the program's output: {key} is {shown}; it must be {wanted}")
