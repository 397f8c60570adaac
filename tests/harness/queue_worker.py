"""A worker of the engine as a process of its own, whose jobs only note in the store when they began and ended.

    python queue_worker.py QUEUE_URL STORE_URL LOG NAME SECONDS

A job of run `held` waits for the file `release-BOARD` beside the log; the run `flaky` asks twice to come back later.
Jobs last between half and three times SECONDS, so that workers do not fall into step.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hilbench.harness.engine import open_engine
from hilbench.harness.job import COMPRESS, MEASURE, Follow, Job
from hilbench.harness.queuestore import QueueStore


def main(url: str, database: str, log: str, name: str, job_s: str) -> None:
    store = QueueStore.open(database)

    def note(job: Job, kind: str) -> None:
        facts = {"worker": name, "run": job.run_id, "number": job.number, "at": time.time()}
        store.add_note("lab", str(job.board), kind, facts)

    def measure(job: Job) -> Sequence[Follow]:
        note(job, "began")
        if job.run_id == "held":
            while not (Path(log).parent / f"release-{job.board}").exists():
                time.sleep(0.05)
        if job.run_id == "flaky" and job.number < 3:
            note(job, "ended")
            return [Follow(job=job.again(), not_before=time.time() + 1.5)]
        time.sleep(float(job_s) * random.uniform(0.5, 3))
        note(job, "ended")
        return []

    def compress(job: Job) -> Sequence[Follow]:
        note(job, "compressed")
        return [Follow(job=Job(kind=MEASURE, run_id=job.run_id, rank=job.rank, board=b)) for b in ("c1", "c2")]

    def tick(at: str, what: Mapping[str, Any]) -> None:
        store.add_note("lab", "schedule", "tick", {"at": at, **what})

    engine = open_engine(url, log=Path(log), patient=True)
    engine.worker(name, {COMPRESS: compress, MEASURE: measure}, tick, poll_s=0.2)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
