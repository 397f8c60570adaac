"""Progress of long work: a live display on a terminal, plain lines elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from .log import log_event

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

Say = Callable[[str], None]


def counted(number: int, noun: str) -> str:
    """`1 board`, `2 boards`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Progress:
    """Says what happens. Lines are dated from the start; bars count processes on a board.

    On a terminal the bars are redrawn in place; elsewhere a bar becomes a plain line at each tenth.
    """

    def __init__(self, *, quiet: bool = False, live: bool | None = None) -> None:
        self._quiet = quiet
        self._live = (sys.stderr.isatty() if live is None else live) and not quiet
        self._start = time.monotonic()
        self._lock = threading.Lock()
        self._rich: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._tenths: dict[str, int] = {}

    def __enter__(self) -> Progress:
        if self._live:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            # No refresh by a clock: it would work while this machine is timed. The bars move in gaps only.
            self._rich = RichProgress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
            self._rich.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rich is not None:
            self._rich.stop()
            self._rich = None

    def say(self, line: str) -> None:
        """One line about what happens now, on the terminal unless `quiet`, and in the log where one is open."""
        log_event("progress", line)
        if self._quiet:
            return
        text = f"[{time.monotonic() - self._start:5.0f} s] {line}"
        with self._lock:
            if self._rich is not None:
                self._rich.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                print(text, file=sys.stderr, flush=True)  # noqa: T201  plain lines are this class's job

    def about(self, subject: str) -> Say:
        """A function that says lines about one subject, such as a board."""
        return lambda line: self.say(f"{subject}: {line}")

    def bar(self, subject: str, done: int, of: int) -> None:
        """`done` of `of` processes of a subject are through."""
        if self._rich is not None:
            with self._lock:
                if subject not in self._tasks:
                    self._tasks[subject] = self._rich.add_task(subject, total=of)
                self._rich.update(self._tasks[subject], completed=done, total=of, refresh=True)
            return
        tenth, said = 10 * done // max(of, 1), self._tenths.get(subject, 0)
        self._tenths[subject] = tenth  # less than before: the next run of a board that one command works on twice
        if tenth > said or (tenth < said and tenth > 0):
            self.say(f"{subject}: {done} of {of} processes")
