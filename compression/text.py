"""Text out of a recognizer's raw outputs, and how far it is from the right one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import CompressionError, ModelError
from .model import Model, load_proto
from .tensor import shown

METADATA_KEY = "character"  # where the PP-OCR models keep their characters, one a line


def read_characters(file: Path) -> tuple[str, ...]:
    """Return the characters of a file in UTF-8, one a line in the order of the model's classes. Raises ModelError."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The character set {file} cannot be read as UTF-8 text.") from error
    return _lines(text, str(file))


def embedded_characters(model: Model) -> tuple[str, ...]:
    """Return the characters that an ONNX model's metadata holds under `character`. Raises ModelError without any."""
    if model.format == "onnx":
        for entry in load_proto(model).metadata_props:
            if entry.key == METADATA_KEY:
                return _lines(entry.value, model.path.name)
    raise ModelError(
        f"{model.path.name} holds no character set (metadata `{METADATA_KEY}`): name a file with one character a "
        "line as `characters`."
    )


def _lines(text: str, where: str) -> tuple[str, ...]:
    # Not splitlines(): it also splits at characters that a set may hold, such as U+2028.
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if lines == [""]:
        raise ModelError(f"The character set of {where} is empty.")
    return tuple(lines)


def greedy_texts(outputs: NDArray[Any], characters: Sequence[str]) -> NDArray[np.str_]:
    """Return the texts of `outputs` [N, steps, classes], decoded greedily: the best class of each step.

    Repeats and blanks fall out, as connectionist temporal classification has it (Graves and others, ICML 2006, 369-376,
    section 3.2: best path decoding). Class 0 is the blank, class i is `characters[i - 1]`; one class more than that is
    the space. Raises ModelError for another number of classes and CompressionError for NaN.
    """
    alphabet = _alphabet(outputs, characters)
    steps = outputs.reshape(len(outputs), -1, outputs.shape[-1])
    if np.isnan(steps).any():
        raise CompressionError("The outputs hold NaN: there is no best class.")
    best = steps.argmax(axis=2)
    starts = np.ones(best.shape, bool)
    starts[:, 1:] = best[:, 1:] != best[:, :-1]
    rows = zip(best, starts, strict=True)
    return np.asarray(["".join(alphabet[number] for number in row[first]) for row, first in rows])


def _alphabet(outputs: NDArray[Any], characters: Sequence[str]) -> tuple[str, ...]:
    """Return the character of each class; that of class 0, the blank, is empty."""
    many = sum(size > 1 for size in outputs.shape[1:-1])
    if outputs.ndim < 3 or many > 1:
        raise ModelError(
            f"The model's first output has the shape {shown(outputs.shape)}; a text recognizer gives "
            "[N, steps, classes]."
        )
    classes = outputs.shape[-1]
    if classes not in (len(characters) + 1, len(characters) + 2):
        raise ModelError(
            f"The model has {classes} classes, but the character set has {len(characters)} characters: with the blank "
            f"that makes {len(characters) + 1}, with a space at the end {len(characters) + 2}."
        )
    return ("", *characters, *([" "] if classes == len(characters) + 2 else []))


def similarities(texts: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.float64]:
    """Return 1 - character error rate of each text against the wanted one, [N], not below 0.

    The rate is the least number of insertions, deletions and replacements of characters over the length of the wanted
    text. An empty text is right (1) where nothing was wanted; any other is wrong there (0).
    """
    pairs = zip(texts.tolist(), wanted.tolist(), strict=True)
    return np.asarray([_similarity(str(text), str(right)) for text, right in pairs], np.float64)


def _similarity(text: str, wanted: str) -> float:
    if text == wanted:
        return 1.0
    return max(0.0, 1 - edit_distance(text, wanted) / len(wanted)) if wanted else 0.0


def edit_distance(one: str, other: str) -> int:
    """Return the least number of insertions, deletions and replacements that make `other` of `one`.

    (Levenshtein, Soviet Physics Doklady 10 (1966), 707-710; the table is Wagner's and Fischer's, Journal of the ACM 21
    (1974), 168-173, of which one row at a time is kept.)
    """
    row = list(range(len(other) + 1))
    for number, letter in enumerate(one, start=1):
        corner, row[0] = row[0], number
        for column, wanted in enumerate(other, start=1):
            corner, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, corner + (letter != wanted))
    return row[-1]
