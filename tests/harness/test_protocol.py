"""The protocols are what the documentation says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hilbench.harness.protocol import BY_NAME, EMULATED

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_how_we_measure_says_what_a_protocol_does(name: str) -> None:
    protocol = BY_NAME[name]
    (row,) = re.findall(rf"^\| `{name}` \|.*$", (DOCS / "how-we-measure.md").read_text(), re.MULTILINE)
    numbers = [float(number) for number in re.findall(r"[\d.]+", row)]
    assert numbers == [
        protocol.blocks,
        protocol.warmup_iterations,
        protocol.warmup_seconds,
        protocol.iterations,
        protocol.min_seconds,
    ]


def test_plans_and_recipes_says_how_an_emulated_board_counts() -> None:
    text = (DOCS / "plans-and-recipes.md").read_text()
    assert f"{EMULATED.blocks} clean processes of {EMULATED.iterations} counted inferences" in text
