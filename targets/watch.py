"""Following a session's journal from the controller: mirrored as it grows, through lost connections, to its end."""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .agent.bell import BELL
from .agent.journal import JOURNAL, parse_event
from .connection import Connection
from .errors import BoardFullError, TargetError, TransientTargetError
from .session import Session, ask_agent, stop_session

_DRAIN_TIMEOUT_S = 300.0
_FIRST_DELAY_S = 0.5
_LONGEST_DELAY_S = 15.0
_EXPIRIES = 2
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_BOOT_ID_TIMEOUT_S = 60.0
_CANCEL_POLL_S = 0.2
_NEARLY = 0.95

# $1 folder, $2 first byte (from 1). Sleeps in `read` until the agent rings; ends when the agent has ended, as the pipe
# then has no writer left (it is opened for both for a moment, lest the opening waits for one). An earlier follower that
# a dead connection left behind would take rings away: it is ended. All that is new is what descriptor 5 can still read.
_FOLLOW = f"""
cd "$1" || exit 1
old=$(cat follower 2>/dev/null)
if [ -n "$old" ] && grep -qF "$1" "/proc/$old/cmdline" 2>/dev/null; then kill -9 "$old"; fi
echo $$ > follower
exec 4<>{BELL} 3<{BELL} 4>&- 5<{JOURNAL}
tail -c "+$2" <&5
while read -r _ <&3; do cat <&5; done
cat <&5
"""

EventSink = Callable[[dict[str, Any]], None]


class AgentLostError(TargetError):
    """The agent ended without finishing its job. What it had journaled is mirrored; the message says why it ended."""


class AgentStoppedError(AgentLostError):
    """Somebody stopped the agent: no fault of the board."""


def watch(
    session: Session,
    *,
    reconnect: Callable[[], Connection],
    mirror: Path,
    on_event: EventSink,
    cancel: threading.Event | None = None,
    say: Callable[[str], None] = lambda _: None,
    give_up_s: float = 180.0,
    grace_s: float = 30.0,
) -> str:
    """Follow the journal to its end; returns the agent's last word, `finished` or `stopped`.

    Args:
        session: from `start_session` or `attach_session`.
        reconnect: opens a new connection to the same running board; closing connections is the caller's part.
        mirror: local copy of the journal, byte for byte; one that is there already is replayed and then continued.
        on_event: called with each event, arrays decoded to numpy, in order, once per call of `watch`. In a `gap` event
            the board is free for `gap_s` seconds. What it raises ends the watching, not the agent.
        cancel: when set, the agent is stopped, and `watch` returns once that is done.
        say: told in a sentence when the connection is lost or silent, and when the board answers again.
        give_up_s: how long a lost connection is tried again, by this machine's clock.
        grace_s: silence on top of `process_timeout_s` before the process under way is given up, by this machine's
            clock: a board that is emulated cannot judge that by its own.

    Raises AgentLostError (after everything was mirrored), BoardFullError where the journal met a full disk,
    TransientTargetError where the connection stayed lost, and what `reconnect` raises besides.
    """
    with _Follower(session, mirror, on_event) as follower, _stopper(follower, cancel):
        follower.replay()
        silence_s = session.job.process_timeout_s + session.job.gap_s + grace_s
        expiries = 0
        while follower.end is None:
            mark = follower.offset
            broken = _follow(follower, silence_s)
            if follower.end is not None:
                break
            if broken is not None:
                say(f"{broken}; its agent may go on measuring; trying to reach it for up to {give_up_s:g} s")
            state = _with_connection(follower, reconnect, give_up_s, cancel)
            if broken is not None:
                say(f"the board answers again; {_progress(follower)}")
            if follower.end is not None:
                break
            _require_alive(follower, state)
            expiries = 0 if follower.offset > mark else expiries
            if follower.silent_s() >= silence_s:
                expiries += 1
                if expiries > _EXPIRIES:
                    raise AgentLostError(f"the agent lives but has been silent for {follower.silent_s():.0f} s")
                ask_agent(session, follower.connection, "expire", str(follower.done))
        return follower.end


class _Follower:
    """The mirror and what has been read so far. `end` is the agent's last word, None while it works."""

    def __init__(self, session: Session, mirror: Path, on_event: EventSink) -> None:
        self.session = session
        self.connection = session.connection
        self.done = 0
        self.of: int | None = None
        self.end: str | None = None
        self.offset = 0
        self._unfinished = b""
        self._on_event = on_event
        self._heard = time.monotonic()
        self._mirror = mirror
        with self._explained():
            self._file = mirror.open("a+b")

    def __enter__(self) -> _Follower:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what a full disk refused was told when it was written
            self._file.close()

    def replay(self) -> None:
        """Hand on what an earlier watch has mirrored."""
        self._file.seek(0)
        data = self._file.read()
        self.offset = len(data)
        self._parse(data)

    def take(self, piece: bytes) -> None:
        """Mirror bytes of the journal, sync them at line ends, hand on the events that are whole."""
        with self._explained():
            self._file.write(piece)
            if b"\n" in piece:
                self._file.flush()
                os.fsync(self._file.fileno())
        self.offset += len(piece)
        self._heard = time.monotonic()
        self._parse(piece)

    def silent_s(self) -> float:
        """Seconds since the journal last grew, by this machine's clock."""
        return time.monotonic() - self._heard

    @contextmanager
    def _explained(self) -> Generator[None]:
        """What this machine's disk refuses, in a sentence. The journal on the board has it all the same."""
        try:
            yield
        except OSError as error:
            raise TargetError(
                f"the copy of the journal, {self._mirror}, cannot be written: {error.strerror}"
            ) from error

    def _parse(self, piece: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + piece).split(b"\n")
        for line in filter(None, lines):
            try:
                event = parse_event(line)
                self._note(event)
            except (ValueError, KeyError, TypeError) as error:
                what = f"{error} is missing" if isinstance(error, KeyError) else error
                raise AgentLostError(f"the journal of job {self.session.job.job_id} is damaged: {what}") from error
            self._on_event(event)

    def _note(self, event: dict[str, Any]) -> None:
        match event["event"]:
            case "start":
                self.of = event["of"]
            case "gap":
                self.done, self.of = int(event["done"]), int(event["of"])
            case "end":
                self.end = event["state"]
            case _:
                pass


