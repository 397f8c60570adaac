"""Progress where there is no terminal: a line at each tenth, of each run that a board works on."""

from __future__ import annotations

import pytest
from hilbench.harness.progress import Progress


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()]


def test_a_line_comes_at_each_tenth_and_no_oftener(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(live=False)
    for done in range(41):
        progress.bar("a72", done, 40)
    assert told(capsys) == [f"a72: {done} of 40 processes" for done in range(4, 41, 4)]


def test_the_second_run_of_a_board_is_told_as_the_first_is(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(live=False)
    for of in (2, 2, 4):
        for done in range(1, of + 1):  # one that goes on does not begin at nothing
            progress.bar("a72", done, of)
    assert told(capsys) == [f"a72: {done} of {of} processes" for of in (2, 2, 4) for done in range(1, of + 1)]
