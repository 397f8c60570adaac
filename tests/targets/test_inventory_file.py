"""What is no inventory at all: each kind of broken file gets one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from hilbench.targets.errors import InventoryError
from hilbench.targets.inventory import load_inventory
from hilbench.targets.yamlerrors import nearest
from hilbench.targets.yamlfile import Positions, YamlFileError, explain, load_yaml, read_yaml
from pydantic import BaseModel, ValidationError

BROKEN = {
    "empty": ("", ": the file is empty; it must hold a mapping (`key: value` lines)"),
    "only a comment": ("# nothing\n", ": the file is empty; it must hold a mapping (`key: value` lines)"),
    "a list": ("# x\n- a\n", ":2: the file holds a list at the top; it must hold a mapping"),
    "a word": ("board\n", ":1: the file holds a single value at the top; it must hold a mapping"),
    "an open bracket": ("a: 1\nb: [1\nc: 2\n", ":3: this is not valid YAML: "),
    "a tab": ("a:\n\tb: c\n", ":2: this is not valid YAML: found character '\\t' that cannot start any token"),
    "an unknown alias": ("a: 1\nb: *c\n", ":2: this is not valid YAML: found undefined alias 'c'"),
    "an alias to itself": ("a: &a\n  b: *a\n", "an alias refers to itself"),
    "a control character": ("a: \x01\n", ": this is not valid YAML: "),
    "a foreign tag": ("boards: 1\na: !!python/object x\n", ':2: "x" cannot be read as "python/object"'),
    "a bad number": ("a: 1\nb: !!int x\n", ':2: "x" cannot be read as "int"'),
    "two documents": ("a: 1\n---\nb: 2\n", "this is not valid YAML: "),
}


@pytest.mark.parametrize(("text", "sentence"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_is_no_inventory_is_named_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "inventory.yaml"
    path.write_text(text)
    with pytest.raises(InventoryError) as caught:
        load_inventory(path)
    assert str(caught.value).startswith(str(path))
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_that_expand_without_bound_are_refused(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (tmp_path / "inventory.yaml").write_text("\n".join(lines))
    with pytest.raises(InventoryError, match="the aliases expand to too many values"):
        load_inventory(tmp_path / "inventory.yaml")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin1").write_bytes(b"note: caf\xe9\n")
    for name, sentence in (("nothing", "there is no such file"), (".", "a folder"), ("latin1", "not UTF-8 text")):
        with pytest.raises(InventoryError, match=sentence):
            load_inventory(tmp_path / name)


def test_yaml_1_2_words_and_dates_stay_text(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("a: yes\nb: 2026-01-02\nc: on\nd: true\ne: 0x10\nf: ~\n")
    data, positions = read_yaml(tmp_path / "f.yaml")
    assert data == {"a": "yes", "b": "2026-01-02", "c": "on", "d": True, "e": 16, "f": None}
    assert [positions.line((key,)) for key in data] == [1, 2, 3, 4, 5, 6]


class Inner(BaseModel, extra="forbid"):
    size: int
    name: str = ""


class Outer(BaseModel, extra="forbid"):
    items: list[Inner] = []
    by_name: dict[str, Inner] = {}
    maybe: Inner | None = None


def test_explain_serves_other_models_too(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("items:\n  - size: 1\n  - sise: 2\nby_name:\n  x:\n    size: big\nmaybe: {}\n")
    data, positions = read_yaml(path)
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(data)
    assert [line.removeprefix(str(path)) for line in explain(path, positions, caught.value, Outer)] == [
        ':3: items.1: the key "size" is missing',
        ':3: items.1: unknown key "sise"; did you mean "size"? Allowed: size, name',
        ':6: by_name.x.size: must be a whole number, not "big"',
        ':7: maybe: the key "size" is missing',
    ]


def test_load_yaml_reports_duplicates_even_where_the_rest_is_right(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("items: []\nitems: []\n")
    with pytest.raises(YamlFileError) as caught:
        load_yaml(path, Outer)
    assert caught.value.problems == (f'{path}:2: duplicate key "items": it already stands in line 1',)
    path.write_text("items: [{size: 3}]\n")
    assert load_yaml(path, Outer)[0].items[0].size == 3


def test_a_key_that_is_not_in_the_file_has_the_line_of_the_one_around_it() -> None:
    positions = Positions({("a",): 3, ("a", "b"): 5})
    assert positions.line(("a", "b", "c", 0)) == 5
    assert positions.line(("a", "x")) == 3
    assert positions.line(("z",)) == 1


def test_nearest_finds_a_slip_and_nothing_far() -> None:
    assert nearest("HOTS", ["port", "host"]) == "host"
    assert nearest("zzzz", ["port", "host"]) is None
