"""The catalogue of translations: whole, up to date, and true to the placeholders of the sources."""

from __future__ import annotations

import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polib
import pytest
from hilbench.reports.comparechanges import ChangeWord
from hilbench.reports.comparegate import Condition
from hilbench.reports.record import Outcome
from hilbench.reports.validity import State
from hilbench.reports.verdict import Word
from hilbench.reports.vocabulary import WORDS

ROOT = Path(__file__).parent.parent.parent
SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "update_messages.py"))
CATALOGUE = polib.pofile(str(SCRIPT["CATALOGUE"]))
placeholders: Callable[[str], set[str]] = SCRIPT["placeholders"]
TAG = re.compile(r"</?\w+>")
FIGURE = re.compile(r"\d+(?:\.\d+)?")
# An ordinal in the source, a word in the translation.
IN_WORDS = {"lag 1", "Lag 1"}


def found() -> list[Any]:
    return list(SCRIPT["messages"]())


def test_every_sentence_of_the_sources_is_translated_and_nothing_else_is() -> None:
    wanted = {(message.context, message.text) for message in found()}
    assert {(entry.msgctxt or None, entry.msgid) for entry in CATALOGUE} == wanted
    assert [entry.msgid for entry in CATALOGUE if not entry.msgstr.strip() or entry.fuzzy] == []


def test_the_catalogue_is_what_the_script_writes() -> None:
    assert str(SCRIPT["updated"](CATALOGUE)) == SCRIPT["CATALOGUE"].read_text(encoding="utf-8")


def test_a_translation_has_the_placeholders_tags_and_figures_of_its_sentence() -> None:
    for entry in CATALOGUE:
        assert placeholders(entry.msgstr) == placeholders(entry.msgid), entry.msgid
        assert sorted(TAG.findall(entry.msgstr)) == sorted(TAG.findall(entry.msgid)), entry.msgid
        if entry.msgid not in IN_WORDS:
            assert sorted(FIGURE.findall(entry.msgstr)) == sorted(FIGURE.findall(entry.msgid)), entry.msgid


def test_a_translation_may_stand_in_an_attribute() -> None:
    assert [entry.msgstr for entry in CATALOGUE if '"' in entry.msgstr] == []


def test_what_is_filled_in_is_what_the_sentence_has_room_for() -> None:
    wrong = [
        f"{message.file}:{message.line}: {message.text}"
        for message in found()
        if message.filled is not None and message.filled != placeholders(message.text)
    ]
    assert wrong == []


def test_every_word_of_an_enumeration_that_pages_show_is_in_the_vocabulary() -> None:
    for words in (Word, ChangeWord, Outcome, State, Condition):
        for word in words:
            assert {word.value, word.value.replace("-", " ")} <= set(WORDS), word


def texts(source: str, reader: str = "of_python") -> list[Any]:
    return list(SCRIPT[reader](source, "planted"))


def test_the_script_finds_a_sentence_wherever_one_can_stand() -> None:
    (said,) = texts('def f(n):\n    return tr("{a} of {b}", a=1, b=n)\n')
    assert (said.text, said.filled, said.line) == ("{a} of {b}", {"a", "b"}, 2)
    assert [message.text for message in texts('X = mark("one " "two")')] == ["one two"]
    assert [(m.context, m.text) for m in texts('plural(3, "cell")')] == [("counted", "cell")]
    (shown,) = texts("<p title=\"{{ _('On {board}', board=x) }}\">", "of_template")
    assert (shown.text, shown.filled) == ("On {board}", {"board"})


def put_together() -> Iterator[tuple[str, str]]:
    yield 'tr(f"{a} of it")', "of_python"
    yield 'tr("a" + b)', "of_python"
    yield 'plural(3, f"{a}")', "of_python"
    yield '{{ _("a" ~ b) }}', "of_template"


@pytest.mark.parametrize(("source", "reader"), list(put_together()))
def test_a_sentence_that_is_put_together_is_refused(source: str, reader: str) -> None:
    with pytest.raises(ValueError, match="planted:1: a message is put together"):
        texts(source, reader)
