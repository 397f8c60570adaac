"""The loop of a search: propose, judge on the host, measure the survivors, refine near the front.

Everything is written down before and after each step, so a search that was ended at any moment goes on where it stood.
`step` does one thing and says whether there was one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...compression.errors import RecipeError
from .forecasting import by_counting, promise
from .front import promoted
from .knowledge import Knowledge
from .lessons import lesson
from .measurer import Candidate, Judged, Measurer, OnBoard, Round, RoundResult
from .proposing import unseen
from .scoring import failure, ruled_out, violations
from .space import Proposal
from .state import TrialState
from .study import Study
from .telling import Telling

_POOL = 3  # judged candidates, in batches, of which the most promising batch is measured: judging takes no board's time
_ASKS = 3  # how often the sampler may repeat itself before chance decides


class Search:
    """A search under way."""

    def __init__(self, known: Knowledge, study: Study, measurer: Measurer, telling: Telling, *, seed: int) -> None:
        self.known, self.study, self._measurer, self._telling, self._seed = known, study, measurer, telling, seed
        self._spec = known.rules.spec
        self._exhausted = False

    def run(self) -> None:
        """Go on until there is nothing left to do. What stops it (Interrupted, BoardsLostError) loses nothing."""
        self.study.forget_besides(state.asked for state in self.known.states.values())
        while self.step():
            pass

    def close(self) -> None:
        """Close its file."""
        self.study.close()

    def step(self) -> bool:
        """Do the next thing; False where the search is at its end."""
        self._teach()
        unjudged = next((s for s in self.known.states.values() if s.judged is None), None)
        if unjudged is not None:
            self._judge(unjudged)
        elif self.known.rounds and not self.known.rounds[-1]["done"]:
            self._carry_out(self.known.rounds[-1])
        else:
            return self._go_on()
        return True

    def _go_on(self) -> bool:
        """Ask for candidates until there is a batch of promising ones; what is hopeless to the end is not measured."""
        batch, waiting = self._spec.batch, self.known.waiting()
        asks = len(self.known.seen) < self._spec.trials and not self._exhausted
        first = self._promising(waiting)
        if asks and len(first) < _POOL * batch:
            return self._propose()
        if first:
            self._open_round(first[:batch], rung=0)
            return True
        return self._refine()

    def _refine(self) -> bool:
        """Open a round of the next rung for those near the front; False where none is left."""
        for rung in range(1, len(self._spec.effort)):
            wanted = self._promoted(rung)
            if wanted:
                self._open_round(wanted, rung=rung)  # all together: they are compared with each other
                return True
        return False

    def _promoted(self, rung: int) -> list[TrialState]:
        pool = {s.number: s for s in self.known.alive() if s.measured and (s.rung or 0) >= rung - 1}
        kept = {number: found for number, found in self.known.feasible_scores().items() if number in pool}
        chosen = promoted(kept, settled={number for number in kept if (pool[number].rung or 0) >= rung})
        if not kept and pool:  # what came nearest to the limits is worth the same effort: it is what will be shown
            missed = {n: sum(max(0.0, v) for v in violations(self.known.rules, s).values()) for n, s in pool.items()}
            chosen = [min(missed, key=lambda number: (missed[number], number))]
        return [pool[n] for n in chosen if (pool[n].rung or 0) < rung and self.known.boards_for(pool[n], rung)]

    def _promising(self, waiting: Sequence[TrialState]) -> list[TrialState]:
        """Those whom no measured candidate is foretold to beat, the most promising first; all as long as none knows.

        What one board measured, another one that joined later is asked for, too.
        """
        models, measured = self.known.forecaster, self.known.feasible_scores()
        if not models.models or not measured:
            return sorted(by_counting(waiting), key=self._misses)
        rivals = list(measured.values())
        kept = [state for state in waiting if state.boards or self.known.rival(state) is None]
        foretold = {s.number: found for s in kept if (found := models.scores(s)) is not None}
        return sorted(kept, key=lambda s: (self._misses(s), promise(foretold[s.number], rivals), s.number))

    def _misses(self, state: TrialState) -> bool:
        """Whether a limit is missed by what the host measured, if within the doubt: such a one is measured last."""
        return any(missed > 0 for missed in violations(self.known.rules, state).values())

    def _propose(self) -> bool:
        """Take down the next candidate. Where the sampler repeats itself, one is drawn from what was not seen yet."""
        number = len(self.known.states)
        for again in range(_ASKS):
            if self._take_down(*self.study.ask((number, again))):
                return True
        drawn = unseen(self._spec.space, self.known.seen, seed=(self._seed, number))
        if drawn is not None:
            return self._take_down(*self.study.ask((number, _ASKS), drawn))
        self._exhausted = True
        self._telling.say(f"the whole space was looked at: {len(self.known.seen)} candidates")
        return True

    def _take_down(self, asked: int, proposal: Proposal) -> bool:
        """Make a proposal a trial, unless it was one before."""
        if proposal.key in self.known.seen:
            self.study.discard(asked)
            return False
        name, judged = proposal.template, None
        try:
            name = self._spec.space.recipe(proposal).name
        except RecipeError as error:
            judged = Judged(failed=str(error))
        number = len(self.known.states)
        state = TrialState(number=number, asked=asked, proposal=proposal, recipe=name, judged=judged)
        self._telling.proposed(self.known.write(state))
        return True

    def _judge(self, state: TrialState) -> None:
        judged = self._measurer.judge(self._candidate(state))
        first = self.known.files.get((state.proposal.model, judged.artifact_sha256 or ""))
        state = replace(state, judged=judged, same_as=first)
        state = self.known.write(replace(state, predicted=self.known.forecaster.predicted(state)))
        self._telling.judged(state, ruled_out(self.known.rules, judged))

    def _open_round(self, states: Sequence[TrialState], *, rung: int) -> None:
        """Write down what is to be measured together: those that need the same effort on the same boards."""
        needs = {s.number: (max(rung, s.rung or 0), self.known.boards_for(s, rung)) for s in states}
        level, boards = needs[states[0].number]
        effort = {b: self._spec.blocks(level, emulated=self.known.rules.boards[b]) for b in boards}
        numbers = [number for number, need in needs.items() if need == (level, boards)]
        entry = {"number": len(self.known.rounds), "rung": level, "effort": effort, "trials": numbers, "done": False}
        self.known.rounds.append({**entry, "asked_until": max(self.known.states)})
        self.known.write_rounds()

    def _carry_out(self, entry: Mapping[str, Any]) -> None:
        """Measure a round that was written down, on those of its boards that the plan still has."""
        candidates = tuple(self._candidate(self.known.states[number]) for number in entry["trials"])
        effort = {board: blocks for board, blocks in entry["effort"].items() if board in self.known.rules.boards}
        last = entry["rung"] == len(self._spec.effort) - 1
        asked = Round(
            number=entry["number"],
            effort=effort,
            candidates=candidates,
            memory=last or self._spec.looks_at("memory"),
            control=last,
        )
        seconds: dict[str, float] = {}
        if effort:
            self._telling.round(asked, entry["rung"])
            result = self._measurer.measure(asked)
            self.known.keep_baselines(result)
            rung = min(entry["rung"], len(self._spec.effort) - 1)  # the plan's rungs may have become fewer meanwhile
            for number in entry["trials"]:
                found = {board: one for (trial, board), one in result.found.items() if trial == number}
                self._book(self.known.states[number], found, rung)
            seconds = _occupied(result)
        self.known.rounds[-1] = {**entry, "done": True, "board_time_s": seconds}
        self.known.write_rounds()

    def _book(self, state: TrialState, found: Mapping[str, OnBoard], rung: int) -> None:
        """Take a board's figures down; those of a run that was taken down already are not counted again."""
        new = {board: one for board, one in found.items() if one.run_id not in state.run_ids}
        if not new:
            return
        spent = {board: state.board_time_s.get(board, 0.0) + one.board_time_s for board, one in new.items()}
        state = replace(
            state,
            boards={**state.boards, **new},
            rung=max(rung, state.rung or 0),
            run_ids=(*state.run_ids, *dict.fromkeys(one.run_id for one in new.values())),
            board_time_s={**state.board_time_s, **spent},
        )
        self._telling.measured(self.known.write(state), new, failure(self.known.rules, state))

    def _teach(self) -> None:
        """Tell the sampler what became of those trials of which it does not know yet.

        For what was put off to the end it does not wait.
        """
        for state in [s for s in self.known.states.values() if s.asked not in self.study.told]:
            told = lesson(self.known, state)
            if told is not None:
                self.study.tell(state.asked, told.values, told.violations)
            elif self.known.is_put_off(state):
                self.study.discard(state.asked)

    def _candidate(self, state: TrialState) -> Candidate:
        recipe = self._spec.space.recipe(state.proposal)
        return Candidate(number=state.number, model=state.proposal.model, recipe=recipe)


def _occupied(result: RoundResult) -> dict[str, float]:
    """How long each board was busy with a round: the shares of its candidates together."""
    seconds: dict[str, float] = {}
    for (_, board), one in result.found.items():
        seconds[board] = seconds.get(board, 0.0) + one.board_time_s
    return seconds
