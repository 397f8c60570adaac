"""A template with parameters left open becomes recipes, and each mistake in it is named where it stands."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from hilbench.compression.errors import RecipeError
from hilbench.compression.recipe import parse_recipe
from hilbench.harness.errors import PlanError
from hilbench.harness.search.proposing import unseen
from hilbench.harness.search.space import Proposal, Space, Span, parse_template

LEAN: list[Any] = [
    {"prune-channels": {"ratio": {"from": 0.1, "to": 0.5, "step": 0.1}, "round_to": {"any": [4, 8]}}},
    {"distil": {"student": {"any": [None, "squeeze-digits"]}, "epochs": {"from": 1, "to": 3}}},
    {"int8-static": {"exclude": {"any": [[], ["conv1"]]}, "activation": "s8"}},
]


def space(*templates: Any, models: tuple[str, ...] = ("net",)) -> Space:
    return Space(models=models, templates=tuple(parse_template(one) for one in templates))


def test_each_knob_has_a_name_and_the_recipe_has_its_value() -> None:
    template = parse_template(LEAN)
    values = {
        "prune-channels.ratio": 0.3,
        "prune-channels.round_to": 4,
        "distil.student": "squeeze-digits",
        "distil.epochs": 2,
        "int8-static.exclude": ["conv1"],
    }
    assert set(template.knobs) == set(values)
    wanted = parse_recipe(
        [
            {"prune-channels": {"ratio": 0.3, "round_to": 4}},
            {"distil": {"student": "squeeze-digits", "epochs": 2}},
            {"int8-static": {"exclude": ["conv1"], "activation": "s8"}},
        ]
    )
    assert template.recipe(values) == wanted


def test_a_span_has_the_numbers_that_were_written() -> None:
    span = parse_template(LEAN).knobs["prune-channels.ratio"]
    assert isinstance(span, Span)
    assert span.values() == (0.1, 0.2, 0.3, 0.4, 0.5)


def test_the_points_of_a_space_are_counted_and_listed_once_each() -> None:
    found = space("fp16", LEAN, models=("a", "b"))
    points = list(found.points())
    assert found.size == len(points) == len({point.key for point in points}) == 2 * (1 + 5 * 2 * 2 * 3 * 2)
    assert len({(point.model, found.recipe(point).name) for point in points}) == len(points)


def test_a_number_without_a_step_has_no_end_of_values() -> None:
    assert space([{"prune-l1": {"ratio": {"from": 0.1, "to": 0.9}}}]).size == math.inf


def test_the_same_step_twice_has_knobs_of_different_names() -> None:
    open_ratio = {"ratio": {"any": [0.2, 0.4]}}
    template = parse_template([{"prune-l1": open_ratio}, {"prune-l1": open_ratio}])
    assert set(template.knobs) == {"prune-l1.ratio", "prune-l1#2.ratio"}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("int8-statik", "Did you mean `int8-static`"),
        ([{"prune-l1": {"ratoi": {"any": [0.1]}}}], "has no parameter `ratoi`"),
        ([{"prune-l1": {"ratio": {"any": [0.1, 1.5]}}}], "`ratio`"),
        ([{"prune-l1": {"ratio": {"from": 0.5, "to": 1.5, "step": 0.5}}}], "`ratio`"),
        ([{"prune-l1": {"ratio": {"from": 0.5, "to": 0.1}}}], "must be below"),
        ([{"prune-l1": {"ratio": {"from": 0.1, "to": 0.5, "by": 0.1}}}], "is a value, {any: [..]}"),
        ([{"prune-l1": {"ratio": {"any": []}}}], "at least one value"),
        ([{"prune-l1": {"ratio": {"any": [0.1, 0.1]}}}], "the same value stands there twice"),
        ([{"int8-static": {"activation": {"any": ["u8", "u4"]}}}], "activation"),
        ({"steps": ["fp16"]}, "has the keys `name` and `steps`"),
        (["int8-static", "prune-l1"], "prune-l1"),
    ],
)
def test_a_mistake_is_named(data: Any, sentence: str) -> None:
    with pytest.raises((PlanError, RecipeError), match=re.escape(sentence)):
        parse_template(data)


def test_what_was_not_seen_is_drawn_until_nothing_is_left() -> None:
    small, seen = space("fp16", "int8-dynamic", [{"prune-l1": {"ratio": {"any": [0.2, 0.4]}}}]), set[str]()
    for number in range(4):
        drawn = unseen(small, seen, seed=(1, number))
        assert isinstance(drawn, Proposal)
        assert drawn.key not in seen
        seen.add(drawn.key)
    assert unseen(small, seen, seed=(1, 4)) is None
