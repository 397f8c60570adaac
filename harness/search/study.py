"""The file that lets Optuna propose, and the memory of a search.

Optuna proposes from a study in memory. What it was asked and told is kept beside the search's own facts in one file
(`studyfile.py`), and the study is built from it again when a search goes on. (Optuna's own database costs hundreds of
statements a proposal; this costs two.) A proposal that was seen before is discarded and never becomes a trial of the
search, so the study's numbers run ahead of the search's. Proposals depend on the seed and on what was told, not on how
often the program was ended and started: each has a sampler of its own, seeded by its place in the search.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .space import Knob, Options, Proposal, Space, Template
from .spec import SearchSpec
from .studyfile import StudyFile

if TYPE_CHECKING:
    import optuna

MODEL, TEMPLATE = "model", "template"
_NAME, _SYSTEM = "search", "optuna"


class Study:
    """A search's memory. Whatever it is given is in its file when the call returns, whole or not at all.

    Raises StoreError, a sentence, where the file cannot be read or written.
    """

    def __init__(self, path: Path, spec: SearchSpec, *, seed: int) -> None:
        import optuna

        self._spec, self._seed = spec, seed
        self._file = StudyFile(path)
        self._storage = optuna.storages.InMemoryStorage()
        self._study = _study(self._storage, len(spec.objectives))
        self._distributions = distributions(spec.space)
        self._live: dict[int, optuna.Trial] = {}
        self.told: set[int] = set()
        with self.reading():
            self._facts = self._file.facts()
            for number, value in self._file.asked():
                self._restore(number, value)
            for key, value in self._facts.get(_SYSTEM, {}).items():
                self._storage.set_study_system_attr(self._study_id, key, value)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def reading(self) -> AbstractContextManager[None]:
        """Around what makes sense of facts: raises StoreError where they cannot be read."""
        return self._file.reading()

    def get(self, key: str, default: Any = None) -> Any:
        """A fact."""
        return self._facts.get(key, default)

    @property
    def names(self) -> list[str]:
        """The facts that were written."""
        return list(self._facts)

    def set(self, key: str, value: Any) -> None:
        """Write a fact, plain data that JSON takes."""
        self._file.set_fact(key, value)
        self._facts[key] = value

    def forget_besides(self, known: Iterable[int]) -> None:
        """Discard what was asked for and nobody took down before the program ended: it will be asked for again."""
        for number in set(self._live) - set(known):
            self.discard(number)

    def ask(self, place: Sequence[int], proposal: Proposal | None = None) -> tuple[int, Proposal]:
        """The study's next number, and what its sampler proposes at a place of the search, or the proposal given."""
        with quiet():
            if proposal is not None:
                self._study.enqueue_trial(parameters(self._spec.space, proposal))
            self._study.sampler = _sampler(self._spec, [self._seed, *place], self._distributions)
            trial = self._study.ask(self._distributions)
        self._live[trial.number] = trial
        system = self._storage.get_study_system_attrs(self._study_id)
        if system != self._facts.get(_SYSTEM, {}):
            self.set(_SYSTEM, dict(system))
        self._write(trial.number, {"params": trial.params})
        return trial.number, self._proposal(trial.params)

    def discard(self, number: int) -> None:
        """Let the sampler forget a proposal: it will learn nothing of it."""
        import optuna

        trial = self._live.pop(number)
        self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        self._write(number, {"params": trial.params, "discarded": True})
        self.told.add(number)

    def tell(self, number: int, values: Sequence[float], violations: Mapping[str, float]) -> None:
        """What became of a trial: a value for each objective, less is better, and by how much limits are missed."""
        trial = self._live.pop(number)
        for name, value in violations.items():
            trial.set_constraint(name, value)
        self._study.tell(trial, list(values))
        self._write(number, {"params": trial.params, "values": list(values)})
        self.told.add(number)

    @property
    def _study_id(self) -> int:
        return self._storage.get_study_id_from_name(_NAME)

    def _write(self, number: int, facts: Mapping[str, Any]) -> None:
        """Keep what the sampler knows of a trial, with what it noted itself (its generation, its violations)."""
        trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
        system = {key: v for key, v in self._storage.get_trial_system_attrs(trial_id).items() if key != "fixed_params"}
        self._file.set_asked(number, {**facts, "system": system})

    def _restore(self, number: int, facts: Mapping[str, Any]) -> None:
        import optuna

        states = optuna.trial.TrialState
        discarded, values = facts.get("discarded", False), facts.get("values")
        state = states.FAIL if discarded else states.RUNNING if values is None else states.COMPLETE
        frozen = optuna.create_trial(
            state=state,
            values=values,
            params=facts["params"],
            distributions={name: self._distributions[name] for name in facts["params"]},
            system_attrs=facts["system"],
        )
        self._study.add_trial(frozen)
        if state is states.RUNNING:
            trial_id = self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)
            self._live[number] = optuna.Trial(self._study, trial_id)
        else:
            self.told.add(number)

    def _proposal(self, parameters: Mapping[str, Any]) -> Proposal:
        space = self._spec.space
        template = space.template(parameters.get(TEMPLATE, space.templates[0].name))
        values = {key: _value(knob, parameters[_parameter(template, key)]) for key, knob in template.knobs.items()}
        return Proposal(model=parameters.get(MODEL, space.models[0]), template=template.name, values=values)


