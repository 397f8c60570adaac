from __future__ import annotations

import pytest
from hilbench.compression.errors import RecipeError
from hilbench.compression.recipe import BUILT_IN, Int8Static, PruneL1, parse_recipe, step_parameters


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_name_is_a_recipe_of_that_name(name: str) -> None:
    recipe = parse_recipe(name)
    assert recipe.name == name
    assert "+".join(step.kind for step in recipe.steps) == ("" if name == "fp32" else name)


def test_steps_with_parameters_become_a_named_recipe() -> None:
    data = {"name": "lean", "steps": [{"prune-l1": {"l1_budget": 300, "exclude": ["head.weight"]}}, "int8-static"]}
    recipe = parse_recipe(data)
    assert recipe.name == "lean"
    assert recipe.steps == (PruneL1(l1_budget=300.0, exclude=("head.weight",)), Int8Static())


def test_a_list_is_named_by_what_differs_from_the_defaults() -> None:
    assert parse_recipe([{"prune-l1": {"ratio": 0.8}}, "fp16"]).name == "prune-l1(ratio=0.8)+fp16"
    assert parse_recipe(["prune-l1"]).name == "prune-l1"
    assert parse_recipe([{"prune-l1": {"l1_budget": 5}}]).name == "prune-l1(l1_budget=5.0)"


def test_a_step_as_plain_data_shows_its_defaults() -> None:
    assert step_parameters(Int8Static(samples=50)) == {
        "kind": "int8-static",
        "calibrate": "minmax",
        "per_channel": True,
        "activation": "u8",
        "samples": 50,
        "exclude": [],
        "operators": [],
    }


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            "int8-statik",
            r"Unknown recipe `int8-statik`. Did you mean `int8-static`\? Allowed: fp32, fp16, int8-dynamic",
        ),
        ("", r"Unknown recipe ``. Allowed: fp32"),
        (7, r"A recipe is a name or a list of steps, not 7"),
        (
            ["prune"],
            r"Unknown step `prune`. Did you mean `prune-l1`\? Allowed: fp16, int8-dynamic, int8-static, ",
        ),
        (
            [{"prune-l1": {"rato": 0.5}}],
            r"`prune-l1` has no parameter `rato`. Did you mean `ratio`\? Allowed: ratio, l1_",
        ),
        ([{"prune-l1": {"ratio": 1.5}}], r"`ratio` of `prune-l1` is 1.5; it must lie between 0 and 1"),
        ([{"prune-l1": {"ratio": "half"}}], r"`ratio` of `prune-l1` must be a number, not 'half'"),
        ([{"prune-l1": {"ratio": True}}], r"`ratio` of `prune-l1` must be a number, not True"),
        ([{"prune-l1": {"ratio": 0.5, "l1_budget": 3}}], r"needs either `ratio` or `l1_budget`, and not both"),
        ([{"prune-l1": {"l1_budget": 0}}], r"`l1_budget` of `prune-l1` is 0; it must be a number above 0"),
        ([{"prune-l1": {"scope": "layer"}}], r"`scope` of `prune-l1` is `layer`. Did you mean `per-layer`\?"),
        (
            [{"int8-static": {"calibrate": "minmx"}}],
            r"`calibrate` .* is `minmx`. Did you mean `minmax`\? Allowed: minmax, en",
        ),
        ([{"int8-static": {"samples": 0}}], r"`samples` of `int8-static` is 0; it must be 1 or more"),
        ([{"int8-static": {"samples": 2.5}}], r"`samples` of `int8-static` must be a whole number, not 2.5"),
        ([{"int8-static": {"per_channel": 1}}], r"`per_channel` of `int8-static` must be true or false, not 1"),
        ([{"int8-static": {"exclude": "head"}}], r"`exclude` of `int8-static` must be a list of names, not 'head'"),
        (["int8-static", "prune-l1"], r"goes on after `int8-static`; a step that changes the number type is last"),
        ("fp16+int8-static", r"goes on after `fp16`"),
        ([{"a": {}, "b": {}}], r"A step is a name or one `name: \{parameters\}`"),
        ({"steps": ["fp16"]}, r"has the keys `name` and `steps` \(a list\); this has `steps`"),
        ({"name": "", "steps": ["fp16"]}, r"The `name` of a recipe is a word, not ''"),
        ({"name": "fp32", "steps": ["fp16"]}, r"`fp32` is the name of a built-in recipe; give yours another name"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_sentence(data: object, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence) as caught:
        parse_recipe(data)
    assert "\n" not in str(caught.value)
