"""A runtime setting of a plan: what it is called, what of it is recorded, and what a runtime has no such thing for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..targets.board import COMMAND
from .provenance import digest

BEST = "best"
BEST_MEMORY = "best-memory"
ONNXRUNTIME = "onnxruntime"
LAYOUT = "input_layout"

_SWITCHES = ("arena", "memory_pattern", "spinning", "xnnpack")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimePlan:
    """One runtime setting. `name` None means the one that fits the model's format.

    Of `affinity` and the switches below it None means the default: where the board's profile puts the process, and the
    runtime's own choice; of `input_layout` (`nchw`, `nhwc`) the file as it is. `tuned` (`best`, `best-memory`) stands
    for what `hilbench optimize` found for the artifact on the board; nothing else is chosen then but the interpreter.
    """

    name: str | None
    threads: int = 1
    graph_optimization: str = "all"
    providers: tuple[str, ...] = ()
    python: str | None = None
    affinity: str | tuple[int, ...] | None = None
    arena: bool | None = None
    memory_pattern: bool | None = None
    spinning: bool | None = None
    xnnpack: bool | None = None
    offline_graph: bool = False
    input_layout: str | None = None
    tuned: str | None = None

    def settings(self) -> dict[str, Any]:
        """What is recorded and exported beside the runtime's name: what came later only where it is chosen."""
        python = {} if self.python is None else {"python": self.python}
        if self.tuned is not None:
            return {"settings": self.tuned, **python}
        affinity = list(self.affinity) if isinstance(self.affinity, tuple) else self.affinity
        return {
            "threads": self.threads,
            "graph_optimization": self.graph_optimization,
            "providers": list(self.providers),
            **python,
            **({} if affinity is None else {"affinity": affinity}),
            **{name: getattr(self, name) for name in _SWITCHES if getattr(self, name) is not None},
            **({"offline_graph": True} if self.offline_graph else {}),
            **({} if self.input_layout is None else {LAYOUT: self.input_layout}),
        }

    def variant(self, runtime: str) -> str:
        """The last part of a cell's id: the same for the same setting, whatever settings will be known one day."""
        if self.tuned is not None:
            return f"{runtime}-{self.tuned}" + ("" if self.python is None else "-" + digest(self.settings())[:6])
        usual = RuntimePlan(name=None, threads=self.threads).settings()
        return f"{runtime}-t{self.threads}" + ("" if self.settings() == usual else "-" + digest(self.settings())[:6])

    def lacking(self, runtime: str) -> str | None:
        """Why a runtime cannot have this setting, in a sentence; None where it can."""
        names = list(self._lacking(runtime))
        return f"{runtime} has no setting {', '.join(names)}" if names else None

    def _lacking(self, runtime: str) -> Iterator[str]:
        onnx = runtime == ONNXRUNTIME
        wanted = {
            "providers": self.providers,
            "graph_optimization": self.graph_optimization != "all",
            "arena": self.arena is not None,
            "memory_pattern": self.memory_pattern is not None,
            "spinning": self.spinning is not None,
            "offline_graph": self.offline_graph,
            LAYOUT: self.input_layout is not None,
        }
        if not onnx:
            yield from (name for name, chosen in wanted.items() if chosen)
        if self.xnnpack is not None and (onnx or runtime == COMMAND):
            yield "xnnpack" + (" (name XnnpackExecutionProvider among the providers)" if onnx else "")
