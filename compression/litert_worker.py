"""Convert a program to TFLite, run by the Python of litert-torch's environment: `python litert_worker.py IN.pt2 OUT`.

IN is what `torch.export.save` wrote, with example inputs. This file imports nothing of the project.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def main(source: str, target: str) -> None:
    """Write the float32 .tflite file; inputs and outputs keep their axes (NCHW)."""
    torch: Any = import_module("torch")
    torch.set_num_threads(1)
    program = torch.export.load(source)
    positional, named = program.example_inputs
    converter: Any = import_module("litert_torch")
    converter.convert(program.module(), positional, named or None).export(target)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
