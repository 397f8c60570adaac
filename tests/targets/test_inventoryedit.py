"""Editing an inventory's text: one entry comes or goes, and every other byte stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.targets.errors import InventoryError
from hilbench.targets.inventory import load_inventory
from hilbench.targets.inventoryedit import board_names, difference, with_board, without_board

PATH = Path("inventory.yaml")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKzVr5sZ2mCxYpXoUjC2Cd0cX0kvR6dL0x1b7L8d2n3Q"
ENTRY = {
    "host": "10.0.0.9",
    "user": "bench",
    "host_key": KEY,
    "jump": {"host": "gate", "user": "me", "host_key": KEY},
    "arch": "arm64",
    "runtimes": ["onnxruntime", {"name": "ai-edge-litert", "python": "/opt/a b/python"}],
    "note": "it's: new # not a comment",
}

PLAIN = """\
# Head of the file.
boards:
  a:   # the first
    connection: local
    note: 'single'   # quoted so
"""
SPACED = """\
# yaml-language-server: $schema=inventory.schema.json
defaults: &d
  workdir: "/var/tmp/hilbench"   # double quotes, three spaces

kinds:
    wide: {arch: arm64,   runtimes: [ onnxruntime ]}
boards:

  # above a
  a:
      connection: local
      # inside a
      tags: [x,   'y',"z"]  # odd spacing

  # above b
  b:
      connection: local
      note: >-
        folded
        text
      # role: target     (below b, deeper: it is b's)

# A comment of the whole file, about the end.
#
#  c:
#    host: 192.0.2.1
"""
ANCHORS = """\
boards:
  a: &first
    connection: local
    tags: &tags [one, two]
  b:
    connection: local
    tags: *tags
# the end
"""
SEQUENCES = """\
boards:
  a:
    connection: local
    runtimes:
    - name: onnxruntime   # not indented under its key
      python: controller

    # - ai-edge-litert
kinds:
  k: {arch: arm64}
"""
LITERAL = """\
boards:
  a:
    connection: local
    note: |
      one
      # two, which is no comment

