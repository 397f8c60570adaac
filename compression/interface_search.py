"""Find the interface of a converted file by running it: names may be lost, orders and axes may change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, permutations, product

import numpy as np

from .errors import CompressionError
from .fidelity import relative_error
from .interface import Interface, Port, bound
from .task import Array
from .tensor import TensorSpec, shown
from .tflite_ports import FilePort, FilePorts

RunFile = Callable[[Mapping[str, Array]], dict[str, Array]]

CLOSE = 1e-3  # of an output's range: a wrong order of axes is far away from it
MAX_TRIES = 64


def find_interface(
    model_inputs: Sequence[TensorSpec],
    file: FilePorts,
    *,
    inputs: Mapping[str, Array],
    reference: Mapping[str, Array],
    run: RunFile,
    doing: str,
) -> Interface:
    """Return which port of a float file is which of the model, by the answers of both to the same inputs.

    `inputs` ([N, ...] by the model's names; 2 to 8 real samples) gave `reference` ([N, ...], all outputs of the model);
    `run` gives all outputs of the file for inputs [N, ...] by the file's names. Inputs are tried by name, then by order
    and shape, each with its axes as they are and with channels last. Raises CompressionError where no shapes fit, or
    where no way of asking gives the reference's answers within a thousandth of their range, with the figure.
    """
    best: tuple[float, Interface | None] = (np.inf, None)
    for ports in islice(_input_candidates(model_inputs, file.inputs, inputs), MAX_TRIES):
        asked = Interface(inputs=ports, outputs=())
        outputs, error = _matched(reference, file.outputs, run(asked.to_file(inputs)))
        if outputs and error < best[0]:
            best = (error, Interface(inputs=ports, outputs=outputs))
        if best[0] <= CLOSE:
            break
    error, interface = best
    if interface is None:
        raise CompressionError(f"{doing}: {_misfit(model_inputs, reference, file)}")
    if error > CLOSE:
        raise CompressionError(
            f"{doing}: the file's outputs are off by {error:.2g} of their range at best; {CLOSE:g} is allowed."
        )
    return interface


def _input_candidates(
    model_inputs: Sequence[TensorSpec], file_inputs: Sequence[FilePort], inputs: Mapping[str, Array]
) -> Iterator[tuple[Port, ...]]:
    if len(model_inputs) != len(file_inputs):
        return
    for order in _orders([spec.name for spec in model_inputs], file_inputs):
        pairs = list(zip(model_inputs, order, strict=True))
        yield from product(*(_input_ports(spec, file, inputs[spec.name].shape) for spec, file in pairs))


def _orders(names: Sequence[str], file_inputs: Sequence[FilePort]) -> Iterator[Sequence[FilePort]]:
    """The file's inputs in orders to try: by name where the names are kept, the file's own, then any."""
    by_name = {file.spec.name: file for file in file_inputs}
    if set(by_name) == set(names):
        yield [by_name[name] for name in names]
    yield from permutations(file_inputs)


def _input_ports(spec: TensorSpec, file: FilePort, shape: Sequence[int]) -> list[Port]:
    count = len(shape)
    orders = [tuple(range(count))]
    if count >= 3:
        orders.append((0, *range(2, count), 1))
    return [_port(spec.name, file, axes, spec.dtype) for axes in orders if _fits(shape, file.spec.shape, axes)]


def _port(name: str, file: FilePort, axes: tuple[int, ...], dtype: str) -> Port:
    plain = Port(name=name, file_name=name, axes=axes, dtype=dtype, model_dtype=dtype)
    return bound(plain, file)


def _fits(shape: Sequence[int], file_shape: Sequence[int | None], axes: Sequence[int]) -> bool:
    """Whether an array [N, ...] with its axes so ordered has the file's shape, the number of samples apart."""
    if len(shape) != len(file_shape):
        return False
    return all(file_shape[i] in (None, shape[axis]) for i, axis in enumerate(axes) if i > 0)


def _matched(
    reference: Mapping[str, Array], file_outputs: Sequence[FilePort], found: Mapping[str, Array]
) -> tuple[tuple[Port, ...], float]:
    """Return the ports of the model's outputs and the worst error; no ports where an output fits none of the file."""
    rated: list[tuple[float, bool, int, int, Port]] = []
    for wanted, (name, values) in enumerate(reference.items()):
        for place, file in enumerate(file_outputs):
            for port in _output_ports(name, values, file, found[file.spec.name].shape):
                answer = Interface(inputs=(), outputs=(port,)).from_file(found)[name]
                error = relative_error(values, answer)
                # Equal answers are told apart by their names, then by their order.
                rated.append((error, name != file.spec.name, abs(place - wanted), wanted, port))
    taken: dict[str, Port] = {}
    used: set[str] = set()
    worst = 0.0
    for error, _, _, _, port in sorted(rated, key=lambda entry: entry[:4]):
        if port.name not in taken and port.file_name not in used:
            taken[port.name] = port
            used.add(port.file_name)
            worst = max(worst, error)
    if len(taken) < len(reference):
        return (), np.inf
    return tuple(taken[name] for name in reference), worst


def _output_ports(name: str, values: Array, file: FilePort, shape: Sequence[int]) -> list[Port]:
    if len(shape) != values.ndim:
        return []
    orders = ((0, *rest) for rest in permutations(range(1, values.ndim)))
    fitting = [axes for axes in orders if tuple(values.shape[axis] for axis in axes) == tuple(shape)]
    return [_port(name, file, axes, str(values.dtype)) for axes in fitting]


def _misfit(model_inputs: Sequence[TensorSpec], reference: Mapping[str, Array], file: FilePorts) -> str:
    wanted = [shown(spec.shape) for spec in model_inputs], [shown(values.shape[1:]) for values in reference.values()]
    made = [shown(port.spec.shape) for port in file.inputs], [shown(port.spec.shape[1:]) for port in file.outputs]
    return (
        f"the model takes {', '.join(wanted[0])} and gives {', '.join(wanted[1])} a sample; the file takes "
        f"{', '.join(made[0])} and gives {', '.join(made[1])}, which does not fit."
    )
