"""The cost model finds a law that holds, says how far it is off, and is silent before it knows enough."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hilbench.harness.search.predict import LEAST_CANDIDATES, features, fit


def files(count: int, *, seed: int = 1) -> list[dict[str, float]]:
    random = np.random.default_rng(seed)
    return [
        features(
            {"macs": float(random.uniform(1e6, 1e8)), "parameters": 1e5, "macs_by_operator": {"Conv": 1e6}},
            int(random.uniform(1e4, 1e6)),
        )
        for _ in range(count)
    ]


def law(row: dict[str, float], noise: float = 0.0) -> float:
    return math.exp(0.8 * row["macs"] + 0.2 * row["bytes"] + noise)


def test_a_law_in_logarithms_is_found_and_holds_for_new_files() -> None:
    known, new = files(12), files(5, seed=2)
    model = fit(known, [law(row) for row in known])
    assert model is not None
    assert model.median_error < 0.01
    for row in new:
        assert model.predict(row) == pytest.approx(law(row), rel=0.02)


def test_the_error_that_is_stated_is_that_of_a_model_that_never_saw_the_candidate() -> None:
    random = np.random.default_rng(5)
    known = files(10)
    measured = [law(row, 0.1 * random.standard_normal()) for row in known]
    model = fit(known, measured)
    assert model is not None
    assert 0.03 < model.median_error < 0.3
    assert model.worst_error >= model.median_error
    assert len(model.errors) == 10


def test_the_error_left_one_out_equals_refitting_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilbench.harness.search.predict._PENALTIES", (1.0,))
    random = np.random.default_rng(6)
    z = random.standard_normal((9, 2))
    z -= z.mean(axis=0)
    y = z @ [0.5, -0.3] + 0.1 * random.standard_normal(9)
    from hilbench.harness.search.predict import _left_out

    found = _left_out(z, y - y.mean(), 1.0)
    for place in range(9):
        rest = np.delete(np.arange(9), place)
        # the same model as the whole one: an unpenalised constant beside penalised weights
        a = np.column_stack([np.ones(8), z[rest]])
        w = np.linalg.solve(a.T @ a + np.diag([0.0, 1.0, 1.0]), a.T @ y[rest])
        assert w[0] + z[place] @ w[1:] - y[place] == pytest.approx(found[place], rel=1e-6)


def test_it_is_silent_before_it_knows_enough() -> None:
    few = files(LEAST_CANDIDATES - 1)
    assert fit(few, [law(row) for row in few]) is None
    same = [files(1)[0]] * 8
    assert fit(same, [1.0] * 8) is None


def test_a_file_whose_costs_are_unknown_still_has_its_bytes() -> None:
    assert features(None, 100) == {"bytes": math.log1p(100)}