kinds: {}
"""
BLOCKS = {"plain": PLAIN, "spaced": SPACED, "anchors": ANCHORS, "sequences": SEQUENCES, "literal": LITERAL}
CASES = {
    **BLOCKS,
    **{f"{name}-crlf": text.replace("\n", "\r\n") for name, text in BLOCKS.items()},
    **{f"{name}-no-end": text.rstrip("\n") for name, text in BLOCKS.items()},
    "no-end-crlf": PLAIN.rstrip("\n").replace("\n", "\r\n"),
}
FLOW = {
    "flow": "boards: {a: {connection: local}}  # one line\nkinds: {}\n",
    "flow-lines": "boards: {\n  a: {connection: local},   # the first\n  b: {connection: local},\n}\n# end\n",
    "json": '{"boards": {"a": {"connection": "local"}}}\n',
    "flow-below": "boards:\n  {a: {connection: local}}\n",
}
EMPTY = {
    "nothing": "",
    "only-a-comment": "# soon\n",
    "no-boards": "defaults:\n  user: me\n# end\n",
    "no-boards-no-end": "defaults: {user: me}",
    "empty": "boards:\n",
    "empty-comment": "# head\nboards:   # none yet\n\n# foot\n",
    "empty-crlf": "boards:\r\nkinds: {}\r\n",
    "empty-no-end": "boards:",
    "empty-first": "boards:\nkinds: {}\n",
    "empty-spaces": "boards:  \n\nkinds: {}\n",
    "null": "boards: null   # none\nkinds: {}\n",
    "tilde": "kinds: {}\nboards: ~",
    "braces": "boards: {}   # none\nkinds: {}\n",
}


def added_lines(before: str, after: str) -> list[str]:
    """The lines of `after` that are new; fails unless all lines of `before` are there, in order, unchanged."""
    left = before.splitlines(keepends=True)
    new: list[str] = []
    for line in after.splitlines(keepends=True):
        if left and (line == left[0] or line.rstrip("\r\n") == left[0]):
            left.pop(0)
        else:
            new.append(line)
    assert left == [], f"lost or changed: {left}"
    return new


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_a_board_is_added_and_all_other_lines_stay_byte_for_byte(text: str) -> None:
    after = with_board(PATH, text, "new", ENTRY)
    lines = added_lines(text, after)
    assert next(line.strip() for line in lines if line.strip()) == "new:"
    assert sum(bool(line.strip()) for line in lines) == 1 + len(ENTRY)
    board = load_inventory(PATH, after).board("new")
    assert board.note == ENTRY["note"]
    assert board.runtimes[1].python == "/opt/a b/python"
    assert after.endswith("\n") == text.endswith("\n") or "\n# " in text


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_a_board_that_was_added_and_taken_out_leaves_the_file_as_it_was(text: str) -> None:
    assert without_board(PATH, with_board(PATH, text, "new", ENTRY), "new") == text


@pytest.mark.parametrize("text", FLOW.values(), ids=FLOW)
def test_in_flow_style_the_board_comes_into_the_braces(text: str) -> None:
    after = with_board(PATH, text, "new", ENTRY)
    start = next(i for i, (a, b) in enumerate(zip(text, after, strict=False)) if a != b)
    assert after[start:].endswith(text[start:])
    assert load_inventory(PATH, after).board("new").note == ENTRY["note"]
    assert without_board(PATH, after, "new") == text


@pytest.mark.parametrize("text", EMPTY.values(), ids=EMPTY)
def test_the_first_board_comes_into_a_file_without_any(text: str) -> None:
    after = with_board(PATH, text, "new", ENTRY)
    assert list(load_inventory(PATH, after).boards) == ["new"]
    for line in text.splitlines():
        assert line.replace(" null", "").replace(" ~", "").replace(" {}   #", "   #") in after or "kinds: {}" in after
        if "#" in line:
            assert line[line.index("#") :] in after


def test_each_line_ends_as_the_others_do() -> None:
    after = with_board(PATH, PLAIN.replace("\n", "\r\n"), "new", ENTRY)
    assert after.count("\n") == after.count("\r\n")


def test_blank_lines_between_boards_are_kept_up() -> None:
    assert "\n\n  new:\n      host:" in with_board(PATH, SPACED, "new", ENTRY)
    assert "\n\n  new:" not in with_board(PATH, PLAIN, "new", ENTRY)


def test_a_comment_below_the_last_board_that_is_deeper_stays_with_it() -> None:
    after = with_board(PATH, SPACED, "new", ENTRY)
    assert after.index("(below b") < after.index("new:") < after.index("# A comment of the whole file")


def test_a_board_in_the_middle_goes_with_its_own_comments_and_no_others() -> None:
    after = without_board(PATH, SPACED, "a")
    assert "inside a" not in after
    for kept in ("# above a", "# above b", "(below b", "three spaces", "# A comment of the whole file"):
        assert kept in after
    assert list(load_inventory(PATH, after).boards) == ["b"]


def test_the_first_board_in_braces_goes_alone() -> None:
    after = without_board(PATH, FLOW["flow-lines"], "a")
    assert list(load_inventory(PATH, after).boards) == ["b"]


@pytest.mark.parametrize("name", ["1", "true", "null", "1e3", "0x1f", "2026-11-24"])
def test_names_that_yaml_would_read_as_something_else_are_quoted(name: str) -> None:
    assert name in load_inventory(PATH, with_board(PATH, PLAIN, name, ENTRY)).boards
    assert board_names(PATH, with_board(PATH, PLAIN, name, ENTRY)) == ["a", name]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (PLAIN.replace("  a:", "  new:"), 'already a board "new"'),
        ("base: &b {a: {connection: local}}\nboards: *b\n", "no mapping written out"),
        ("- a\n- b\n", "not of the form"),
        ("boards: {  # inside\n}\n", "comment inside the braces"),
        ("boards: [1\n", "not valid YAML"),
        ("boards:\n  a:\n    connection: local\n    note: |+\n      x\n\n\n", "without touching other entries"),
    ],
)
def test_what_cannot_be_added_is_said_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(InventoryError, match=says) as caught:
        with_board(PATH, text, "new", ENTRY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        (PLAIN, "a", "its only board"),
        (PLAIN, "z", 'no board "z"'),
        (ANCHORS, "a", "an anchor that others use"),
    ],
)
def test_what_cannot_be_taken_out_is_said_in_one_sentence(text: str, name: str, says: str) -> None:
    with pytest.raises(InventoryError, match=says) as caught:
        without_board(PATH, text, name)
    assert "\n" not in str(caught.value)


def test_the_difference_names_only_what_comes() -> None:
    lines = difference(PATH, PLAIN, with_board(PATH, PLAIN, "new", ENTRY)).splitlines()
    assert lines[:2] == ["--- inventory.yaml", "+++ inventory.yaml (new)"]
    assert not [line for line in lines[2:] if line.startswith("-")]
    assert "+  new:" in lines
