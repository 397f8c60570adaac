from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hilbench.compression.errors import CompressionError, RecipeError, UnsupportedRecipeError
from hilbench.compression.prune import l1_budget_mask, masks, prune_l1, ratio_mask, sparsity_note
from hilbench.compression.recipe import PruneL1
from onnx import numpy_helper

EXAMPLE = np.arange(1, 11) / 10


def test_worked_example_removes_the_first_six_weights() -> None:
    removed = l1_budget_mask(EXAMPLE, 2.0)
    assert EXAMPLE[removed].tolist() == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]
    assert EXAMPLE[~removed].tolist() == [0.7, 0.8, 0.9, 1.0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_worked_example_holds_in_any_order_sign_shape_and_type(dtype: type[np.floating]) -> None:
    generator = np.random.default_rng(0)
    weights = (generator.permutation(EXAMPLE) * generator.choice([-1, 1], 10)).astype(dtype).reshape(2, 5)
    removed = l1_budget_mask(weights, 2.0)
    assert removed.shape == (2, 5)
    assert sorted(np.abs(weights[removed]).tolist()) == EXAMPLE[:6].astype(dtype).tolist()


def test_a_sum_equal_to_the_budget_has_not_passed_it() -> None:
    assert l1_budget_mask(np.array([1.0, 2.0, 3.0, 4.0]), 3.0).tolist() == [True, True, True, False]


def test_a_budget_below_the_least_weight_removes_that_weight_alone() -> None:
    assert l1_budget_mask(np.array([3.0, 1.0, 2.0]), 0.5).tolist() == [False, True, False]


def test_a_budget_that_is_never_passed_removes_all() -> None:
    assert l1_budget_mask(EXAMPLE, 100).all()


def test_equal_magnitudes_go_in_the_order_of_memory() -> None:
    assert l1_budget_mask(np.array([1.0, -1.0, 1.0, -1.0]), 1.5).tolist() == [True, True, False, False]


def test_ratio_rounds_down_to_whole_weights() -> None:
    assert int(ratio_mask(EXAMPLE, 0.59).sum()) == 5
    assert ratio_mask(np.array([5.0, -1.0, 3.0, 2.0]), 0.5).tolist() == [False, True, False, True]


def test_global_scope_lets_layers_compete_and_per_layer_scope_does_not() -> None:
    layers = {"small": np.array([[0.1, 0.2]]), "large": np.array([[10.0, 20.0]])}
    together = masks(layers, PruneL1(ratio=0.5))
    apart = masks(layers, PruneL1(ratio=0.5, scope="per-layer"))
    assert (together["small"].tolist(), together["large"].tolist()) == ([[True, True]], [[False, False]])
    assert (apart["small"].tolist(), apart["large"].tolist()) == ([[True, False]], [[True, False]])


def test_pruning_zeros_the_least_weights_and_leaves_the_others_untouched(save_model: Callable[..., Path]) -> None:
    proto = onnx.load(save_model())
    before = {t.name: numpy_helper.to_array(t).copy() for t in proto.graph.initializer}
    report = prune_l1(proto, PruneL1(ratio=0.5))
    after = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    together = np.concatenate([values.ravel() for values in before.values()])
    limit = np.sort(np.abs(together))[together.size // 2]
    for name, values in before.items():
        assert np.array_equal(after[name], np.where(np.abs(values) < limit, 0, values))
    assert sum(layer.zeros for layer in report) == together.size // 2
    assert "12 of 24 weights are zero (50.0%)" in sparsity_note(report)


def test_weights_in_constant_operators_are_pruned_too(save_model: Callable[..., Path]) -> None:
    proto = onnx.load(save_model(weights_in_constants=True))
    report = prune_l1(proto, PruneL1(ratio=0.5))
    stored = numpy_helper.to_array(proto.graph.node[0].attribute[0].t)
    assert sum(layer.zeros for layer in report) == 12
    assert int((stored == 0).sum()) == report[0].zeros > 0


@pytest.mark.parametrize("name", ["conv", "kernel"])
def test_a_layer_is_excluded_by_its_name_or_by_that_of_its_weights(save_model: Callable[..., Path], name: str) -> None:
    report = prune_l1(onnx.load(save_model()), PruneL1(ratio=0.5, exclude=(name,)))
    assert [layer.name for layer in report] == ["matrix"]


def test_an_excluded_name_that_no_layer_has_is_refused_with_the_nearest(save_model: Callable[..., Path]) -> None:
    with pytest.raises(RecipeError, match=r"`kernle`, which is no layer of the model. Did you mean `kernel`\?"):
        prune_l1(onnx.load(save_model()), PruneL1(ratio=0.5, exclude=("kernle",)))


def test_a_budget_that_would_remove_everything_is_refused_with_the_sum(save_model: Callable[..., Path]) -> None:
    with pytest.raises(CompressionError, match=r"l1_budget 1e\+06 removes every weight: their magnitudes sum to"):
        prune_l1(onnx.load(save_model()), PruneL1(l1_budget=1e6))


def test_a_model_without_weights_cannot_be_pruned(save_model: Callable[..., Path]) -> None:
    with pytest.raises(UnsupportedRecipeError, match="found no float weights"):
        prune_l1(onnx.load(save_model()), PruneL1(ratio=0.5, exclude=("conv", "dense")))
