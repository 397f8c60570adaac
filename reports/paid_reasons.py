"""Why compression gave less than it promised: what the operator profiles of two models prove; pure.

Each reason is looked for in figures that the board gave: which operators ran, in which types, at which share of an
inference. Nothing is concluded from a recipe's name. A profiler slows an inference down, so only shares and ratios of
its figures are used, never a duration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .language import mark, plural, tr
from .measured import NodeCost, NodeGroup, OperatorProfile
from .operators import family
from .paid_figures import FileFigures, GainFigures
from .units import NARROW, instruction_count, percent

LEAST_SHARE = 0.10  # a smaller part of an inference explains no lost gain
LARGE_REST = 0.5  # where most of an inference multiplies nothing, fewer MACs cannot help much
SAME = 0.001  # counts closer than this are equal
KEPT_COST = 0.9  # products that cost this much of the baseline's have gained nothing

_MULTIPLYING = frozenset(
    {"Conv", "MatMul", "ConvTranspose", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL", "LSTM", "GRU", "Einsum"}
)
_EIGHT_BIT = ("int8", "uint8", "int4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One cause as a clause, with the figures that prove it as a sentence without a full stop."""

    clause: str
    proof: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    figures: GainFigures
    mine: OperatorProfile
    theirs: OperatorProfile | None
    isa: Mapping[str, Any]

    @property
    def base(self) -> FileFigures | None:
        return self.figures.base

    def spends(self, timed: str, counted: str, **values: object) -> str:
        """What its time, or its instructions on an emulated board, goes into: one of two messages."""
        return tr(counted if self.figures.counted else timed, **values)


def reasons(
    figures: GainFigures,
    profile: OperatorProfile,
    baseline: OperatorProfile | None,
    board: Mapping[str, Any],
) -> tuple[Reason, ...]:
    """The causes that the candidate's profile proves, the most certain first; empty where it proves none.

    `board` are the board's facts; its `isa` says which instructions every core has.
    """
    told: Any = board.get("isa")
    case = _Case(figures=figures, mine=profile, theirs=baseline, isa=told if isinstance(told, Mapping) else {})
    return tuple(reason for look in _LOOKS for reason in look(case))


def multiplying_cost(profile: OperatorProfile) -> float | None:
    """What one inference's convolutions and matrix products cost, in the profile's unit; None = not timed."""
    totals = [one.total for one in profile.operators if family(one.op) in _MULTIPLYING]
    known = [total for total in totals if total is not None]
    if profile.unit is None or not profile.iterations or not known or len(known) < len(totals):
        return None
    return sum(known) / profile.iterations


def _zeros(case: _Case) -> Iterator[Reason]:
    """Zeros are stored and multiplied like any number: fewer of them are no zeros, and the operators are the same."""
    mine, theirs, base = case.figures.file, case.theirs, case.base
    if base is None or theirs is None or mine.nonzero_share is None or base.nonzero_share is None:
        return
    same_macs = case.figures.macs_ratio is not None and abs(case.figures.macs_ratio - 1) < SAME
    ops = [{one.op: one.nodes for one in each.operators} for each in (case.mine, theirs)]
    if mine.nonzero_share > base.nonzero_share - SAME or not same_macs or not ops[0] or ops[0] != ops[1]:
        return
    cost = _multiplying_ratio(case)
    if cost is not None and cost < KEPT_COST:  # something made them cheaper, so this explains nothing
        return
    proof = tr(
        "{before} of the parameters were not zero, now {now}, but there are {macs} MACs as before, and the profile has "
        "the same {number} operators",
        before=percent(base.nonzero_share),
        now=percent(mine.nonzero_share),
        macs=_count(mine.macs),
        number=sum(ops[0].values()),
    )
    if cost is not None:
        proof = tr("{proof}, whose products cost {times} as much", proof=proof, times=_times(cost))
    yield Reason(clause=tr("its zeros are multiplied like any other number"), proof=proof)


def _no_eight_bit(case: _Case) -> Iterator[Reason]:
    if case.figures.file.share_of(*_EIGHT_BIT) >= LARGE_REST and case.mine.operators and not case.mine.quantized:
        yield Reason(
            clause=tr("no operator computes in 8 bits"),
            proof=tr(
                "{share} of the parameters are stored in 8 bits, but no operator of the profile touches an 8-bit "
                "tensor: they are turned into floats before",
                share=percent(case.figures.file.share_of(*_EIGHT_BIT), 0),
            ),
        )


