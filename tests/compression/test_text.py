"""Greedy decoding of text recognizers, and how far a text is from the right one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hilbench.compression.errors import CompressionError, ModelError
from hilbench.compression.model import read_model
from hilbench.compression.text import edit_distance, embedded_characters, greedy_texts, read_characters, similarities
from numpy.typing import NDArray
from onnx import ModelProto

ABC = ("a", "b", "c")


def _steps(*best: list[int], classes: int = 5) -> NDArray[np.float32]:
    """[N, steps, classes] whose best class is as given."""
    return np.eye(classes, dtype=np.float32)[np.array(best)]


def test_repeats_and_blanks_fall_out_and_a_blank_keeps_a_double_letter() -> None:
    texts = greedy_texts(_steps([1, 1, 2, 0, 0, 2], [0, 0, 0, 0, 0, 0], [3, 4, 1, 4, 4, 3]), ABC)
    assert texts.tolist() == ["abb", "", "c a c"]


def test_a_set_that_holds_its_space_gets_none_added() -> None:
    assert greedy_texts(_steps([4, 1]), ("a", "b", "c", " ")).tolist() == [" a"]


def test_outputs_of_one_sample_with_its_steps_first_are_decoded() -> None:
    steps_first = _steps([1, 2, 3])[:, :, np.newaxis]  # [1, 3, 1, 5]: stacked from [steps, 1, classes]
    assert greedy_texts(steps_first, ABC).tolist() == ["abc"]


@pytest.mark.parametrize(
    ("outputs", "sentence"),
    [
        (np.zeros((2, 5)), r"shape \[2, 5\]; a text recognizer gives \[N, steps, classes\]"),
        (np.zeros((2, 3, 4, 5)), "a text recognizer gives"),
        (np.zeros((2, 3, 9)), "9 classes, but the character set has 3 characters: with the blank that makes 4"),
    ],
)
def test_outputs_that_are_no_text_are_refused(outputs: NDArray[np.float64], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        greedy_texts(outputs, ABC)


def test_nan_has_no_best_class() -> None:
    with pytest.raises(CompressionError, match="NaN"):
        greedy_texts(np.full((1, 2, 5), np.nan), ABC)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("kitten", "sitting", 3),
        ("", "abc", 3),
        ("abc", "", 3),
        ("same", "same", 0),
        ("ab", "ba", 2),
        ("flaw", "lawn", 2),
    ],
)
def test_distances_of_known_pairs(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == distance


def test_a_score_is_one_minus_the_error_rate_and_not_below_zero() -> None:
    texts, wanted = (
        np.array(["abcd", "abxd", "", "x", "", "wholly wrong"]),
        np.array(["abcd", "abcd", "ab", "", "", "no"]),
    )
    assert similarities(texts, wanted).tolist() == [1, 0.75, 0, 0, 1, 0]


def test_characters_come_from_a_file_or_from_the_models_metadata(
    save_model: Callable[..., Path], tmp_path: Path
) -> None:
    def embed(proto: ModelProto) -> None:
        proto.metadata_props.add(key="character", value="a\nb\n\u2028\n")

    file = tmp_path / "set.txt"
    file.write_bytes("\ufeffa\r\nb\r\n \r\n".encode())
    assert read_characters(file) == ("a", "b", " ")
    assert embedded_characters(read_model(save_model(spoil=embed))) == ("a", "b", "\u2028")
    with pytest.raises(ModelError, match=r"holds no character set .*: name a file with one character a line"):
        embedded_characters(read_model(save_model()))
    file.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ModelError, match="cannot be read as UTF-8"):
        read_characters(file)
    file.write_text("")
    with pytest.raises(ModelError, match="is empty"):
        read_characters(file)
