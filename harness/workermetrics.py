"""What a worker tells Prometheus: read from the queue, the store and the worker itself when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from .metrics import Snapshot, board_states
from .provenance import hilbench_version
from .quarantine import standing
from .queueport import Engine
from .queuestore import QueueStore, priority_of
from .running import Running


def snapshots(
    name: str, boards: Sequence[str], store: QueueStore, engine: Engine, running: Running
) -> Callable[[], Snapshot]:
    """A function that takes a snapshot of the worker `name`. `boards` are those of the inventory."""

    def taken() -> Snapshot:
        tickets = running.tickets()
        standings = {board: standing(store.lab_notes(board)) for board in boards}
        busy = {ticket.job.board for ticket in tickets if ticket.job.board is not None}
        queue = Counter((one.state, priority_of(one.job.rank)) for one in engine.list())
        return Snapshot(
            version=hilbench_version(),
            worker=name,
            queue=queue,
            running=len(tickets),
            boards=board_states(standings, busy),
            last_ok={board: found.last_ok for board, found in standings.items()},
            trials=store.trial_count(),
        )

    return taken
