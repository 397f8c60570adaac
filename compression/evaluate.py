"""What this machine says about an artifact: accuracy over the whole test set, and raw outputs on some inputs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .apply import Artifact
from .cache import RULES, content_key, sha256_of, write_atomically
from .data import Dataset, model_inputs
from .errors import ModelError
from .foreign import disk_error
from .host import Progress, host_runtime_name, open_model, run_each, stacked
from .model import Model
from .task import Array, Score, Task, score, top1

CHUNK = 256  # samples preprocessed at a time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """An artifact judged on this machine. `predictions` are int64 [N], one class for each sample of the test set."""

    metric: str
    score: Score
    predictions: NDArray[np.int64]
    runtime: str


def evaluate(
    artifact: Artifact, model: Model, test: Dataset, task: Task, *, cache: Path, progress: Progress | None = None
) -> Evaluation | None:
    """Return the accuracy of an artifact over the whole test set, one sample at a time, one thread.

    None where the task has no accuracy, or this machine has no runtime for the file's format: not measured. The result
    is kept in `cache` by artifact, data and runtime version.
    """
    runtime_name = host_runtime_name(artifact.format)
    if task.metric is None or test.labels is None or runtime_name is None:
        return None
    key = content_key(
        rules=RULES, what="top1", artifact=artifact.sha256, data=test.sha256, runtime=runtime_name,
        preprocessing=asdict(task.preprocessing), inputs=[asdict(spec) for spec in model.inputs],
    )  # fmt: skip
    kept = _read(cache / "evaluations" / f"{key}.npz")
    predictions = kept.get("predictions") if kept is not None else None
    if predictions is None or predictions.shape != test.labels.shape:
        predictions = _predict(artifact, model, test, task, progress)
        _write(cache / "evaluations" / f"{key}.npz", {"predictions": predictions})
    return Evaluation(
        metric=task.metric, score=score(predictions, test.labels), predictions=predictions, runtime=runtime_name
    )


def _predict(
    artifact: Artifact, model: Model, test: Dataset, task: Task, progress: Progress | None
) -> NDArray[np.int64]:
    doing = f"{artifact.recipe}: accuracy on {test.name}"
    runtime = open_model(artifact.path, artifact.format, doing=doing)
    assert runtime is not None  # its name was found
    assert test.labels is not None
    first_output = model.outputs[0].name
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(test), CHUNK):
        indices = np.arange(start, min(start + CHUNK, len(test)))
        samples = list(run_each(runtime, model_inputs(test, model, task, indices), doing=doing))
        outputs = stacked(samples)[first_output]
        found.append(top1(outputs))
        _refuse_foreign_labels(test, outputs)
        if progress is not None:
            progress(doing, int(indices[-1]) + 1, len(test))
    return np.concatenate(found)


def _refuse_foreign_labels(test: Dataset, outputs: Array) -> None:
    assert test.labels is not None
    classes, highest = outputs.shape[1], int(test.labels.max())
    if highest >= classes:
        raise ModelError(f"{test.name} has the label {highest}, but the model knows classes 0 to {classes - 1}.")


def host_outputs(artifact: Artifact, inputs: Mapping[str, Array], *, cache: Path) -> dict[str, Array] | None:
    """Return all raw outputs of an artifact for `inputs` ([N, ...] by name), first axis = samples.

    None where this machine has no runtime for the file's format. Kept in `cache` like accuracies.
    """
    runtime_name = host_runtime_name(artifact.format)
    if runtime_name is None:
        return None
    hashes = {name: [str(v.dtype), v.shape, sha256_of(np.ascontiguousarray(v).tobytes())] for name, v in inputs.items()}
    key = content_key(rules=RULES, what="outputs", artifact=artifact.sha256, inputs=hashes, runtime=runtime_name)
    path = cache / "evaluations" / f"{key}.npz"
    kept = _read(path)
    if kept is not None and "names" in kept:
        return {name: kept[f"output{i}"] for i, name in enumerate(kept["names"].tolist())}
    doing = f"{artifact.recipe}: outputs on this machine"
    runtime = open_model(artifact.path, artifact.format, doing=doing)
    assert runtime is not None  # its name was found
    outputs = stacked(list(run_each(runtime, inputs, doing=doing)))
    # Numbered, because an output's name may be anything and an archive's key may not.
    numbered = {f"output{i}": values for i, values in enumerate(outputs.values())}
    _write(path, {"names": np.asarray(list(outputs)), **numbered})
    return outputs


def _read(path: Path) -> dict[str, Array] | None:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: np.asarray(archive[name]) for name in archive.files}
    except (FileNotFoundError, ValueError, EOFError, zipfile.BadZipFile):
        return None  # absent or damaged: it is measured again
    except OSError as error:
        raise disk_error(f"Reading {path}", error) from error


def _write(path: Path, arrays: Mapping[str, Array]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # pyright: ignore[reportArgumentType]  a key of ours is never a parameter of savez
    write_atomically(path, buffer.getvalue())
