"""Figures and terms of a search as people read them; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .joules import joules
from .language import listed, mark, plural, tr
from .searchrecord import SearchMeasure, SearchTrial
from .units import NOT_MEASURED, Shown, duration, file_size, instruction_count, memory, percent, points
from .wording import setting_text
from .words import BY_KEY, Term

MOST_LETTERS = 90  # of a name inside a sentence or a table

METRICS: Mapping[str, str] = {
    "latency": mark("median latency"),
    "p95": mark("p95 latency"),
    "instructions": mark("instructions"),
    "energy": mark("energy"),
    "memory": mark("peak memory"),
    "size": mark("file size"),
    "accuracy": mark("accuracy"),
    "drop": mark("loss of accuracy"),
}
"""What each metric is called; `quantity` says it in the language that is spoken."""

_OWN = (
    Term(
        "search",
        mark("candidate, trial"),
        mark(
            "A candidate is a model with a recipe that the search proposed. Trials are numbered in the order of "
            "proposals."
        ),
    ),
    Term(
        "rung",
        mark("rung"),
        mark(
            "A level of effort. All that reach a board get the fewest blocks; only those near the front get more, and "
            "finalists the full effort."
        ),
    ),
    Term(
        "bias",
        mark("selection bias"),
        mark(
            "Of many candidates with noisy figures the one that looks best was probably lucky too, so its figures are "
            "flattering. Measuring it anew, with nothing chosen by the new figures, takes that away."
        ),
    ),
    Term(
        "hypervolume",
        mark("hypervolume"),
        mark(
            "The share of everything between a reference point and the ideal (no cost, never wrong) that some "
            "candidate found so far is at least as good as. It can only grow."
        ),
    ),
    Term(
        "boardtime",
        mark("board time"),
        mark(
            "How long a board was busy with the search, waiting apart; a round's time is shared evenly by its "
            "candidates."
        ),
    ),
    Term(
        "foretold",
        mark("foretold"),
        mark(
            "What a cost model expects of a candidate from its file alone (bytes, MACs, operators), before a board saw "
            "it. It orders the candidates and never stands in for a measurement."
        ),
    ),
    Term(
        "importance",
        mark("importance"),
        mark(
            "How much the values of a parameter among the best quarter of the measured candidates differ from its "
            "values among all of them (PED-ANOVA). The shares of all parameters add up to 100 %."
        ),
    ),
    Term(
        "chance",
        mark("by chance"),
        mark(
            "The results were shuffled among the candidates 99 times: how often the parameter then got at least the "
            "same share. Above 5 % the share says little."
        ),
    ),
)
TERMS = (*(BY_KEY[key] for key in ("median", "block", "interval", "baseline", "pp", "front", "macs", "peak")), *_OWN)
_KEYS = {term.key: term for term in TERMS}
_USED = {
    "answer": "bias median block interval pp peak front",
    "fronts": "front rung hypervolume boardtime baseline interval",
    "emulated": "front rung hypervolume boardtime baseline",
    "candidates": "search rung foretold boardtime pp",
    "importance": "importance chance",
    "time": "boardtime rung foretold macs",
}


def search_words_in(section: str) -> tuple[Term, ...]:
    """The terms that a section of a search's report uses, by the section's id."""
    return tuple(_KEYS[key] for key in _USED[section].split())


def brief(text: str, most: int = MOST_LETTERS) -> str:
    """A name cut to what fits; what was left out is marked."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def quantity(metric: str) -> str:
    """What a metric is called; one that no board tells by its own name."""
    return tr(METRICS[metric]) if metric in METRICS else brief(metric)


def shown(metric: str, value: float, low: float | None = None, high: float | None = None) -> Shown | None:
    """A time or a count with its interval in one unit; None for other metrics."""
    if metric in ("latency", "p95"):
        return duration(value, low, high)
    return instruction_count(value, low, high) if metric == "instructions" else None


def amount(metric: str, value: float | None) -> str:
    """A figure with its unit; "not measured" for None."""
    if value is None:
        return tr(NOT_MEASURED)
    match metric:
        case "latency" | "p95":
            return duration(value).text
        case "instructions":
            return tr("{count} instructions", count=instruction_count(value).text)
        case "energy":
            return joules(value)
        case "memory":
            return memory(value)
        case "size":
            return file_size(value)
        case "accuracy":
            return percent(value, 2)
        case "drop":
            return points(value)
        case _:
            return f"{value:g}"


def with_interval(one: SearchMeasure) -> str:
    """A figure with its interval and on how many processes it stands."""
    found = shown(one.metric, one.value, one.ci_low, one.ci_high)
    if found is None:
        return amount(one.metric, one.value)
    text = tr("{count} instructions", count=found.text) if one.metric == "instructions" else found.text
    return tr("{figure} ({basis})", figure=text, basis=stands_on(one, found))


def stands_on(one: SearchMeasure, found: Shown) -> str:
    """The interval in words, or that there is none, and the number of processes."""
    many = repeats(one)
    if found.interval is None:
        return tr("no interval, {repeats}", repeats=many)
    if one.metric == "instructions":
        return tr("range {interval}, {repeats}", interval=found.interval, repeats=many)
    return tr("95 % interval {interval}, {repeats}", interval=found.interval, repeats=many)


def repeats(one: SearchMeasure) -> str:
    """On how many processes, or blocks of time, a figure stands."""
    return plural(one.blocks, "process") if one.metric == "instructions" else plural(one.blocks, "block")


def candidate(trial: SearchTrial, *, several: bool) -> str:
    """A candidate by its recipe, with its model where there are several."""
    recipe = brief(trial.recipe)
    return tr("{recipe} of {model}", recipe=recipe, model=brief(trial.model, 40)) if several else recipe


def parameter_text(trial: SearchTrial) -> str:
    """What was chosen for each parameter that the template leaves open."""
    return listed(f"{brief(str(name))} {brief(_value(value))}" for name, value in trial.parameters.items())


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else setting_text(value)
