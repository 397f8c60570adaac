"""Run a .tflite file in a process of its own: `python tflite_worker.py MODULE MODEL`.

The interpreter is C++ and reads files from outside: a damaged one can end its process. This file is run by the Python
of a side environment (3.10 or newer, with numpy and a runtime), so it imports nothing of this project. Requests come on
stdin and answers go to stdout as frames: the length of a JSON header (4 bytes, big-endian), the header, then the bytes
of the tensors it lists.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from importlib import import_module
from typing import Any, BinaryIO

import numpy as np


def write_frame(stream: BinaryIO, header: dict[str, Any], tensors: dict[str, Any]) -> None:
    """Write one frame; `tensors` are arrays by name."""
    arrays = {name: np.asarray(values, order="C") for name, values in tensors.items()}
    listed = [{"name": name, "dtype": a.dtype.str, "shape": a.shape} for name, a in arrays.items()]
    text = json.dumps({**header, "tensors": listed}).encode()
    stream.write(struct.pack(">I", len(text)) + text)
    for array in arrays.values():
        stream.write(array.tobytes())
    stream.flush()


def read_frame(stream: BinaryIO) -> dict[str, Any] | None:
    """Read the tensors of one frame; None at the end of the stream."""
    size = stream.read(4)
    if len(size) < 4:
        return None
    header = json.loads(stream.read(struct.unpack(">I", size)[0]))
    found: dict[str, Any] = {}
    for entry in header["tensors"]:
        dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
        data = stream.read(dtype.itemsize * int(np.prod(shape, dtype=np.int64)))
        found[entry["name"]] = np.frombuffer(data, dtype).reshape(shape)
    return found


def load(module: str, model: str) -> Any:
    """Return the interpreter with its tensors allocated, one thread."""
    interpreter = import_module(module).Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def answer(interpreter: Any, sample: dict[str, Any]) -> dict[str, Any]:
    """Return all outputs for one sample. An input of free shape is resized to the sample's."""
    details = interpreter.get_input_details()
    for detail in details:
        if -1 in detail["shape_signature"] and tuple(detail["shape"]) != sample[detail["name"]].shape:
            interpreter.resize_tensor_input(detail["index"], sample[detail["name"]].shape)
            interpreter.allocate_tensors()
    for detail in details:
        interpreter.set_tensor(detail["index"], sample[detail["name"]])
    interpreter.invoke()
    return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}


def serve(module: str, model: str, requests: BinaryIO, answers: BinaryIO) -> None:
    """Load the model, say that it stands, then answer samples until the stream of requests ends."""
    try:
        interpreter = load(module, model)
    except Exception as error:  # noqa: BLE001  the boundary: whatever it is, the other side words it
        write_frame(answers, {"error": str(error) or type(error).__name__}, {})
        return
    write_frame(answers, {}, {})
    while True:
        sample = read_frame(requests)
        if sample is None:
            return
        try:
            write_frame(answers, {}, answer(interpreter, sample))
        except Exception as error:  # noqa: BLE001  the boundary: whatever it is, the other side words it
            write_frame(answers, {"error": str(error) or type(error).__name__}, {})


def main() -> None:
    """Keep stdout for frames: the runtime prints to descriptors 1 and 2 as it likes."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.argv[1], sys.argv[2], sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
