"""Each fault leaves one line at the end of a test session: `fault=NAME seen="..." lost=N`.

`seen` is what a user reads, cut out of real output. `lost` is counted: what was measured before the fault and is not in
the store at the end. A test that asks for `fault` and records nothing is an error.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator

import pytest

from .ledger import Measured

Fault = Callable[..., None]
_LINE = "fault"  # what a report's property is called: such a report also comes from another process
_CLOCK = re.compile(r"^\[ *\d+ s\] |^hilbench: ")


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Iterator[Fault]:
    """`fault(name, seen=…, before=…, after=…)`: record one fault; `before` must be in `after`."""
    recorded: list[str] = []

    def record(name: str, *, seen: str, before: Measured, after: Measured) -> None:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name), name
        assert before, "where nothing was measured, nothing can be lost"
        assert seen.strip(), "a user must read something"
        lost = before - after
        recorded.append(name)
        line = f'fault={name} seen="{seen.replace(chr(34), chr(39))}" lost={len(lost)}'
        request.node.user_properties.append((_LINE, line))
        assert not lost, f"lost: {sorted(lost)}"

    failed_before = request.session.testsfailed
    yield record
    assert recorded or request.session.testsfailed > failed_before, "a test of a fault must record it"


def write_faults(terminalreporter: pytest.TerminalReporter) -> None:
    """The line of each fault that was recorded, once, in alphabetical order."""
    reports = [report for found in terminalreporter.stats.values() for report in found]
    properties = [each for report in reports for each in getattr(report, "user_properties", ())]
    for line in sorted({str(value) for name, value in properties if name == _LINE}):
        terminalreporter.write_line(line)


def sentence(output: str, words: str) -> str:
    """The newest line of real output with these words, without the clock and the name that stand before it."""
    for line in reversed(output.splitlines()):
        if words in line:
            return " ".join(_CLOCK.sub("", line).split())
    raise AssertionError(f'nobody said "{words}":\n{output}')


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read what a process says up to a line with these words; all of it. It must come before the end."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(f'it ended without "{words}":\n{said}')
