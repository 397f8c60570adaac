"""Lines of text drawn here, so that what stands in them is known: data for `zoo:ppocr-rec`.

A plan names a function of this file as its data: `hilbench.compression.zoo_data:text_lines`. Nothing is downloaded: the
letters come with pillow.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

HEIGHT, WIDTH = 48, 320  # what PP-OCR's recognizer takes
MARGIN = 3  # with much more, the recognizer reads a space before the first word
SIZES = range(22, 35)  # of letters, in pixels
NOISE = 24  # the largest standard deviation of a pixel
GREY = 128  # beside the line, as PP-OCR fills up shorter lines: the middle of the range
_WORDS = """
amber anchor autumn bakery basket bridge butter candle castle cherry circle copper corner cotton dealer desert
dinner doctor driver engine evening family finger flight forest garden ginger guitar hammer harbor honey
insect island jacket jungle kitchen ladder lemon letter limit market meadow mirror mobile morning museum
needle number office orange packet paper pencil pepper planet pocket quarter rabbit ribbon river rocket saddle
school season shadow silver spring station summer table temple thunder ticket timber travel tunnel valley
velvet village violin window winter yellow zebra
"""
WORDS = tuple(_WORDS.split())

Line = tuple[NDArray[np.uint8], str]


def text_lines(samples: int = 200, seed: int = 1) -> Iterator[Line]:
    """Yield (image uint8 [48, 320, 3], text): printed words, numbers and prices, the same ones for the same seed.

    Sizes, greys and noise differ from line to line. Raises ModelError where pillow has no scalable font.
    """
    chosen = random.Random(seed)  # noqa: S311  repeatable, not secret
    fonts = {size: _font(size) for size in SIZES}
    seen: set[str] = set()
    while len(seen) < samples:
        text = _text(chosen)
        if text not in seen:
            seen.add(text)
            yield _drawn(text, fonts, chosen), text


def calibration_lines() -> Iterator[Line]:
    """Yield 64 lines for static quantization, other ones than `text_lines` has."""
    return text_lines(samples=64, seed=2)


def _text(chosen: random.Random) -> str:
    word = chosen.choice(WORDS)
    match chosen.randrange(5):
        case 0:
            return f"{word} {chosen.randrange(10, 10_000)}"
        case 1:
            return f"{word.upper()} {chosen.choice(WORDS)}"
        case 2:
            return f"{word.capitalize()} {chosen.randrange(1, 100)}.{chosen.randrange(100):02d}"
        case 3:
            return f"{chosen.randrange(2000, 2100)}-{chosen.randrange(1, 13):02d}-{chosen.randrange(1, 29):02d} {word}"
        case _:
            return f"{word} {chosen.choice(WORDS)}"


def _font(size: int) -> FreeTypeFont:
    try:
        from PIL import ImageFont
    except ImportError as error:
        raise ModelError("Drawing lines of text needs pillow: `pip install 'pillow>=11'`.") from error
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise ModelError("Drawing lines of text needs a pillow with FreeType: `pip install 'pillow>=11'`.")
    return font


def _drawn(text: str, fonts: dict[int, FreeTypeFont], chosen: random.Random) -> NDArray[np.uint8]:
    """Dark letters on a light ground, at the largest of the sizes up to a chosen one that lets the line fit."""
    from PIL import Image, ImageDraw

    size = chosen.choice(sorted(fonts))
    while size > min(fonts) and fonts[size].getlength(text) > WIDTH - 2 * MARGIN:
        size -= 1
    length = min(WIDTH, round(fonts[size].getlength(text)) + 2 * MARGIN)
    paper, ink = chosen.randrange(190, 256), chosen.randrange(0, 130)
    image = Image.new("L", (WIDTH, HEIGHT), GREY)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, length - 1, HEIGHT - 1), fill=paper)
    draw.text((MARGIN, HEIGHT // 2 + chosen.randrange(-2, 3)), text, font=fonts[size], fill=ink, anchor="lm")
    noise = np.random.default_rng(chosen.getrandbits(32)).normal(0, chosen.uniform(0, NOISE), (HEIGHT, WIDTH))
    noise[:, length:] = 0
    pixels = np.clip(np.rint(np.asarray(image) + noise), 0, 255).astype(np.uint8)
    return np.repeat(pixels[:, :, np.newaxis], 3, axis=2)
