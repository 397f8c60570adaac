"""A PyTorch factory as a source: `package.module:function` called once, its module exported to ONNX."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import libraries
from .cache import sha256_of, write_atomically
from .errors import CompressionError, ModelError
from .tensor import TensorSpec
from .torch_export import export_onnx

if TYPE_CHECKING:
    from onnx import ModelProto
    from torch import Tensor, nn

SEED = 0  # for weights that the factory draws at random: the same file each time


def is_factory(word: str) -> bool:
    """Return whether a plan's `model` names a factory rather than a file: dotted names around one colon."""
    module, colon, function = word.partition(":")
    return bool(colon) and function.isidentifier() and all(part.isidentifier() for part in module.split("."))


def export_factory(word: str, shapes: Mapping[str, Sequence[int]], cache: Path, *, folder: Path) -> Path:
    """Return the ONNX file, named by its content, of the module that `package.module:function` returns.

    `shapes` gives the full shape of each input ([1, ...]), in the order of `forward`'s parameters; they are float32 and
    take any number of samples where the module does. The module is looked for in `folder` (the plan's) before what is
    installed. Raises ModelError with one sentence where the factory cannot be found, raises, returns no module, or its
    module cannot be run or exported; UnsupportedRecipeError without the extra `train`.
    """
    libraries.require("torch", "onnxscript", what=f"The PyTorch factory `{word}`")
    if not is_factory(word):
        raise ModelError(f"`{word}` names no PyTorch factory; write `package.module:function`.")
    if not shapes:
        raise ModelError(
            f"The PyTorch factory `{word}` needs `shapes`: the shape of each input, such as [1, 1, 28, 28]."
        )
    with _importing_from(folder):
        module = _made(word)
        proto = _exported(word, module, shapes)
    data = proto.SerializeToString(deterministic=True)
    path = cache / "factories" / f"{sha256_of(data)}.onnx"
    if not path.exists():
        write_atomically(path, data)
    return path


@contextlib.contextmanager
def _importing_from(folder: Path) -> Generator[None]:
    """Look for modules in `folder` first, and forget those found there: two plans may use one name."""
    before, place = set(sys.modules), str(folder.resolve())
    sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(place)
        for name in set(sys.modules) - before:
            origin = getattr(sys.modules[name], "__file__", None)
            if origin is not None and Path(origin).resolve().is_relative_to(place):
                del sys.modules[name]


def _made(word: str) -> nn.Module:
    import torch
    from torch import nn

    factory = _found(word)
    torch.manual_seed(SEED)
    with _users_errors(f"The PyTorch factory `{word}` raised"):
        made = factory()
    if not isinstance(made, nn.Module):
        raise ModelError(f"The PyTorch factory `{word}` returned {_a(made)}, not a torch.nn.Module.")
    return made.float().eval()


def _found(word: str) -> Callable[[], Any]:
    name, _, function = word.partition(":")
    with _users_errors(f"The module `{name}` of the PyTorch factory `{word}` cannot be imported:"):
        module = importlib.import_module(name)
    factory = getattr(module, function, None)
    if not callable(factory):
        raise ModelError(f"The module `{name}` has no function `{function}`, which the PyTorch factory `{word}` names.")
    return factory


def _exported(word: str, module: nn.Module, shapes: Mapping[str, Sequence[int]]) -> ModelProto:
    """Export with a free batch, or for one sample where the module takes no other number."""
    names = _output_names(word, module, shapes)
    doing = f"The module of the PyTorch factory `{word}` cannot be exported"
    try:
        return export_onnx(module, _specs(shapes, None), names, doing=doing)
    except CompressionError:
        try:
            return export_onnx(module, _specs(shapes, 1), names, doing=doing)
        except CompressionError as error:
            raise ModelError(str(error)) from error


def _specs(shapes: Mapping[str, Sequence[int]], batch: int | None) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name=name, shape=(batch, *shape[1:]), dtype="float32") for name, shape in shapes.items())


def _output_names(word: str, module: nn.Module, shapes: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    import torch

    with _users_errors(f"The module of the PyTorch factory `{word}` does not run with the declared shapes:"):
        with torch.no_grad():
            outputs = module(*(torch.zeros(1, *shape[1:]) for shape in shapes.values()))
        tensors: tuple[Tensor, ...] = tuple(outputs) if isinstance(outputs, list | tuple) else (outputs,)
    for output in tensors:
        if not isinstance(output, torch.Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]  a user's module
            raise ModelError(f"The module of the PyTorch factory `{word}` gives {_a(output)}, not tensors.")
    return ("output",) if len(tensors) == 1 else tuple(f"output{number}" for number in range(len(tensors)))


@contextlib.contextmanager
def _users_errors(doing: str) -> Generator[None]:
    """Quote whatever a user's own code raises: it may be anything, hence the broad except."""
    try:
        with libraries.quiet():
            yield
    except (Exception, SystemExit) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__
        raise ModelError(f"{doing} {said}.") from error


def _a(value: object) -> str:
    kind = type(value).__name__
    return "nothing" if value is None else f"{'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}"
