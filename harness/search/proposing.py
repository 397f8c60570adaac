"""A candidate that was not looked at yet, where a sampler repeats itself. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from .space import Knob, Options, Proposal, Space, knob_values

_DRAWS = 50
_MOST_LISTED = 20_000  # points; a larger space is not looked through, as chance finds an unseen one there


def unseen(space: Space, seen: Collection[str], *, seed: Sequence[int]) -> Proposal | None:
    """A point drawn evenly among those whose key is not in `seen`; None where all were seen."""
    random = np.random.default_rng(list(seed))
    for _ in range(_DRAWS):
        drawn = _draw(space, random)
        if drawn.key not in seen:
            return drawn
    if space.size > _MOST_LISTED:
        return None
    left = [point for point in space.points() if point.key not in seen]
    return left[int(random.integers(len(left)))] if left else None


def _draw(space: Space, random: np.random.Generator) -> Proposal:
    model = space.models[int(random.integers(len(space.models)))]
    template = space.templates[int(random.integers(len(space.templates)))]
    values = {key: _value(knob, random) for key, knob in template.knobs.items()}
    return Proposal(model=model, template=template.name, values=values)


def _value(knob: Knob, random: np.random.Generator) -> Any:
    values = knob_values(knob)
    if values is not None:
        return values[int(random.integers(len(values)))]
    assert not isinstance(knob, Options)
    return knob.at(float(random.uniform(knob.low, knob.high)))
