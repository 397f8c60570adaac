from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hilbench.compression.data import golden_inputs, load_data, model_inputs, random_data, refuse_overlap
from hilbench.compression.errors import ModelError
from hilbench.compression.model import Model, read_model
from hilbench.compression.task import Preprocessing, Task
from hilbench.compression.userfunction import FunctionName
from onnx import ModelProto, TensorProto, helper

CLASSES = Task(kind="classification", preprocessing=Preprocessing(scale=1 / 255))
TEXTS = Task(kind="text-recognition", characters=("a",), preprocessing=Preprocessing(scale=1 / 255))
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 6), np.uint8)
LABELS = np.arange(12) % 3


def _npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.fixture
def small(save_model: Callable[..., Path]) -> Model:
    return read_model(save_model())


def test_images_are_scaled_and_fed_one_channel(small: Model, tmp_path: Path) -> None:
    data = load_data(_npz(tmp_path / "d.npz", images=IMAGES, labels=LABELS), small, CLASSES)
    inputs = model_inputs(data, small, CLASSES, np.array([3, 5]))
    assert inputs["x"].dtype == np.float32
    assert inputs["x"][1, 0] == pytest.approx(IMAGES[5] / 255)
    assert data.labels is not None
    assert data.labels.tolist() == LABELS.tolist()


def test_a_key_named_as_the_input_is_fed_as_it_is(small: Model, tmp_path: Path) -> None:
    values = IMAGES.astype(np.float32)[:, None]
    data = load_data(_npz(tmp_path / "d.npz", x=values, labels=LABELS), small, CLASSES)
    assert np.array_equal(model_inputs(data, small, CLASSES)["x"], values)


def test_an_input_that_is_itself_named_images_is_preprocessed(save_model: Callable[..., Path], tmp_path: Path) -> None:
    def rename(proto: ModelProto) -> None:
        proto.graph.input[0].name = proto.graph.node[0].input[0] = "images"

    model = read_model(save_model(spoil=rename))
    data = load_data(_npz(tmp_path / "d.npz", images=IMAGES, labels=LABELS), model, CLASSES)
    assert model_inputs(data, model, CLASSES)["images"].max() <= 1


def test_two_inputs_take_a_key_each(save_model: Callable[..., Path], tmp_path: Path) -> None:
    def second(proto: ModelProto) -> None:
        proto.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ("batch", 3)))
        proto.graph.node[-1].output[0] = "partial"
        proto.graph.node.append(helper.make_node("Add", ["partial", "z"], ["y"], name="add"))

    model = read_model(save_model(spoil=second))
    values = {"x": IMAGES[:, None].astype(np.float32), "z": np.ones((12, 3), np.float32)}
    data = load_data(_npz(tmp_path / "d.npz", **values), model, Task())
    assert {key: array.shape for key, array in model_inputs(data, model, Task(), np.arange(2)).items()} == {
        "x": (2, 1, 6, 6), "z": (2, 3),
    }  # fmt: skip
    with pytest.raises(ModelError, match="holds `x` besides labels; the model's inputs need `x`, `z`"):
        load_data(_npz(tmp_path / "e.npz", x=values["x"]), model, Task())


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"images": IMAGES}, "has no `labels`; a classification needs them"),
        ({"pictures": IMAGES, "labels": LABELS}, "holds `pictures` besides labels; .* need `images` or `x`"),
        (
            {"images": IMAGES, "labels": LABELS[:5]},
            "the same number of samples, 1 at least; it has `images` 12, `labels` 5",
        ),
        ({"images": IMAGES[:0], "labels": LABELS[:0]}, "1 at least; it has `images` 0"),
        ({"images": IMAGES, "labels": LABELS / 2}, "must be class numbers from 0"),
        ({"images": IMAGES, "labels": LABELS - 1}, "must be class numbers from 0"),
        ({"images": IMAGES, "labels": LABELS * 0 + 7}, "All 12 samples in .* have the label 7; .* needs two classes"),
        ({"images": IMAGES, "labels": np.full(12, "cat")}, "must be class numbers from 0"),
        ({"images": IMAGES[:, :5], "labels": LABELS}, r"\[\?, 5, 6\], which does not fit input `x` \[\?, 1, 6, 6\]"),
        ({"images": np.full((12, 6, 6), np.nan), "labels": LABELS}, "`images` in .* holds values that are not finite"),
        ({"images": np.full((12, 6, 6), "a"), "labels": LABELS}, "it must hold numbers"),
        ({"x": IMAGES[:, None].astype(complex), "labels": LABELS}, "it must hold numbers"),
        ({"x": IMAGES, "labels": LABELS}, r"input `x` has the shape \[\?, 6, 6\]; the model takes \[\?, 1, 6, 6\]"),
    ],
)
def test_data_that_does_not_fit_is_refused_in_one_sentence(
    small: Model, tmp_path: Path, arrays: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ModelError, match=sentence) as caught:
        load_data(_npz(tmp_path / "data.npz", **arrays), small, CLASSES)
    assert "\n" not in str(caught.value)


