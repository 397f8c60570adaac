"""Work that takes longer than a request: looking at a board, adding one. It runs in a thread and may ask a question.

What it says is kept as numbered lines, so that a viewer who comes back goes on where it was. Tasks live in memory: a
server that ends forgets them, as a terminal does that is closed.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...compression.errors import CompressionError
from ...targets.errors import TargetError
from ..console import mistake_sentence
from ..errors import HarnessError
from ..progress import Progress
from .forms import NotFoundError

MOST_AT_WORK, MOST_KEPT = 8, 100
PATIENCE_S = 900.0  # how long a question waits for its answer
_MOST_LINES = 2_000

Work = Callable[["Task"], Mapping[str, Any]]


@dataclass(slots=True, kw_only=True)
class Task:
    """One piece of work. `state`: `working`, `asking` (a question waits for its answer), `done`, `failed`.

    `result` is what it came to, `problem` the sentence why it came to nothing.
    """

    task_id: str
    title: str
    subject: str
    began_s: float = field(default_factory=time.monotonic)
    state: str = "working"
    lines: list[str] = field(default_factory=list[str])
    question: str | None = None
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])
    problem: str | None = None
    changed: threading.Condition = field(default_factory=threading.Condition)
    _answer: bool | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "failed")

    def say(self, line: str) -> None:
        """One line of progress."""
        with self.changed:
            if len(self.lines) < _MOST_LINES:
                self.lines.append(line)
            self.changed.notify_all()

    def ask(self, question: str) -> bool:
        """Put a question to whoever looks at the task, and wait. Nobody's answer is a no."""
        with self.changed:
            self.state, self.question, self._answer = "asking", question, None
            self.changed.notify_all()
            self.changed.wait_for(lambda: self._answer is not None, timeout=PATIENCE_S)
            answer, self.state, self.question = bool(self._answer), "working", None
            self.changed.notify_all()
        self.say("confirmed" if answer else "not confirmed")
        return answer

    def answer(self, question: str, yes: bool) -> bool:
        """Answer the question that was shown; False where it is not asked any more."""
        with self.changed:
            if self.state != "asking" or self.question != question or self._answer is not None:
                return False
            self._answer = yes
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.state != "asking", timeout=5)
        return True

    def end(self, *, result: Mapping[str, Any] | None = None, problem: str | None = None) -> None:
        """The work is over."""
        with self.changed:
            self.result, self.problem = result or {}, problem
            self.state = "done" if problem is None else "failed"
            self.changed.notify_all()


class TaskProgress(Progress):
    """Progress that is told to a task instead of a terminal."""

    def __init__(self, task: Task) -> None:
        super().__init__(quiet=True)
        self._task = task

    def say(self, line: str) -> None:
        """One line, in the log too."""
        super().say(line)
        self._task.say(line)


class Tasks:
    """The tasks of a server, by their ids, which nobody can guess."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, Task] = {}

    def start(self, title: str, subject: str, work: Work) -> Task:
        """Begin something in a thread of its own. Raises HarnessError where too much is at work already."""
        task = Task(task_id=secrets.token_urlsafe(12), title=title, subject=subject)
        with self._lock:
            if sum(not one.over for one in self._tasks.values()) >= MOST_AT_WORK:
                raise HarnessError(f"{MOST_AT_WORK} boards are being looked at already; wait until one is done")
            for old in [key for key, one in self._tasks.items() if one.over][: max(0, len(self._tasks) - MOST_KEPT)]:
                del self._tasks[old]
            self._tasks[task.task_id] = task
        threading.Thread(target=_carry_out, args=(task, work), name=f"task-{task.task_id}", daemon=True).start()
        return task

    def of(self, task_id: str) -> Task:
        """The task of an id. Raises NotFoundError."""
        with self._lock:
            found = self._tasks.get(task_id)
        if found is None:
            raise NotFoundError("there is no such task; a server that was started anew has forgotten those before")
        return found


def _carry_out(task: Task, work: Work) -> None:
    """The boundary of a task: whatever happens, it has an end and a sentence."""
    try:
        task.end(result=work(task))
    except (HarnessError, TargetError, CompressionError) as error:
        task.end(problem=str(error))
    except Exception as error:  # noqa: BLE001  a mistake of ours must not leave a page that waits for ever
        task.end(problem=mistake_sentence(error))