def _floats(case: _Case) -> Iterator[Reason]:
    """Operators that fell back to floats, and conversions between types."""
    half = case.figures.file.share_of("float16", "bfloat16") >= LARGE_REST
    if not case.mine.quantized and not half:
        return
    converting = [one for one in case.mine.operators if family(one.op) == "Conversion"]
    floats = _computing(case.mine.in_float) if case.mine.quantized else ()
    whole = None if case.mine.nodes is None else case.mine.nodes.total
    totals = [one.total for one in (*converting, *floats)]
    if case.mine.unit is None or not whole or None in totals:
        yield from _floats_without_costs(floats)
        return
    spent = [sum(one.total or 0 for one in part) / whole for part in (floats, converting)]
    if sum(spent) < LEAST_SHARE:
        return
    parts: list[str] = []
    if floats:
        parts.append(
            tr("{share} in {operators} computing floats", share=percent(spent[0], 0), operators=_names(floats))
        )
    if converting:
        number = sum(one.nodes for one in converting)
        parts.append(tr("{share} in {number} conversions of type", share=percent(spent[1], 0), number=number))
    fell_back = (
        mark("{share} of its time goes into operators that fell back to floats and conversions"),
        mark("{share} of its instructions go into operators that fell back to floats and conversions"),
    )
    only_conversions = (
        mark("{share} of its time goes into conversions of type"),
        mark("{share} of its instructions go into conversions of type"),
    )
    yield Reason(
        clause=case.spends(*(fell_back if floats else only_conversions), share=percent(sum(spent), 0)),
        proof=tr("the profile has {parts}", parts=tr(" and ").join(parts)),
    )


def _floats_without_costs(floats: tuple[NodeCost, ...]) -> Iterator[Reason]:
    multiplying = tuple(one for one in floats if family(one.op) in _MULTIPLYING)
    if multiplying:
        yield Reason(
            clause=tr("some of its products are still computed in floats"),
            proof=tr(
                "the runtime lists {operators} as computing floats; their share was not measured",
                operators=_names(multiplying),
            ),
        )


def _cost_of_a_mac(case: _Case) -> Iterator[Reason]:
    """Narrower numbers make a product cheaper only where processor and runtime have instructions for them."""
    cost, macs = _multiplying_ratio(case), case.figures.macs_ratio
    narrow = _narrow(case)
    if narrow is None or cost is None or not macs or case.theirs is None or case.theirs.quantized:
        return
    each = cost / macs
    if each < KEPT_COST:
        return
    bits, feature, called = narrow
    has: object = case.isa.get(feature)
    clause = tr("a product of the {bits}-bit file costs {times} one of the baseline", bits=bits, times=_times(each))
    if has is False:
        clause = tr("{clause}, on a processor without {feature}", clause=clause, feature=tr(called))
    told = mark("whether the processor has {feature} is not known")
    if isinstance(has, bool):
        told = mark("the processor has {feature}") if has else mark("the processor lacks {feature}")
    yield Reason(
        clause=clause,
        proof=tr(
            "by the two profiles products cost {cost} as much for {macs} the MACs; {told}",
            cost=_times(cost),
            macs=_times(macs),
            told=tr(told, feature=tr(called)),
        ),
    )


def _narrow(case: _Case) -> tuple[int, str, str] | None:
    """Bits of the products, the board's fact that decides, and what it is called; None for plain floats."""
    if case.mine.quantized:
        return 8, "dotprod", mark("dot product instructions")
    if case.figures.file.share_of("float16") >= LARGE_REST:
        return 16, "fp16", mark("16-bit float arithmetic")
    return None


def _too_small(case: _Case) -> Iterator[Reason]:
    """What does not shrink with the MACs: operators that multiply nothing, and the runtime between operators."""
    whole, nodes, cost = case.mine.inferences_total, case.mine.nodes, multiplying_cost(case.mine)
    if not whole or nodes is None or nodes.total is None or cost is None:
        return
    multiplying = cost * case.mine.iterations / whole
    if 1 - multiplying < LARGE_REST:
        return
    between = max(0.0, (whole - nodes.total) / whole)
    yield Reason(
        clause=case.spends(
            mark("the model is so small that {share} of its time goes elsewhere than into products"),
            mark("the model is so small that {share} of its instructions go elsewhere than into products"),
            share=percent(1 - multiplying, 0),
        ),
        proof=tr(
            "in the profile {products} goes into products, {others} into other operators, {between} lies between "
            "operators",
            products=percent(multiplying, 0),
            others=percent(max(0.0, 1 - multiplying - between), 0),
            between=percent(between, 0),
        ),
    )


_LOOKS: tuple[Callable[[_Case], Iterator[Reason]], ...] = (_zeros, _no_eight_bit, _floats, _cost_of_a_mac, _too_small)


def _multiplying_ratio(case: _Case) -> float | None:
    if case.theirs is None or case.theirs.unit != case.mine.unit:
        return None
    mine, theirs = multiplying_cost(case.mine), multiplying_cost(case.theirs)
    return None if mine is None or not theirs else mine / theirs


def _computing(group: NodeGroup | None) -> tuple[NodeCost, ...]:
    """The listed nodes that compute; a conversion to floats is counted with the conversions."""
    return () if group is None else tuple(one for one in group.listed if family(one.op) != "Conversion")


def _names(nodes: tuple[NodeCost, ...]) -> str:
    kinds = sorted({one.op for one in nodes})
    shown = ", ".join(kinds[:4]) + (" …" if len(kinds) > 4 else "")
    return f"{plural(len(nodes), 'operator')} ({shown})"


def _times(value: float) -> str:
    return f"{value:.2f}{NARROW}×"


def _count(value: float | None) -> str:
    return tr("not counted") if value is None else instruction_count(value).text
