"""Figures as a person reads them: sensible units, and no more digits than the interval supports; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .language import mark, tr

NOT_MEASURED = mark("not measured")
MINUS = "−"
NARROW = "\u202f"  # narrow no-break space between a figure and its unit

TIME = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))
COUNT = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure and the bounds of its interval, all in one unit with the same number of decimals."""

    value: str
    low: str | None
    high: str | None
    unit: str

    @property
    def text(self) -> str:
        """The figure with its unit, without the interval."""
        return f"{self.value}{NARROW}{self.unit}" if self.unit else self.value

    @property
    def interval(self) -> str | None:
        """`low to high`, without the unit; None where there is no interval."""
        return None if self.low is None or self.high is None else tr("{low} to {high}", low=self.low, high=self.high)


def duration(
    value_ns: float, low_ns: float | None = None, high_ns: float | None = None, like_ns: float | None = None
) -> Shown:
    """A time in s, ms, µs or ns: in the unit that suits the value, or another time beside which it stands."""
    return _scaled(value_ns, low_ns, high_ns, TIME, like_ns)


def instruction_count(
    value: float, low: float | None = None, high: float | None = None, like: float | None = None
) -> Shown:
    """A number of instructions in millions or the like; the unit is the bare prefix."""
    return _scaled(value, low, high, COUNT, like)


def ratio(value: float, low: float | None = None, high: float | None = None) -> Shown:
    """A ratio to a baseline, with the sign for times."""
    digits = min(3, max(2, decimals(value, low, high)))
    return Shown(_fixed(value, digits) or "", _fixed(low, digits), _fixed(high, digits), "×")


def _scaled(
    value: float, low: float | None, high: float | None, units: tuple[tuple[float, str], ...], like: float | None
) -> Shown:
    leading = abs(value if like is None else like)
    size, unit = next(((size, unit) for size, unit in units if leading >= size), units[-1])
    v, lo, hi = value / size, None if low is None else low / size, None if high is None else high / size
    digits = 0 if size == 1.0 else decimals(v, lo, hi)
    return Shown(_fixed(v, digits) or "", _fixed(lo, digits), _fixed(hi, digits), unit)


def decimals(value: float, low: float | None = None, high: float | None = None) -> int:
    """Decimals that an interval supports: its half-width keeps two digits if it begins below 3.5, else one.

    Without an interval, or with one of no width, four significant digits are shown. Never more than five significant.
    """
    whole = max(1, math.floor(math.log10(abs(value))) + 1) if value else 1
    half = 0.0 if low is None or high is None else (high - low) / 2
    if half <= 0:
        return max(0, 4 - whole)
    exponent = math.floor(math.log10(half))
    digits = (1 if half / 10**exponent < 3.5 else 0) - exponent
    return max(0, min(digits, 5 - whole))


def _fixed(value: float | None, digits: int) -> str | None:
    if value is None:
        return None
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS) if float(text) else f"{0:.{digits}f}"


def memory(value_bytes: float | None) -> str:
    """Resident memory to 0.1 MiB: the kernel's own counters are no finer."""
    return tr(NOT_MEASURED) if value_bytes is None else f"{value_bytes / 2**20:,.1f}{NARROW}MiB"


def file_size(value_bytes: float | None) -> str:
    """The size of a file in bytes, kB (1000) or MB."""
    if value_bytes is None:
        return tr(NOT_MEASURED)
    if value_bytes < 1000:
        return f"{value_bytes:.0f}{NARROW}B"
    if value_bytes < 999_500:
        return f"{value_bytes / 1e3:.{1 if value_bytes < 9950 else 0}f}{NARROW}kB"
    return f"{value_bytes / 1e6:.2f}{NARROW}MB"


def percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction as a percentage."""
    return tr(NOT_MEASURED) if fraction is None else f"{_fixed(fraction * 100, digits)}{NARROW}%"


def percent_span(low: float, high: float, digits: int = 1) -> str:
    """The two ends of an interval of fractions as percentages."""
    return f"{_fixed(low * 100, digits)}–{_fixed(high * 100, digits)}{NARROW}%"


def points(fraction: float | None, digits: int = 2) -> str:
    """A difference of fractions in percentage points."""
    return tr(NOT_MEASURED) if fraction is None else f"{_fixed(fraction * 100, digits)}{NARROW}pp"


def signed_points(fraction: float, digits: int = 2) -> str:
    """A change in percentage points with its sign, without the unit."""
    text = _fixed(fraction * 100, digits) or ""
    return text if text.startswith(MINUS) or not text.strip("0.") else f"+{text}"


# Of a quantity: as much of it, less of it by `size`, more of it by `size`.
_CHANGES = {
    "time": (mark("as much time"), mark("{size} less time"), mark("{size} more time")),
    "instructions": (mark("as many instructions"), mark("{size} fewer instructions"), mark("{size} more instructions")),
    "MACs": (mark("as many MACs"), mark("{size} fewer MACs"), mark("{size} more MACs")),
    "bytes": (mark("as many bytes"), mark("{size} fewer bytes"), mark("{size} more bytes")),
    "bytes through zstd": (
        mark("as many bytes through zstd"),
        mark("{size} fewer bytes through zstd"),
        mark("{size} more bytes through zstd"),
    ),
}


def change(ratio_to_baseline: float, noun: str = "time") -> str:
    """A ratio as words: 0.52 is `48 % less time`, 1.06 `6.0 % more time`, 1.0001 `as much time`.

    `noun` is time, instructions, MACs, bytes or bytes through zstd.
    """
    same, less, more = _CHANGES[noun]
    size = abs(ratio_to_baseline - 1)
    if size < 0.0005:
        return tr(same)
    amount = f"{size * 100:.{0 if size >= 0.0995 else 1}f}{NARROW}%"
    return tr(less if ratio_to_baseline < 1 else more, size=amount)
