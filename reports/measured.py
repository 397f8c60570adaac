"""What the processes give that run once for a cell: operators, hardware events, a long run. Parts of a Trial.

Like all of a Record they are immutable, figures are kept as they were measured, and missing is None, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeCost:
    """One node of the graph as the runtime ran it; `total` is over all profiled inferences, None = not timed."""

    name: str
    op: str
    provider: str | None
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Some nodes of a graph: how many, what they cost together, and the costliest of them (30 at most)."""

    number: int
    total: int | None
    listed: tuple[NodeCost, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorCost:
    """All nodes of one operator type together."""

    op: str
    nodes: int
    total: int | None
    providers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorProfile:
    """What the operators of a model cost by the runtime's own profiler, in a process that timed nothing else.

    `unit` is `ns`, or `instructions` (of user and kernel mode) on an emulated board; None = the runtime gives no
    costs, and every total is None. Totals are over `iterations` inferences; `inferences_total` is these inferences
    whole, so it also has what lies between the nodes. A profiler slows inferences down: no figure here is a latency.
    `fell_back` are the nodes that ran on another provider than the session's first, `in_float` those that compute
    floats in a model that has 8-bit nodes (`quantized`). `unavailable` says why something could not be had.
    """

    unit: str | None
    source: str | None
    iterations: int
    inferences_total: int | None = None
    quantized: bool = False
    operators: tuple[OperatorCost, ...] = ()
    nodes: NodeGroup | None = None
    fell_back: NodeGroup | None = None
    in_float: NodeGroup | None = None
    unavailable: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Hardware events of `iterations` inferences together: user mode, all threads, in a pass that timed nothing.

    None = not counted; `unavailable` says why. What the PMU counted only part of the time is not scaled up but None.
    """

    iterations: int
    instructions: int | None = None
    cycles: int | None = None
    cache_misses: int | None = None
    branch_misses: int | None = None
    unavailable: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of a sustained run: when it began, what was timed in it, and the board's state at its end.

    `temperature_c` is that of the warmest zone, `freq_khz` that of the slowest processor.
    """

    start_s: float
    inferences: int
    median_ns: int
    p95_ns: int | None
    temperature_c: float | None
    freq_khz: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """A run without a break. `ended` is `steady`, or `limit` where it was not steady in time.

    `unavailable` says what was not looked at: steady is then less than it could be.
    """

    ended: str
    windows: tuple[Window, ...]
    unavailable: Mapping[str, str] = field(default_factory=dict[str, str])
