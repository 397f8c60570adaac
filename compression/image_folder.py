"""A folder of images with one folder a class, as users have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .model import Model

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
MAX_BYTES = 2 * 2**30  # data is held in memory


def read_image_folder(path: Path, model: Model) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return (images uint8 [N, H, W] or [N, H, W, 3], labels int64 [N]) of DIR/<class>/<image>.

    Classes are numbered in the order of their names, or are their names where all of these are numbers. Images are
    resized to the model's input (bilinear). Raises ModelError.
    """
    classes = sorted(folder.name for folder in path.iterdir() if folder.is_dir())
    numbers = [int(name) for name in classes] if all(name.isdecimal() for name in classes) else range(len(classes))
    files: list[tuple[Path, int]] = []
    for name, number in zip(classes, numbers, strict=True):
        found = sorted(file for file in (path / name).iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
        files += [(file, number) for file in found]
    if not files:
        raise ModelError(f"The folder {path} holds no images in a folder for each class ({', '.join(IMAGE_SUFFIXES)}).")
    size = _image_size(model)
    if len(files) * size[0] * size[1] * size[2] > MAX_BYTES:
        raise ModelError(f"The {len(files)} images in {path} exceed {MAX_BYTES >> 30} GiB at {size[1]} x {size[0]}.")
    images = np.stack([_read_image(file, size) for file, _ in files])
    return images, np.asarray([number for _, number in files], np.int64)


def _image_size(model: Model) -> tuple[int, int, int]:
    """Return (height, width, channels) of the model's one image input."""
    shape = model.inputs[0].sample_shape
    if len(model.inputs) == 1 and len(shape) == 3:
        if shape[0] in (1, 3):
            return shape[1], shape[2], shape[0]
        if shape[2] in (1, 3):
            return shape
    raise ModelError(f"A folder of images fits a model with one image input; {model.path.name} has none: use an .npz.")


def _read_image(file: Path, size: tuple[int, int, int]) -> NDArray[np.uint8]:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ModelError("A folder of images needs pillow: `pip install pillow`, or save the data as .npz.") from error
    height, width, channels = size
    try:
        with Image.open(file) as opened:
            image = opened.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ModelError(f"{file} is no image that pillow can read.") from error
    pixels = np.asarray(image, np.uint8)
    return pixels if channels == 3 else pixels.reshape(height, width)
