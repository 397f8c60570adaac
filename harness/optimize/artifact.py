"""One artifact on one board: a screening run, a confirmation run, and what they prove.

The screening changes one thing at a time from the default setting. The confirmation measures the default and the most
promising settings anew, under the plan's protocol. Only what the confirmation proves is taken, so the figures of a
winner are not those that made it one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...reports.deployed import deployed_file
from ...reports.record import Outcome, RunRecord
from ...reports.summary import CellSummary, RunSummary, summarize
from ...reports.verdict import Verdict
from ...reports.wording import plural
from ..assemble import assemble
from ..campaign import RunResult, exit_code
from ..errors import Interrupted
from ..home import Home
from ..notify import Event
from ..plan import Plan
from ..progress import Progress
from ..run import run_plan
from ..runtimeplan import RuntimePlan
from ..sources import Sources, image_layout, plan_hash
from ..store import Store, now
from .grid import FACTORS, Level, grid
from .judge import LATENCY, Judged, against_default, candidates, winner
from .ledger import BETTER, DEFAULT, NOT_MEASURED, Found, OptimizeLedger
from .settingsfile import Entry, Evidence, fingerprint, keep_entry
from .stages import Subject, confirmation, screening
from .subjects import default_setting
from .words import screened_words, settings_words, verdict_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked: an objective, which factors are tried, which recipes; empty `recipes` = the plan's shortlist."""

    objective: str = LATENCY
    factors: tuple[str, ...] = FACTORS
    recipes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What all subjects of an optimisation share."""

    plan: Plan
    wanted: Wanted
    sources: Sources
    store: Store
    home: Home
    ledger: OptimizeLedger
    progress: Progress
    command: str
    new: bool
    tell: Callable[[Event], None]


def optimize_artifact(work: Work, subject: Subject, facts: Mapping[str, Any]) -> Found:
    """Screen, confirm and keep what was found. `facts` are the board's; see `grid`. Raises Interrupted."""
    default = default_setting(work.plan, subject.runtime)
    images = image_layout(work.sources[subject.model])
    tried = grid(subject.board, facts, subject.runtime, default, work.wanted.factors, images=images)
    if not tried.levels:
        return replace(unmeasured(work, subject, "there is no other setting to try", code=0), left_out=tried.left_out)
    settings = [default, *(level.on(default) for level in tried.levels)]
    screened = _stage(work, screening(work.plan, subject, settings, work.wanted.objective))
    summary = summarize(screened.record)
    base = _cell(summary, default)
    judged = _judged(work, summary, base)
    by_level = {one.cell.record.cell_id: one for one in judged}
    pairs = [(level, by_level[_cell(summary, level.on(default)).record.cell_id]) for level in tried.levels]
    found = Found(
        subject=_named(subject),
        objective=work.wanted.objective,
        outcome=DEFAULT,
        settings=default.settings(),
        default=default.settings(),
        sentence="",
        tried=[_plain(one, default, screened_words) for one in judged],
        left_out=tried.left_out,
        runs=[screened.record.run_id],
        artifact=None if base.record.artifact is None else base.record.artifact.sha256,
        exit_code=_code(screened),
    )
    if not base.ok:
        return without_default(found, base)
    return _confirmed(work, subject, default, pairs, found, screened.record)


def _confirmed(
    work: Work,
    subject: Subject,
    default: RuntimePlan,
    pairs: Sequence[tuple[Level, Judged]],
    found: Found,
    record: RunRecord,
) -> Found:
    levels = {judged.cell.record.cell_id: level for level, judged in pairs}
    by_factor: defaultdict[str, list[Judged]] = defaultdict(list)
    for level, judged in pairs:
        by_factor[level.factor].append(judged)
    chosen = candidates(by_factor)
    if not chosen:
        sentence = f"the default setting stays: of {plural(len(pairs), 'other')} none seemed better in the screening"
        return _kept(work, subject, replace(found, sentence=sentence), None, record)
    settings = [default]
    for ids in chosen:
        one = default
        for cell_id in ids:
            one = levels[cell_id].on(one)
        settings.append(one)
    confirmed = _stage(work, confirmation(work.plan, subject, settings, work.wanted.objective))
    summary = summarize(confirmed.record)
    base = _cell(summary, default)
    judged = _judged(work, summary, base)
    best = winner(judged) if base.ok else None
    found = replace(
        found,
        confirmed=[_plain(one, default, verdict_words) for one in judged],
        runs=[*found.runs, confirmed.record.run_id],
        exit_code=max(found.exit_code, _code(confirmed)),
    )
    if not base.ok:
        return without_default(found, base)
    if best is None:
        said = " ".join(_sentence(one, default) for one in judged)
        return _kept(
            work, subject, replace(found, sentence=f"the default setting stays: {said}"), None, confirmed.record
        )
    taken = next(one.settings() for one in settings[1:] if one.settings() == dict(best.cell.record.settings))
    file = deployed_file(best.cell.record)
    made = None if file is None or file.layout is None else file.path
    found = replace(found, outcome=BETTER, settings=taken, sentence=_sentence(best, default), file=made)
    return _kept(work, subject, found, best, confirmed.record)


