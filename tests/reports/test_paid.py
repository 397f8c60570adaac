"""Did compression pay: a file's promise, the board's verdict, and reasons only where a profile proves them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hilbench.reports.export import export_json, export_schema
from hilbench.reports.frames import frames
from hilbench.reports.measured import NodeCost, NodeGroup, OperatorCost, OperatorProfile
from hilbench.reports.page import render
from hilbench.reports.paid import Paid, Payoff, paid
from hilbench.reports.paid_view import paid_rows, paid_table
from hilbench.reports.record import RunRecord, Trial, TrialKind
from hilbench.reports.summary import CellSummary, summarize

from .synthetic import A72, PI, Board, run

MACS = 9_400_000
NBSP = "\u202f"


def costs(*, macs: int | None = MACS, nonzero: float = 1.0, **by_type: int) -> Mapping[str, Any]:
    stored = by_type or {"float32": 300_000}
    parameters = sum(stored.values())
    return {
        "parameters": parameters,
        "nonzero": round(parameters * nonzero),
        "nonzero_share": nonzero,
        "by_type": stored,
        "macs": macs,
        "macs_by_operator": {} if macs is None else {"Conv": macs},
        "not_counted": [] if macs is not None else ["LSTM: its multiplications are not counted"],
    }


def node(op: str, total: int | None) -> NodeCost:
    return NodeCost(name=op.lower(), op=op, provider=None, total=total)


def profile(
    *operators: tuple[str, int, int | None],
    between: int = 0,
    quantized: bool = False,
    in_float: tuple[NodeCost, ...] = (),
    unit: str | None = "ns",
) -> OperatorProfile:
    """Operators as (op, nodes, total over one inference)."""
    whole = None if unit is None else sum(total or 0 for _, _, total in operators)
    return OperatorProfile(
        unit=unit,
        source=None,
        iterations=1 if unit else 0,
        inferences_total=None if whole is None else whole + between,
        quantized=quantized,
        operators=tuple(OperatorCost(op=op, nodes=nodes, total=total, providers=()) for op, nodes, total in operators),
        nodes=NodeGroup(number=sum(nodes for _, nodes, _ in operators), total=whole, listed=()),
        in_float=NodeGroup(number=len(in_float), total=None, listed=in_float) if quantized else None,
    )


def profile_trial(cell: str, found: OperatorProfile) -> Trial:
    return Trial(
        trial_id=f"{cell}-ops",
        cell_id=cell,
        kind=TrialKind.PROFILE,
        block=0,
        attempt=1,
        position=0,
        started_at="2026-11-24T10:45:00Z",
        profile=found,
    )


def compared(
    recipe: str,
    *,
    board: Board = PI,
    counted: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None] = (None, None),
    profiles: tuple[OperatorProfile | None, OperatorProfile | None] = (None, None),
) -> RunRecord:
    """fp32 and a recipe on one board, with what was counted in their files and what their profiles gave."""
    whole = run(boards=(board,), recipes=("fp32", recipe))
    records = tuple(
        replace(
            one,
            artifact=None if one.artifact is None else replace(one.artifact, costs=facts),
            trials=one.trials if found is None else (*one.trials, profile_trial(one.cell_id, found)),
        )
        for one, facts, found in zip(whole.records, counted, profiles, strict=True)
    )
    return replace(whole, records=records)


def judged(whole: RunRecord, **isa: bool) -> Paid:
    base, cell = summarize(whole).cells
    return paid(cell, base, {"isa": isa} if isa else {})


CONV = ("Conv", 10, 900)
POOL = ("AveragePool", 1, 100)


def test_a_candidate_that_is_faster_paid_and_needs_no_reason() -> None:
    found = judged(compared("int8-static", counted=(costs(), costs(int8=300_000))))
    assert found.word is Payoff.PAID
    assert re.fullmatch(r"Paid: 4\d\s% less time, with 72\s% fewer bytes\.", found.sentence)
    assert found.proof == ()
    assert found.figures.macs_ratio == 1.0


def test_zeros_that_are_kept_dense_are_proven_by_equal_macs_and_operators() -> None:
    found = judged(
        compared(
            "prune-l1",
            counted=(costs(), costs(nonzero=0.2)),
            profiles=(profile(CONV, POOL), profile(CONV, POOL)),
        )
    )
    assert found.word is Payoff.NOT
    assert found.sentence.endswith("why: its zeros are multiplied like any other number.")
    (proof,) = found.proof
    for figure in (f"100.0{NBSP}%", f"20.0{NBSP}%", f"9.400{NBSP}M MACs", "same 11 operators", f"1.00{NBSP}×"):
        assert figure in proof


@pytest.mark.parametrize(
    ("mine", "base_profile", "own_profile"),
    [
        (costs(nonzero=1.0), profile(CONV, POOL), profile(CONV, POOL)),  # no zeros
        (costs(nonzero=0.2, macs=MACS // 2), profile(CONV, POOL), profile(CONV, POOL)),  # really fewer MACs
        (costs(nonzero=0.2), profile(CONV, POOL), profile(CONV)),  # other operators
        (costs(nonzero=0.2), profile(CONV, POOL), profile(("Conv", 10, 300), POOL)),  # something skipped them
    ],
)
def test_zeros_are_no_reason_where_the_figures_do_not_prove_it(
    mine: Mapping[str, Any], base_profile: OperatorProfile, own_profile: OperatorProfile
) -> None:
    found = judged(compared("prune-l1", counted=(costs(), mine), profiles=(base_profile, own_profile)))
    assert "zeros" not in found.sentence
    assert found.sentence.endswith("its profile proves no reason.")


def test_without_a_profile_no_reason_is_guessed() -> None:
    found = judged(compared("prune-l1", counted=(costs(), costs(nonzero=0.2))))
    assert found.word is Payoff.NOT
    assert found.sentence.endswith("why was not measured: its operators were not profiled.")
    assert found.proof == ()


def test_a_runtime_without_costs_says_so() -> None:
    bare = profile(("CONV_2D", 3, None), unit=None)
    found = judged(compared("prune-l1", counted=(costs(), costs()), profiles=(bare, bare)))
    assert found.sentence.endswith("why was not measured: the runtime gives no costs of operators.")


def test_operators_in_floats_and_conversions_are_named_with_their_share() -> None:
    relu, cast = node("Relu", 150), node("Cast", 50)
    quantized = profile(
        ("QLinearConv", 10, 600),
        ("Relu", 3, 150),
        ("Cast", 2, 50),
        ("QuantizeLinear", 4, 200),
        quantized=True,
        in_float=(relu, cast),
    )
    found = judged(
        compared("fp16", counted=(costs(), costs(int8=300_000)), profiles=(profile(("Conv", 10, 1000)), quantized))
    )
    assert found.word is Payoff.NOT
    assert f"40{NBSP}% of its time goes into operators that fell back to floats and conversions" in found.sentence
    # The conversion among the float operators is counted once, with the conversions.
    assert (
        f"The profile has 15{NBSP}% in 1 operator (Relu) computing floats and 25{NBSP}% in 6 conversions of type."
        in found.proof
    )


def test_a_small_share_of_floats_explains_nothing() -> None:
    quantized = profile(("QLinearConv", 10, 950), ("Softmax", 1, 50), quantized=True, in_float=(node("Softmax", 50),))
    found = judged(
        compared("fp16", counted=(costs(), costs(int8=300_000)), profiles=(profile(("Conv", 10, 5000)), quantized))
    )
    assert "floats" not in found.sentence


def test_weights_in_8_bits_that_are_turned_into_floats_are_found() -> None:
    found = judged(
        compared("fp16", counted=(costs(), costs(int8=290_000, int32=10_000)), profiles=(profile(CONV), profile(CONV)))
    )
    assert "no operator computes in 8 bits" in found.sentence
    assert f"97{NBSP}% of the parameters are stored in 8 bits" in found.proof[0]


@pytest.mark.parametrize(
    ("isa", "clause", "proof"),
    [
        ({"dotprod": False}, "on a processor without dot product instructions", "the processor lacks dot product"),
        ({"dotprod": True}, "costs 1.20", "the processor has dot product"),
        ({}, "costs 1.20", "whether the processor has dot product instructions is not known"),
    ],
)
def test_8_bit_products_that_cost_as_much_are_held_against_the_instructions(
    isa: dict[str, bool], clause: str, proof: str
) -> None:
    profiles = (profile(("Conv", 10, 1000)), profile(("QLinearConv", 10, 1200), quantized=True))
    found = judged(compared("fp16", counted=(costs(), costs(int8=300_000)), profiles=profiles), **isa)
    assert clause in found.sentence
    assert ("without" in found.sentence) is (isa.get("dotprod") is False)
    assert proof in found.proof[0]


def test_products_are_compared_by_the_mac() -> None:
    # Half the MACs at half the cost: an 8-bit product is no cheaper, although the operators cost less.
    profiles = (profile(("Conv", 10, 1000)), profile(("QLinearConv", 10, 500), quantized=True))
    found = judged(compared("fp16", counted=(costs(), costs(macs=MACS // 2, int8=300_000)), profiles=profiles))
    assert f"costs 1.00{NBSP}× one of the baseline" in found.sentence


def test_a_model_too_small_is_proven_by_what_lies_outside_of_its_products() -> None:
    small = profile(("Conv", 10, 300), ("Relu", 10, 200), between=500)
    found = judged(
        compared("fp16", counted=(costs(), costs(macs=MACS // 4)), profiles=(profile(("Conv", 10, 1200)), small))
    )
    assert f"the model is so small that 70{NBSP}% of its time goes elsewhere than into products" in found.sentence
    (proof,) = found.proof
    assert proof.startswith(f"In the profile 30{NBSP}% goes into products, 20{NBSP}% into other operators, ")
    assert proof.endswith(f"50{NBSP}% lies between operators.")


def test_less_than_half_of_what_the_macs_promised_is_paid_in_part() -> None:
    found = judged(compared("int8-dynamic", counted=(costs(), costs(macs=MACS // 5))))
    assert found.word is Payoff.IN_PART
    assert f"though it has 80{NBSP}% fewer MACs and 72{NBSP}% fewer bytes" in found.sentence
    assert judged(compared("int8-dynamic", counted=(costs(), costs(macs=MACS * 3 // 4)))).word is Payoff.PAID


def test_without_a_verdict_nothing_is_judged_and_the_reason_is_given() -> None:
    whole = replace(compared("prune-l1", counted=(costs(), costs())), protocol="quick", shortlist=("something-else",))
    found = judged(whole)
    assert found.word is Payoff.NOT_JUDGED
    assert "not on the plan's shortlist" in found.sentence
    base, cell = summarize(whole).cells
    row = paid_rows([("fp32", base), ("prune-l1", cell)], {})[1]
    assert row.interval == "no verdict"


def test_an_older_run_without_costs_is_not_counted_and_never_zero() -> None:
    whole = compared("int8-static")
    found = judged(whole)
    assert found.figures.macs_ratio is None
    rows = paid_rows([(cell.record.recipe, cell) for cell in summarize(whole).cells], {})
    assert {(row.parameters, row.nonzero, row.macs) for row in rows} == {("not counted",) * 3}
    assert rows[0].paid is None


def test_a_baseline_in_another_runtime_is_said() -> None:
    whole = compared("prune-l1", counted=(costs(), costs()))
    other = replace(whole, records=(whole.records[0], replace(whole.records[1], runtime="ai-edge-litert")))
    assert "The baseline ran in onnxruntime: part of the difference is the runtime's." in judged(other).proof


def test_an_emulated_board_counts_instructions_and_names_no_time() -> None:
    relu = node("Relu", 400)
    profiles = (
        profile(("Conv", 10, 1000), unit="instructions"),
        profile(("QLinearConv", 10, 600), ("Relu", 3, 400), quantized=True, in_float=(relu,), unit="instructions"),
    )
    found = judged(compared("fp16", board=A72, counted=(costs(), costs(int8=300_000)), profiles=profiles))
    assert found.word is Payoff.NOT
    assert "of its instructions go into" in found.sentence
    assert not re.search(r"\btime\b|\bms\b|slower|latency", " ".join((found.sentence, *found.proof)))


def section(whole: RunRecord) -> str:
    html = render(whole)
    return html[html.index('<section id="paid"') :].split("</section>", 1)[0]


def test_the_page_has_a_row_for_each_candidate_with_sentence_and_proof() -> None:
    whole = compared(
        "prune-l1", counted=(costs(), costs(nonzero=0.2)), profiles=(profile(CONV, POOL), profile(CONV, POOL))
    )
    found = section(whole)
    assert found.count("<tr>") == 3
    assert "its zeros are multiplied like any other number" in found
    assert "300,000" in found
    assert "Measured time" in found
    assert "Measured instructions" in section(compared("prune-l1", board=A72))


def test_macs_that_were_not_counted_say_why_on_the_page() -> None:
    assert "LSTM: its multiplications are not counted" in section(
        compared("prune-l1", counted=(costs(), costs(macs=None)))
    )


def test_a_run_of_baselines_alone_has_no_such_section() -> None:
    assert 'id="paid"' not in render(run(boards=(PI,), recipes=("fp32",)))


def test_a_page_of_many_boards_and_candidates_shows_what_was_judged_first() -> None:
    base, cell = cells_of(compared("prune-l1", counted=(costs(), costs())))
    vague = replace(cell, verdict=None, verdict_absent="nothing was asked")
    cells = [("fp32", base), *[(f"vague-{i}", vague) for i in range(8)], ("judged", cell)]
    table = paid_table(cells, {}, boards=40)
    assert table is not None
    assert [row.label for row in table.rows] == ["fp32", "vague-0", "vague-1", "vague-2", "vague-3", "judged"]
    assert table.left_out == 4
    assert (paid_table(cells, {}, boards=2) or table).left_out == 0


def test_the_export_has_the_costs_and_null_where_there_are_none() -> None:
    export = export_json(compared("prune-l1", counted=(costs(nonzero=0.2), None)))
    jsonschema.Draft7Validator(export_schema()).validate(export)
    first, second = (cell["artifact"]["costs"] for cell in export["cells"])
    assert (first["macs"], first["nonzero_share"], second) == (MACS, 0.2, None)
    export["cells"][0]["artifact"]["costs"]["macs"] = -1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(export_schema()).validate(export)


def test_the_frame_of_cells_has_the_costs_as_text() -> None:
    column = frames(compared("prune-l1", counted=(costs(), None))).cells["artifact_costs"]
    assert '"macs": 9400000' in column[0]
    assert column.isna()[1]


def cells_of(whole: RunRecord) -> list[CellSummary]:
    return list(summarize(whole).cells)


def test_a_candidate_whose_baseline_is_gone_is_not_judged() -> None:
    whole = run(boards=(PI,), recipes=("int8-static",))
    found = paid(cells_of(whole)[0], None, {})
    assert found.word is Payoff.NOT_JUDGED
    assert found.figures.base is None
