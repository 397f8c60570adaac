"""Campaigns with a known truth: what two candidates' processes would give on a board with a given fault.

A campaign is arrays of log times [blocks, iterations] for A and for B. The order inside a block is that of the real
planner. The truth is the log ratio `effect` of B over A.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from hilbench.harness.blocks import orders
from numpy.typing import NDArray

Values = NDArray[np.float64]

CHUNK = 500
ORDERS = 400  # campaigns share so many orders of the planner: making one costs more than simulating with it


@dataclass(frozen=True)
class World:
    """What disturbs a board, as standard deviations of log time.

    `process`: a fresh process's own level; `tails`: that level and the iterations have Student's t with 3 degrees of
    freedom; `drift`: from the first process of a campaign to its last; `state_ar1`: what the board's state keeps from
    one process to the next (its standard deviation is `state`); `ar1`: the same from iteration to iteration.
    """

    name: str
    process: float = 0.005
    iteration: float = 0.01
    tails: bool = False
    drift: float = 0.0
    ar1: float = 0.0
    state: float = 0.0
    state_ar1: float = 0.8


HEAVY_TAILS = World("heavy tails", tails=True)
DRIFT = World("3 % drift", drift=0.03)
AR1 = World("AR(1) 0.8 between iterations", process=0.002, iteration=0.02, ar1=0.8)
STATE = World("AR(1) 0.8 between processes", process=0.002, state=0.01)
PROCESS = World("1 % between processes", process=0.01)
WORLDS = (HEAVY_TAILS, DRIFT, AR1, STATE, PROCESS)


@dataclass(frozen=True)
class Campaigns:
    """Many campaigns at once: log times of A and of B, each [campaigns, blocks, iterations]."""

    a: Values
    b: Values

    @property
    def log_ratios(self) -> Values:
        """ln(median B / median A) by block, [campaigns, blocks]: what the product computes of a campaign."""
        return np.median(self.b, axis=2) - np.median(self.a, axis=2)


def campaigns(
    world: World,
    *,
    count: int,
    blocks: int,
    effect: float = 0.0,
    iterations: int = 40,
    seed: int,
    a_then_b: bool = False,
) -> Iterator[Campaigns]:
    """`count` campaigns in chunks that fit into memory; the same for the same seed. `a_then_b`: first all of A."""
    rng = np.random.default_rng([seed, blocks])
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        slots = _slots_a_then_b(size, blocks) if a_then_b else _slots(size, blocks, rng)
        yield Campaigns(*_times(world, slots, effect, iterations, rng))


def _times(
    world: World, slots: tuple[Values, Values], effect: float, iterations: int, rng: np.random.Generator
) -> tuple[Values, Values]:
    count, blocks = slots[0].shape
    state = _ar1(rng.standard_normal((count, 2 * blocks)), world.state_ar1) * world.state
    a, b = (_processes(world, where, state, iterations, rng) for where in slots)
    return a, b + effect


def _processes(world: World, slot: Values, state: Values, iterations: int, rng: np.random.Generator) -> Values:
    count, blocks = slot.shape
    level = world.process * _noise(world, (count, blocks), rng)
    level += world.drift * slot / (2 * blocks - 1) + np.take_along_axis(state, slot.astype(np.intp), axis=1)
    noise = _ar1(_noise(world, (count, blocks, iterations), rng), world.ar1)
    return level[:, :, None] + world.iteration * noise


def _noise(world: World, shape: tuple[int, ...], rng: np.random.Generator) -> Values:
    return rng.standard_t(3, shape) if world.tails else rng.standard_normal(shape)


def _ar1(noise: Values, rho: float) -> Values:
    """A first-order autoregression along the last axis with the variance of its input, in its stationary state."""
    if rho == 0.0:
        return noise
    out = noise.copy()
    for i in range(1, noise.shape[-1]):
        out[..., i] = rho * out[..., i - 1] + np.sqrt(1 - rho**2) * noise[..., i]
    return out


def _slots(count: int, blocks: int, rng: np.random.Generator) -> tuple[Values, Values]:
    """When A and B run in each block, counted in processes from the campaign's start, by the planner's own orders."""
    first = _planned(blocks)[rng.integers(ORDERS, size=count)]
    starts = 2.0 * np.arange(blocks)
    return starts + first, starts + 1 - first


@cache
def _planned(blocks: int) -> Values:
    """1 where B comes before A; [orders, blocks]."""
    each = (orders(["a", "b"], blocks=blocks, seed=seed, board="simulated") for seed in range(ORDERS))
    return np.array([[float(order[0] == "b") for order in planned] for planned in each])


def _slots_a_then_b(count: int, blocks: int) -> tuple[Values, Values]:
    a = np.broadcast_to(np.arange(blocks, dtype=np.float64), (count, blocks))
    return a, a + blocks