def _study(storage: optuna.storages.InMemoryStorage, objectives: int) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    less = optuna.study.StudyDirection.MINIMIZE
    return optuna.create_study(storage=storage, study_name=_NAME, directions=[less] * objectives)


def _sampler(
    spec: SearchSpec, place: Sequence[int], known: Mapping[str, optuna.distributions.BaseDistribution]
) -> optuna.samplers.BaseSampler:
    import optuna

    own = int(np.random.default_rng(list(place)).integers(2**31))
    several = {name: one for name, one in known.items() if not one.single()}

    class KnownSpace:
        """Says what all trials have in common, which Optuna would find out of all of them at every proposal."""

        def infer_relative_search_space(
            self, study: optuna.Study, trial: optuna.trial.FrozenTrial
        ) -> dict[str, optuna.distributions.BaseDistribution]:
            del study, trial  # it is the same for all
            return dict(several)

    class Nsga2(KnownSpace, optuna.samplers.NSGAIISampler): ...

    class Tpe(KnownSpace, optuna.samplers.TPESampler): ...

    match spec.sampler:
        case "random":
            return optuna.samplers.RandomSampler(seed=own)
        case "tpe":
            return Tpe(seed=own, multivariate=True, constant_liar=True)
        case _:
            return Nsga2(seed=own, population_size=spec.population)


def distributions(space: Space) -> dict[str, optuna.distributions.BaseDistribution]:
    """All parameters of a study: a choice where there is one, and the knobs of all templates.

    Each trial has them all, those of other templates too: only what every trial has is handed down by good ones.
    """
    import optuna

    found: dict[str, optuna.distributions.BaseDistribution] = {}
    for name, choices in ((MODEL, space.models), (TEMPLATE, tuple(one.name for one in space.templates))):
        if len(choices) > 1:
            found[name] = optuna.distributions.CategoricalDistribution(choices)
    for template in space.templates:
        found |= {_parameter(template, key): _distribution(knob) for key, knob in template.knobs.items()}
    return found


def _distribution(knob: Knob) -> optuna.distributions.BaseDistribution:
    import optuna

    if isinstance(knob, Options):
        return optuna.distributions.CategoricalDistribution([json.dumps(value) for value in knob.values])
    values = knob.values()
    top = knob.high if values is None else values[-1]  # the largest that the steps reach
    if knob.whole:
        return optuna.distributions.IntDistribution(int(knob.low), int(top), step=int(knob.step or 1))
    return optuna.distributions.FloatDistribution(knob.low, top, step=knob.step)


def _value(knob: Knob, parameter: Any) -> Any:
    return json.loads(parameter) if isinstance(knob, Options) else knob.at(parameter)


def parameters(space: Space, proposal: Proposal) -> dict[str, Any]:
    """A proposal in the names and values of the study; what it leaves open the sampler fills in."""
    template = space.template(proposal.template)
    found: dict[str, Any] = {MODEL: proposal.model} if len(space.models) > 1 else {}
    found |= {TEMPLATE: proposal.template} if len(space.templates) > 1 else {}
    for key, knob in template.knobs.items():
        value = proposal.values[key]
        found[_parameter(template, key)] = json.dumps(value) if isinstance(knob, Options) else value
    return found


def _parameter(template: Template, key: str) -> str:
    return f"{template.name}: {key}"


def quiet() -> warnings.catch_warnings[None]:
    """Optuna's warnings are for those who write against it; what a user must know is checked when the plan is read."""
    return warnings.catch_warnings(action="ignore")
