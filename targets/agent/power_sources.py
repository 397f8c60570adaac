"""Where the sampler's readings come from: files of sysfs, or a program that is run for each sample.

A source is described by the controller (targets/power), which knows what each file means; here it is only read.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from .power_polling import Read
from .power_text import pmic_power_w

_FILE_BYTES = 64  # a number and a newline
_PROGRAM_TIMEOUT_S = 5.0


class FileSource:
    """Channels as files of sysfs, kept open: a channel's value is the product of its files' numbers and a factor.

    `channels` are `{"paths": [...], "factor": number}`: one file for a power or an energy, two for volts and amperes.
    """

    def __init__(self, channels: Sequence[Mapping[str, Any]]) -> None:
        self._open: dict[str, int] = {}
        self._channels = [
            ([self._descriptor(path) for path in channel["paths"]], float(channel["factor"])) for channel in channels
        ]

    def __call__(self) -> list[float]:
        """One reading of each channel; each file is read once, so that channels share what they have in common."""
        numbers = {fd: float(os.pread(fd, _FILE_BYTES, 0)) for fd in self._open.values()}
        values: list[float] = []
        for descriptors, factor in self._channels:
            value = factor
            for fd in descriptors:
                value *= numbers[fd]
            values.append(value)
        return values

    def _descriptor(self, path: str) -> int:
        if path not in self._open:
            self._open[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return self._open[path]


class PmicSource:
    """The Raspberry Pi 5's PMIC, by running `vcgencmd pmic_read_adc` for each sample (some milliseconds each)."""

    def __init__(self, argv: Sequence[str], rails: Sequence[str] | None) -> None:
        self._argv = list(argv)
        self._rails = rails

    def __call__(self) -> list[float]:
        """The power of the chosen rails together."""
        try:
            done = subprocess.run(self._argv, capture_output=True, timeout=_PROGRAM_TIMEOUT_S, check=True)
        except subprocess.SubprocessError as error:
            raise OSError(f"{self._argv[0]} failed: {error}") from error
        return [pmic_power_w(done.stdout.decode("ascii", errors="replace"), self._rails)]


def open_source(described: Mapping[str, Any]) -> Read:
    """The source that the controller describes: `{"kind": "files", …}` or `{"kind": "pmic", …}`."""
    if described["kind"] == "files":
        return FileSource(described["channels"])
    if described["kind"] == "pmic":
        return PmicSource(described["argv"], described["rails"])
    raise ValueError(f"unknown kind of power source: {described['kind']!r}")
