"""Add boards to an inventory's text and take them out; everything else in it keeps its every byte. Pure.

What was made is read again and compared with what was meant: a text in which the change cannot be made by cutting and
joining (an alias in the place of `boards:`, an anchor that others use) is refused, never damaged.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import InventoryError
from .yamlplaces import Part, after_part, is_spaced, line_end, line_start, places, value_of

NEW_FILE = "# The boards that hilbench may use. For completion in an editor: hilbench schema inventory\n"

Entry = Mapping[str, Any]


def board_names(path: Path, text: str) -> list[str]:
    """The names of the boards of a text, in its order, whether or not the entries are right."""
    boards = value_of(_places(path, text), "boards")
    return [] if boards is None else [key.text for key, _ in boards.pairs]


def with_board(path: Path, text: str, name: str, entry: Entry) -> str:
    """The text with one more board, after the others. `path` is for messages. Raises InventoryError."""
    if name in board_names(path, text):
        raise InventoryError(f'{path}: there is already a board "{name}"')
    root = _places(path, text)
    boards = value_of(root, "boards")
    if root is not None and (root.kind != "mapping" or (root.flow and boards is None)):
        raise InventoryError(f"{path}: the file is not of the form `key: value` lines, so no board can be added to it")
    if boards is None or boards.empty:
        changed = _first_board(path, text, root, boards, name, entry)
    elif boards.kind != "mapping":
        raise InventoryError(f'{path}: "boards" is no mapping written out, so no board can be added to it')
    elif boards.flow:
        end = boards.pairs[-1][1].end
        changed = f"{text[:end]}, {_emit(name, entry, flow=True)}{text[end:]}"
    else:
        changed = _append(text, boards, name, entry)
    _verify(path, text, changed, {**_boards(path, text), name: dict(entry)})
    return changed


def without_board(path: Path, text: str, name: str) -> str:
    """The text without a board; comments outside of its entry stay. Raises InventoryError."""
    boards = value_of(_places(path, text), "boards")
    pairs = () if boards is None else boards.pairs
    index = next((i for i, (key, _) in enumerate(pairs) if key.text == name), None)
    if boards is None or index is None:
        raise InventoryError(f'{path}: there is no board "{name}"')
    if len(pairs) == 1:
        raise InventoryError(f'{path}: "{name}" is its only board, and an inventory needs one; delete the file instead')
    changed = _cut_flow(text, boards, index) if boards.flow else _cut_lines(text, boards, index)
    _verify(path, text, changed, {key: value for key, value in _boards(path, text).items() if key != name})
    return changed


def difference(path: Path, before: str, after: str) -> str:
    """What changes, as a unified diff of lines; empty where nothing does."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), fromfile=str(path), tofile=f"{path} (new)", lineterm="", n=2
    )
    return "\n".join(lines)


def _append(text: str, boards: Part, name: str, entry: Entry) -> str:
    last_key, last_value = boards.pairs[-1]
    column = last_key.column
    widths = [value.pairs[0][0].column - column for _, value in boards.pairs if value.pairs and not value.flow]
    at = after_part(text, max(last_key.end, last_value.end), column)
    spaced = len(boards.pairs) > 1 and is_spaced(text, last_key)
    return _insert(text, at, name, entry, column=column, width=widths[0] if widths else 2, spaced=spaced)


def _first_board(path: Path, text: str, root: Part | None, boards: Part | None, name: str, entry: Entry) -> str:
    if boards is None:
        at = len(text) if root is None else line_end(text, root.end)
        text = _join(text, at, ["", "boards:"] if text.strip() else ["boards:"])
        return with_board(path, text, name, entry)
    if "#" in text[boards.start : boards.end]:
        raise InventoryError(f"{path}: there is a comment inside the braces after `boards:`; put it elsewhere first")
    key_end = next(key.end for key, value in (root.pairs if root else ()) if value is boards)
    colon = text.index(":", key_end) + 1
    bare = text
    if boards.end > boards.start:  # `null` or `{}` goes, a comment after it stays
        bare = text[:colon] + text[colon : boards.start].rstrip(" ") + text[boards.end :]
    return _insert(bare, line_end(bare, colon), name, entry, column=2, width=2, spaced=False)