def test_damaged_archives_are_refused(small: Model, tmp_path: Path) -> None:
    whole = _npz(tmp_path / "whole.npz", images=IMAGES, labels=LABELS).read_bytes()
    flipped = bytearray(whole)
    flipped[200] ^= 0xFF  # inside the first array: zip keeps a checksum
    np.savez(tmp_path / "pickled.npz", images=np.array([{}], object))
    for name, content in {"cut": whole[:300], "flipped": bytes(flipped), "text": b"hello", "empty": b""}.items():
        (tmp_path / f"{name}.npz").write_bytes(content)
    for name in ("cut", "flipped", "text", "empty", "pickled"):
        with pytest.raises(ModelError, match=rf"{name}\.npz is no \.npz file of plain arrays, or it is damaged"):
            load_data(tmp_path / f"{name}.npz", small, CLASSES)
    with pytest.raises(ModelError, match=r"absent\.npz does not exist"):
        load_data(tmp_path / "absent.npz", small, CLASSES)


def test_a_folder_of_images_is_read_by_class(small: Model, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, value in (("cat", 0), ("dog", 100), ("eel", 200)):
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(2):
            image.new("RGB", (12, 12), (value, value, value)).save(tmp_path / "set" / name / f"{index}.png")
    data = load_data(tmp_path / "set", small, CLASSES)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.arrays["images"].shape == (6, 6, 6)
    assert data.arrays["images"][:, 0, 0].tolist() == [0, 0, 100, 100, 200, 200]
    (tmp_path / "set" / "dog" / "2.png").write_bytes(b"no image")
    with pytest.raises(ModelError, match=r"2\.png is no image that pillow can read"):
        load_data(tmp_path / "set", small, CLASSES)


def test_folders_that_are_numbers_are_class_numbers(small: Model, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for name in ("2", "10"):
        (tmp_path / name).mkdir()
        image.new("L", (6, 6)).save(tmp_path / name / "a.png")
    data = load_data(tmp_path, small, CLASSES)
    assert data.labels is not None
    assert sorted(data.labels.tolist()) == [2, 10]


def test_a_folder_without_images_is_refused(small: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no images in a folder for each class"):
        load_data(tmp_path, small, CLASSES)


def _images(folder: Path, **values: int) -> Path:
    """A folder with a 24 x 6 picture of one grey under each name."""
    image = pytest.importorskip("PIL.Image")
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        image.new("L", (24, 6), value).save(folder / f"{name}.png")
    return folder


def test_calibration_of_another_shape_is_named_with_its_file(small: Model, tmp_path: Path) -> None:
    path = _npz(tmp_path / "wrong.npz", images=IMAGES[:, :5])
    with pytest.raises(ModelError, match=r"wrong\.npz: The images have the shape \[\?, 5, 6\], .* input `x`"):
        load_data(path, small, CLASSES, labels="dropped")


def test_training_data_may_come_without_labels_but_not_with_a_single_class(small: Model, tmp_path: Path) -> None:
    assert load_data(_npz(tmp_path / "a.npz", images=IMAGES), small, CLASSES, labels="if-any").labels is None
    with pytest.raises(ModelError, match=r"All 12 samples in .* have the label 3"):
        load_data(_npz(tmp_path / "b.npz", images=IMAGES, labels=LABELS * 0 + 3), small, CLASSES, labels="if-any")


def test_images_without_labels_are_read_from_a_plain_folder(small: Model, tmp_path: Path) -> None:
    _images(_images(tmp_path, b=20, a=10) / "more", c=30)
    for task, labels in ((CLASSES, "dropped"), (Task(kind="agreement"), "needed"), (Task(), "if-any")):
        data = load_data(tmp_path, small, task, labels=labels)  # pyright: ignore[reportArgumentType]
        assert (data.labels, data.arrays["images"][:, 0, 0].tolist()) == (None, [10, 20, 30])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="empty holds no images"):
        load_data(tmp_path / "empty", small, Task(kind="agreement"))


def test_a_folder_of_texts_is_read_in_the_order_of_its_lines(small: Model, tmp_path: Path) -> None:
    folder = _images(tmp_path / "lines", a=10, b=20)
    (folder / "labels.txt").write_text("b.png\tzwei\r\na.png\teins und\tmehr\n\n", "utf-8")
    data = load_data(folder, small, TEXTS)
    assert data.labels is not None
    assert data.labels.tolist() == ["zwei", "eins und\tmehr"]
    assert data.arrays["images"][:, 0, 0].tolist() == [20, 10]
    assert load_data(folder, small, TEXTS, labels="dropped").labels is None


def test_a_line_of_text_keeps_its_aspect_and_is_filled_up_with_grey(
    save_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = read_model(save_model(shape=("batch", 1, 3, 20)))
    folder = _images(tmp_path / "lines", a=10)  # 24 x 6, hence 12 x 3
    (folder / "labels.txt").write_text("a.png\tx")
    row = load_data(folder, model, TEXTS).arrays["images"][0, 1]
    assert row.tolist() == [10] * 12 + [128] * 8


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (None, "needs `labels.txt` in UTF-8"),
        ("", r"labels\.txt is empty"),
        ("a.png\tx\na.png x\n", r"labels\.txt:2: a line is a file of this folder, a tab, its text"),
        ("../a.png\tx\n", r"labels\.txt:1: a line is a file of this folder"),
        ("none.png\tx\n", r"none\.png is no image that pillow can read"),
        ("a.png\t\n", "All texts in .* are empty"),
    ],
)
def test_a_folder_of_texts_that_is_wrong_is_refused(
    small: Model, tmp_path: Path, lines: str | None, sentence: str
) -> None:
    folder = _images(tmp_path / "lines", a=10)
    if lines is not None:
        (folder / "labels.txt").write_text(lines)
    with pytest.raises(ModelError, match=sentence):
        load_data(folder, small, TEXTS)


def test_texts_may_lie_in_an_npz(small: Model, tmp_path: Path) -> None:
    data = load_data(_npz(tmp_path / "t.npz", images=IMAGES, labels=np.array(["ä b"] * 12)), small, TEXTS)
    assert data.labels is not None
    assert data.labels.tolist() == ["ä b"] * 12
    with pytest.raises(ModelError, match=r"`labels` in .* must be texts, one for each sample"):
        load_data(_npz(tmp_path / "n.npz", images=IMAGES, labels=LABELS), small, TEXTS)
    with pytest.raises(ModelError, match="has no `labels`; a text recognition needs them"):
        load_data(_npz(tmp_path / "o.npz", images=IMAGES), small, TEXTS)


def test_a_metric_of_ones_own_gets_labels_of_any_shape(small: Model, tmp_path: Path) -> None:
    task = Task(kind="custom", function=FunctionName(written="m:f", folder=tmp_path))
    boxes = np.zeros((12, 3, 4), np.float32)
    data = load_data(_npz(tmp_path / "b.npz", images=IMAGES, labels=boxes), small, task)
    assert data.labels is not None
    assert data.labels.shape == (12, 3, 4)
    assert load_data(_npz(tmp_path / "none.npz", images=IMAGES), small, task).labels is None


def test_samples_in_both_sets_are_counted_and_refused(small: Model, tmp_path: Path) -> None:
    test = load_data(_npz(tmp_path / "test.npz", images=IMAGES[:8], labels=LABELS[:8]), small, CLASSES)
    apart = load_data(_npz(tmp_path / "apart.npz", images=IMAGES[8:], labels=LABELS[8:]), small, CLASSES)
    shared = load_data(_npz(tmp_path / "shared.npz", images=IMAGES[6:], labels=LABELS[6:]), small, CLASSES)
    refuse_overlap(apart, test)
    with pytest.raises(
        ModelError, match=r"2 of the 6 calibration samples in shared\.npz are also among the 8 test samples"
    ):
        refuse_overlap(shared, test)


def test_the_same_image_stored_as_fractions_is_found(small: Model, tmp_path: Path) -> None:
    test = load_data(_npz(tmp_path / "test.npz", images=IMAGES[:8], labels=LABELS[:8]), small, CLASSES)
    rounded = np.round(IMAGES[7:] / 255, 3)
    fractions = load_data(_npz(tmp_path / "float.npz", images=rounded, labels=LABELS[7:]), small, Task())
    with pytest.raises(ModelError, match="1 of the 5 calibration samples"):
        refuse_overlap(fractions, test)


def test_the_sentence_about_an_overlap_says_what_the_sets_are_for(small: Model, tmp_path: Path) -> None:
    data = load_data(_npz(tmp_path / "d.npz", images=IMAGES, labels=LABELS), small, CLASSES)
    with pytest.raises(ModelError, match=r"12 of the 12 training samples in d\.npz are also among the 12 test samples"):
        refuse_overlap(data, data, roles=("training", "test"))


def test_random_inputs_are_the_same_every_time_and_say_what_they_are(small: Model) -> None:
    one, two = random_data(small), random_data(small)
    assert one.sha256 == two.sha256 != random_data(small, seed=1).sha256
    assert one.random
    assert one.labels is None
    assert np.array_equal(golden_inputs(one, small, Task())["x"], golden_inputs(two, small, Task())["x"])
    assert golden_inputs(one, small, Task(), samples=5)["x"].shape == (5, 1, 6, 6)
