"""Functions that a plan names: found beside it or installed, and every way to fail told in one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hilbench.compression.errors import ModelError, RecipeError
from hilbench.compression.iterable_data import read_iterable
from hilbench.compression.userfunction import FunctionName, function_sha256, is_function_name, load_function

IMPORT = "import numpy as np\nX = np.zeros((2, 2), np.uint8)\n"


def _named(folder: Path, body: str, name: str = "samples", file: str = "mine.py") -> FunctionName:
    (folder / file).write_text(body)
    return FunctionName(written=f"{file}:{name}", folder=folder)


@pytest.mark.parametrize(
    ("written", "is_one"),
    [
        ("package.module:function", True),
        ("my folder/file.py:function", True),
        ("~/f.py:f", True),
        ("data/test.npz", False),
        ("data:1", False),
        ("a/b:function", False),
        ("zoo:ppocr-rec", False),
        ("module:", False),
    ],
)
def test_a_function_is_told_from_a_file(written: str, is_one: bool) -> None:
    assert is_function_name(written) == is_one


def test_a_function_of_a_file_and_of_an_installed_module_are_found(tmp_path: Path) -> None:
    assert load_function(_named(tmp_path, "def samples(): return 7"))() == 7
    dumps = load_function(FunctionName(written="json:dumps", folder=tmp_path))
    assert dumps([1]) == "[1]"


def test_a_module_beside_the_plan_is_found_and_leaves_the_path_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "hilbench_test_beside.py").write_text("def f(): return 3")
    before = list(sys.path)
    assert load_function(FunctionName(written="hilbench_test_beside:f", folder=tmp_path))() == 3
    assert sys.path == before


def test_a_file_beside_the_plan_does_not_shadow_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "colorsys.py").write_text("def rgb_to_hsv(*_): return 'shadowed'")
    sys.modules.pop("colorsys", None)
    found = load_function(FunctionName(written="colorsys:rgb_to_hsv", folder=tmp_path))
    assert found(0, 0, 0) == (0.0, 0.0, 0)


def test_a_function_that_changed_is_another_one(tmp_path: Path) -> None:
    one = _named(tmp_path, "def samples(): return 1")
    first = function_sha256(one)
    _named(tmp_path, "def samples(): return 2")
    assert load_function(one)() == 2
    assert function_sha256(one) != first


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("x = 1", r"`mine.py:samples`: mine.py has no such function\.$"),
        ("samples = 1", "has that name for something that cannot be called"),
        ("raise ValueError('no\\nway')", r"`mine.py:samples`: mine.py raised ValueError: no\.$"),
        ("def samples(:", "mine.py raised SyntaxError"),
        ("import sys; sys.exit(2)", "mine.py raised SystemExit: 2"),
        ("import absent_module_of_mine", "raised ModuleNotFoundError: No module named 'absent_module_of_mine'"),
    ],
)
def test_a_function_that_cannot_be_had_is_told_in_one_sentence(tmp_path: Path, body: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence) as caught:
        load_function(_named(tmp_path, body))
    assert "\n" not in str(caught.value)


def test_a_module_or_a_file_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"importing absent\.module raised ModuleNotFoundError"):
        load_function(FunctionName(written="absent.module:f", folder=tmp_path))
    with pytest.raises(RecipeError, match=r"absent\.py cannot be read: No such file"):
        load_function(FunctionName(written="absent.py:f", folder=tmp_path))
    with pytest.raises(RecipeError, match=r"`absent` names no function: write `package.module:function`"):
        load_function(FunctionName(written="absent", folder=tmp_path))


def test_samples_come_as_images_or_as_pairs_and_texts_are_labels_too(tmp_path: Path) -> None:
    plain = _named(tmp_path, "def samples(): return [[[1, 2], [3, 4]]] * 3", file="a.py")
    images, labels = read_iterable(plain)
    assert (images.shape, labels) == ((3, 2, 2), None)
    body = (
        "import numpy as np\ndef samples():\n    for i in range(3): yield np.full((2, 2), i, np.uint8), f'line {i}'\n"
    )
    images, labels = read_iterable(_named(tmp_path, body, file="b.py"))
    assert images.dtype.name == "uint8"
    assert images[:, 0, 0].tolist() == [0, 1, 2]
    assert labels is not None
    assert labels.tolist() == ["line 0", "line 1", "line 2"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("def samples(): return 5", "gives int; it must yield images or"),
        ("def samples(): return []", "yields no samples"),
        ("def samples(n): return n", "raised TypeError: samples.* missing 1 required positional argument"),
        ("def samples():\n    yield X, 1\n    raise OSError('disk')", r"`mine.py:samples` raised OSError: disk\.$"),
        ("def samples(): return [X, X[:1]]", r"sample 1 is uint8 \[1, 2\], but sample 0 is uint8 \[2, 2\]"),
        ("def samples(): return [X, X / 2]", r"sample 1 is float64 \[2, 2\], but sample 0 is uint8"),
        ("def samples(): return [(X, 1), X]", "yields 2 samples, but labels for 1 of them"),
        ("def samples(): return [(X, 1), (X, 'a')]", "labels of which some are texts and some are not"),
        ("def samples(): return [(X, 1, 2)]", "yields tuples of 3"),
        ("def samples(): return ['a.png']", "yields str; an image is an array of numbers"),
        ("def samples(): return [[[1], [1, 2]]]", "making an array of a sample raised ValueError"),
        (
            "import itertools\ndef samples(): return itertools.repeat(X)",
            "does not end: data holds at most 100000",
        ),
    ],
)
def test_samples_that_are_none_are_refused_in_one_sentence(tmp_path: Path, body: str, sentence: str) -> None:
    with pytest.raises((ModelError, RecipeError), match=sentence) as caught:
        read_iterable(_named(tmp_path, IMPORT + body))
    assert "\n" not in str(caught.value)
