"""The language in which a page is being written: English, or Chinese out of a gettext catalogue.

The language is a context variable, set while one page is made: threads that write pages do not see each other's.
English is what stands in the sources, so nothing is looked up for it. Messages are whole sentences with named
placeholders; `tests/reports/test_catalogue.py` holds that each has its translation.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import cache
from gettext import GNUTranslations
from importlib.resources import files
from io import BytesIO

COUNTED = "counted"  # context of nouns that stand behind a number: Chinese puts a measure word between the two


class Language(StrEnum):
    """A language that the pages can be had in."""

    ENGLISH = "en"
    CHINESE = "zh"

    @property
    def tag(self) -> str:
        """What HTML calls it (BCP 47)."""
        return "zh-Hans" if self is Language.CHINESE else self.value


_spoken: ContextVar[Language] = ContextVar("hilbench_language", default=Language.ENGLISH)


def spoken() -> Language:
    """The language of the page that is being made in this thread."""
    return _spoken.get()


@contextmanager
def speaking(language: Language) -> Generator[None]:
    """Make every sentence within in `language`; afterwards the one before holds again."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def tr(message: str, /, **values: object) -> str:
    """A message in the language that is spoken, with its placeholders filled in."""
    text = looked_up(message)
    return text.format(**values) if values else text


def looked_up(message: str) -> str:
    """A message in the language that is spoken, its placeholders left open; what is not in the catalogue as it is."""
    language = _spoken.get()
    if language is Language.ENGLISH or not message:  # the empty message is the catalogue's header
        return message
    return _catalogue(language).gettext(message)


def mark(message: str) -> str:
    """The message itself: it stands in a table here and is translated where it is shown."""
    return message


def plural(count: int, noun: str) -> str:
    """A number with its noun."""
    language = _spoken.get()
    if language is not Language.ENGLISH:
        return f"{count} {_catalogue(language).pgettext(COUNTED, noun)}"
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}{'es' if noun.endswith('s') else 's'}"


def listed(items: Iterable[object]) -> str:
    """Things one after another, as a sentence names them."""
    return tr(", ").join(map(str, items))


def clauses(items: Iterable[str]) -> str:
    """Clauses one after another in one sentence."""
    return tr("; ").join(items)


@cache
def _catalogue(language: Language) -> GNUTranslations:
    """The translations of a language, out of the text file that is reviewed: no compiled copy is kept of it."""
    import polib

    path = files("hilbench.reports") / "locale" / language.value / "LC_MESSAGES" / "hilbench.po"
    return GNUTranslations(BytesIO(polib.pofile(path.read_text(encoding="utf-8")).to_binary()))
