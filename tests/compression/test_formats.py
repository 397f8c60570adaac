"""What may follow what in a recipe, and which source each step takes."""

from __future__ import annotations

import pytest
from hilbench.compression.errors import RecipeError, UnsupportedRecipeError
from hilbench.compression.formats import check_source, given_format
from hilbench.compression.recipe import parse_recipe


@pytest.mark.parametrize(
    "words",
    [
        "prune-channels+distil+int8-static",
        "prune-l1+finetune+tflite+int8-static",
        "tflite+fp16",
        "tflite+int8-dynamic",
        "distil+qat",
    ],
)
def test_steps_that_leave_the_next_one_something_to_do_compose(words: str) -> None:
    assert [step.kind for step in parse_recipe(words).steps] == words.split("+")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("int8-static+tflite", "goes on after `int8-static`; a step that changes the number type is last"),
        ("qat+tflite", "goes on after `qat`; a step that changes the number type is last"),
        ("tflite+finetune", "has `finetune` after `tflite`; after it come fp16, int8-dynamic, int8-static"),
        ("tflite+tflite", "has `tflite` after `tflite`"),
        ("tflite+int8-mixed", "has `int8-mixed` after `tflite`"),
    ],
)
def test_an_order_without_sense_is_refused_in_one_sentence(words: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence) as caught:
        parse_recipe(words)
    assert "\n" not in str(caught.value)


def test_a_tflite_source_is_quantized_and_deployed_and_nothing_else() -> None:
    for kinds in ([], ["fp16"], ["int8-dynamic"], ["int8-static"]):
        check_source("some", kinds, "tflite", "face.tflite")
    for kind in ("prune-channels", "prune-l1", "finetune", "distil", "qat", "tflite", "int8-mixed"):
        with pytest.raises(
            UnsupportedRecipeError, match=f"`{kind}` of recipe `some` needs an ONNX source; face.tflite"
        ):
            check_source("some", [kind], "tflite", "face.tflite")


def test_the_format_of_an_artifact_follows_from_its_steps() -> None:
    assert given_format([], "onnx") == "onnx"
    assert given_format(["distil", "int8-static"], "onnx") == "onnx"
    assert given_format(["distil", "tflite", "int8-static"], "onnx") == "tflite"
    assert given_format(["int8-static"], "tflite") == "tflite"
