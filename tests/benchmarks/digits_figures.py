"""What the benches say of a compressed digits file: right answers on the test images, against the committed one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from hilbench.compression.data import Dataset, load_data, model_inputs
from hilbench.compression.model import Model, load_proto, read_model
from hilbench.compression.task import Preprocessing, Task, subset_indices
from hilbench.reports.drop import paired_interval
from onnx import ModelProto

DIGITS = Path(__file__).parents[2] / "models" / "digits"
CALIBRATED = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """The committed model with its task and data."""

    model: Model
    task: Task
    train: Dataset
    calibration: Dataset
    test: Dataset

    @property
    def proto(self) -> ModelProto:
        """The committed model's graph."""
        return load_proto(self.model)

    def samples(self) -> list[dict[str, np.ndarray]]:
        """Return the calibration inputs that a recipe would take."""
        values = model_inputs(
            self.calibration, self.model, self.task, subset_indices(len(self.calibration), CALIBRATED, 0)
        )["image"]
        return [{"image": values[i : i + 1]} for i in range(len(values))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Accuracy as a fraction; drop against the committed model and its upper 95 % bound in percentage points."""

    accuracy: float
    drop_pp: float
    upper_pp: float
    bytes: int

    def row(self, name: str) -> str:
        """Return one line of a table."""
        return (
            f"{name:<40} {self.accuracy:7.2%}  drop {self.drop_pp:6.2f} pp (at most {self.upper_pp:6.2f})  "
            f"{self.bytes:>9,} B"
        )


def load_digits() -> Digits:
    """Read the committed model and its data."""
    model = read_model(DIGITS / "digits.onnx")
    task = Task(kind="classification", preprocessing=Preprocessing(scale=1 / 255))
    train, calibration, test = (
        load_data(DIGITS / f"digits-{name}.npz", model, task) for name in ("train", "calibration", "test")
    )
    return Digits(model=model, task=task, train=train, calibration=calibration, test=test)


def judge(proto: ModelProto, digits: Digits, *, exact: bool = True) -> Figures:
    """Return the figures of a file on the whole test set.

    `exact` asks onnxruntime for exact 8-bit sums, as ARM boards and processors with 8-bit dot products compute them;
    without it a machine with AVX2 only saturates large ones.
    """
    before, after = _right(digits.proto, digits, exact=exact), _right(proto, digits, exact=exact)
    lost, gained = int((before & ~after).sum()), int((after & ~before).sum())
    return Figures(
        accuracy=float(after.mean()),
        drop_pp=100 * float(before.mean() - after.mean()),
        upper_pp=100 * paired_interval(lost, gained, len(after))[1],
        bytes=proto.ByteSize(),
    )


def _right(proto: ModelProto, digits: Digits, *, exact: bool) -> np.ndarray:
    assert digits.test.labels is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", "1" if exact else "0")
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = model_inputs(digits.test, digits.model, digits.task)
    return np.asarray(session.run(None, inputs)[0]).argmax(1) == digits.test.labels


def saved(proto: ModelProto, path: Path) -> Path:
    """Write a file and return where."""
    onnx.save(proto, path)
    return path
