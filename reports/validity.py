"""May a cell's figures be believed? What the gates found at run time, and what the figures themselves show; pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from .control import Control
from .detectable import processes_for
from .figures import Instructions, Latency
from .language import mark, tr
from .record import Accuracy, Outcome, Record, RunRecord
from .stateflags import AS_SHIPPED, CONTROLLED, Effect, in_words
from .statistics import blocks_needed
from .tails import DRIFT_P, rank_correlation
from .verdict import LEAST_PROCESSES, TIME_MARGIN

SPREAD = 0.10  # pyperf warns at a standard deviation of a tenth of the mean …
FAR_OFF = 0.50  # … and at a value half the mean away from it
COUNT_SPREAD = 0.001
LEAST_AGREEMENT = 0.98


class State(StrEnum):
    """How far the figures of a cell carry."""

    VALID = "valid"
    SUSPECT = "suspect"
    INVALID = "invalid"
    NOT_MEASURED = "not-measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """A state and the sentences that explain it, in a fixed order; `remarks` are worth knowing and change no state."""

    state: State
    reasons: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def validity(
    record: Record, run: RunRecord, time: Latency | None, count: Instructions | None, control: Control | None
) -> Validity:
    """Judge one cell. Another outcome than `ok` makes its figures invalid; what else is found makes them suspect."""
    if time is None and count is None:
        return Validity(state=State.NOT_MEASURED, reasons=record.validity_reasons)
    found = [*record.validity_reasons]
    if record.outcome is not Outcome.OK and record.reason and record.reason not in found:
        found.insert(0, record.reason)
    planned = run.planned_blocks.get(record.board)
    found += _of_latency(time, planned) if time else _of_counts(count, planned) if count else ()
    found += _of_outputs(record.accuracy)
    flagged = in_words(record.trials, record.profile)
    found += flagged[Effect.SUSPECT]
    found += _of_cooling(record)
    found += _of_profile(record)
    if control is not None and not control.equal:
        found.append(tr("the A/A control of this board differed from itself: comparisons are unproven"))
    state = State.INVALID if record.outcome is not Outcome.OK else State.SUSPECT if found else State.VALID
    remarks = (*record.remarks, *flagged[Effect.RESULT], *_early_end(record, run), *_remarks(time))
    return Validity(state=state, reasons=tuple(found), remarks=remarks)


def _early_end(record: Record, run: RunRecord) -> Iterator[str]:
    early = run.boards.get(record.board, {}).get("ended_early")
    if early is not None:
        yield tr(
            "ended after {blocks} of {planned} blocks: no interval was wider than {width} %",
            blocks=early["blocks"],
            planned=early["of"],
            width=f"{early['width_pct']:g}",
        )


def _of_latency(time: Latency, planned: int | None) -> Iterator[str]:
    needed = blocks_needed(1)
    if planned is not None and time.blocks < planned:
        yield tr("only {blocks} of {planned} planned blocks", blocks=time.blocks, planned=planned)
    if time.blocks < needed:
        yield tr("{blocks} blocks: a 95 % interval needs at least {needed}", blocks=time.blocks, needed=needed)
    medians, spread = list(time.block_medians_ns.values()), time.cv_blocks
    if spread is not None and spread >= SPREAD:
        yield tr("block medians vary by {spread} % (standard deviation over mean)", spread=f"{100 * spread:.0f}")
    mean = sum(medians) / len(medians)
    if any(abs(median / mean - 1) >= FAR_OFF for median in medians):
        yield tr("a block's median is more than 50 % away from the mean of all")
    rho, p = rank_correlation(medians)
    if p < DRIFT_P:
        yield tr("block medians rise from block to block") if rho > 0 else tr("block medians fall from block to block")
    if time.drift_within is not None and abs(time.drift_within) >= TIME_MARGIN:
        yield tr("latency drifts by {drift} % within a process", drift=f"{100 * time.drift_within:+.1f}")


def _of_cooling(record: Record) -> Iterator[str]:
    late = [t.used["cooling"] for t in record.trials if not (t.used.get("cooling") or {"cool": True})["cool"]]
    if late:
        most = max(one["at_c"] - one["start_c"] for one in late)
        yield tr(
            "{blocks} blocks began while the board was up to {degrees} °C warmer than at the start: waiting for it to "
            "cool had taken its share of the campaign, a quarter",
            blocks=len(late),
            degrees=f"{most:.0f}",
        )


def _of_profile(record: Record) -> Iterator[str]:
    if record.profile not in (AS_SHIPPED, CONTROLLED):
        yield tr("the profile of the board was {profile}, so nothing of it can be compared", profile=record.profile)


def _remarks(time: Latency | None) -> Iterator[str]:
    if time is None:
        return
    if time.cv_blocks is not None:
        wanted = processes_for(time.cv_blocks)
        if wanted > time.blocks:
            text = mark("{blocks} blocks know the time no better than ±1 %: at this spread {wanted} would")
            yield tr(text, blocks=time.blocks, wanted=wanted)
    # One process in a hundred shows a slope by chance, and dependent samples more: a tenth of them is too many.
    drift = time.drift_within
    if time.sloped_blocks > max(1, time.blocks / 10) and (drift is None or abs(drift) < TIME_MARGIN):
        how = tr("in no common direction")
        if drift is not None:
            how = tr("by {drift} % from its beginning to its end", drift=f"{100 * drift:+.1f}")
        yield tr(
            "in {sloped} of {processes} processes time still changed along the iterations, {how}",
            sloped=time.sloped_blocks,
            processes=time.blocks,
            how=how,
        )


def _of_counts(count: Instructions, planned: int | None) -> Iterator[str]:
    wanted = max(LEAST_PROCESSES, planned or 0)
    if count.processes < wanted:
        yield tr("only {processes} of {wanted} importer processes", processes=count.processes, wanted=wanted)
    if count.cv_processes is not None and count.cv_processes > COUNT_SPREAD:
        yield tr("counts vary by {spread} % over processes", spread=f"{100 * count.cv_processes:.2f}")
    if count.source == "virtual-clock":
        yield tr("no counter was open: a clock stands for it, which is true only where an emulator drives it")


def _of_outputs(accuracy: Accuracy | None) -> Iterator[str]:
    if accuracy is None:
        return
    if accuracy.agreement is not None and accuracy.agreement < LEAST_AGREEMENT:
        share = f"{100 * accuracy.agreement:.1f}"
        yield tr("the board's answer equals the host's on {share} % of the same inputs only", share=share)
