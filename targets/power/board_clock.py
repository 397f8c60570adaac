"""How far this machine's clock is from the board's, for meters that are stamped here."""

from __future__ import annotations

import shlex
import time

from ..connection import Connection
from .clocks import Offset, RoundTrip, offset_from, seen_from_the_other_side
from .meter import MeterError

_EXCHANGES = 8
_TIMEOUT_S = 60.0
_PROGRAM = "import time; print(time.perf_counter_ns())"


def compare_clocks(connection: Connection, python: str = "python3") -> Offset:
    """The controller's `perf_counter_ns` minus the board's, to half of the quickest of some round trips.

    A round trip holds the start of an interpreter on the board: tens of milliseconds. Ask before and after a window,
    never in it. Raises MeterError where the board does not answer with a time.
    """
    command = shlex.join([python, "-I", "-S", "-c", _PROGRAM])
    exchanges: list[RoundTrip] = []
    for _ in range(_EXCHANGES):
        sent_ns = time.perf_counter_ns()
        done = connection.run(command, timeout_s=_TIMEOUT_S)
        received_ns = time.perf_counter_ns()
        if done.status != 0 or not done.stdout.strip().isdigit():
            raise MeterError("the board's clock cannot be read: its Python does not print a time")
        exchanges.append(RoundTrip(sent_ns=sent_ns, remote_ns=int(done.stdout), received_ns=received_ns))
    return seen_from_the_other_side(offset_from(exchanges))
