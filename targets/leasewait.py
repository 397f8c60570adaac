"""Taking a board together with this machine's time, and waiting for either with neither in hand."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime

from .board import Board
from .claim import WAIT_SETTING, AgentLeft, Claim, Holder, in_words, whom_to_ask
from .connection import Connection
from .errors import BoardHeldError, TargetError, TransientTargetError
from .lease import Lease, acquire
from .quiet import machine_time

# Each look is a command on a board that somebody may be timing: some 20 ms of its time, so not often.
_LOOK_S = (8.0, 12.0)
_LEAST_S = 0.5


@contextmanager
def leased(
    board: Board,
    connect: Callable[[], Connection],
    claim: Claim,
    *,
    alone: bool,
    say: Callable[[str], None],
    cancel: threading.Event | None,
) -> Generator[tuple[Connection, Lease, float]]:
    """A connection to a board, its lease, and the seconds waited, with this machine held; given back at the end.

    While somebody else has the board, neither the lease nor this machine is held, so nobody waits for who waits.
    Raises TargetError where the board is not given free within `claim.wait_s`, or when `cancel` is set.
    """
    waiting = _Waiting(board, claim, say, cancel)
    connection: Connection | None = None
    waited_s = 0.0
    while True:
        with machine_time(alone=alone, progress=say) as queued_s:
            connection, answer = _take(board, connection, connect, claim)
            if isinstance(answer, Lease):
                try:
                    yield connection, answer, waited_s + queued_s
                finally:
                    answer.release()
                return
        waited_s += queued_s + waiting.sleep(answer)


def _take(
    board: Board, connection: Connection | None, connect: Callable[[], Connection], claim: Claim
) -> tuple[Connection, Lease | Holder | AgentLeft]:
    """Ask by the connection that is there; a lost one is made anew once."""
    if connection is not None:
        try:
            return connection, acquire(connection, board.workdir, claim, reconnect=connect)
        except TransientTargetError:
            pass
    connection = connect()
    return connection, acquire(connection, board.workdir, claim, reconnect=connect)


class _Waiting:
    """The waiting for one board: its limit, and what was said."""

    def __init__(self, board: Board, claim: Claim, say: Callable[[str], None], cancel: threading.Event | None) -> None:
        self._board, self._claim, self._say = board, claim, say
        self._cancel = cancel or threading.Event()
        self._since: float | None = None
        self._told: tuple[object, ...] | None = None

    def sleep(self, found: Holder | AgentLeft) -> float:
        """Say who has the board, once for each holder, and sleep until the next look. Returns the seconds slept."""
        name, wait_s = self._board.name, self._claim.wait_s
        moment = time.monotonic()
        self._since = self._since or moment
        left_s = wait_s - (moment - self._since)
        words = in_words(found, now=datetime.now().astimezone())
        if left_s <= 0:
            raise BoardHeldError(
                f"{name} is {words}; waited {wait_s:g} s for it. "
                f"Ask {whom_to_ask(found)}, or set {WAIT_SETTING} to wait longer",
                remaining_s=found.remaining_s if isinstance(found, Holder) else None,
            )
        who = (found.owner, found.token) if isinstance(found, Holder) else (found.pid,)
        if who != self._told:
            self._told = who
            self._say(f"waiting up to {left_s:.0f} s: {name} is {words}; ask {whom_to_ask(found)} to have it sooner")
        if self._cancel.wait(min(_until_next_look_s(found), left_s)):
            raise TargetError(f"stopped while {name} was {words}")
        return time.monotonic() - moment


def _until_next_look_s(found: Holder | AgentLeft) -> float:
    """Not longer than the lease lasts; spread, so that those who wait do not all come at once."""
    usual_s = random.uniform(*_LOOK_S)  # noqa: S311  no secret
    if isinstance(found, AgentLeft):
        return usual_s
    return max(_LEAST_S, min(usual_s, found.remaining_s + random.uniform(0, 0.5)))  # noqa: S311
