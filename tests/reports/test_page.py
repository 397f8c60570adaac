"""The page as text: complete, escaped, closed to the outside, and the same for the same run."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import pytest
from hilbench.reports.page import render
from hilbench.reports.record import Outcome, RunRecord

from .large import large
from .synthetic import A72, HOSTILE, PI, TRUTH, all_failed, mixed, run, without_data, without_figures

# A cell ends where the next one, its row or its part of the table does; a row likewise (HTML 13.1.2.4).
ENDED_BY = {
    "td": ("td", "th"),
    "th": ("td", "th"),
    "tr": ("td", "th", "tr"),
    "thead": ("td", "th", "tr"),
    "tbody": ("td", "th", "tr"),
}
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Outline(HTMLParser):
    """Every tag with its attributes, the text, and whether tags are closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.errors: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.end_what_needs_no_end_tag(ENDED_BY.get(tag, ()))
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def end_what_needs_no_end_tag(self, tags: tuple[str, ...]) -> None:
        while self.open and self.open[-1] in tags:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        inside = () if tag in ("td", "th") else ENDED_BY.get(tag, ())
        self.end_what_needs_no_end_tag(tuple(other for other in inside if other != tag))
        if not self.open or self.open.pop() != tag:
            self.errors.append(f"{tag} at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def outline(whole: RunRecord) -> Outline:
    parser = Outline()
    parser.feed(render(whole))
    parser.close()
    return parser


def empty() -> RunRecord:
    return replace(run(), records=())


def one_candidate() -> RunRecord:
    return run(boards=(PI,), recipes=("int8-static",))


def emulated_only() -> RunRecord:
    return run(boards=(A72,))


def one_board_of_several_failed() -> RunRecord:
    whole = run(boards=(PI, A72))
    return replace(
        whole,
        records=tuple(
            without_figures(item, Outcome.ERROR, "the board is down") if item.board == "pi5" else item
            for item in whole.records
        ),
    )


RUNS: list[Callable[[], RunRecord]] = [
    run,
    mixed,
    all_failed,
    without_data,
    empty,
    one_candidate,
    emulated_only,
    one_board_of_several_failed,
]


@pytest.mark.parametrize("make", RUNS)
def test_two_renders_are_identical(make: Callable[[], RunRecord]) -> None:
    assert render(make()) == render(make())


@pytest.mark.parametrize("make", RUNS)
def test_tags_are_closed_in_order_and_ids_are_unique(make: Callable[[], RunRecord]) -> None:
    found = outline(make())
    assert found.errors == []
    assert found.open == []
    ids = [attributes["id"] for _, attributes in found.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("make", RUNS)
def test_nothing_points_outside_and_nothing_is_styled_or_scripted_inline(make: Callable[[], RunRecord]) -> None:
    found = outline(make())
    ids = {attributes.get("id") for _, attributes in found.tags}
    for tag, attributes in found.tags:
        assert "src" not in attributes, tag
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        if "href" in attributes:
            assert (attributes["href"] or "").startswith("#")
            assert (attributes["href"] or "")[1:] in ids
    assert "http" not in render(make()).replace("http-equiv", "")


def test_policy_names_exactly_the_style_and_script_of_the_page() -> None:
    html = render(run())
    policy = unescape(re.findall(r'Content-Security-Policy" content="([^"]+)"', html)[0])
    assert policy.startswith("default-src 'none'; ")
    for kind, tag in (("style-src", "style"), ("script-src", "script")):
        body = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[0]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_hostile_names_are_shown_as_text() -> None:
    found = outline(mixed())
    assert [tag for tag, _ in found.tags].count("script") == 1
    assert "img" not in [tag for tag, _ in found.tags]
    assert HOSTILE in found.text


def test_every_cell_of_the_plan_is_in_a_table() -> None:
    found = outline(run())
    for recipe in TRUTH:
        assert found.text.count(recipe) >= 3


def test_cells_without_figures_are_listed_with_their_reason() -> None:
    text = outline(mixed()).text
    assert "this runtime has no fp16 kernels on arm64" in text
    assert "no answer for 300 s in importer process 2" in text
    assert "the processor was throttled in blocks 3 and 4" in text


def test_missing_energy_and_accuracy_are_not_measured_never_zero() -> None:
    text = outline(without_data()).text
    assert "Energy: not measured, no power meter was read." in text
    assert "Accuracy was not judged." in text
    assert "not measured" in text
    assert "0.00 %" not in text


def test_interrupted_run_says_so_before_anything_else() -> None:
    text = outline(all_failed()).text
    assert "This run was interrupted: 0 of 12 cells are complete." in text
    assert text.index("interrupted") < text.index("What to ship")


def test_emulated_board_alone_has_no_time_no_energy_figure_and_no_speed_word() -> None:
    html = render(run(boards=(A72,)))
    main = html[html.index('<section id="answer"') : html.index('<section id="words"')]
    visible = re.sub(r"<[^>]+>", " ", main)
    for forbidden in (r"\bms\b", r"µs", r"\bmJ\b", r"\bfaster than\b", r"\bslower\b", r"latency"):
        assert not re.search(forbidden, visible), forbidden
    assert "less-work" in visible


def test_single_candidate_without_baseline_is_shown_without_verdict_or_chart() -> None:
    text = outline(one_candidate()).text
    assert "not-comparable" in text
    assert "No trade-off is drawn" in text


def test_failed_board_beside_a_good_one_is_named_first() -> None:
    text = outline(one_board_of_several_failed()).text
    assert "Nothing was measured on pi5." in text
    assert "int8-static does the least work on emulated-a72." in text


def test_reproduction_has_command_seed_hashes_plan_and_versions() -> None:
    text = outline(run()).text
    for wanted in (
        "hilbench run plans/demo.yaml",
        "20261124",
        "9c1f" * 16,
        "models/digits.onnx",
        "Linux 6.12.25",
        "ab" * 32,
    ):
        assert wanted in text
    assert run().records[0].artifact is not None
    assert run().records[0].artifact.sha256 in text  # pyright: ignore[reportOptionalMemberAccess]


def test_first_section_answers_five_questions_each_in_a_sentence() -> None:
    html = render(mixed())
    first = Outline()
    first.feed(html[html.index('<section id="answer"') : html.index('<section id="cells"')])
    sha256 = hashlib.sha256(b"int8-static").hexdigest()
    for sentence in (
        "Ship int8-static on pi5.",
        f"The file is int8-static.onnx in artifacts, sha256 {sha256}.",
        "Faster than fp32: 48 % less time; ratio 0.520, 95 % interval 0.517 to 0.524, 10 blocks",
        "Accuracy 98.50 %, 0.30 pp below fp32 (95 % interval of the loss −0.07 pp to 0.67 pp; 9 images lost, 3 won).",
        "Energy: not measured, no power meter was read.",
        "fp16 on pi5 is unsupported: this runtime has no fp16 kernels on arm64.",
    ):
        assert sentence in first.text.replace("\u202f", " "), sentence


def test_a_run_in_which_nothing_failed_says_so() -> None:
    assert "Nothing failed: all 18 cells gave figures." in outline(run()).text


def test_matrix_has_every_cell_once_with_its_sign_or_the_letter_of_its_outcome() -> None:
    html = render(mixed())
    table = html[html.index('<table class="matrix">') : html.index('id="matrix-cell"')]
    cells = re.findall(r'<td class="(\w+)( pick)?">([^<]*)', table)
    assert len(cells) == len(mixed().records)
    signs = [text for _, _, text in cells]
    assert {"–", "E", "T", "!"} <= set(signs)
    assert ("less", " pick", "0.520 ↓ ●") in cells
    assert table.count("<td>") == 3  # the hostile candidate runs on one board of four


def test_every_term_opens_its_meaning_without_script() -> None:
    found = outline(run())
    opened = {a["popovertarget"] for tag, a in found.tags if tag == "button"}
    there = {a["id"] for _, a in found.tags if "popover" in a}
    assert opened
    assert opened <= there


def test_what_changed_since_an_earlier_run_stands_beside_the_circumstances() -> None:
    later = run(run_id="20261201-1000-aaaa", started_at="2026-12-01T10:00:00Z")
    boards = {name: {**facts, "kernel": "Linux 6.18"} for name, facts in later.boards.items()}
    parser = Outline()
    parser.feed(render(replace(later, boards=boards), earlier=run()))
    assert parser.errors == []
    assert "What changed since last time" in parser.text
    assert "kernel Linux 6.12.25 → Linux 6.18" in parser.text
    assert "hilbench compare 20261124-1000-4f2a 20261201-1000-aaaa" in parser.text
    assert "What changed since last time" not in outline(run()).text


def test_report_of_twenty_boards_and_fifty_candidates_stays_below_two_megabytes() -> None:
    small, large_page = (len(render(large(boards, samples=200)).encode()) for boards in (10, 20))
    assert large_page < 2_000_000
    assert large_page < 2.1 * small  # it grows with the cells and not faster


def test_only_a_large_page_is_laid_out_part_by_part() -> None:
    assert "<body>" in render(mixed())
    assert '<body class="large">' in render(large(5, samples=20))
