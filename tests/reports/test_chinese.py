"""Pages in Chinese: nothing English is left in them but what was recorded or typed, and the figures are the same."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html.parser import HTMLParser
from threading import Barrier

import pytest
from hilbench.reports.comparegate import Condition
from hilbench.reports.comparepage import comparison_page
from hilbench.reports.language import Language, looked_up, plural, speaking, spoken, tr
from hilbench.reports.page import render
from hilbench.reports.searchpage import render_search
from hilbench.reports.searchreasons import reason_text
from hilbench.reports.searchrecord import SearchRecord
from hilbench.reports.trend import trend
from hilbench.reports.trendpage import render_trend

from . import searches
from .series_of_runs import earlier, later, metered, nightly
from .synthetic import A72, HOSTILE, MACHINE, PI, all_failed, mixed, run, without_data
from .test_insides import looked_into
from .test_kinds import fleet
from .test_page import Outline

Page = Callable[[Language], str]
# What stands in a page as it was recorded: reasons of boards and tools, facts of boards, meters.
RECORDED = (
    HOSTILE,
    "the board did not answer on port 22",
    "this runtime has no fp16 kernels on arm64",
    "the processor was throttled in blocks 3 and 4",
    "no answer for 300 s in importer process 2",
    "the PMU is in use",
    "5 V rail",
)
ENGLISH = re.compile(r"[A-Za-z]{2,}(?:[ ,;:]+[A-Za-z]+){2,}")
AS_IT_IS = ("script", "style", "pre", "code", "dt")  # code, and the paths of facts


def compared(language: Language) -> str:
    first, second = metered(earlier([PI, A72]), "fp32", 0.01), metered(later([PI, A72], {"fp16": 1.06}), "fp32", 0.0109)
    return comparison_page(first, second, list(Condition), language=language)


def several_models() -> SearchRecord:
    """Candidates of two models, some with reasons of their own, and nothing that was confirmed where it was chosen."""
    whole = searches.search()
    first = whole.confirmations[0]
    trials = tuple(
        replace(
            trial,
            model=("digits", "letters")[trial.number % 2],
            dropped=RECORDED[1] if trial.dropped and trial.number % 3 == 0 else trial.dropped,
            drop_pp=0.0 if trial.number % 4 == 0 else trial.drop_pp,
        )
        for trial in whole.trials
    )
    return replace(
        whole, trials=trials, confirmations=(replace(first, trial=first.trial + 1), replace(first, measures=()))
    )


PAGES: dict[str, Page] = {
    "run": lambda language: render(run(), language=language),
    "mixed": lambda language: render(mixed(), language=language),
    "all_failed": lambda language: render(all_failed(), language=language),
    "without_data": lambda language: render(without_data(), language=language),
    "no_cells": lambda language: render(run(records=()), language=language),
    "looked_into": lambda language: render(looked_into(), language=language),
    "metered": lambda language: render(metered(earlier([PI]), "fp32", 0.01), language=language),
    "units_apart": lambda language: render(fleet([1.0, 1.06]), language=language),
    "units_alike": lambda language: render(fleet([1.0] * 12), language=language),
    "units_untold": lambda language: render(fleet([1.0, 1.3], like=replace(PI, blocks=4)), language=language),
    "units_emulated": lambda language: render(fleet([1.0, 1.1], like=A72), language=language),
    "since": lambda language: render(
        later([PI, A72], {"int8-static": 1.06}, facts={"kernel": "6.18"}), earlier([PI, A72]), language
    ),
    "compare": compared,
    "compare_failed": lambda language: comparison_page(
        run(), replace(all_failed(), run_id="later"), list(Condition), language=language
    ),
    "compare_nothing": lambda language: comparison_page(
        earlier([PI], records=()), later([MACHINE], {}), language=language
    ),
    "trend": lambda language: render_trend(
        trend("demo", nightly([PI, A72], runs=20, upgrade_at=9, slower_at=15)), language
    ),
    "search": lambda language: render_search(searches.search(), language),
    "search_interrupted": lambda language: render_search(searches.interrupted(), language),
    "search_no_trials": lambda language: render_search(searches.no_trials(), language),
    "search_all_dropped": lambda language: render_search(searches.all_dropped(), language),
    "search_one_board": lambda language: render_search(searches.one_board(), language),
    "search_no_boards": lambda language: render_search(searches.search(boards=()), language),
    "search_without_rounds": lambda language: render_search(searches.without_rounds(), language),
    "search_several_models": lambda language: render_search(several_models(), language),
}


class Texts(HTMLParser):
    """What a reader sees or hears: texts outside of code, titles, labels."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._inside: list[str] = []
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name in ("title", "aria-label") and value]
        if tag in AS_IT_IS:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.found.append(data)


def english(page: str) -> list[str]:
    """Texts that have three English words in a row besides what was recorded."""
    found: list[str] = []
    for text in Texts(page).found:
        own = text
        for recorded in RECORDED:
            own = own.replace(recorded, "")
        if ENGLISH.search(own):
            found.append(text)
    return found


