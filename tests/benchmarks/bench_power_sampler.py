"""What the on-board power sampler does to a measured median: with it against without it, and without against itself.

Three fresh processes a round, in random order: plain, plain again (the A/A control), and one while the sampler polls a
sensor's files 50 times a second. The sampler must change the median by less than the noise of A/A.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hilbench.reports.statistics import shift_estimate
from hilbench.targets.local import open_local
from hilbench.targets.power.open import open_meter
from hilbench.targets.power.settings import HwmonSettings

from ..targets.agent_jobs import PYTHON, cell, job, of_kind, run_job, save_inputs

DIGITS = Path(__file__).parents[2] / "models" / "digits"
ROUNDS = 12
WARMUP, ITERATIONS = 50, 4000


def median_ns(folder: Path, inputs: Path, name: str) -> float:
    one = cell("digits", folder, model=DIGITS / "digits.onnx", golden=inputs, timing=inputs, check=False, memory=False)
    given = job(one, job_id=name, warmup_iterations=WARMUP, iterations=ITERATIONS)
    (trial,) = of_kind(run_job(folder, replace(given, process_timeout_s=120.0)), "trial")
    return float(np.median(trial["samples"]))


def metered_ns(folder: Path, inputs: Path, name: str, seed: int) -> float:
    meter = open_meter(
        HwmonSettings(poll_s=0.02, sysfs=str(folder / "sys")),
        open_local(),
        workdir=str(folder),
        python=PYTHON,
        seed=seed,
    )
    meter.setup()
    meter.start()
    median = median_ns(folder, inputs, name)
    meter.stop()
    (trace,) = meter.samples()
    assert len(trace.values) > 10
    return median


def test_the_sampler_changes_the_median_by_less_than_the_noise_of_a_a(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = np.load(DIGITS / "digits-test.npz")["images"][:8, None].astype(np.float32) / 255
    inputs = save_inputs(tmp_path / "images.npz", image=images)
    sensor = tmp_path / "sys/class/hwmon/hwmon0"
    sensor.mkdir(parents=True)
    (sensor / "name").write_text("ina226\n")
    (sensor / "power1_input").write_text("5000000\n")
    dice = random.Random(4)
    metered: list[float] = []
    control: list[float] = []
    for number in range(ROUNDS):
        found: dict[str, float] = {}
        for kind in dice.sample(("plain", "twin", "metered"), 3):
            name = f"{kind}{number}"
            found[kind] = (
                metered_ns(tmp_path, inputs, name, number) if kind == "metered" else median_ns(tmp_path, inputs, name)
            )
        metered.append(math.log(found["metered"] / found["plain"]))
        control.append(math.log(found["twin"] / found["plain"]))
    change, noise = shift_estimate(metered), shift_estimate(control)
    assert noise.low is not None
    assert noise.high is not None
    floor = max(abs(noise.low), abs(noise.high))
    with capsys.disabled():
        print(  # noqa: T201
            f"\nwith the sampler: {change.value:+.2%} ({change.low:+.2%} to {change.high:+.2%}); "
            f"A/A: {noise.value:+.2%} ({noise.low:+.2%} to {noise.high:+.2%}); {ROUNDS} rounds"
        )
    assert abs(change.value) <= floor
