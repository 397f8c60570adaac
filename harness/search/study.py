"""The one file that knows Optuna: it proposes candidates, and its database keeps all that a search knows.

What is known of trial 7 is the study's attribute `trial:7`, written in one transaction. Optuna's own trials hold the
parameters and, once told, what the sampler learns from; they have numbers of their own, since a proposal that was seen
before is discarded and never becomes a trial of the search. Proposals depend on the seed and on what was told, not on
how often the program was ended and started: every proposal has a sampler of its own, seeded by its place in the search.
"""

from __future__ import annotations

import json
import sqlite3
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .space import Options, Proposal, Space, Span, Template
from .spec import SearchSpec

if TYPE_CHECKING:
    import optuna

MODEL, TEMPLATE = "model", "template"


class _Connection(sqlite3.Connection):
    """A write costs no wait for the disk: what was written survives the end of the program at any moment.

    A power cut may take the last writes back, never half of one; rounds that finished are found in the store of runs.
    """

    def __init__(self, *words: Any, **named: Any) -> None:
        super().__init__(*words, **named)
        self.execute("PRAGMA journal_mode=WAL")
        self.execute("PRAGMA synchronous=NORMAL")


_CONNECTING = {"timeout": 60, "factory": _Connection}


class Study:
    """A search's memory. Everything that it is given is on disk when the call returns."""

    def __init__(self, path: Path, spec: SearchSpec, *, seed: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._spec, self._seed = spec, seed
        self._study = _open(path, len(spec.objectives))
        self._attributes: dict[str, Any] = dict(self._study.user_attrs)
        self._trials: dict[int, optuna.Trial] = {}
        self.told: set[int] = set()
        for frozen in self._study.get_trials(deepcopy=False):
            if frozen.state.is_finished():
                self.told.add(frozen.number)
            elif frozen.state.name == "RUNNING":
                self._trials[frozen.number] = _live(self._study, frozen)

    def get(self, key: str, default: Any = None) -> Any:
        """An attribute of the study."""
        return self._attributes.get(key, default)

    @property
    def names(self) -> list[str]:
        """The attributes that were set."""
        return list(self._attributes)

    def set(self, key: str, value: Any) -> None:
        """Write an attribute, plain data that JSON takes."""
        self._study.set_user_attr(key, value)
        self._attributes[key] = value

    def forget_besides(self, known: Iterable[int]) -> None:
        """Discard what was asked for and nobody took down before the program ended: it will be asked for again."""
        for number in set(self._trials) - set(known):
            self.discard(number)

    def ask(self, place: Sequence[int], proposal: Proposal | None = None) -> tuple[int, Proposal]:
        """The study's next number, and what its sampler proposes at a place of the search, or the proposal given."""
        if proposal is not None:
            with _quiet():
                self._study.enqueue_trial(_parameters(self._spec.space, proposal))
        self._study.sampler = _sampler(self._spec, [self._seed, *place])
        trial = self._study.ask()
        self._trials[trial.number] = trial
        return trial.number, self._suggest(trial)

    def discard(self, number: int) -> None:
        """Let the sampler forget a proposal: it will learn nothing of it."""
        import optuna

        self._study.tell(self._trials.pop(number), state=optuna.trial.TrialState.FAIL)
        self.told.add(number)

    def tell(self, number: int, values: Sequence[float], violations: Mapping[str, float]) -> None:
        """What became of a trial: a value for each objective, less is better, and by how much limits are missed."""
        trial = self._trials[number]
        for name, value in violations.items():
            if name not in trial.constraints:
                trial.set_constraint(name, value)
        self._study.tell(trial, list(values))
        self.told.add(number)
        del self._trials[number]

    def _suggest(self, trial: optuna.Trial) -> Proposal:
        space = self._spec.space
        with _quiet():
            model = _one_of(trial, MODEL, space.models)
            name = _one_of(trial, TEMPLATE, [one.name for one in space.templates])
            # All knobs, those of the other templates too: only what every trial has is inherited from good trials.
            every = {one.name: {key: _suggested(trial, one, key) for key in one.knobs} for one in space.templates}
        return Proposal(model=model, template=name, values=every[name])


def _open(path: Path, objectives: int) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with _quiet():
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}", engine_kwargs={"connect_args": _CONNECTING})
        less = optuna.study.StudyDirection.MINIMIZE
        return optuna.create_study(
            storage=storage, study_name="search", directions=[less] * objectives, load_if_exists=True
        )


def _live(study: optuna.Study, frozen: optuna.trial.FrozenTrial) -> optuna.Trial:
    import optuna

    return optuna.Trial(study, frozen._trial_id)  # noqa: SLF001  the only way to go on with a trial of another process


def _sampler(spec: SearchSpec, place: Sequence[int]) -> optuna.samplers.BaseSampler:
    import optuna

    own = int(np.random.default_rng(list(place)).integers(2**31))
    with _quiet():
        match spec.sampler:
            case "random":
                return optuna.samplers.RandomSampler(seed=own)
            case "tpe":
                return optuna.samplers.TPESampler(seed=own, multivariate=True, group=True, constant_liar=True)
            case _:
                return optuna.samplers.NSGAIISampler(seed=own, population_size=spec.population)


def _one_of(trial: optuna.Trial, what: str, names: Sequence[str]) -> str:
    """A choice that is a parameter only where there is one."""
    return str(trial.suggest_categorical(what, names)) if len(names) > 1 else names[0]


def _suggested(trial: optuna.Trial, template: Template, key: str) -> Any:
    knob, name = template.knobs[key], _parameter(template, key)
    if isinstance(knob, Options):
        return json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in knob.values]))
    if knob.whole:
        return trial.suggest_int(name, int(knob.low), int(_top(knob)), step=int(knob.step or 1))
    return knob.at(trial.suggest_float(name, knob.low, _top(knob), step=knob.step))


def _top(knob: Span) -> float:
    """The largest value that the steps reach."""
    values = knob.values()
    return knob.high if values is None else values[-1]


def _parameters(space: Space, proposal: Proposal) -> dict[str, Any]:
    """A proposal in the names and values of the study."""
    template = space.template(proposal.template)
    found: dict[str, Any] = {MODEL: proposal.model} if len(space.models) > 1 else {}
    found |= {TEMPLATE: proposal.template} if len(space.templates) > 1 else {}
    for key, knob in template.knobs.items():
        value = proposal.values[key]
        found[_parameter(template, key)] = json.dumps(value) if isinstance(knob, Options) else value
    return found


def _parameter(template: Template, key: str) -> str:
    return f"{template.name}: {key}"


def _quiet() -> warnings.catch_warnings[None]:
    """Optuna's warnings are for those who write against it; what a user must know is checked when the plan is read."""
    return warnings.catch_warnings(action="ignore")
