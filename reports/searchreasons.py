"""Why a candidate went no further, in the language that is spoken; pure.

A record keeps the sentence in English. Those that the search itself makes are known here and said again in another
language, with their figures as they were recorded; what a board or a tool gave as its reason stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from .language import Language, mark, spoken, tr
from .searchwords import METRICS, quantity

# Those of which the beginning is free come last, as the first that fits is taken.
_SENTENCES = (
    mark("the same file as trial {number}, whose figures it takes"),
    mark("not measured: foretold behind trial {number} in every objective, beyond nine in ten errors of the forecasts"),
    mark(
        "behind the front: trial {number} is better in every objective that differs, though not by more than their "
        "intervals"
    ),
    mark("behind the front: trial {number} is better in every objective that differs"),
    mark("no more effort: trial {number}, measured with all blocks, may be as good in every objective"),
    mark("loses at least {figure}, over the limit {limit}"),
    mark("{metric} {figure} on {board} is over the limit {limit}"),
    mark("{metric} {figure} is over the limit {limit}"),
    mark("{figure} is over the limit {limit}"),
)
_FORMS: Mapping[str, str] = {
    "number": r"\d+",
    "metric": "|".join(METRICS),
    "figure": r"[\d.,]+(?:e[+-]?\d+)? ?[A-Za-z]*(?: instructions)?",
    "board": ".+",
    "limit": ".+",
}
_COUNT = re.compile(r"(.+) instructions")


def reason_text(sentence: str) -> str:
    """A sentence of a record, translated where the search made it."""
    if spoken() is Language.ENGLISH:
        return sentence
    for message in _SENTENCES:
        found = _pattern(message).fullmatch(sentence)
        if found is not None:
            return tr(message, **{name: _said(name, value) for name, value in found.groupdict().items()})
    return sentence


def _said(name: str, value: str) -> str:
    if name == "metric":
        return quantity(value)
    count = _COUNT.fullmatch(value) if name == "figure" else None
    return value if count is None else tr("{count} instructions", count=count[1])


@cache
def _pattern(message: str) -> re.Pattern[str]:
    """What a sentence made of a message looks like."""
    parts = re.split(r"\{(\w+)\}", message)
    text = "".join(f"(?P<{part}>{_FORMS[part]})" if odd % 2 else re.escape(part) for odd, part in enumerate(parts))
    return re.compile(text)
