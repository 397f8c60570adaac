"""One Chromium for the tests of a file, axe-core, and the pages that open from disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from .axe import axe_file
from .chromium import launch
from .diskpages import write_pages


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def axe() -> str:
    return axe_file().read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def disk_pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Reports, comparisons and trends as files, by name."""
    return write_pages(tmp_path_factory.mktemp("pages"))