def _insert(text: str, at: int, name: str, entry: Entry, *, column: int, width: int, spaced: bool) -> str:
    block = _emit(name, entry, width=width).splitlines()
    return _join(text, at, [*([""] if spaced else []), *(f"{' ' * column}{line}" for line in block)])


def _join(text: str, at: int, lines: list[str]) -> str:
    """Lines put in before the one that starts at `at`; a last line without an end stays one."""
    newline = "\r\n" if "\r\n" in text else "\n"
    block = newline.join(lines)
    if at > 0 and not text[:at].endswith("\n"):
        return text[:at] + newline + block + text[at:]
    return text[:at] + block + newline + text[at:]


def _cut_lines(text: str, boards: Part, index: int) -> str:
    key, value = boards.pairs[index]
    start, end = line_start(text, key.start), after_part(text, max(key.end, value.end), key.column)
    before = line_start(text, start - 1)
    followed = end < len(text) and text[end : line_end(text, end)].strip()
    if not text[before:start].strip() and not followed:
        start = before  # one of the two blank lines that would now meet
    ended = text.endswith("\n") or end < len(text)
    return text[:start] + text[end:] if ended else text[:start].removesuffix("\n").removesuffix("\r")


def _cut_flow(text: str, boards: Part, index: int) -> str:
    if index + 1 < len(boards.pairs) and index == 0:
        return text[: boards.pairs[0][0].start] + text[boards.pairs[1][0].start :]
    return text[: boards.pairs[index - 1][1].end] + text[boards.pairs[index][1].end :]


def _emit(name: str, entry: Entry, *, flow: bool = False, width: int = 2) -> str:
    """`name: …` as YAML, what lies below the entry in one line each; in flow form without the outer braces."""
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    def prepared(value: Any, *, outer: bool) -> Any:
        if isinstance(value, Mapping):
            mapping = CommentedMap((key, prepared(item, outer=False)) for key, item in value.items())
            if not outer or flow:
                mapping.fa.set_flow_style()
            return mapping
        if isinstance(value, list | tuple):
            items = CommentedSeq(prepared(item, outer=False) for item in value)
            items.fa.set_flow_style()
            return items
        return value

    yaml = YAML()
    yaml.width = 1 << 20
    yaml.indent(mapping=width)
    stream = io.StringIO()
    whole = CommentedMap({name: prepared(entry, outer=True)})
    if flow:
        whole.fa.set_flow_style()
    yaml.dump(whole, stream)
    written = stream.getvalue().strip("\n")
    return written[1:-1] if flow else written


def _places(path: Path, text: str) -> Part | None:
    from ruamel.yaml.error import YAMLError

    try:
        return places(text)
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise InventoryError(f"{path}: this is not valid YAML: {reason}") from error


def _boards(path: Path, text: str) -> dict[str, Any]:
    found = _data(path, text).get("boards") or {}
    return {str(key): value for key, value in found.items()}


def _data(path: Path, text: str) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        data = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        reason = " ".join(str(error).split())
        raise InventoryError(f"{path}: this is not valid YAML: {reason}") from error
    return data if isinstance(data, dict) else {}


def _verify(path: Path, before: str, after: str, boards: dict[str, Any]) -> None:
    """Read the new text: the boards that were meant, in that order, and everything else as it was."""
    problem = InventoryError(
        f"{path}: the change cannot be made without touching other entries (an anchor that others use?); "
        "edit the file by hand"
    )
    try:
        same = {key: value for key, value in _data(path, after).items() if key != "boards"}
        found = _boards(path, after)
    except InventoryError as error:
        raise problem from error
    expected = {key: value for key, value in _data(path, before).items() if key != "boards"}
    if same != expected or found != boards or list(found) != list(boards):
        raise problem
