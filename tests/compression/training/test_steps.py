"""The steps that use torch, on real files: fine-tuning, distillation, both kinds of pruning."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hilbench.compression import batch_norm
from hilbench.compression.apprenticeship import Apprenticeship
from hilbench.compression.errors import CompressionError, ModelError, RecipeError, UnsupportedRecipeError
from hilbench.compression.frontend import outputs_of, to_torch
from hilbench.compression.gradients import gradient_taker
from hilbench.compression.model import read_model
from hilbench.compression.prune_channels import prune_channels
from hilbench.compression.prune_taylor import prune_taylor
from hilbench.compression.stepkinds import PruneChannels, PruneTaylor
from hilbench.compression.task import subset_indices
from hilbench.compression.train_step import train
from hilbench.compression.trainsteps import Distil, Finetune
from onnx import ModelProto, numpy_helper

from .conftest import Workshop

FINETUNE = Finetune(epochs=6, batch=32, learning_rate=0.02)


def sha256(proto: ModelProto) -> str:
    return hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()


def save(proto: ModelProto, folder: Path) -> Path:
    onnx.save(proto, folder / "kept.onnx")
    return folder / "kept.onnx"


@pytest.fixture(scope="session")
def finetuned(shop: Workshop) -> ModelProto:
    return train(shop.proto, FINETUNE, shop.apprenticeship)[0]


def test_fine_tuning_learns_and_gives_the_same_file_each_time(
    workshop: Workshop, finetuned: ModelProto, tmp_path: Path
) -> None:
    assert workshop.accuracy(workshop.proto) < 0.6
    proto, notes = train(workshop.proto, FINETUNE, workshop.apprenticeship)
    assert workshop.accuracy(proto) > 0.9
    assert sha256(finetuned) == sha256(proto)
    assert notes[0].startswith("finetune: 6 epochs on 192 samples of bars1, loss 1.")
    assert notes[0].endswith("BatchNorm was put back behind 2 convolutions for it")
    assert list(workshop.apprenticeship.checkpoints.iterdir()) == []
    model = read_model(save(proto, tmp_path))
    assert (model.inputs, model.outputs) == (workshop.model.inputs, workshop.model.outputs)
    assert b"/hilbench" not in proto.SerializeToString()
    assert b"/lib/python" not in proto.SerializeToString()
    assert all(node.op_type != "BatchNormalization" for node in proto.graph.node)


def test_a_step_killed_in_its_last_epoch_gives_the_file_of_an_undisturbed_one(workshop: Workshop) -> None:
    def stop(text: str, done: int, of: int) -> None:
        if "epoch 2 of 2" in text:
            raise KeyboardInterrupt

    step = replace(FINETUNE, epochs=2, shift_pixels=1)
    with pytest.raises(KeyboardInterrupt):
        train(workshop.proto, step, replace(workshop.apprenticeship, progress=stop))
    (kept,) = workshop.apprenticeship.checkpoints.iterdir()
    resumed, _ = train(workshop.proto, step, workshop.apprenticeship)
    assert not kept.exists()
    undisturbed, _ = train(workshop.proto, step, workshop.apprenticeship)
    assert sha256(resumed) == sha256(undisturbed)


def test_channels_are_cut_and_distillation_brings_the_accuracy_back(workshop: Workshop, finetuned: ModelProto) -> None:
    teacher = finetuned
    apprentice = replace(workshop.apprenticeship, teacher=teacher)
    cut, notes = prune_channels(teacher, PruneChannels(), apprentice, None)
    assert notes[0].startswith("prune-channels: 35 channels became 19, ")
    assert [t.dims[0] for t in cut.graph.initializer if len(t.dims) == 4] == [8, 8]
    pupil, _ = train(cut, Distil(labels=False, epochs=4, batch=32, learning_rate=0.02), apprentice)
    assert workshop.accuracy(pupil) > 0.9


def test_a_teacher_may_be_a_file(workshop: Workshop, finetuned: ModelProto, tmp_path: Path) -> None:
    step = Distil(teacher=str(save(finetuned, tmp_path)), epochs=8, batch=32, learning_rate=0.02, mixing=1.0)
    proto, _ = train(workshop.proto, step, workshop.apprenticeship)
    assert workshop.accuracy(proto) > 0.9


def test_excluded_layers_and_those_that_answer_keep_their_channels(workshop: Workshop) -> None:
    for name in ("conv1", "second"):
        with pytest.raises(UnsupportedRecipeError, match="no channels could be cut"):
            prune_channels(workshop.proto, PruneChannels(exclude=("conv1", name)), workshop.apprenticeship, None)
    with pytest.raises(RecipeError, match="`exclude` names `conv3`, which is no layer"):
        prune_channels(workshop.proto, PruneChannels(exclude=("conv3",)), workshop.apprenticeship, None)


def test_channels_that_the_loss_needs_stay_where_gradients_choose(workshop: Workshop) -> None:
    step = PruneChannels(importance="taylor", rounds=2, round_to=4, scope="global", ratio=0.5)
    proto, notes = prune_channels(workshop.proto, step, workshop.apprenticeship, None)
    assert proto.ByteSize() < workshop.proto.ByteSize()
    assert "fewer" in notes[0]


def test_gradients_choose_weights_that_the_loss_can_spare(workshop: Workshop, finetuned: ModelProto) -> None:
    teacher = finetuned
    before = {t.name: numpy_helper.to_array(t) for t in teacher.graph.initializer}
    pruned, notes = prune_taylor(teacher, PruneTaylor(ratio=0.5, rounds=2), workshop.apprenticeship)
    after = {t.name: numpy_helper.to_array(t) for t in pruned.graph.initializer}
    layers = [name for name, value in before.items() if value.ndim >= 2]
    zeros = sum(int((after[name] == 0).sum()) for name in layers)
    assert zeros == sum(before[name].size for name in layers) // 2
    assert all(((after[n] == before[n]) | (after[n] == 0)).all() for n in layers)
    assert notes[0].startswith(f"prune-taylor: {zeros} of ")
    assert workshop.accuracy(pruned) > 0.9


def test_gradients_count_by_their_root_mean_square_over_batches(workshop: Workshop) -> None:
    data = workshop.apprenticeship.train
    assert data is not None
    assert data.labels is not None
    module = to_torch(workshop.proto, workshop.model.inputs, workshop.few, doing="test")
    gradient_taker(data, workshop.apprenticeship, 64, 1)(module)
    chosen = subset_indices(len(data), 64, 1)
    dense = next(m for m in module.modules() if isinstance(m, torch.nn.Linear))
    seen: list[torch.Tensor] = []
    dense.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0]))
    logits = outputs_of(module, {"x": data.arrays["images"][chosen]}, doing="test")[0]
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = shares - np.eye(3)[data.labels[chosen]]  # the gradient of cross entropy by the logits
    batches = [wrong[part].T @ seen[0].numpy()[part] / 32 for part in (slice(0, 32), slice(32, 64))]
    assert dense.weight.grad is not None
    np.testing.assert_allclose(dense.weight.grad.numpy(), np.sqrt(np.mean(np.square(batches), axis=0)), atol=1e-5)


def test_zeros_survive_fine_tuning_where_they_are_kept(workshop: Workshop) -> None:
    pruned, _ = prune_taylor(workshop.proto, PruneTaylor(ratio=0.6), workshop.apprenticeship)
    share: list[float] = []
    for keep in (True, False):
        proto, _ = train(pruned, replace(FINETUNE, epochs=1, keep_zeros=keep), workshop.apprenticeship)
        values = np.concatenate([numpy_helper.to_array(t).ravel() for t in proto.graph.initializer if len(t.dims) >= 2])
        share.append(float((values == 0).mean()))
    assert share[0] == pytest.approx(0.6, abs=0.01)
    assert share[1] < 0.4  # those before a dead Relu learn nothing


def test_batch_norm_put_back_changes_no_answer_and_folds_away(workshop: Workshop) -> None:
    module = to_torch(workshop.proto, workshop.model.inputs, workshop.few, doing="test")
    before = outputs_of(module, workshop.few, doing="test")[0]
    names = batch_norm.put_back(module, [torch.from_numpy(workshop.few["x"])])
    assert len(names) == 2
    np.testing.assert_allclose(outputs_of(module.eval(), workshop.few, doing="test")[0], before, atol=1e-5)
    norms = [m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 2
    batch_norm.fold(module, names)
    np.testing.assert_allclose(outputs_of(module, workshop.few, doing="test")[0], before, atol=1e-5)
    assert not [m for m in module.modules() if isinstance(m, torch.nn.BatchNorm2d)]


def test_without_training_data_the_plan_is_told_what_it_lacks(workshop: Workshop, without_data: Apprenticeship) -> None:
    with pytest.raises(UnsupportedRecipeError, match="`finetune` needs labelled training data: `train:` in the plan"):
        train(workshop.proto, FINETUNE, without_data)
    with pytest.raises(UnsupportedRecipeError, match="`prune-taylor` needs labelled training data"):
        prune_taylor(workshop.proto, PruneTaylor(), without_data)
    data = workshop.apprenticeship.train
    assert data is not None
    unlabelled = replace(without_data, train=replace(data, labels=None))
    with pytest.raises(UnsupportedRecipeError, match="or `labels: false` to learn from the teacher alone"):
        train(workshop.proto, Distil(), unlabelled)


def test_labels_that_teach_nothing_are_refused(workshop: Workshop) -> None:
    data = workshop.apprenticeship.train
    assert data is not None
    assert data.labels is not None
    for labels, words in ((data.labels * 0, "holds one class only"), (data.labels + 1, "has the label 3, but")):
        apprentice = replace(workshop.apprenticeship, train=replace(data, labels=labels))
        with pytest.raises(ModelError, match=words):
            train(workshop.proto, FINETUNE, apprentice)


def test_a_diverging_step_is_one_sentence(workshop: Workshop) -> None:
    with pytest.raises(CompressionError, match=r"^lean of net: training diverged in epoch 1 \(loss"):
        train(workshop.proto, replace(FINETUNE, learning_rate=1e30), workshop.apprenticeship)
