"""Where the parts of a YAML text stand, so that one part can be changed and all others keep their every byte. Pure.

A round trip through a YAML library keeps comments but not all spacing; here the text itself is cut and joined. The
places come from the parser's events, since only those tell where an alias stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A scalar, an alias, a mapping or a list: from `start` to `end` in the text, comments after it left out.

    `text` is a scalar's value, `pairs` a mapping's keys and values. `column` is where it starts in its line.
    """

    kind: str
    start: int
    end: int
    column: int
    text: str = ""
    flow: bool = False
    pairs: tuple[tuple[Part, Part], ...] = field(default=())

    @property
    def empty(self) -> bool:
        """Whether it holds nothing: no value at all, `null`, `~`, or `{}`."""
        plain = self.kind == "scalar" and self.text in ("", "null", "Null", "NULL", "~")
        return plain or (self.kind == "mapping" and not self.pairs)


def places(text: str) -> Part | None:
    """The parts of the first document of a text; None where it holds nothing. Raises ruamel's YAMLError."""
    from ruamel.yaml import YAML
    from ruamel.yaml import events as kinds

    events = iter(list(YAML(typ="safe", pure=True).parse(text)))
    for event in events:
        if isinstance(event, kinds.DocumentStartEvent):
            return _part(next(events), events, text)
    return None


def value_of(mapping: Part | None, key: str) -> Part | None:
    """The value of a key, or None where the mapping lacks it."""
    pairs = () if mapping is None else mapping.pairs
    return next((value for name, value in pairs if name.text == key), None)


def _part(event: Any, events: Iterator[Any], text: str) -> Part:
    from ruamel.yaml import events as kinds

    start, column = event.start_mark.index, event.start_mark.column
    if isinstance(event, kinds.ScalarEvent):
        end = max(start, len(text[: event.end_mark.index].rstrip()))  # a block scalar ends where the next line begins
        return Part(kind="scalar", start=start, end=end, column=column, text=event.value)
    if isinstance(event, kinds.AliasEvent):
        return Part(kind="alias", start=start, end=event.end_mark.index, column=column)
    mapping = isinstance(event, kinds.MappingStartEvent)
    below: list[Part] = []
    for each in events:
        if isinstance(each, kinds.CollectionEndEvent):
            own_end = each.end_mark.index if event.flow_style else event.start_mark.index
            break
        below.append(_part(each, events, text))
    else:
        raise AssertionError("the parser ends every collection")
    return Part(
        kind="mapping" if mapping else "list",
        start=start,
        end=max([own_end, *(part.end for part in below)]),
        column=column,
        flow=bool(event.flow_style),
        pairs=tuple(zip(below[::2], below[1::2], strict=True)) if mapping else (),
    )


def line_start(text: str, index: int) -> int:
    """Where the line of a place begins."""
    return text.rfind("\n", 0, index) + 1


def line_end(text: str, index: int) -> int:
    """Where the next line begins, or the end of the text."""
    found = text.find("\n", index)
    return len(text) if found < 0 else found + 1


def after_part(text: str, part_end: int, column: int) -> int:
    """Where the lines of a part end: its own, and the comments below it that are indented deeper than `column`."""
    end = look = line_end(text, part_end)
    while look < len(text):
        line = text[look : line_end(text, look)]
        bare = line.strip()
        if bare and not (bare.startswith("#") and len(line) - len(line.lstrip(" ")) > column):
            break
        look = line_end(text, look)
        end = look if bare else end
    return end


def is_spaced(text: str, key: Part) -> bool:
    """Whether a blank line stands before a key and the comments above it."""
    start = line_start(text, key.start)
    while start > 0:
        before = line_start(text, start - 1)
        line = text[before:start].strip()
        if not line.startswith("#"):
            return not line
        start = before
    return False
