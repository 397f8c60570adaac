"""The meter of a board while its job runs: told to the agent, or read here, one sampling a process.

A meter that this machine reads is stopped when a process's result comes, and started again in the gap before the next
one: clocks are compared there too, so that nothing of this falls into a timed window. Whatever goes wrong costs the
energy of that process and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Self

import numpy as np

from ..targets.agent.job import Job
from ..targets.board import BoardRuntime
from ..targets.deadlines import process_timeout_s
from ..targets.errors import TargetError
from ..targets.open import OpenBoard
from ..targets.power.board_clock import compare_clocks
from ..targets.power.channel import ClockDomain
from ..targets.power.choose import Chosen, choose_meter
from ..targets.power.clocks import Offset
from ..targets.power.meter import Meter, Trace
from ..targets.power.open import open_meter
from .store import Store

HAND_OVER_S = 4.0  # the gap in which a meter of this machine is stopped, clocks are compared, and it starts again
_AROUND_NS = 5_000_000_000
Event = Mapping[str, Any]


def board_meter(opened: OpenBoard, store: Store, run_id: str, *, runtimes: Iterable[BoardRuntime]) -> Chosen | None:
    """The board's meter where it has one that answers; what became of its meters is noted with the run."""
    board = opened.board
    if board.emulated or not board.meters:
        return None
    chosen, refused = choose_meter(
        board.meters,
        opened.connection,
        workdir=board.workdir,
        python=next((runtime.python for runtime in runtimes), "python3"),
        process_timeout_s=process_timeout_s(),
    )
    facts = {"meter": None if chosen is None else chosen.channel.name, "refused": list(refused)}
    store.add_note(run_id, board.name, "meter", facts)
    return chosen


def gap_s(chosen: Chosen | None, protocol_gap_s: float) -> float:
    """The gap after each process, long enough for a meter of this machine whose clock is not the board's."""
    if chosen is None or chosen.on_board or chosen.channel.clock is ClockDomain.BOARD:
        return protocol_gap_s
    return max(protocol_gap_s, HAND_OVER_S)


class Metering:
    """Follows the events of one job. `chosen` is None where no meter of this machine is to be read for it."""

    def __init__(self, opened: OpenBoard, chosen: Chosen | None) -> None:
        self._opened = opened
        self._chosen = None if chosen is None or chosen.on_board else chosen
        self._meter: Meter | None = None
        self._before: Offset | None = None
        self._error: str | None = None

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self, *, done: bool = False) -> None:
        """Begin to sample, unless that is under way or all is done. Never raises for what does not answer."""
        if self._chosen is None or self._meter is not None or done:
            return
        self._error = None
        meter = open_meter(self._chosen.settings, self._opened.connection, workdir=self._opened.board.workdir)
        self._meter = meter
        try:
            if self._before is None:
                self._before = self._offset()
            meter.setup()
            meter.start()
        except TargetError as error:
            self._error = " ".join(str(error).split())

    def complete(self, event: Event, job: Job) -> Event:
        """A result with what its meter gave, where its process was metered; all other events as they are."""
        if event["event"] != "trial" or event.get("marks_ns") is None or job.power is None:
            return event
        taken = {} if self._chosen is None else {"power": self._take(event["marks_ns"])}
        return {**event, "channel": job.power.channel, **taken}

    def end(self) -> None:
        """Stop what is still sampling."""
        if self._meter is not None:
            self._meter.stop()
            self._meter = None

    def _take(self, marks_ns: Sequence[int]) -> dict[str, Any] | None:
        """Stop the sampling and say what it gave; None where nothing was under way."""
        meter, error = self._meter, self._error
        if meter is None:
            return None
        self.end()
        before, after = self._before, None
        with suppress(TargetError):  # then there are no clocks, and the trace says so
            after = self._offset()
        self._before = after
        if error is not None:
            return {"error": error}
        if before is None or after is None:
            if not self._same_clock():
                return {"error": "the board's clock could not be compared with this machine's"}
            return _facts(meter.samples()[0], marks_ns)
        return {**_facts(meter.samples()[0]), "clocks": (_plain(before), _plain(after))}

    def _offset(self) -> Offset | None:
        if self._chosen is None or self._same_clock():
            return None
        return compare_clocks(self._opened.connection, self._chosen.python)

    def _same_clock(self) -> bool:
        return self._chosen is None or self._chosen.channel.clock is ClockDomain.BOARD


def _facts(trace: Trace, marks_ns: Sequence[int] | None = None) -> dict[str, Any]:
    """What a trace holds; with marks of the same clock only what is around them: a recording may be of hours."""
    part = slice(None)
    if marks_ns is not None:
        bounds = (marks_ns[0] - _AROUND_NS, marks_ns[-1] + _AROUND_NS)
        part = slice(*(int(at) for at in np.searchsorted(trace.time_ns, bounds)))
    slots = None if trace.sequence is None else trace.sequence[part]
    return {"time_ns": trace.time_ns[part], "values": [trace.values[part]], "slots": slots, "error": trace.error}


def _plain(offset: Offset) -> tuple[int, int, int]:
    return (offset.board_ns, offset.offset_ns, offset.half_width_ns)
