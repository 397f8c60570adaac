"""The pages: hostile words stay words, links lead somewhere, reports are kept apart from us."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hilbench.harness.assemble import assemble
from hilbench.harness.web.pages import environment, plain_text, short
from hilbench.reports.language import Language
from hilbench.reports.page import render, render_summary
from starlette.testclient import TestClient

from .conftest import Served, add_run

HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}{% raw %}\n\r\n\u202eevil\u2066\x00\x1b[31m&amp;"
)
LONG = "x" * 10_000
RUN, OTHER, DULL = "20260101-000001-aaaa", "20260101-000002-bbbb", "20260101-000003-cccc"


@pytest.fixture(scope="module", autouse=True)
def runs(served: Served) -> None:
    store = served.web.events
    for run_id in (RUN, OTHER):
        ids = add_run(
            store, run_id, plan=HOSTILE + LONG, board=HOSTILE, model=HOSTILE, reason=HOSTILE + LONG, state="finished"
        )
        store.add_note(run_id, HOSTILE, "waits", {"reason": HOSTILE + LONG})
        store.add_note(run_id, ids[0], HOSTILE, {"reason": HOSTILE})
        store.add_note(run_id, HOSTILE, "board", {"kernel": HOSTILE + run_id})
    add_run(store, DULL, state="finished", measured=True)
    store.add_note("", "here", "board", {"model": HOSTILE + LONG, "os": HOSTILE})
    store.add_note("", "here", "quarantined", {"reason": HOSTILE + LONG, "run": HOSTILE})


def pages() -> list[str]:
    return [
        *("/", "/boards", "/boards/here", "/boards/new", "/runs/new", "/queue", "/reports", "/login"),
        *(f"/runs/{RUN}", f"/reports/{RUN}", f"/reports/{RUN}/page", f"/compare?run={RUN}&run={OTHER}"),
        f"/runs/new?plan={HOSTILE[:40]}",
    ]


class Checked(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.links += [str(value) for name, value in attrs if name in ("href", "src", "action") and value]


@pytest.mark.parametrize("path", pages())
def test_hostile_words_stay_words(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    found = Checked(answer.text)
    assert "img" not in found.tags
    assert found.tags.count("script") == 1
    assert not [name for name, _ in found.attributes if name.startswith("on")]
    assert "{{49}}" not in answer.text
    assert ">49" not in answer.text
    if not path.endswith("/page"):  # the report has its own rules
        assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", re.sub(r"data-cell=\"[^\"]*\"", "", answer.text))
        assert LONG not in answer.text


@pytest.mark.parametrize("path", pages())
def test_links_stay_here_and_lead_somewhere(client: TestClient, path: str) -> None:
    for link in Checked(client.get(path).text).links:
        assert link.startswith(("/", "#")), link
        assert not link.startswith("//")
        if link.startswith("/") and not link.endswith(
            ("/check", "/logout", "/cancel", "/retry", "/remove", "/compare")
        ):
            assert client.get(link).status_code == 200, link


def test_a_page_is_semantic(client: TestClient) -> None:
    for path in pages():
        if path.endswith("/page"):
            continue
        text = client.get(path).text
        found = Checked(text)
        assert found.tags.count("h1") == 1, path
        assert found.tags.count("main") == 1, path
        ids = [value for name, value in found.attributes if name == "id"]
        assert len(ids) == len(set(ids)), path
        for name, value in found.attributes:
            if name in ("for", "aria-labelledby"):
                assert value in ids, (path, value)


def test_a_report_can_be_had_in_chinese_in_its_frame_alone_and_as_a_file(client: TestClient, served: Served) -> None:
    english = client.get(f"/reports/{DULL}/page").text
    page = client.get(f"/reports/{DULL}/page?lang=zh").text
    store = served.web.events
    assert page == render(assemble(store, store.run(DULL)), language=Language.CHINESE)
    assert client.get(f"/reports/{DULL}/page").text == english != page
    frame = client.get(f"/reports/{DULL}?lang=zh").text
    assert f'src="/reports/{DULL}/page?lang=zh"' in frame
    assert f'href="/reports/{DULL}/page?download=1&amp;lang=zh"' in frame
    assert f'href="/reports/{DULL}?lang=zh"' in client.get(f"/reports/{DULL}").text
    refused = client.get(f"/reports/{DULL}/page?lang=<b>")
    assert refused.status_code == 422
    assert "a report can be had with lang=en or lang=zh" in refused.text


def test_a_report_is_the_file_of_the_command_line_in_an_origin_of_its_own(client: TestClient, served: Served) -> None:
    answer = client.get(f"/reports/{DULL}/page")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts;")
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    store = served.web.events
    assert answer.text == render_summary(served.web.reports.summary(store.run(DULL)))
    frame = client.get(f"/reports/{DULL}").text
    assert 'sandbox="allow-scripts"' in frame
    kept = client.get(f"/reports/{DULL}/page?download=1")
    assert kept.headers["content-disposition"] == f'attachment; filename="{DULL}.html"'


def test_two_runs_stand_side_by_side_with_what_else_changed(client: TestClient) -> None:
    frame = client.get(f"/compare?run={OTHER}&run={RUN}").text
    assert f'src="/compare/page?run={RUN}&amp;run={OTHER}"' in frame, "the older one comes first"
    alone = client.get(f"/compare/page?run={OTHER}&run={RUN}")
    assert alone.headers["content-security-policy"].startswith("sandbox allow-scripts;")
    assert "kernel" in alone.text
    for wrong in ("/compare", f"/compare?run={RUN}", f"/compare?run={RUN}&run={RUN}"):
        answer = client.get(wrong)
        assert answer.status_code == 422
        assert "tick two" in answer.text
    assert client.get(f"/compare?run={RUN}&run=latest").status_code == 404


def test_a_board_in_quarantine_says_why_and_how_it_gets_out(client: TestClient) -> None:
    assert "A check that passes lifts it" in client.get("/boards/here").text
    assert client.get("/api/boards/here").json()["quarantine"]["because"].startswith("<script>")


def test_a_broken_inventory_is_a_sentence_with_its_line(served: Served, client: TestClient) -> None:
    path = served.web.inventory.path
    before = path.read_text()
    try:
        path.write_text("boards:\n  here: {connection: nowhere}\n")
        for address in ("/", "/boards", "/api/boards"):
            answer = client.get(address)
            assert answer.status_code == 422
            assert "inventory.yaml:2" in answer.text
            assert "Traceback" not in answer.text
    finally:
        path.write_text(before)


def test_no_inventory_is_an_empty_lab(served: Served, client: TestClient, tmp_path: Path) -> None:
    path = served.web.inventory.path
    path.rename(tmp_path / "away")
    try:
        assert "Add the first one" in client.get("/").text
    finally:
        (tmp_path / "away").rename(path)


def test_text_loses_what_hides_or_turns_it() -> None:
    assert plain_text("a\u202eb\x00c\nd") == "a b c\nd"
    assert (
        environment().from_string("<p title='{{ x }}'>{{ x }}</p>").render(x="\u202e\x00<")
        == "<p title='  &lt;'>  &lt;</p>"
    )
    assert short("a\n  b") == "a b"
    assert short("x" * 10, 5) == "xxxx…"
