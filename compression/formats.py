"""Which file format and which number type each kind of step takes and gives: what may follow what."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import RecipeError, UnsupportedRecipeError

_GIVES_FIXED_NUMBERS = ("fp16", "int8-dynamic", "int8-static", "int8-mixed", "qat")
TAKES_TFLITE = ("fp16", "int8-dynamic", "int8-static")
TRAINING = ("finetune", "distil", "qat")


def check_order(recipe: str, kinds: Sequence[str]) -> None:
    """Raise RecipeError where a step follows one that leaves nothing for it to do."""
    for number, kind in enumerate(kinds[:-1]):
        if kind in _GIVES_FIXED_NUMBERS:
            raise RecipeError(f"Recipe `{recipe}` goes on after `{kind}`; a step that changes the number type is last.")
        later = kinds[number + 1]
        if kind == "tflite" and later not in TAKES_TFLITE:
            raise RecipeError(
                f"Recipe `{recipe}` has `{later}` after `tflite`; after it come {', '.join(TAKES_TFLITE)}."
            )


def check_source(recipe: str, kinds: Sequence[str], file_format: str, name: str) -> None:
    """Raise UnsupportedRecipeError where the first step cannot take a file of this format."""
    if file_format == "onnx" or not kinds or kinds[0] in TAKES_TFLITE:
        return
    raise UnsupportedRecipeError(
        f"`{kinds[0]}` of recipe `{recipe}` needs an ONNX source; {name} is a TFLite file, which takes "
        f"fp32, {', '.join(TAKES_TFLITE)}."
    )


def given_format(kinds: Sequence[str], source: str) -> str:
    """Return the format of the artifact: `onnx` or `tflite`."""
    return "tflite" if "tflite" in kinds else source
