"""A cost model of one board: ridge regression from what is counted in a file to what the board measured. Pure numpy.

It says in which order candidates are measured. It never stands in for a measurement: what it foretold is shown beside
the figures as a forecast, with the error that it makes on candidates it was not fitted to.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_CANDIDATES = 6
_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """A fitted cost model. `errors` are the relative errors of each candidate when it is left out: 0.1 = 10 %."""

    names: tuple[str, ...]
    centre: Values
    scale: Values
    weights: Values
    offset: float
    errors: Values

    @property
    def median_error(self) -> float:
        """The error that half of the candidates stay below."""
        return float(np.median(self.errors))

    @property
    def wide_error(self) -> float:
        """The error that nine candidates in ten stay below."""
        return float(np.quantile(self.errors, 0.9))

    @property
    def worst_error(self) -> float:
        """The largest error."""
        return float(self.errors.max())

    def predict(self, features: Mapping[str, float]) -> float:
        """What the board would measure."""
        x = (_row(self.names, features) - self.centre) / self.scale
        return math.exp(float(x @ self.weights) + self.offset)


def features(costs: Mapping[str, Any] | None, artifact_bytes: int) -> dict[str, float]:
    """Logarithms of what is counted in a file: bytes, parameters, MACs in all and by operator and stored type."""
    found: dict[str, float] = {"bytes": float(artifact_bytes)}
    if costs is not None:
        found |= {"macs": float(costs.get("macs") or 0), "parameters": float(costs.get("parameters") or 0)}
        found |= {"nonzero": float(costs.get("nonzero") or 0)}
        found |= {f"macs:{name}": float(n) for name, n in (costs.get("macs_by_operator") or {}).items()}
        found |= {f"type:{name}": float(n) for name, n in (costs.get("by_type") or {}).items()}
    return {name: math.log1p(value) for name, value in found.items()}


def fit(rows: Sequence[Mapping[str, float]], measured: Sequence[float]) -> Model | None:
    """The model of a board from at least LEAST_CANDIDATES files and what was measured of each (positive).

    None where there are too few, or all files are alike. The penalty is the one with the least error left-one-out,
    which a ridge tells without refitting: residual over (1 - leverage).
    """
    if len(rows) < LEAST_CANDIDATES:
        return None
    names = tuple(sorted({name for row in rows for name in row}))
    x = np.array([_row(names, row) for row in rows])
    spread = x.std(axis=0)
    kept = spread > 1e-9
    if not kept.any():
        return None
    names = tuple(name for name, keep in zip(names, kept, strict=True) if keep)
    x, scale = x[:, kept], spread[kept]
    centre = x.mean(axis=0)
    y = np.log(np.asarray(measured, np.float64))
    z, residual = (x - centre) / scale, y - y.mean()
    left_out = {penalty: _left_out(z, residual, penalty) for penalty in _PENALTIES}
    best = min(_PENALTIES, key=lambda penalty: float(np.abs(left_out[penalty]).mean()))
    weights = np.linalg.solve(z.T @ z + best * np.eye(z.shape[1]), z.T @ residual)
    errors = np.abs(np.expm1(left_out[best]))
    return Model(names=names, centre=centre, scale=scale, weights=weights, offset=float(y.mean()), errors=errors)


def _left_out(z: Values, residual: Values, penalty: float) -> Values:
    """Predicted minus measured, in logarithms, of each row by the model of the others."""
    hat = z @ np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T) + 1 / len(z)
    leverage = np.clip(np.diag(hat), 0.0, 1 - 1e-9)
    return -(residual - (hat - 1 / len(z)) @ residual) / (1 - leverage)


def _row(names: Sequence[str], row: Mapping[str, float]) -> Values:
    return np.array([row.get(name, 0.0) for name in names])
