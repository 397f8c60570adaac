"""What Prometheus may read of a worker: its queue, its boards, what is stored. Text format 0.0.4.

The format: prometheus.io/docs/instrumenting/exposition_formats. `render` is pure; `serve_metrics` answers `/metrics`.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..targets.errors import TargetError
from .errors import HarnessError, PlanError
from .quarantine import Standing

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
IDLE, BUSY, QUARANTINED = "idle", "busy", "quarantined"
_STATES = (IDLE, BUSY, QUARANTINED)

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A worker at one moment. What is None is not measured, and leaves its metric out.

    `queue`: (state, priority) -> jobs. `boards`: board -> `idle`, `busy` or `quarantined`. `last_ok`: board -> the
    moment, as the store writes it, at which a job of a run last had it to its end.
    """

    version: str
    worker: str
    queue: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    running: int = 0
    boards: Mapping[str, str] = field(default_factory=dict[str, str])
    last_ok: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    trials: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Metric:
    name: str
    kind: str
    about: str
    samples: tuple[tuple[Labels, float], ...]


def board_states(standings: Mapping[str, Standing], busy: Collection[str]) -> dict[str, str]:
    """Each board's state for a snapshot; `busy` are those that a job has now. Pure."""
    return {
        board: QUARANTINED if found.quarantined else BUSY if board in busy else IDLE
        for board, found in standings.items()
    }


def render(snapshot: Snapshot) -> str:
    """The snapshot as Prometheus reads it. Pure."""
    return "".join(_family(metric) for metric in _metrics(snapshot) if metric.samples)


@contextmanager
def serve_metrics(port: int, snapshot: Callable[[], Snapshot], *, host: str = "127.0.0.1") -> Generator[int]:
    """Answer `http://host:port/metrics` from a thread while the block runs; yields the port (0 asks for a free one).

    Nothing is counted between two questions: each takes a snapshot of its own. Raises PlanError where the port cannot
    be had.
    """
    try:
        server = ThreadingHTTPServer((host, port), _answers(snapshot))
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise PlanError(f"metrics cannot be served on {host}:{port}: {why}; name another port") from error
    server.daemon_threads = True
    over = threading.Event()

    def answer() -> None:  # not serve_forever, which wakes twice a second: this machine may be timed
        while not over.is_set():
            server.handle_request()

    thread = threading.Thread(target=answer, name="metrics", daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        over.set()
        with suppress(OSError):
            socket.create_connection((host, server.server_address[1]), timeout=5).close()  # wakes it
        server.server_close()


def _metrics(snapshot: Snapshot) -> tuple[_Metric, ...]:
    states = {**dict.fromkeys(_STATES, 0), **Counter(snapshot.boards.values())}
    seen = {board: datetime.fromisoformat(at).timestamp() for board, at in snapshot.last_ok.items() if at is not None}
    in_quarantine = {board: state == QUARANTINED for board, state in snapshot.boards.items()}
    return (
        _gauge("build_info", "The version of hilbench; always 1.", (({"version": snapshot.version}, 1),)),
        _gauge("worker_up", "1 while this worker runs.", (({"worker": snapshot.worker}, 1),)),
        _gauge(
            "queue_jobs",
            "Jobs in the queue by state and priority.",
            tuple(({"state": s, "priority": p}, count) for (s, p), count in sorted(snapshot.queue.items())),
        ),
        _gauge("jobs_running", "Jobs that this worker carries out now.", (({}, snapshot.running),)),
        _gauge("boards", "Boards by state.", tuple(({"state": s}, count) for s, count in sorted(states.items()))),
        _gauge(
            "board_quarantined",
            "1 for a board that no run may use until `hilbench board check` passes.",
            tuple(({"board": board}, int(value)) for board, value in sorted(in_quarantine.items())),
        ),
        _gauge(
            "board_last_success_timestamp_seconds",
            "When a job of a run last had the board to its end; absent where none did.",
            tuple(({"board": board}, moment) for board, moment in sorted(seen.items())),
        ),
        _Metric(
            name="trials_stored_total",
            kind="counter",
            about="Trials in the store.",
            samples=() if snapshot.trials is None else (({}, snapshot.trials),),
        ),
    )


def _gauge(name: str, about: str, samples: tuple[tuple[Labels, float], ...]) -> _Metric:
    return _Metric(name=name, kind="gauge", about=about, samples=samples)


def _family(metric: _Metric) -> str:
    name = f"hilbench_{metric.name}"
    about = metric.about.replace("\\", r"\\").replace("\n", r"\n")
    lines = [f"# HELP {name} {about}", f"# TYPE {name} {metric.kind}"]
    lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in metric.samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _answers(snapshot: Callable[[], Snapshot]) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        """One question of Prometheus."""

        timeout = 10  # a peer that says nothing must not keep a thread

        def do_GET(self) -> None:
            """`/metrics`; anything else is not there."""
            if self.path.partition("?")[0] != "/metrics":
                self._say(404, "text/plain; charset=utf-8", "only /metrics is here\n")
                return
            try:
                text = render(snapshot())
            except (HarnessError, TargetError) as error:
                self._say(503, "text/plain; charset=utf-8", f"{error}\n")
                return
            self._say(200, CONTENT_TYPE, text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name that the library gives
            """Say nothing: Prometheus asks every few seconds."""

        def _say(self, status: int, content_type: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Answer
