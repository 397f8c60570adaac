from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hilbench.compression import checkpoints
from hilbench.compression.errors import CompressionError
from hilbench.compression.lessons import Lesson, Teaching, learning_rate, loss_of, meaning_of, scores, shifted
from hilbench.compression.training import fit
from torch import nn
from torch.nn import functional

GENERATOR = np.random.default_rng(0)
POINTS = GENERATOR.standard_normal((60, 4)).astype(np.float32)
LABELS = (POINTS[:, 0] > 0).astype(np.int64)

# The same module and lesson in a process of its own: stops for ever in the epoch given, after the one before was kept.
CHILD = """
import sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
from pupil import LESSON, pupil
from hilbench.compression.training import fit

def stop(text, done, of):
    if "epoch 3 of" in text:
        print("in epoch 3", flush=True)
        time.sleep(600)

fit(pupil(), LESSON, checkpoint=Path({checkpoint!r}), doing="test", progress=stop)
"""
PUPIL = """
import numpy as np, torch
from torch import nn
from hilbench.compression.lessons import Lesson

generator = np.random.default_rng(0)
points = generator.standard_normal((60, 4)).astype(np.float32)
labels = (points[:, 0] > 0).astype(np.int64)

def pupil():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))

LESSON = Lesson(inputs=lambda chosen: points[chosen], samples=60, data_sha256="points",
                labels=labels, epochs=5, batch=16)
"""


def pupil() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))


def lesson(**changed: object) -> Lesson:
    plain = Lesson(
        inputs=lambda chosen: POINTS[chosen], samples=60, data_sha256="points", labels=LABELS, epochs=5, batch=16
    )
    return replace(plain, **changed)  # pyright: ignore[reportArgumentType]


def interrupted(epoch: int) -> Callable[[str, int, int], None]:
    def stop(text: str, done: int, of: int) -> None:
        if f"epoch {epoch} of" in text:
            raise KeyboardInterrupt

    return stop


def test_the_same_lesson_gives_the_same_weights_and_another_seed_gives_others(tmp_path: Path) -> None:
    found: list[str] = []
    for number, seed in enumerate([1, 1, 2]):
        module = pupil()
        report = fit(module, lesson(seed=seed), checkpoint=tmp_path / f"{number}", doing="test")
        assert report.losses[-1] < report.losses[0]
        found.append(checkpoints.fingerprint(module))
    assert found[0] == found[1] != found[2]


def test_a_killed_training_goes_on_and_ends_with_the_same_weights(tmp_path: Path) -> None:
    undisturbed = pupil()
    fit(undisturbed, lesson(), checkpoint=tmp_path / "undisturbed", doing="test")
    (tmp_path / "pupil.py").write_text(PUPIL)
    kept = tmp_path / "kept"
    code = CHILD.format(folder=str(tmp_path), checkpoint=str(kept))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "in epoch 3\n"
        os.kill(child.pid, signal.SIGKILL)
    module = pupil()
    report = fit(module, lesson(), checkpoint=kept, doing="test")
    assert report.resumed_from == 2
    assert checkpoints.fingerprint(module) == checkpoints.fingerprint(undisturbed)


