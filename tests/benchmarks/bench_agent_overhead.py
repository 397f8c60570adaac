"""What the agent adds to a timed inference: its own median against a bare loop around the same runtime call.

Fresh processes of both kinds take turns in one run, so that drift and load of this machine meet both alike; the figure
is the median of the ratios of neighbours. Not part of `make test`: it times, so it wants a quiet machine.
"""

from __future__ import annotations

import statistics
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ..targets.agent_jobs import PYTHON, cell, job, of_kind, run_job, save_inputs

DIGITS = Path(__file__).parents[2] / "models" / "digits"
ROUNDS = 15
WARMUP, ITERATIONS = 50, 400
LARGEST_RATIO = 1.02

BARE = f"""
import statistics, sys, time
import numpy as np
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(sys.argv[1], options)
images = np.load(sys.argv[2])["image"]
feeds = [{{"image": images[i : i + 1]}} for i in range(len(images))]
names = [output.name for output in session.get_outputs()]
taken = []
for i in range({WARMUP} + {ITERATIONS}):
    feed = feeds[i % len(feeds)]
    start = time.perf_counter_ns()
    session.run(names, feed)
    taken.append(time.perf_counter_ns() - start)
print(statistics.median(taken[{WARMUP}:]))
"""


def bare_ns(inputs: Path) -> float:
    argv = [PYTHON, "-c", BARE, str(DIGITS / "digits.onnx"), str(inputs)]
    return float(subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120).stdout)


def agent_ns(folder: Path, inputs: Path, number: int) -> float:
    one = cell("digits", folder, model=DIGITS / "digits.onnx", golden=inputs, timing=inputs, check=False, memory=False)
    given = job(one, job_id=f"job{number}", warmup_iterations=WARMUP, iterations=ITERATIONS)
    (trial,) = of_kind(run_job(folder, replace(given, process_timeout_s=120.0)), "trial")
    return float(np.median(trial["samples"]))


def test_agent_adds_at_most_two_percent_to_an_inference(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = np.load(DIGITS / "digits-test.npz")["images"][:8, None].astype(np.float32) / 255
    inputs = save_inputs(tmp_path / "images.npz", image=images)
    ratios: list[float] = []
    for number in range(ROUNDS):
        if number % 2:
            bare = bare_ns(inputs)
            ratios.append(agent_ns(tmp_path, inputs, number) / bare)
        else:
            agent = agent_ns(tmp_path, inputs, number)
            ratios.append(agent / bare_ns(inputs))
    ratio = statistics.median(ratios)
    low, high = statistics.quantiles(ratios, n=4)[::2]
    with capsys.disabled():
        print(f"\nagent / bare loop: {ratio:.4f} (middle half {low:.4f} to {high:.4f}, {ROUNDS} pairs)")  # noqa: T201
    assert ratio <= LARGEST_RATIO