@pytest.mark.parametrize("name", PAGES)
def test_no_english_sentence_is_left_in_a_chinese_page(name: str) -> None:
    assert english(PAGES[name](Language.CHINESE)) == []


@pytest.mark.parametrize("name", ["run", "search"])
def test_english_sentences_would_be_found(name: str) -> None:
    assert len(english(PAGES[name](Language.ENGLISH))) > 100


def test_a_hostile_search_is_as_closed_and_as_escaped_in_chinese() -> None:
    page = render_search(searches.hostile(), Language.CHINESE)
    outline = Outline()
    outline.feed(page)
    outline.close()
    assert (outline.errors, outline.open) == ([], [])
    assert HOSTILE not in page
    assert not set("\u202e\u2066\x00") & set(page)


def test_why_the_search_went_no_further_with_a_candidate_is_said_in_chinese() -> None:
    sentences = {
        "412 kB is over the limit size <= 400kB": "412 kB 超出限制 size <= 400kB",
        "0.5 kB is over the limit size <= 400B": "0.5 kB 超出限制 size <= 400B",
        "drop 1.20 pp is over the limit accuracy drop <= 1pp": "准确率损失 1.20 pp 超出限制 accuracy drop <= 1pp",
        "p95 3.2 ms on pi on 5 is over the limit p95 <= 3ms": "pi on 5 上的p95 延迟 3.2 ms 超出限制 p95 <= 3ms",
        "instructions 4.8 M instructions on a72 is over the limit instructions <= 4M": (
            "a72 上的指令数 4.8 M 条指令 超出限制 instructions <= 4M"
        ),
        "loses at least 1.02 pp, over the limit accuracy drop <= 1pp": (
            "至少损失 1.02 pp，超出限制 accuracy drop <= 1pp"
        ),
        "the same file as trial 7, whose figures it takes": "与试验 7 的文件相同，沿用其数据",
        RECORDED[1]: RECORDED[1],
        f"{RECORDED[1]}: memory 3 MiB is over the limit x": f"{RECORDED[1]}: memory 3 MiB is over the limit x",
    }
    assert [reason_text(sentence) for sentence in sentences] == list(sentences)
    with speaking(Language.CHINESE):
        assert {sentence: reason_text(sentence) for sentence in sentences} == sentences


@pytest.mark.parametrize("name", ["mixed", "compare", "trend", "search"])
def test_a_chinese_page_is_whole_closed_and_the_same_each_time(name: str) -> None:
    page = PAGES[name](Language.CHINESE)
    assert page == PAGES[name](Language.CHINESE)
    assert '<html lang="zh-Hans">' in page
    assert HOSTILE not in page
    outline = Outline()
    outline.feed(page)
    assert outline.errors == []
    for tag in ("style", "script"):
        for text in re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert digest in page.replace("&#43;", "+")


@pytest.mark.parametrize("name", ["run", "looked_into", "compare", "search", "search_one_board"])
def test_the_figures_are_those_of_the_english_page(name: str) -> None:
    def figures(language: Language) -> Counter[str]:
        bodies = re.findall(r"<tbody>(.*?)</tbody>", PAGES[name](language), re.DOTALL)
        return Counter(re.findall(r"\d[\d.,]*\d|\d", re.sub(r"<[^>]*>", " ", " ".join(bodies))))

    assert figures(Language.CHINESE) == figures(Language.ENGLISH) != Counter()


def test_the_words_of_the_script_are_chinese_too() -> None:
    page = PAGES["run"](Language.CHINESE)
    assert 'const WORDS = {"board": "板卡", "all": "全部板卡"' in page


def test_threads_that_write_pages_do_not_mix_their_languages() -> None:
    languages = [Language.ENGLISH, Language.CHINESE] * 2
    alone = {language: PAGES["without_data"](language) for language in Language}
    together = Barrier(len(languages))

    def write(language: Language) -> list[str]:
        together.wait(timeout=30)
        return [PAGES["without_data"](language) for _ in range(3)]

    with ThreadPoolExecutor(len(languages)) as pool:
        for language, pages in zip(languages, pool.map(write, languages), strict=True):
            assert set(pages) == {alone[language]}


def say_and_fail() -> None:
    with speaking(Language.CHINESE):
        assert (tr("no run"), plural(2, "block")) == ("没有运行", "2 个区组")
        raise RuntimeError


def test_a_language_holds_within_its_block_only_even_where_that_fails() -> None:
    with pytest.raises(RuntimeError):
        say_and_fail()
    assert spoken() is Language.ENGLISH
    assert (tr("no run"), plural(2, "block"), plural(1, "block")) == ("no run", "2 blocks", "1 block")


def test_what_no_catalogue_has_stays_as_it_is() -> None:
    with speaking(Language.CHINESE):
        assert [looked_up(text) for text in ("", "{no} such", HOSTILE)] == ["", "{no} such", HOSTILE]
