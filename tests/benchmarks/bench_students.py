"""The two students, trained by distillation from the committed digits model: how small, and what 8 bits cost them.

Not part of `make test`: it trains for minutes. Accuracy is over the 2,500 held-out images, against the committed
model's; "at most" is the upper bound of the paired 95 % interval.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hilbench.compression.apprenticeship import Apprenticeship
from hilbench.compression.mixed import quantize_mixed_int8
from hilbench.compression.qat import qat
from hilbench.compression.quantize import quantize_static_int8
from hilbench.compression.short_names import shorten_names
from hilbench.compression.stepkinds import Int8Mixed, Int8Static
from hilbench.compression.train_step import train
from hilbench.compression.trainsteps import Distil, Qat

from .digits_figures import Digits, judge, load_digits

SEEDS = (1, 2, 3)
SMALLER = 50
LARGEST_DROP_PP = 1.0
SQUEEZE = Distil(student="squeeze-digits", epochs=16, learning_rate=0.01, shift_pixels=2)
# A high rate, as MobileNets were trained: some channels die, and BatchNorm blows their depthwise weights up.
MOBILE = Distil(student="mobile-digits", epochs=4, learning_rate=0.1)
QAT = Qat(epochs=2)

Apprentice = Callable[[str], Apprenticeship]


@pytest.fixture(scope="module")
def digits() -> Digits:
    return load_digits()


@pytest.fixture
def apprentice(digits: Digits, tmp_path: Path) -> Apprentice:
    def give(doing: str) -> Apprenticeship:
        return Apprenticeship(
            model=digits.model,
            task=digits.task,
            train=digits.train,
            teacher=digits.proto,
            checkpoints=tmp_path / "checkpoints",
            doing=doing,
        )

    return give


def test_the_fire_student_is_a_fiftieth_in_size_and_within_a_point(
    digits: Digits, apprentice: Apprentice, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[str] = []
    found: list[tuple[int, float]] = []
    for seed in SEEDS:
        pupil, _ = train(digits.proto, replace(SQUEEZE, seed=seed), apprentice(f"squeeze-digits, seed {seed}"))
        rows.append(judge(pupil, digits).row(f"squeeze-digits, seed {seed}, float"))
        small = shorten_names(quantize_static_int8(pupil, Int8Static(), digits.samples(), tmp_path))
        figures = judge(small, digits)
        rows.append(figures.row(f"squeeze-digits, seed {seed}, int8-static"))
        rows.append(judge(small, digits, exact=False).row("  the same as this machine adds"))
        found.append((figures.bytes, figures.upper_pp))
    _show(capsys, rows)
    assert all(size * SMALLER <= digits.model.bytes for size, _ in found)
    assert all(upper_pp <= LARGEST_DROP_PP for _, upper_pp in found)


def test_mixed_precision_and_training_win_back_what_8_bits_cost_the_depthwise_student(
    digits: Digits, apprentice: Apprentice, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pupil, _ = train(digits.proto, MOBILE, apprentice("mobile-digits"))
    samples = digits.samples()
    plain = quantize_static_int8(pupil, Int8Static(per_channel=False), samples, tmp_path)
    per_channel = quantize_static_int8(pupil, Int8Static(), samples, tmp_path)
    mixed, notes = quantize_mixed_int8(pupil, Int8Mixed(per_channel=False), samples, tmp_path)
    trained, _ = qat(pupil, QAT, apprentice("mobile-digits with rounding"))
    named = {
        "mobile-digits, float": pupil,
        "int8-static, one scale a layer": plain,
        "int8-static, one scale a channel": per_channel,
        "int8-mixed, one scale a layer": mixed,
        "qat": trained,
    }
    figures = {name: judge(proto, digits) for name, proto in named.items()}
    _show(capsys, [*(value.row(name) for name, value in figures.items()), *notes])
    before, worst, *_ = (value.accuracy for value in figures.values())
    assert before - worst >= 0.01
    for name in ("int8-mixed, one scale a layer", "qat"):
        assert figures[name].accuracy - worst >= (before - worst) / 2


def _show(capsys: pytest.CaptureFixture[str], rows: list[str]) -> None:
    with capsys.disabled():
        print("", *rows, sep="\n")  # noqa: T201  the table is what a bench is for
