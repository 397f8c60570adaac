"""Server-sent events: a stream that resumes where its viewer was, ends when its subject does, and is cut if unread.

A stream holds no thread, no lock and no transaction while it waits for its viewer, so one who never reads costs the
others nothing; after STALL_S in which not a byte was taken it is cut off.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from .cellstate import CellState
from .feed import Seen, note_text
from .pages import short
from .tasks import Task

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

HEARTBEAT_S = 15.0
STALL_S = 30.0
MOST_STREAMS = 200
_RETRY_MS = 2_000
_LINE = 400
_NOTES_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. `number` is what a viewer comes back with; events without one say how things are, again each time."""

    kind: str
    data: Any
    number: int | None = None

    def encoded(self) -> bytes:
        """As the stream carries it. JSON has no line ends, so no text can pose as another event."""
        number = "" if self.number is None else f"id: {self.number}\n"
        return f"{number}event: {self.kind}\ndata: {json.dumps(self.data)}\n\n".encode()


class Source(Protocol):
    """What a stream follows."""

    def next(self) -> tuple[Sequence[Event], bool]:
        """What is new, and whether nothing more will come. May block for a moment; never for its viewer."""
        ...


@dataclass(slots=True, kw_only=True)
class RunSource:
    """A run from its viewer's place in it on: each note once, each cell when its state changed."""

    look: Callable[[], Seen]
    after: int
    _shown: dict[str, CellState] = field(default_factory=dict[str, CellState])
    _state: str = ""

    def next(self) -> tuple[Sequence[Event], bool]:
        """See `Source`."""
        seen = self.look()
        notes = seen.after(self.after)[:_NOTES_AT_ONCE]
        events = [Event(kind="note", number=note.seq, data=note_facts(note)) for note in notes]
        self.after = notes[-1].seq if notes else self.after
        changed = [cell for cell in seen.cells if self._shown.get(cell.cell_id) != cell]
        self._shown.update((cell.cell_id, cell) for cell in changed)
        if changed:
            events.append(Event(kind="cells", data=[cell_facts(cell) for cell in changed]))
        if self._state != seen.run.state:
            self._state = seen.run.state
            events.append(Event(kind="run", data={"state": self._state, "ended_at": seen.run.ended_at}))
        over = seen.over and not seen.after(self.after)
        return [*events, Event(kind="end", data={"state": seen.run.state})] if over else events, over


@dataclass(slots=True, kw_only=True)
class TaskSource:
    """A task's lines from a viewer's place on, and its questions."""

    task: Task
    after: int
    _state: str = ""

    def next(self) -> tuple[Sequence[Event], bool]:
        """See `Source`."""
        task = self.task
        with task.changed:
            lines, state = task.lines[self.after :], task.state
        events = [Event(kind="line", number=self.after + i, data=short(line, _LINE)) for i, line in enumerate(lines, 1)]
        self.after += len(lines)
        if state != self._state:
            self._state = state
            events.append(Event(kind="state", data={"state": state}))
        return ([*events, Event(kind="end", data={"state": state})], True) if task.over else (events, False)


def note_facts(note: Any) -> dict[str, Any]:
    """A note for a viewer."""
    words = {"subject": short(note.subject), "text": short(note_text(note), _LINE)}
    return {"number": note.seq, "at": note.at, "kind": note.kind, **words}


def cell_facts(cell: CellState) -> dict[str, Any]:
    """A cell's state for a viewer. The id is whole, as the page finds its place by it."""
    told = {"state": cell.state, "text": cell.text, "done": cell.done, "of": cell.of}
    return {"cell": cell.cell_id, **told, "reason": None if cell.reason is None else short(cell.reason, _LINE)}


class EventStream(Response):
    """The response that carries a source to one viewer."""

    media_type = "text/event-stream"
    open_streams = 0  # all run in one event loop, so a plain number will do

    def __init__(self, source: Source, *, closing: threading.Event, look_s: float) -> None:
        super().__init__(headers={"cache-control": "no-store", "x-accel-buffering": "no"})
        self._source = source
        self._closing = closing
        self._look_s = look_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the source ends, the viewer goes, or the server closes."""
        if EventStream.open_streams >= MOST_STREAMS:
            await Response("too many viewers\n", status_code=503, headers={"retry-after": "5"})(scope, receive, send)
            return
        EventStream.open_streams += 1
        gone = asyncio.ensure_future(_gone(receive))
        try:
            raw = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
            await send({"type": "http.response.start", "status": 200, "headers": raw})
            async for chunk in self._chunks(gone):
                async with asyncio.timeout(STALL_S):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if not gone.done():
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except TimeoutError:
            pass  # the viewer takes nothing: the server closes the connection
        finally:
            EventStream.open_streams -= 1
            gone.cancel()

    async def _chunks(self, gone: asyncio.Future[None]) -> AsyncIterator[bytes]:
        yield f"retry: {_RETRY_MS}\n\n".encode()
        sent_s = time.monotonic()
        while not gone.done() and not self._closing.is_set():
            events, over = await run_in_threadpool(self._source.next)
            if events:
                yield b"".join(event.encoded() for event in events)
                sent_s = time.monotonic()
            elif time.monotonic() - sent_s > HEARTBEAT_S:
                yield b": still here\n\n"
                sent_s = time.monotonic()
            if over:
                return
            if len(events) < _NOTES_AT_ONCE:
                await asyncio.wait([gone], timeout=self._look_s)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def place_of(headers: Any, after: int | None) -> int:
    """From which number on a viewer wants to hear: the browser's `Last-Event-ID`, else the address's `after`."""
    text = str(headers.get("last-event-id", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else (after or 0)
