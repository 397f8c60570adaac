"""Structured pruning: whole channels cut out, so that the model is smaller and faster everywhere.

The work is torch-pruning's (G. Fang et al., "DepGraph: towards any structural pruning", CVPR 2023, arXiv 2301.12900):
it finds which channels of which layers must go together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import libraries
from .apprenticeship import Apprenticeship
from .data import Dataset, model_inputs, random_data
from .errors import UnsupportedRecipeError
from .foreign import foreign_errors
from .frontend import as_tuple, compare, to_torch
from .gradients import gradient_taker, labelled_data
from .layers import excluded, layers_of
from .stepkinds import PruneChannels
from .task import Array, subset_indices
from .torch_export import export_onnx

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, nn
    from torch.fx import GraphModule, Node

CHECKED = 4
# In one order over all layers a weak layer could lose every channel; a tenth of each stays.
MOST_OF_A_LAYER = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How large a module is: output channels of its layers, parameters, multiply-accumulates for one sample."""

    channels: int
    parameters: int
    macs: int


def prune_channels(
    proto: ModelProto, step: PruneChannels, apprenticeship: Apprenticeship, data: Dataset | None
) -> tuple[ModelProto, tuple[str, ...]]:
    """Return (the model with channels cut out, notes with its extent before and after).

    `data` are calibration samples on which results are compared (random inputs without any). Raises
    UnsupportedRecipeError where nothing can be cut, or what is needed for it is missing.
    """
    doing, model = apprenticeship.doing, apprenticeship.model
    taylor = labelled_data(f"{step.kind}, importance: taylor", apprenticeship) if step.importance == "taylor" else None
    libraries.require("torch", "torch_pruning", "onnxslim", "onnx2torch", "onnxscript", what=doing)
    samples = data if data is not None else apprenticeship.train or random_data(model)
    few = model_inputs(samples, model, apprenticeship.task, subset_indices(len(samples), CHECKED, 0))
    module = to_torch(proto, model.inputs, few, doing=doing)
    spared = [module.get_submodule(layer.module) for layer in excluded(layers_of(proto, module), step.exclude)]
    spared += [module.get_submodule(name) for name in answering_layers(module)]
    with foreign_errors(doing), libraries.quiet():
        examples = _tensors(few)
        before = extent(module, examples)
        _cut(module, step, spared, examples, apprenticeship, taylor)
        after = extent(module, examples)
    if after.macs >= before.macs:
        raise UnsupportedRecipeError(
            f"{doing}: no channels could be cut: no layer has {step.round_to} to spare in `round_to` steps, "
            "or all are excluded or tied to the output."
        )
    names = [spec.name for spec in model.outputs]
    cut = export_onnx(module, model.inputs, names, doing=doing)
    compare(module, cut, few, doing=doing)
    return cut, (_note(step, before, after),)


def _cut(
    module: GraphModule,
    step: PruneChannels,
    spared: Sequence[nn.Module],
    examples: Sequence[Tensor],
    apprenticeship: Apprenticeship,
    taylor: Dataset | None,
) -> None:
    """Cut in place, in `rounds` parts; a structure that torch-pruning cannot follow is UnsupportedRecipeError."""
    import torch
    import torch_pruning

    torch.manual_seed(step.seed)
    take = None if taylor is None else gradient_taker(taylor, apprenticeship, step.samples, step.seed)
    wanted = [output.shape for output in as_tuple(module(*examples))]
    try:
        pruner = torch_pruning.pruner.BasePruner(
            module,
            tuple(examples),  # pyright: ignore[reportArgumentType]  annotated for one input
            importance=_importance(step),
            global_pruning=step.scope == "global",
            pruning_ratio=step.ratio,
            max_pruning_ratio=MOST_OF_A_LAYER if step.scope == "global" else 1.0,
            iterative_steps=step.rounds,
            ignored_layers=list(spared),
            round_to=step.round_to,
        )
        for _ in range(step.rounds):
            if take is not None:
                take(module)
            pruner.step()
        module.zero_grad()
        found = [output.shape for output in as_tuple(module(*examples))]
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError) as error:
        raise UnsupportedRecipeError(
            f"{apprenticeship.doing}: channels of this model depend on each other in a way that torch-pruning cannot "
            f"follow ({str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__})."
        ) from error
    if found != wanted:
        raise UnsupportedRecipeError(f"{apprenticeship.doing}: cutting channels would change the shape of the outputs.")


def _importance(step: PruneChannels) -> Any:
    from torch_pruning.pruner import importance

    if step.importance == "taylor":
        return importance.GroupTaylorImportance()
    return importance.GroupMagnitudeImportance(p=1 if step.importance == "l1" else 2)


def answering_layers(module: GraphModule) -> tuple[str, ...]:
    """Return the layers with weights whose channels are the model's answer: the first ones met from each output."""
    waiting: list[Node] = [node for node in module.graph.nodes if node.op == "output"]
    seen: set[Node] = set()
    found: list[str] = []
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op == "call_module" and _has_channels(module.get_submodule(str(node.target))):
            found.append(str(node.target))
            continue
        waiting.extend(node.all_input_nodes)
    return tuple(found)


def _has_channels(module: nn.Module) -> bool:
    from torch import nn

    return isinstance(module, nn.Linear | nn.modules.conv._ConvNd)  # noqa: SLF001  no public name covers them all


def extent(module: nn.Module, examples: Sequence[Tensor]) -> Extent:
    """Return how large a module is, counted over its convolutions and linear layers while it runs."""
    import torch

    channels, macs = 0, 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal channels, macs
        weights = layer.get_parameter("weight")
        wide = getattr(layer, "out_channels", None) or getattr(layer, "out_features", 1)
        # A transposed convolution uses each weight once for each position of its input.
        positions = inputs[0] if getattr(layer, "transposed", False) else output
        per_position = int(getattr(layer, "in_channels", wide)) if positions is inputs[0] else int(wide)
        channels += int(wide)
        macs += positions.numel() // len(positions) // per_position * weights.numel()

    handles = [m.register_forward_hook(count) for m in module.modules() if _has_channels(m)]
    try:
        with torch.no_grad():
            module.eval()(*examples)
    finally:
        for handle in handles:
            handle.remove()
    return Extent(channels=channels, parameters=sum(p.numel() for p in module.parameters()), macs=macs)


def _tensors(inputs: dict[str, Array]) -> list[Tensor]:
    import numpy as np
    import torch

    return [torch.from_numpy(np.ascontiguousarray(values)) for values in inputs.values()]


def _note(step: PruneChannels, before: Extent, after: Extent) -> str:
    return (
        f"{step.kind}: {before.channels} channels became {after.channels}, {before.parameters} parameters "
        f"{after.parameters}, {before.macs} multiply-accumulates {after.macs} ({before.macs / after.macs:.1f}x fewer)"
    )
