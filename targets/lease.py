"""The lease of a board: the exclusive right to use it, kept on the board itself, that ends unless it is renewed.

Controllers need no common database and no common clock. `lease_script.py` is what runs on the board; here is what a
controller asks of it. Emulated boards have none: the lock of their machine (`emulated/host.py`) is theirs.
"""

from __future__ import annotations

import math
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from .claim import HOLDER_LINES, AgentLeft, Claim, Holder, holder_from_lines, in_words
from .connection import Completed, Connection
from .errors import BoardFullError, CommandError, TargetError, TransientTargetError
from .lease_script import AGENT_LEFT, BUSY, HELD, LEASE, LOST

_COMMAND_TIMEOUT_S = 60.0
_GUARDED_TIMEOUT_S = 180.0
_RELEASE_TIMEOUT_S = 10.0  # a board that is out of reach keeps nobody waiting: its lease ends by itself
_ROUNDING_S = 1.0  # the board counts whole seconds


class LeaseLostError(TargetError):
    """Somebody else has the board now, or it restarted: what this controller still gets from it does not count."""

    def __init__(self, message: str, holder: Holder | None = None) -> None:
        super().__init__(message)
        self.holder = holder


class Lease:
    """A lease that this process has. Its methods may be called from several threads.

    The lease lives on the board, not in a connection: where `connection` is lost, `reconnect` gives the next one.
    `clock` is the folder on the board that has `uptime` and the boot's id.
    """

    def __init__(
        self,
        connection: Connection,
        workdir: str,
        claim: Claim,
        *,
        token: int,
        taken_s: float,
        reconnect: Callable[[], Connection],
        clock: str,
    ) -> None:
        self.token = token
        self.claim = claim
        self._connection, self._workdir, self._clock = connection, workdir, clock
        self._reconnect = reconnect
        self._lock = threading.Lock()
        self._note_taken(taken_s)

    def remaining_s(self) -> float:
        """How long it surely holds without being renewed, by this machine's clock; below 0 when it may be over."""
        return self._ends_s - boottime_s()

    def keep(self, window_s: float) -> None:
        """Renew it if it would not outlast the next `window_s` seconds. Only in gaps: the board works for it.

        Raises LeaseLostError, and TransientTargetError where the board cannot be asked.
        """
        if self.remaining_s() < window_s:
            self.renew()

    def confirm(self) -> None:
        """Make sure that it holds; the board is asked only where its time is up. Raises as `keep` does."""
        self.keep(0.0)

    def renew(self) -> None:
        """Let it last `ttl_s` from now. Raises as `keep` does."""
        with self._lock:
            sent_s = boottime_s()
            self._done_here(self._run("renew", self.claim.owner, str(self.token), _seconds(self.claim.ttl_s)))
            self._note_taken(sent_s)

    def guard(self, connection: Connection, command: str) -> Completed:
        """Run a command on the board only if the lease holds there; it is renewed in one go with that.

        However long this controller slept between its last look and this command: nothing is started without a lease.
        Raises LeaseLostError where nothing was started.
        """
        words = ["guard", self.claim.owner, str(self.token), _seconds(self.claim.ttl_s), "sh", "-c", command]
        sent_s = boottime_s()
        done = _ask(connection, self._workdir, words, clock=self._clock, timeout_s=_GUARDED_TIMEOUT_S)
        _refuse_lost(done)
        self._note_taken(sent_s)
        return done

    def release(self) -> None:
        """Give the board back. A lease that was lost, or cannot be given back now, ends by itself."""
        with suppress(TargetError), self._lock:
            self._run("release", self.claim.owner, str(self.token), timeout_s=_RELEASE_TIMEOUT_S)

    def _note_taken(self, sent_s: float) -> None:
        """It was taken or renewed by a command that was sent at this moment."""
        self._ends_s = sent_s + self.claim.ttl_s - _ROUNDING_S

    def _done_here(self, done: Completed) -> None:
        _refuse_lost(done)
        _completed(done, self._workdir)

    def _run(self, *words: str, timeout_s: float = _COMMAND_TIMEOUT_S) -> Completed:
        try:
            return _ask(self._connection, self._workdir, words, clock=self._clock, timeout_s=timeout_s)
        except TransientTargetError:
            self._connection = self._reconnect()
            return _ask(self._connection, self._workdir, words, clock=self._clock, timeout_s=timeout_s)