def _follow(follower: _Follower, silence_s: float) -> str | None:
    """Stream the journal until the agent has ended (None), the connection is lost or silent for too long (in words)."""
    session = follower.session
    words = ["sh", "-c", _FOLLOW, "sh", session.jobdir, str(follower.offset + 1)]
    stream = follower.connection.stream(shlex.join(words), idle_timeout_s=silence_s)
    heard = time.monotonic()
    try:
        for piece in stream:
            follower.take(piece)
            heard = time.monotonic()
    except TransientTargetError:  # why, the agent's state tells
        silent = time.monotonic() - heard >= _NEARLY * silence_s
        return f"the board has been silent for {silence_s:.0f} s" if silent else "the connection to the board was lost"
    finally:
        if isinstance(stream, Generator):
            stream.close()
    return None


def _with_connection(
    follower: _Follower,
    reconnect: Callable[[], Connection],
    give_up_s: float,
    cancel: threading.Event | None,
) -> dict[str, Any]:
    """The agent's state, asked before the rest of the journal is fetched; reconnects with growing delays if needed."""
    deadline, delay_s, tries = time.monotonic() + give_up_s, _FIRST_DELAY_S, 0
    while True:
        try:
            if tries:
                follower.connection = reconnect()
            # A connection that has fallen silent must not use up the time in which a new one might work.
            _require_same_boot(follower, min(_BOOT_ID_TIMEOUT_S, max(1.0, give_up_s / 3)))
            if follower.end is not None:
                return {}
            if cancel is not None and cancel.is_set():
                stop_session(follower.session, follower.connection)
            state = ask_agent(follower.session, follower.connection, "status")
            _drain(follower, state)
            return state
        except TransientTargetError as error:
            if tries and time.monotonic() + delay_s > deadline:
                raise TransientTargetError(
                    f"the board could not be reached again within {give_up_s:g} s ({error}); "
                    "its agent may go on measuring, and the next run collects that"
                ) from error
        time.sleep(delay_s)
        tries, delay_s = tries + 1, min(2 * delay_s, _LONGEST_DELAY_S)


def _drain(follower: _Follower, state: dict[str, Any]) -> None:
    """Mirror what the journal has beyond the mirror."""
    journal_bytes = state["journal_bytes"]
    if journal_bytes is None or journal_bytes < follower.offset:
        raise AgentLostError(
            f"the board no longer has what it journaled ({journal_bytes or 0} of {follower.offset} bytes): "
            "its disk was rolled back or cleaned"
        )
    _fetch(follower)


def _fetch(follower: _Follower) -> None:
    journal = shlex.quote(f"{follower.session.jobdir}/{JOURNAL}")
    done = follower.connection.run(f"tail -c +{follower.offset + 1} {journal}", timeout_s=_DRAIN_TIMEOUT_S)
    if done.status == 0 and done.stdout:
        follower.take(done.stdout)


def _require_same_boot(follower: _Follower, timeout_s: float) -> None:
    """Asked first and without the agent: after a sudden end the board's disk may have lost the agent's file.

    A journal that ended before the restart is whole all the same, so what is left of it is fetched before complaining.
    """
    done = follower.connection.run(f"cat {_BOOT_ID}", timeout_s=timeout_s)
    if done.status != 0 or done.stdout.decode(errors="replace").strip() == follower.session.boot_id:
        return
    _fetch(follower)
    if follower.end is None:
        raise AgentLostError(f"the board restarted while the job ran; {_progress(follower)}")


def _progress(follower: _Follower) -> str:
    return f"{follower.done} of {follower.of} processes were done" if follower.of else "nothing was done yet"


def _require_alive(follower: _Follower, state: dict[str, Any]) -> None:
    if state["state"] == "running":
        return
    count = _progress(follower)
    note = (state["agent"] or {}).get("note")
    if note and "No space left" in note:
        raise BoardFullError(f"the board's disk is full, the agent could not journal ({note}); {count}")
    words = note or state["last_words"]
    raise AgentLostError(f"the agent on the board {'ended: ' + words if words else 'was killed'}; {count}")


@contextmanager
def _stopper(follower: _Follower, cancel: threading.Event | None) -> Generator[None]:
    """While watching: stop the agent as soon as `cancel` is set, from a thread, as the watcher sleeps in a read."""
    if cancel is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_stop_when_set, args=(follower, cancel, over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _stop_when_set(follower: _Follower, cancel: threading.Event, over: threading.Event) -> None:
    while not over.is_set():
        if cancel.wait(_CANCEL_POLL_S):
            try:
                stop_session(follower.session, follower.connection)
            except TransientTargetError:
                over.wait(_LONGEST_DELAY_S)  # the watcher reconnects and stops the agent itself
            except TargetError:
                return  # the watcher meets the same refusal and reports it
            else:
                return
