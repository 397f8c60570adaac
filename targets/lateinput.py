"""A command that runs on a board while something else is done, and gets its one line of stdin only at the end."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator

from .connection import Completed


class LateInput:
    """`run` is called at once in a thread of its own, with a stdin whose end must come by `finish` or `give_up`."""

    def __init__(self, run: Callable[[Iterable[bytes]], Completed]) -> None:
        self._line: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._done: Completed | None = None
        self._error: BaseException | None = None
        self._run = run
        # A daemon: where the board is silent it ends at the command's own deadline, and nobody has to wait for that.
        self._thread = threading.Thread(target=self._work, name="hilbench-late-input", daemon=True)
        self._thread.start()

    def finish(self, line: str) -> Completed:
        """Send the line; what the command came to, or the error that running it raised."""
        self._line.put(f"{line}\n".encode())
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._done is not None
        return self._done

    def give_up(self) -> None:
        """End stdin without a line; does not wait."""
        self._line.put(b"")

    def _work(self) -> None:
        try:
            self._done = self._run(self._stdin())
        except BaseException as error:  # noqa: BLE001  handed to whoever asks for the result
            self._error = error

    def _stdin(self) -> Iterator[bytes]:
        if line := self._line.get():
            yield line
