"""A search in a process of its own, for those who kill it: it answers slowly from a table and keeps what it gave.

What it measured is kept as runs on boards are: a round that was answered once is not measured again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from hilbench.harness.search.measurer import Candidate, Figure, Judged, Round, RoundResult
from hilbench.harness.search.replay import TableMeasurer, read_table
from hilbench.harness.search.state import on_board

sys.path.insert(0, str(Path(__file__).parent))
from simulated import searching, with_trials


class KeptMeasurer:
    """Answers a round from its file, else measures it, says so in `measured`, and keeps it."""

    def __init__(self, folder: Path, pause_s: float) -> None:
        self._folder, self._pause_s = folder, pause_s
        self._table = TableMeasurer(read_table(folder / "table.json"))

    def judge(self, candidate: Candidate) -> Judged:
        time.sleep(self._pause_s)
        return self._table.judge(candidate)

    def measure(self, asked: Round) -> RoundResult:
        path = self._folder / f"round-{asked.number}.json"
        if not path.exists():
            time.sleep(10 * self._pause_s)
            self._keep(path, asked, self._table.measure(asked))
        data = json.loads(path.read_text())
        return RoundResult(
            found={(number, board): on_board(one) for number, board, one in data["found"]},
            baselines={(m, board): tuple(Figure(**f) for f in figures) for m, board, figures in data["baselines"]},
        )

    def _keep(self, path: Path, asked: Round, result: RoundResult) -> None:
        found = [[*key, asdict(one)] for key, one in result.found.items()]
        baselines = [[*key, [asdict(figure) for figure in figures]] for key, figures in result.baselines.items()]
        for number, board in result.found:
            with (self._folder / "measured").open("a") as file:
                file.write(f"{number} {board} {asked.effort[board]}\n")
        path.with_suffix(".new").write_text(json.dumps({"found": found, "baselines": baselines}))
        os.replace(path.with_suffix(".new"), path)  # noqa: PTH105


if __name__ == "__main__":
    folder, trials, pause_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    searching(folder / "search.sqlite", with_trials(trials), measurer=KeptMeasurer(folder, pause_s)).run()
