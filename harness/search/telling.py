"""What a search says while it works: a line for each trial at each stage."""

from __future__ import annotations

from collections.abc import Mapping

from ..progress import Say, counted
from .measurer import OK, OnBoard, Round
from .state import TrialState
from .words import NOT_MEASURED, amount


class Telling:
    """Says what becomes of the trials."""

    def __init__(self, say: Say) -> None:
        self.say = say

    def proposed(self, state: TrialState) -> None:
        """A candidate was proposed."""
        self.say(f"trial {state.number}: {state.proposal.model} through {state.recipe}")

    def judged(self, state: TrialState, out: str | None) -> None:
        """It was made and judged on the host; `out` says why it takes no board's time."""
        judged = state.judged
        if out is not None:
            self.say(f"trial {state.number}: ruled out on this machine: {out}")
        elif state.same_as is not None:
            self.say(f"trial {state.number}: the same file as trial {state.same_as}, whose figures it takes")
        elif judged is not None:
            accuracy = "" if judged.accuracy is None else f", accuracy {amount('accuracy', judged.accuracy)}"
            self.say(f"trial {state.number}: {amount('size', judged.artifact_bytes)}{accuracy}")

    def round(self, asked: Round, rung: int) -> None:
        """A round begins."""
        blocks = ", ".join(f"{board} {effort}" for board, effort in asked.effort.items())
        many = counted(len(asked.candidates), "candidate")
        self.say(f"round {asked.number}, rung {rung}: {many}, blocks: {blocks}")

    def measured(self, state: TrialState, new: Mapping[str, OnBoard], failed: str | None) -> None:
        """Boards gave figures, or why not."""
        figures = [
            f"{board}: {one.state}: {one.reason}" if one.state != OK else f"{board}: {_figures(one)}"
            for board, one in new.items()
        ]
        why = "" if failed is None else "; it goes no further"
        self.say(f"trial {state.number}: {'; '.join(figures)}{why}")


def _figures(one: OnBoard) -> str:
    shown = [amount(figure.metric, figure.value) for figure in one.figures if figure.metric != "drop"]
    return ", ".join(shown) or NOT_MEASURED
