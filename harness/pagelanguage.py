"""The option `--lang` of the verbs that write a page."""

from __future__ import annotations

import click

LANGUAGES = ("en", "zh")  # those of `reports.language`, which is not imported before a page is written
page_language = click.option(
    "--lang",
    "language",
    type=click.Choice(LANGUAGES),
    default="en",
    show_default=True,
    help="The language of the page: English or Chinese.",
)
