"""Which settings are worth a try on a board, from what it is. Pure.

One thing at a time is changed from the default. Threads and cores belong together (two threads on one little core are
no answer), so a *place* is a number of threads, the cores they run on and whether they spin.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...targets.board import COMMAND, Arch, Board
from ..errors import PlanError
from ..runtimeplan import LAYOUT, ONNXRUNTIME, RuntimePlan

FACTORS = ("place", "graph_optimization", "offline_graph", LAYOUT, "providers", "arena", "memory_pattern", "xnnpack")
_LAYOUTS = ("nchw", "nhwc")
_CPU = "CPUExecutionProvider"
_PROVIDERS = {  # those that compute on the processor; whether a build has one only the board can tell
    Arch.X86_64: ("XnnpackExecutionProvider", "DnnlExecutionProvider", "OpenVINOExecutionProvider"),
    Arch.ARM64: ("XnnpackExecutionProvider", "ACLExecutionProvider"),
    Arch.ARMHF: ("XnnpackExecutionProvider",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One change of the default setting; `factor` is one of FACTORS."""

    factor: str
    changes: Mapping[str, Any]

    def on(self, setting: RuntimePlan) -> RuntimePlan:
        """A setting with this change."""
        return replace(setting, **self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What is tried, and what is left out with the reason, by factor."""

    levels: tuple[Level, ...]
    left_out: Mapping[str, str]


def check_factors(factors: Collection[str]) -> None:
    """Raise PlanError for a factor that there is not."""
    unknown = [name for name in factors if name not in FACTORS]
    if unknown:
        raise PlanError(f'there is no "{unknown[0]}" to try; allowed: {", ".join(FACTORS)}')


def grid(
    board: Board,
    facts: Mapping[str, Any],
    runtime: str,
    default: RuntimePlan,
    factors: Collection[str] = FACTORS,
    *,
    images: str | None,
) -> Grid:
    """The settings worth trying for a runtime on a board; `facts` are its `cores` and `clusters`, as it told them.

    `images` is the layout (`nchw`, `nhwc`) in which the model takes images, None where it takes none.
    """
    if runtime == COMMAND:
        return Grid(levels=(), left_out={"settings": "a program as runtime has no settings that hilbench knows"})
    found: list[Level] = []
    left_out: dict[str, str] = {}
    for factor in (name for name in FACTORS if name in factors):
        reason = _why_left_out(factor, board, facts, runtime, images)
        if reason is not None:
            left_out[factor] = reason
            continue
        changes = _layouts(default, images) if factor == LAYOUT else _levels(factor, board, facts, runtime, default)
        levels = [Level(factor=factor, changes=one) for one in changes]
        found += [level for level in levels if level.on(default) != default]
    return Grid(levels=tuple(found), left_out=left_out)


def _why_left_out(factor: str, board: Board, facts: Mapping[str, Any], runtime: str, images: str | None) -> str | None:
    onnx = runtime == ONNXRUNTIME
    if factor != "place" and onnx is (factor == "xnnpack"):
        return "it is one of the providers" if onnx else f"{runtime} has no such setting"
    if factor == LAYOUT and images is None:
        return "no input of the model has the four axes of images"
    if factor == "place":
        if board.emulated:
            return "an emulated board has one processor, so threads and cores cannot differ"
        if facts.get("cores") is None:
            return "the board does not tell how many processors it has"
        if facts["cores"] == 1:
            return "the board has one processor, so threads and cores cannot differ"
    return None


def _levels(
    factor: str, board: Board, facts: Mapping[str, Any], runtime: str, default: RuntimePlan
) -> Iterator[Mapping[str, Any]]:
    match factor:
        case "place":
            yield from _places(int(facts["cores"]), facts.get("clusters") or (), runtime)
        case "graph_optimization":
            yield from ({factor: level} for level in ("all", "extended", "basic"))
        case "providers":
            yield from ({factor: (name, _CPU)} for name in _PROVIDERS[board.arch])
        case "offline_graph":
            yield {factor: not default.offline_graph}
        case _:  # a switch whose default is on
            yield {factor: None if getattr(default, factor) is False else False}


def _layouts(default: RuntimePlan, images: str | None) -> Iterator[Mapping[str, Any]]:
    """The layout that the default setting has not; the model's own is to leave the file as it is."""
    usual = default.input_layout or images
    yield from ({LAYOUT: None if layout == images else layout} for layout in _LAYOUTS if layout != usual)


def _places(cores: int, clusters: Sequence[Mapping[str, Any]], runtime: str) -> Iterator[Mapping[str, Any]]:
    """1, 2, 4 … threads and one for each core; on boards with several kinds of cores, each kind alone too."""
    ladder = [1 << step for step in range(cores.bit_length()) if 1 << step < cores]
    for threads in (*ladder, cores):
        yield {"threads": threads}
    if runtime == ONNXRUNTIME:
        yield {"threads": cores, "spinning": False}
    for name, size in _named_clusters(clusters):
        for threads in sorted({1, size}):
            yield {"threads": threads, "affinity": name}


def _named_clusters(clusters: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """The kinds of cores by the names that the agent knows, with how many cores each has."""
    sizes: dict[float, int] = {}
    for cluster in clusters:
        speed = cluster.get("capacity") or cluster.get("max_mhz")
        if speed is None:
            return []
        sizes[speed] = sizes.get(speed, 0) + count_of(str(cluster["cpus"]))
    kinds = _kinds(sizes)
    if len(kinds) < 2:
        return []
    return [("big", kinds[0]), ("little", kinds[-1]), *([("middle", sum(kinds[1:-1]))] if len(kinds) > 2 else [])]


def _kinds(sizes: Mapping[float, int]) -> list[int]:
    """Cores of each kind, the fastest first; speeds within a tenth are one kind, as the agent takes them."""
    found: list[int] = []
    left = dict(sizes)
    while left:
        fastest = max(left)
        mine = [speed for speed in left if speed >= 0.9 * fastest]
        found.append(sum(left.pop(speed) for speed in mine))
    return found


def count_of(cpus: str) -> int:
    """How many processors a list of the kernel's names: `0-3,6` -> 5."""
    ends = [part.split("-") for part in cpus.split(",") if part]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)