def test_ctrl_c_passes_through_and_loses_no_whole_epoch(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(pupil(), lesson(), checkpoint=tmp_path / "kept", doing="test", progress=interrupted(4))
    assert fit(pupil(), lesson(), checkpoint=tmp_path / "kept", doing="test").resumed_from == 3


@pytest.mark.parametrize("spoil", ["cut", "flip", "empty"])
def test_a_damaged_checkpoint_is_as_if_there_were_none(tmp_path: Path, spoil: str) -> None:
    kept = tmp_path / "kept"
    fit(pupil(), lesson(), checkpoint=kept, doing="test")
    data = bytearray(kept.read_bytes())
    data[len(data) // 2] ^= 1
    kept.write_bytes({"cut": data[:-9], "flip": data, "empty": b""}[spoil])
    assert fit(pupil(), lesson(), checkpoint=kept, doing="test").resumed_from == 0


@pytest.mark.parametrize("changed", [{"seed": 2}, {"data_sha256": "others"}, {"learning_rate": 0.01}, {"labels": None}])
def test_the_checkpoint_of_another_training_is_not_used(tmp_path: Path, changed: dict[str, object]) -> None:
    taught = lesson(
        teaching=Teaching(answers=lambda inputs: inputs[:, :1] * np.asarray([-9, 9], np.float32), sha256="t")
    )
    fit(pupil(), taught, checkpoint=tmp_path / "kept", doing="test")
    other = replace(taught, **changed)  # pyright: ignore[reportArgumentType]
    assert fit(pupil(), other, checkpoint=tmp_path / "kept", doing="test").resumed_from == 0
    assert fit(pupil(), other, checkpoint=tmp_path / "kept", doing="test").resumed_from == 5


@pytest.mark.parametrize("rate", [1e4, 1e30])
def test_a_training_that_diverges_says_when_and_what_to_do(tmp_path: Path, rate: float) -> None:
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    with pytest.raises(CompressionError, match=r"^test: training diverged in epoch \d \(loss .*\): lower `learning_ra"):
        fit(module, lesson(learning_rate=rate), checkpoint=tmp_path / "kept", doing="test")


def test_weights_that_are_zero_stay_zero_unless_told_otherwise(tmp_path: Path) -> None:
    zeros: list[int] = []
    for keep in (True, False):
        module = pupil()
        with torch.no_grad():
            module.get_parameter("0.weight")[:, ::2] = 0
        fit(module, lesson(keep_zeros=keep), checkpoint=tmp_path / f"{keep}", doing="test")
        zeros.append(int((module.get_parameter("0.weight") == 0).sum()))
    assert zeros == [16, 0]


def test_progress_tells_epoch_loss_and_time_left(tmp_path: Path) -> None:
    said: list[tuple[str, int, int]] = []
    fit(pupil(), lesson(), checkpoint=tmp_path / "kept", doing="distil", progress=lambda *all_of: said.append(all_of))
    text, done, of = said[-1]
    assert text.startswith("distil: epoch 5 of 5, loss 0.")
    assert text.endswith(", 0 s left")
    assert (done, of) == (20, 20)


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CompressionError, match="could not be read or written"):
        fit(pupil(), lesson(epochs=1), checkpoint=tmp_path / "file" / "kept", doing="test")


def test_the_rate_rises_to_its_peak_and_falls_to_nearly_nothing() -> None:
    rates = [learning_rate(lesson(learning_rate=0.1, epochs=10, batch=15), step) for step in range(40)]
    assert rates[0] == pytest.approx(0.004)
    assert max(rates) == rates[8] == pytest.approx(0.1)
    assert rates[8:] == sorted(rates[8:], reverse=True)
    assert rates[-1] < 0.001


def test_the_loss_is_the_one_of_hinton() -> None:
    output, answers = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[3.0, 0.0, 1.0]])
    labels = torch.tensor([1])
    taught = lesson(teaching=Teaching(answers=lambda inputs: inputs, sha256="t", temperature=2.0, mixing=0.25))
    p, q = torch.softmax(answers / 2, -1), torch.softmax(output / 2, -1)
    distance = 4 * float((p * (p / q).log()).sum())
    truth = float(functional.cross_entropy(output, labels))
    assert float(loss_of(taught, output, labels, answers)) == pytest.approx(0.75 * truth + 0.25 * distance)
    assert float(loss_of(taught, output, None, answers)) == pytest.approx(distance)


def test_probabilities_count_as_the_logits_that_gave_them() -> None:
    logits = torch.tensor([[[1.0, 2.0, 0.0], [0.0, 0.5, 0.1]]])
    shares = torch.softmax(logits, -1)
    assert meaning_of(shares.numpy(), scored=True) == "probabilities"
    assert meaning_of(logits.numpy(), scored=True) == "logits"
    assert meaning_of(logits.numpy(), scored=False) == "values"
    torch.testing.assert_close(torch.softmax(scores(shares, "probabilities"), -1), shares)


def test_plain_values_are_learned_in_units_of_their_variance() -> None:
    taught = lesson(teaching=Teaching(answers=lambda inputs: inputs, sha256="t"), meaning="values", labels=None)
    answers = torch.tensor([[0.0], [10.0]])
    assert float(loss_of(taught, answers.mean() + 0 * answers, None, answers)) == pytest.approx(0.5)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_shift_moves_the_picture_and_fills_with_its_edge(axis: int) -> None:
    image = np.zeros((1, 1, 5, 5), np.float32)
    image[0, 0, 2, 2] = 1
    images = np.repeat(np.moveaxis(image, 1, -1) if axis == 1 else image, 40, axis=0)
    moved = shifted(images, 1, axis, np.random.default_rng(0))
    assert moved.shape == images.shape
    places = {tuple(int(v) for v in np.argwhere(m.squeeze() == 1)[0]) for m in moved}
    assert places == {(y, x) for y in (1, 2, 3) for x in (1, 2, 3)}
    assert shifted(np.ones_like(images), 1, axis, np.random.default_rng(0)).min() == 1


def test_a_last_batch_of_one_is_left_out(tmp_path: Path) -> None:
    assert (lesson(batch=59).steps_per_epoch, lesson(batch=58).steps_per_epoch) == (1, 2)
    fit(pupil(), lesson(batch=59, epochs=1), checkpoint=tmp_path / "kept", doing="test")


def test_a_module_given_again_is_not_changed_by_reading_its_fingerprint() -> None:
    module = pupil()
    other = copy.deepcopy(module)
    assert checkpoints.fingerprint(module) == checkpoints.fingerprint(other)
    with torch.no_grad():
        other.get_parameter("0.bias")[0] += 1
    assert checkpoints.fingerprint(module) != checkpoints.fingerprint(other)
