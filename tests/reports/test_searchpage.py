"""The page of a search as text: complete, escaped, closed to the outside, honest, and the same for the same record."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape

import pytest
from hilbench.reports.searchpage import render_search
from hilbench.reports.searchrecord import SearchRecord

from .searches import (
    BOARDS,
    NASTY,
    all_dropped,
    broken,
    hostile,
    interrupted,
    no_trials,
    one_board,
    search,
    without_rounds,
)
from .test_page import Outline

RECORDS: dict[str, Callable[[], SearchRecord]] = {
    "whole": search,
    "interrupted": interrupted,
    "no_trials": no_trials,
    "all_dropped": all_dropped,
    "one_board": one_board,
    "no_boards": lambda: search(boards=()),
    "without_rounds": without_rounds,
    "hostile": hostile,
    "nan": lambda: broken(math.nan),
    "infinite": lambda: broken(math.inf),
    "negative": lambda: broken(-1.0),
    "none": lambda: broken(None),
}


def outline(record: SearchRecord) -> Outline:
    parser = Outline()
    parser.feed(render_search(record))
    parser.close()
    return parser


@pytest.fixture(scope="module", params=RECORDS)
def page(request: pytest.FixtureRequest) -> str:
    return render_search(RECORDS[request.param]())


@pytest.mark.parametrize("make", RECORDS.values(), ids=RECORDS)
def test_the_same_record_gives_the_same_bytes(make: Callable[[], SearchRecord]) -> None:
    assert render_search(make()) == render_search(make())


def test_tags_are_closed_in_order_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    found = Outline()
    found.feed(page)
    found.close()
    assert (found.errors, found.open) == ([], [])
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [(a.get("href") or "#")[1:] for _, a in found.tags if "href" in a]
    assert set(targets) <= set(ids)
    opened = {a["popovertarget"] for tag, a in found.tags if tag == "button"}
    assert opened <= set(ids)


def test_nothing_points_outside_and_nothing_is_styled_or_scripted_inline(page: str) -> None:
    found = Outline()
    found.feed(page)
    tags = [tag for tag, _ in found.tags]
    assert tags.count("script") == 1
    assert not {"img", "iframe", "object", "link", "base", "form"} & set(tags)
    for tag, attributes in found.tags:
        assert not {"src", "style"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert (attributes.get("href") or "#").startswith("#")


def test_no_figure_is_shown_that_is_none(page: str) -> None:
    text = re.sub(r"<(script|style)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    drawn = re.findall(r' (?:d|x|y|cx|cy|points|width|data-v)="([^"]*)"', page)
    assert not {"nan", "inf", "−inf"} & set(text.split())
    assert not re.search(r"\bNone\b(?! of| was|\.)", text)
    assert not [value for value in drawn if re.search(r"nan|inf", value)]


def test_policy_names_exactly_the_style_and_script_of_the_page(page: str) -> None:
    policy = unescape(re.findall(r'Content-Security-Policy" content="([^"]+)"', page)[0])
    assert policy.startswith("default-src 'none'; ")
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        body = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[0]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_hostile_names_are_text_do_not_turn_the_writing_and_are_cut() -> None:
    text = render_search(hostile())
    assert not set("\u202e\u2066\x00") & set(text)
    assert "\\u202e" in text
    assert "{{ 7 * 7" in unescape(text)
    assert "49" not in re.findall(r"\{\{ [^}]*", unescape(text))
    assert "W" * 500 not in text
    assert NASTY.split("\u202e")[0] in unescape(text)


def test_the_first_screen_says_what_would_be_taken_what_it_costs_and_how_sure_that_is() -> None:
    text = outline(search()).text.replace("\u202f", " ")
    for sentence in (
        "The search would take prune-channels(ratio=0.6)+int8-static on pi5.",
        "Trial 13, measured at full effort: of 15 candidates keeping every limit here it has the least median latency",
        "0.90 pp below fp32 (95 % interval of the loss 0.50 pp to 1.30 pp)",
        "so chance may flatter it (selection bias)",
        "Measured anew in run 20261129-0800-c0f1, apart from the search: median latency",
        "That is +1.3 % against the search's figure.",
        "It was not measured anew since. Confirm finalists by hilbench ship",
        "What would be taken was not measured anew on this-machine, emulated-a72.",
        "5: over the limit size <= 400kB (found on this machine, no board time spent).",
    ):
        assert sentence in text, sentence


def test_a_difference_that_the_intervals_do_not_prove_is_called_so() -> None:
    record = search(boards=BOARDS[:1])
    taken = next(t for t in record.trials if t.number == record.chosen["pi5"])
    near = tuple(replace(m, value=m.value * 1.01) if m.metric == "latency" else m for m in taken.measures)
    doubt = "Their intervals meet, so these blocks do not prove a difference."
    assert doubt not in outline(record).text
    assert doubt in outline(replace(record, baselines=near)).text


def test_a_board_without_a_candidate_says_so_with_what_was_measured_most() -> None:
    text = outline(all_dropped()).text
    assert "No candidate keeps every limit on pi5." in text
    assert "Measured with the most effort: trial" in text
    assert "The search would take" not in text


def test_a_search_that_was_stopped_says_so_before_anything_else() -> None:
    text = outline(interrupted()).text
    assert "This search was interrupted: 60 of 80 candidates so far." in text
    assert text.index("was interrupted") < text.index("What the search would take")


def test_emulated_boards_have_a_part_of_their_own_without_times_or_joules() -> None:
    text = render_search(one_board())
    part = text[text.index('<section id="emulated"') : text.index('<section id="dropped"')]
    assert 'id="fronts"' not in text
    for section in (part, text[text.index('<section id="answer"') : text.index('<section id="emulated"')]):
        visible = re.sub(r"<[^>]+>", " ", section)
        for forbidden in (r"\bms\b", r"µs", r"\bmJ\b", r"\blatency\b(?!s)", r"\bfaster\b"):
            assert not re.search(forbidden, re.sub(r"<button.*?</button>", " ", visible)), forbidden


def test_every_candidate_is_in_the_table_with_its_stage_and_what_became_of_it() -> None:
    record = search()
    text = render_search(record)
    table = text[text.index('aria-label="All candidates"') : text.index('aria-label="Candidates on pi5, 1"')]
    rows = re.findall(r'<th scope="row" class="number">(\d+)', table)
    assert [int(row) for row in rows] == [trial.number for trial in record.trials]
    for trial in record.trials:
        if trial.dropped is not None:
            assert trial.dropped in unescape(table)


def test_what_was_foretold_stands_beside_what_was_measured_with_its_error() -> None:
    record = search()
    trial = next(t for t in record.trials if t.predicted and t.measures and t.same_as is None)
    off = 100 * (trial.predicted["pi5"] / trial.measures[0].value - 1)
    text = render_search(record)
    table = text[text.index('aria-label="Candidates on pi5, 1"') :]
    row = re.findall(rf'class="number">{trial.number}[<\n].*?(?=<tr|</tbody>)', table, re.DOTALL)[0]
    assert f"{'+' if off >= 0 else '−'}{abs(off):.1f}\u202f%" in row


def test_more_rows_than_a_page_can_show_are_counted() -> None:
    record = search(trials=1100)
    text = render_search(record)
    assert "100 more, which came less far, are in the record." in text
    assert len(text.encode()) < 2_500_000
    finalists = [t.number for t in record.trials if t.stage == "finalist"]
    assert all(f'class="number">{number}' in text for number in finalists)


def test_importance_is_told_with_chance_beside_it_or_not_at_all() -> None:
    told = outline(search()).text
    assert "It stands on 23 measured candidates, the best 6 of them against all." in told
    assert "not told apart from chance" in told
    assert (
        "Not told. It is computed when a search ends, from 20 measured candidates on" in outline(without_rounds()).text
    )


def test_a_record_without_rounds_tells_no_history_and_no_saving() -> None:
    text = outline(without_rounds()).text
    assert "As it is now" in text
    assert "The hypervolume over board time is not told" in text
    assert "no round at full effort was timed" in text
    assert "hilbench search PLAN" in text


def test_reproduction_has_command_search_seed_and_runs() -> None:
    record = search()
    text = outline(record).text
    for wanted in (
        record.command,
        record.search_id,
        str(record.seed),
        *record.trials[13].run_ids,
        "20261129-0800-c0f1",
    ):
        assert wanted in text


def test_several_models_are_named_beside_their_recipes() -> None:
    record = search(boards=BOARDS[:1])
    trials = tuple(replace(t, model="other") if t.number == 0 else t for t in record.trials)
    assert "int8-static of digits on pi5." in outline(replace(record, trials=trials)).text
