"""A worker that somebody stops for seconds: its figures come, and they are not believed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from hilbench.harness.collect import trial_from_event
from hilbench.reports.stateflags import invalid_blocks
from hilbench.targets.agent.job import job_to_json
from hilbench.targets.agent.journal import JOURNAL, parse_journal

from .agent_jobs import PYTHON, agent_file, cell, children, job, of_kind, save_slow_model, wait_for

STOPPED_S = 1.5


def test_worker_that_is_stopped_inside_a_timed_window_makes_its_block_invalid(tmp_path: Path) -> None:
    slow = cell("slow", tmp_path, model=save_slow_model(tmp_path / "slow.onnx"), check=False, memory=False)
    jobdir = tmp_path / "job"
    jobdir.mkdir()
    (jobdir / "job.json").write_text(job_to_json(job(slow, blocks=2, warmup_iterations=1, min_seconds=4.0)))
    running = subprocess.Popen([PYTHON, agent_file(tmp_path), "run", jobdir])
    try:
        phase = jobdir / "phase"
        wait_for(lambda: phase.exists() and phase.read_text().strip() == "steady", "a timed window")
        (worker,) = children(running.pid)
        os.kill(worker, signal.SIGSTOP)
        time.sleep(STOPPED_S)
        os.kill(worker, signal.SIGCONT)
        assert running.wait(timeout=60) == 0
    finally:
        running.kill()
        running.wait()
    events = parse_journal((jobdir / JOURNAL).read_bytes())
    trials = [trial_from_event(event) for event in of_kind(events, "trial", kind="latency")]
    assert len(trials) == 2
    for profile in ("controlled", "as-shipped"):
        stopped = {
            k: [r for r in reasons if "stood still" in r] for k, reasons in invalid_blocks(trials, profile).items()
        }
        assert [key for key, reasons in stopped.items() if reasons] == [(0, 0)]
