"""What this machine says about an artifact: accuracy over the whole test set, and raw outputs on some inputs."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .apply import Artifact
from .cache import RULES, content_key, sha256_of, write_atomically
from .data import Dataset, model_inputs
from .errors import ModelError
from .foreign import disk_error
from .host import Progress, run_each, stacked
from .interface import Interface
from .model import Model
from .openfile import open_file, runtime_name
from .scoring import Judged, Score, Scores, answers, judge, mean_score, set_figures
from .task import Array, Task
from .userfunction import function_sha256

CHUNK = 64  # samples run before they are judged: raw outputs of text recognizers take 1 MB each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """An artifact judged on this machine, over the whole test set.

    `predictions` are class numbers or texts [N] or boxes [N, 100, 6], None for a user's own metric. `scores` are [N]
    values from 0 to 1 by the task's metric, of which `score` is the mean; `beside` holds what is reported beside it, by
    name: means of other metrics, and figures of the whole set.
    """

    metric: str
    score: Score
    scores: Scores
    predictions: Array | None
    runtime: str
    beside: Mapping[str, float]


def evaluate(
    artifact: Artifact,
    model: Model,
    test: Dataset,
    task: Task,
    *,
    cache: Path,
    runtime: str | None = None,
    progress: Progress | None = None,
) -> Evaluation | None:
    """Return the accuracy of an artifact over the whole test set, one sample at a time, one thread.

    `runtime` is the one that the board has (`tflite-runtime`), None for the usual one of this machine. None where the
    task has no accuracy, or this machine cannot have that runtime: not measured. The result is kept in `cache` by
    artifact, data and runtime version.
    """
    name = runtime_name(artifact.format, runtime)
    if task.metric is None or name is None:
        return None
    wanted = wanted_answers(model, test, task, cache=cache, progress=progress)
    if wanted is None and task.kind != "custom":
        return None
    key = _key("scores", artifact.sha256, name, model, test, task)
    path = cache / "evaluations" / f"{key}.npz"
    kept = _judged(_read(path), len(test), task)
    if kept is None:
        file = _File(path=artifact.path, format=artifact.format, interface=artifact.interface, runtime=runtime)
        runs = _runs(file, model, test, task, f"{artifact.recipe}: accuracy", progress)
        parts = ((None if wanted is None else wanted[indices], outputs) for indices, outputs in runs)
        kept = _joined([_judge(outputs, right, model, test, task) for right, outputs in parts])
        _write(path, {**({} if kept.answers is None else {_ANSWERS: kept.answers}), **kept.scores})
    metric, *others = kept.scores
    return Evaluation(
        metric=task.metric,
        score=mean_score(kept.scores[metric]),
        scores=kept.scores[metric],
        predictions=kept.answers,
        runtime=name,
        beside={
            **{name: float(kept.scores[name].mean()) for name in others},
            **set_figures(kept.answers, wanted, task),
        },
    )


def wanted_answers(
    model: Model, test: Dataset, task: Task, *, cache: Path, progress: Progress | None = None
) -> Array | None:
    """Return what answers are compared with, [N]: the labels, or for `agreement` what the uncompressed model answers.

    None where there are no labels, or this machine has no runtime for the model's format.
    """
    if task.kind != "agreement":
        return test.labels
    name = runtime_name(model.format, None)
    if name is None:
        return None
    path = cache / "evaluations" / f"{_key('reference', model.sha256, name, model, test, task)}.npz"
    kept = (_read(path) or {}).get(_ANSWERS)
    if kept is None or len(kept) != len(test):
        file = _File(path=model.path, format=model.format)
        runs = _runs(file, model, test, task, f"{model.path.name}: its own answers", progress)
        kept = np.concatenate([answers(outputs, task, output=model.outputs[0].name) for _, outputs in runs])
        _write(path, {_ANSWERS: kept})
    return kept


_ANSWERS = "answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """What is run, and in which runtime (None: the usual one)."""

    path: Path
    format: str
    interface: Interface | None = None
    runtime: str | None = None


def _key(what: str, sha256: str, runtime: str, model: Model, test: Dataset, task: Task) -> str:
    """Everything that answers and scores hang on."""
    return content_key(
        rules=RULES, what=what, artifact=sha256, reference=model.sha256, data=test.sha256, kind=task.kind,
        runtime=runtime, preprocessing=asdict(task.preprocessing),
        inputs=[asdict(spec) for spec in model.inputs], metric=task.metric, metrics=task.metrics,
        characters=task.characters, function=None if task.function is None else function_sha256(task.function),
    )  # fmt: skip


def _runs(
    file: _File, model: Model, test: Dataset, task: Task, doing: str, progress: Progress | None
) -> Iterator[tuple[NDArray[np.intp], dict[str, Array]]]:
    """Yield (indices, raw outputs) of the whole test set, a few samples at a time."""
    doing = f"{doing} on {test.name}"
    runtime = open_file(file.path, file.format, file.interface, runtime=file.runtime, doing=doing)
    assert runtime is not None  # its name was found
    for start in range(0, len(test), CHUNK):
        indices = np.arange(start, min(start + CHUNK, len(test)))
        yield indices, stacked(list(run_each(runtime, model_inputs(test, model, task, indices), doing=doing)))
        if progress is not None:
            progress(doing, int(indices[-1]) + 1, len(test))


def _judge(outputs: Mapping[str, Array], wanted: Array | None, model: Model, test: Dataset, task: Task) -> Judged:
    name = model.outputs[0].name
    found = judge(outputs, wanted, task, output=name)
    if task.kind == "classification":
        _refuse_foreign_labels(test, outputs[name])
    return found


def _joined(parts: Sequence[Judged]) -> Judged:
    scores = {name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores}
    given = [part.answers for part in parts if part.answers is not None]
    return Judged(answers=np.concatenate(given) if given else None, scores=scores)


def _judged(kept: Mapping[str, Array] | None, samples: int, task: Task) -> Judged | None:
    """What was kept, None where it does not hold all that the task needs."""
    names = [name for name in (task.metric, *task.metrics) if name is not None]
    if kept is None or any(name not in kept or kept[name].shape != (samples,) for name in names):
        return None
    return Judged(answers=kept.get(_ANSWERS), scores={name: kept[name] for name in dict.fromkeys(names)})


def _refuse_foreign_labels(test: Dataset, outputs: Array) -> None:
    assert test.labels is not None
    classes, highest = outputs.shape[1], int(test.labels.max())
    if highest >= classes:
        raise ModelError(f"{test.name} has the label {highest}, but the model knows classes 0 to {classes - 1}.")


def host_outputs(
    artifact: Artifact, inputs: Mapping[str, Array], *, cache: Path, runtime: str | None = None
) -> dict[str, Array] | None:
    """Return all raw outputs of an artifact for `inputs` ([N, ...], both by the model's names), first axis = samples.

    None where this machine cannot have the `runtime` (see `evaluate`). Kept in `cache` like accuracies.
    """
    name = runtime_name(artifact.format, runtime)
    if name is None:
        return None
    hashes = {name: [str(v.dtype), v.shape, sha256_of(np.ascontiguousarray(v).tobytes())] for name, v in inputs.items()}
    key = content_key(rules=RULES, what="outputs", artifact=artifact.sha256, inputs=hashes, runtime=name)
    path = cache / "evaluations" / f"{key}.npz"
    kept = _read(path)
    if kept is not None and "names" in kept:
        return {name: kept[f"output{i}"] for i, name in enumerate(kept["names"].tolist())}
    doing = f"{artifact.recipe}: outputs on this machine"
    opened = open_file(artifact.path, artifact.format, artifact.interface, runtime=runtime, doing=doing)
    assert opened is not None  # its name was found
    outputs = stacked(list(run_each(opened, inputs, doing=doing)))
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
