"""What the pages share: the inventory, the lab with its store and its queue, who may come in, what is being done."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from starlette.requests import Request

from ...targets.board import Board
from ...targets.inventory import Inventory
from ..eventstore import EventStore
from ..lab import Lab
from ..selection import Boards
from .feed import Feeds
from .forms import NotFoundError
from .labnotes import LabNotes
from .reportcache import ReportCache
from .sessions import OWNER, Sessions, Visitor
from .tasks import Tasks


class InventoryFile:
    """The inventory as it is now, read again only when the file changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._read: Inventory | None = None

    def boards(self) -> dict[str, Board]:
        """The boards by name; none where there is no file yet. Raises InventoryError for a file that is wrong."""
        with self._lock:
            try:
                found = self.path.stat()
            except FileNotFoundError:
                return {}
            stamp = (found.st_mtime_ns, found.st_size)
            if self._read is None or stamp != self._stamp:
                self._read, self._stamp = Boards(self.path).inventory, stamp
            return dict(self._read.boards)

    def board(self, name: str) -> Board:
        """A board by name. Raises NotFoundError."""
        found = self.boards().get(name)
        if found is None:
            raise NotFoundError("there is no such board in the inventory")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """All that a page may use. `closing` is set when the server is to end, so that streams end, too."""

    inventory: InventoryFile
    lab: Lab
    events: EventStore
    sessions: Sessions
    feeds: Feeds
    reports: ReportCache
    lab_notes: LabNotes
    tasks: Tasks = field(default_factory=Tasks)
    closing: threading.Event = field(default_factory=threading.Event)


def web_of(request: Request) -> Web:
    """What the application was made with."""
    return cast(Web, request.app.state.web)


def visitor_of(request: Request) -> Visitor:
    """Who asks; the guard has let nobody else in."""
    found = web_of(request).sessions.visitor({key.lower(): value for key, value in request.headers.items()})
    return found or OWNER
