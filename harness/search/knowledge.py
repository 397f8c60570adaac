"""All that a search knows, in memory and on disk: its trials, rounds and baselines, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from .forecasting import Forecaster, forecaster
from .front import Scores
from .measurer import OK, RoundResult
from .scoring import Rules, failure, feasible, ruled_out, scores
from .state import TrialState, from_json, to_json
from .study import Study

_TRIAL, _ROUNDS, _REFERENCES, _BASELINES = "trial:", "rounds", "references", "baselines"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """What follows from a trial's own figures, kept until they change."""

    feasible: bool
    alive: bool


class Knowledge:
    """What a study holds. `states` are by trial number, `rounds` in their order; a trial that is written is on disk."""

    def __init__(self, rules: Rules, study: Study) -> None:
        self.rules, self._study = rules, study
        with study.reading():
            kept = [self._fitting(from_json(study.get(key))) for key in study.names if key.startswith(_TRIAL)]
            self.states: dict[int, TrialState] = {s.number: s for s in sorted(kept, key=lambda s: s.number)}
            self.rounds: list[Mapping[str, Any]] = list(study.get(_ROUNDS, []))
            self.references: dict[tuple[str, str, str], float] = {
                (model, board, metric): value for model, board, metric, value in study.get(_REFERENCES, [])
            }
            self.baselines: dict[str, Any] = dict(study.get(_BASELINES, {}))
        self.seen: dict[str, int] = {}  # proposal -> its trial
        self.files: dict[tuple[str, str], int] = {}  # (model, file) -> its first trial
        self._scores: dict[int, Scores | None] = {}
        self._standing: dict[int, _Standing] = {}
        self._forecaster: Forecaster | None = None
        self._rivals: dict[int, int | None] = {}
        for state in self.states.values():
            self._index(state)

    def _fitting(self, state: TrialState) -> TrialState:
        """A trial as the plan's rungs are now: there may be fewer than when it was measured."""
        last = len(self.rules.spec.effort) - 1
        return state if state.rung is None else replace(state, rung=min(state.rung, last))

    def write(self, state: TrialState) -> TrialState:
        """Keep what is known of a trial now."""
        self._study.set(f"{_TRIAL}{state.number}", to_json(state))
        self.states[state.number] = state
        self._index(state)
        self._scores.pop(state.number, None)
        self._standing.pop(state.number, None)
        self._rivals.pop(state.number, None)
        if state.boards:
            self._forecaster = None
            self._rivals.clear()
        return state

    def write_rounds(self) -> None:
        """Keep the rounds as they are now."""
        self._study.set(_ROUNDS, self.rounds)

    def keep_baselines(self, result: RoundResult) -> None:
        """Keep the baselines of a round, and those that were the first of their board as what all is related to."""
        for (model, board), figures in result.baselines.items():
            for figure in figures:
                self.references.setdefault((model, board, figure.metric), figure.value)
                self.baselines[f"{model}/{board}/{figure.metric}"] = {"board": board, "model": model, **asdict(figure)}
        self._study.set(_REFERENCES, [[*key, value] for key, value in sorted(self.references.items())])
        self._study.set(_BASELINES, self.baselines)

    @property
    def forecaster(self) -> Forecaster:
        """The cost models fitted to all that was measured."""
        if self._forecaster is None:
            self._forecaster = forecaster(self.rules, self.states.values(), self.references)
        return self._forecaster

    def rival(self, state: TrialState) -> int | None:
        """The measured trial that leaves another one no hope, as far as the cost models know; None where none does."""
        if state.number not in self._rivals:
            self._rivals[state.number] = self.forecaster.beaten_by(state, self.feasible_scores())
        return self._rivals[state.number]

    def scores(self, number: int) -> Scores | None:
        """The scores of a trial's own figures."""
        if number not in self._scores:
            self._scores[number] = scores(self.rules, self.states[number], self.references)
        return self._scores[number]

    def feasible_scores(self) -> dict[int, Scores]:
        """Trials of their own that keep every limit, with their scores."""
        kept = (number for number in self.states if self._stands(number).feasible)
        return {number: found for number in kept if (found := self.scores(number)) is not None}

    def alive(self) -> list[TrialState]:
        """Judged candidates of their own that neither the host nor a board has ruled out."""
        return [state for number, state in self.states.items() if self._stands(number).alive]

    def waiting(self) -> list[TrialState]:
        """Those for whom a board has not even done the first rung."""
        return [state for state in self.alive() if self.boards_for(state, 0)]

    def boards_for(self, state: TrialState, rung: int) -> tuple[str, ...]:
        """The boards that can still give more of a candidate at a rung; those where it failed cannot."""
        assert state.judged is not None
        level = max(rung, state.rung or 0)
        return tuple(
            board
            for board, emulated in self.rules.boards.items()
            if board not in state.judged.unsupported
            and (board not in state.boards or state.boards[board].state == OK)
            and state.effort(board) < self.rules.spec.blocks(level, emulated=emulated)
        )

    def is_put_off(self, state: TrialState) -> bool:
        """Whether a round was opened without it, though it was there."""
        open_now = self.rounds[-1]["trials"] if self.rounds and not self.rounds[-1]["done"] else ()
        own = state if state.same_as is None else self.states[state.same_as]
        return own.number <= self.asked_until and not own.boards and own.number not in open_now

    @property
    def asked_until(self) -> int:
        """The newest trial when the last round of newcomers was opened."""
        return max((entry["asked_until"] for entry in self.rounds if entry["rung"] == 0), default=-1)

    def _stands(self, number: int) -> _Standing:
        if number not in self._standing:
            state = self.states[number]
            own, judged = state.same_as is None, state.judged
            alive = own and judged is not None and ruled_out(self.rules, judged) is None
            self._standing[number] = _Standing(
                feasible=own and feasible(self.rules, state) is True,
                alive=alive and failure(self.rules, state) is None,
            )
        return self._standing[number]

    def _index(self, state: TrialState) -> None:
        self.seen.setdefault(state.proposal.key, state.number)
        judged = state.judged
        if state.same_as is None and judged is not None and judged.artifact_sha256 is not None:
            self.files.setdefault((state.proposal.model, judged.artifact_sha256), state.number)