def without_default(found: Found, base: CellSummary) -> Found:
    """Nothing can be said where the default setting gave nothing; what cannot exist on the board is no failure."""
    usual = {Outcome.UNSUPPORTED: 0, Outcome.INVALID: found.exit_code or 1}
    code = usual.get(base.record.outcome, found.exit_code or 3)
    why = f"the default setting was not measured: {base.record.reason}"
    return replace(found, outcome=NOT_MEASURED, sentence=why, exit_code=code)


def _kept(work: Work, subject: Subject, found: Found, best: Judged | None, record: RunRecord) -> Found:
    """Write what was found beside the board's facts, for later plans."""
    if found.artifact is None:
        return found
    verdict = None if best is None else best.verdict
    entry = Entry(
        artifact=found.artifact,
        model=subject.model,
        recipe=subject.recipe,
        runtime=subject.runtime,
        objective="memory" if work.wanted.objective == "memory" else "latency",
        settings=dict(found.settings),
        default=dict(found.default),
        board=fingerprint(record.boards.get(subject.board.name, {}), subject.runtime),
        evidence=None
        if verdict is None
        else Evidence(
            word=verdict.word.value,
            metric=verdict.metric,
            ratio=verdict.ratio,
            ci_low=verdict.ci_low,
            ci_high=verdict.ci_high,
            pairs=verdict.pairs,
            comparisons=verdict.comparisons,
        ),
        tried=list(work.wanted.factors),
        sentence=found.sentence,
        runs=list(found.runs),
        at=now(),
    )
    keep_entry(work.home.settings(subject.board.name), entry)
    return found


def _stage(work: Work, plan: Plan) -> RunResult:
    """One of the two runs: the one that ended already where there is one. Raises Interrupted, TargetError."""
    mine = {model.name: work.sources[model.name] for model in plan.models}
    done = work.ledger.finished_run(plan_hash(plan, mine))
    if done is not None:
        record = assemble(work.store, done)
        return RunResult(record=record, report=work.home.report(done.run_id), exit_code=exit_code(record))
    result = run_plan(
        plan,
        work.home,
        new=work.new,
        command=work.command,
        progress=work.progress,
        tell=work.tell,
    )
    if result.record.state in ("interrupted", "cancelled"):
        raise Interrupted("stopped; what was measured is kept, and the same command goes on")
    return result


def _judged(work: Work, summary: RunSummary, base: CellSummary) -> tuple[Judged, ...]:
    others = [cell for cell in summary.cells if cell is not base]
    return against_default(base, others, summary.controls.get(base.record.board), work.wanted.objective)


def _cell(summary: RunSummary, setting: RuntimePlan) -> CellSummary:
    return next(cell for cell in summary.cells if dict(cell.record.settings) == setting.settings())


def _code(result: RunResult) -> int:
    """Of a stage only what was not measured matters: which artifact to ship is not asked here."""
    return result.exit_code if result.exit_code in (3, 4) else 0


def unmeasured(work: Work, subject: Subject, reason: str, *, code: int) -> Found:
    """What is found of an artifact of which nothing was measured, and why."""
    default = default_setting(work.plan, subject.runtime).settings()
    return Found(
        subject=_named(subject),
        objective=work.wanted.objective,
        outcome=NOT_MEASURED,
        settings=default,
        default=default,
        sentence=reason,
        exit_code=code,
    )


def _named(subject: Subject) -> Mapping[str, str]:
    return {
        "board": subject.board.name,
        "model": subject.model,
        "recipe": subject.recipe,
        "runtime": subject.runtime,
    }


def _plain(judged: Judged, default: RuntimePlan, words: Callable[[str, Verdict], str]) -> Mapping[str, Any]:
    verdict = {**asdict(judged.verdict), "word": judged.verdict.word.value}
    settings = dict(judged.cell.record.settings)
    return {"settings": settings, "verdict": verdict, "sentence": _sentence(judged, default, words)}


def _sentence(judged: Judged, default: RuntimePlan, words: Callable[[str, Verdict], str] = verdict_words) -> str:
    return words(settings_words(judged.cell.record.settings, default.settings()), judged.verdict)
