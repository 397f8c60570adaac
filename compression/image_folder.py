"""A folder of images as users have them: a folder a class, images with their texts, or just images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .model import Model

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
TEXTS = "labels.txt"  # a line an image: file<TAB>text
MAX_BYTES = 2 * 2**30  # data is held in memory
GREY = 128  # what a line of text is filled up with: the middle of the range, near 0 once it is normalised

Pixels = NDArray[np.uint8]  # [N, H, W] or [N, H, W, 3]


def read_image_folder(path: Path, model: Model) -> tuple[Pixels, NDArray[np.int64]]:
    """Return (images, labels int64 [N]) of DIR/<class>/<image>.

    Classes are numbered in the order of their names, or are their names where all of these are numbers. Images are
    resized to the model's input (bilinear). Raises ModelError.
    """
    classes = sorted(folder.name for folder in path.iterdir() if folder.is_dir())
    numbers = [int(name) for name in classes] if all(name.isdecimal() for name in classes) else range(len(classes))
    files: list[tuple[Path, int]] = []
    for name, number in zip(classes, numbers, strict=True):
        files += [(file, number) for file in _images_in(path / name)]
    if not files:
        raise ModelError(f"The folder {path} holds no images in a folder for each class ({', '.join(IMAGE_SUFFIXES)}).")
    images = _read_images(path, [file for file, _ in files], model, keep_aspect=False)
    return images, np.asarray([number for _, number in files], np.int64)


def read_text_folder(path: Path, model: Model) -> tuple[Pixels, NDArray[np.str_]]:
    """Return (images, texts [N]) of a folder with `labels.txt`: on each line a file of the folder, a tab, its text.

    Images keep their aspect (see `read_plain_folder`). Raises ModelError, with the line where one is wrong.
    """
    try:
        lines = (path / TEXTS).read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"The folder {path} needs `{TEXTS}` in UTF-8: on each line a file, a tab, its text."
        ) from error
    files: list[Path] = []
    texts: list[str] = []
    for number, line in enumerate((line.removesuffix("\r") for line in lines), start=1):
        if not line:
            continue
        name, tab, text = line.partition("\t")
        file = (path / name).resolve()
        if not tab or not file.is_relative_to(path.resolve()):
            raise ModelError(f"{path / TEXTS}:{number}: a line is a file of this folder, a tab, its text.")
        files.append(file)
        texts.append(text)
    if not files:
        raise ModelError(f"{path / TEXTS} is empty.")
    return _read_images(path, files, model, keep_aspect=True), np.asarray(texts, np.str_)


def read_plain_folder(path: Path, model: Model, *, keep_aspect: bool) -> Pixels:
    """Return the images that lie in a folder or in folders of it, without any labels.

    With `keep_aspect` they are resized to the model's height and filled up with grey at the right, as lines of text are
    (squeezed where they are too long); else to its height and width. Raises ModelError.
    """
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
    files = [file for folder in (path, *folders) for file in _images_in(folder)]
    if not files:
        raise ModelError(f"The folder {path} holds no images ({', '.join(IMAGE_SUFFIXES)}).")
    return _read_images(path, files, model, keep_aspect=keep_aspect)


def _images_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)


def _read_images(folder: Path, files: Sequence[Path], model: Model, *, keep_aspect: bool) -> Pixels:
    height, width, channels = _image_size(model)
    if len(files) * height * width * channels > MAX_BYTES:
        raise ModelError(f"The {len(files)} images in {folder} exceed {MAX_BYTES >> 30} GiB at {width} x {height}.")
    return np.stack([_read_image(file, (height, width, channels), keep_aspect) for file in files])


def _image_size(model: Model) -> tuple[int, int, int]:
    """Return (height, width, channels) of the model's one image input."""
    shape = model.inputs[0].sample_shape
    if len(model.inputs) == 1 and len(shape) == 3:
        if shape[0] in (1, 3):
            return shape[1], shape[2], shape[0]
        if shape[2] in (1, 3):
            return shape
    raise ModelError(f"A folder of images fits a model with one image input; {model.path.name} has none: use an .npz.")


def _read_image(file: Path, size: tuple[int, int, int], keep_aspect: bool) -> Pixels:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ModelError("A folder of images needs pillow: `pip install pillow`, or save the data as .npz.") from error
    height, width, channels = size
    try:
        with Image.open(file) as opened:
            image = opened.convert("L" if channels == 1 else "RGB")
            filled = min(width, max(1, round(image.width * height / image.height))) if keep_aspect else width
            image = image.resize((filled, height), Image.Resampling.BILINEAR)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ModelError(f"{file} is no image that pillow can read.") from error
    pixels = np.full((height, width, channels), GREY, np.uint8)
    pixels[:, :filled] = np.asarray(image, np.uint8).reshape(height, filled, channels)
    return pixels if channels == 3 else pixels[:, :, 0]