def acquire(
    connection: Connection, workdir: str, claim: Claim, *, reconnect: Callable[[], Connection], clock: str = "/proc"
) -> Lease | Holder | AgentLeft:
    """Take the lease of a board, or learn who has it.

    Agents that others left running there are ended; one that this account cannot end keeps the board. Raises
    TargetError where the board cannot keep a lease.
    """
    taken_s = boottime_s()
    who = (claim.owner, _line(claim.person), _seconds(claim.ttl_s), str(claim.least_token), _line(claim.note))
    done = _ask(connection, workdir, ("acquire", *who), clock=clock)
    lines = _lines(done)
    if done.status == HELD:
        return holder_from_lines(lines)
    if done.status == AGENT_LEFT:
        return AgentLeft(pid=int(lines[1]), account=lines[2], job=lines[3])
    _completed(done, workdir)
    token = int(lines[-1])
    return Lease(connection, workdir, claim, token=token, taken_s=taken_s, reconnect=reconnect, clock=clock)


def give_back(connection: Connection, workdir: str, owner: str, token: int, *, clock: str = "/proc") -> None:
    """Give back the lease of a process that was killed. One that is no longer its own is left alone.

    Raises TargetError where the board cannot be asked.
    """
    _ask(connection, workdir, ("release", owner, str(token)), clock=clock, timeout_s=_RELEASE_TIMEOUT_S)


def show_lease(connection: Connection, workdir: str, *, clock: str = "/proc") -> tuple[Holder, ...]:
    """Who has the board and who reserved it; empty where nobody did. Nothing is changed on the board."""
    done = _ask(connection, workdir, ("show",), clock=clock)
    _completed(done, workdir)
    lines = _lines(done)
    return tuple(holder_from_lines(lines[i:]) for i in range(0, len(lines), HOLDER_LINES))


def reserve(
    connection: Connection, workdir: str, person: str, *, duration_s: float, note: str, clock: str = "/proc"
) -> Holder | None:
    """Reserve a board for a person, from now; again to change it. Returns who has it where it is somebody else."""
    words = ("reserve", _line(person), _seconds(duration_s), _line(note))
    return _other_holder(_ask(connection, workdir, words, clock=clock), workdir)


def unreserve(connection: Connection, workdir: str, person: str, *, clock: str = "/proc") -> Holder | None:
    """End a person's reservation. Returns whose it is where it is somebody else's."""
    return _other_holder(_ask(connection, workdir, ("unreserve", _line(person)), clock=clock), workdir)


def boottime_s() -> float:
    """Seconds by a clock of this machine that goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _ask(
    connection: Connection, workdir: str, words: Sequence[str], *, clock: str, timeout_s: float = _COMMAND_TIMEOUT_S
) -> Completed:
    """Run the script with these words. It goes in by stdin, as some SSH servers take short commands only."""
    line = shlex.join(["sh", "-s", "--", workdir, clock, *words])
    return connection.run(line, timeout_s=timeout_s, stdin=LEASE.encode())


def _other_holder(done: Completed, workdir: str) -> Holder | None:
    if done.status == HELD:
        return holder_from_lines(_lines(done))
    _completed(done, workdir)
    return None


def _refuse_lost(done: Completed) -> None:
    if done.status == LOST:
        lines = _lines(done)
        if len(lines) >= HOLDER_LINES:
            holder = holder_from_lines(lines)
            words = in_words(holder, now=datetime.now().astimezone())
            raise LeaseLostError(f"the lease of the board was lost; now the board is {words}", holder)
        raise LeaseLostError("the lease of the board was lost: the board restarted, or somebody had it since")


def _completed(done: Completed, workdir: str) -> None:
    """Raise the error that the script's status and stderr stand for."""
    if done.status == 0:
        return
    stderr = done.stderr.decode(errors="replace").strip()
    last = stderr.splitlines()[-1] if stderr else f"status {done.status}"
    if done.status == BUSY:
        raise TransientTargetError(last)
    if "No space left on device" in stderr:
        raise BoardFullError(f"the board's disk is full: {workdir}/lease cannot be written ({last})")
    raise CommandError(f"{workdir}/lease on the board cannot be used: {last}", status=done.status, stderr=stderr)


def _lines(done: Completed) -> list[str]:
    return done.stdout.decode(errors="replace").splitlines()


def _line(text: str) -> str:
    return " ".join(text.split())


def _seconds(duration_s: float) -> str:
    return str(math.ceil(duration_s))
