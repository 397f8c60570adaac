"""The terms of art of the report, each with one line that explains it, and where they are used."""

from __future__ import annotations

from dataclasses import dataclass

from .language import mark


@dataclass(frozen=True, slots=True)
class Term:
    """A term: its id on the page, the word, and its explanation."""

    key: str
    word: str
    meaning: str


TERMS = (
    Term(
        "median",
        mark("median, p95"),
        mark(
            "Half of the inferences take at most the median; 95 of 100 take at most p95. A percentile is given only "
            "with enough inferences to know it."
        ),
    ),
    Term(
        "block",
        mark("block"),
        mark(
            "One round in which every candidate runs once in a fresh process. Inferences of one process resemble each"
            " other, so only blocks count as repeats."
        ),
    ),
    Term(
        "interval",
        mark("95 % interval"),
        mark(
            "Computed by an exact rank method over blocks; it would hold the true value in 95 of 100 repeats of the "
            "whole run."
        ),
    ),
    Term(
        "ratio",
        mark("ratio"),
        mark("A candidate's figure over the baseline's on the same board: 0.52 is 48 % less."),
    ),
    Term(
        "baseline",
        mark("baseline"),
        mark("The candidate that the others are compared with, usually the model as it was before compression."),
    ),
    Term(
        "control",
        mark("A/A control"),
        mark(
            "One candidate run twice under two names. What the two differ by is noise, and no smaller difference is "
            "believed."
        ),
    ),
    Term(
        "faster",
        mark("faster, slower"),
        mark(
            "The difference is larger than the margin (2 %, or what the A/A control differed by), and chance is an "
            "unlikely cause, counting how many candidates were compared."
        ),
    ),
    Term(
        "work",
        mark("less-work, more-work"),
        mark(
            "On emulated boards: every process counted fewer (more) instructions than the baseline, by more than 0.1 "
            "% and more than processes differ among themselves."
        ),
    ),
    Term(
        "q",
        mark("q"),
        mark("Of all pairs whose q is at most 0.05, about one in twenty differs by chance alone."),
    ),
    Term(
        "equivalent",
        mark("equivalent, inconclusive"),
        mark(
            "Equivalent is shown to lie within the margin. Inconclusive is not that: it means that these blocks "
            "cannot tell."
        ),
    ),
    Term(
        "missed",
        mark("would be missed"),
        mark("A real difference of that size would go unnoticed in more than one of five such runs."),
    ),
    Term(
        "pp",
        mark("pp"),
        mark("Percentage points: from 98.0 % to 97.5 % is a loss of 0.5 pp."),
    ),
    Term(
        "front",
        mark("dominated, front"),
        mark(
            "A dominated candidate has another beside it that is at least as accurate and costs no more. Those that "
            "are not dominated form the front."
        ),
    ),
    Term(
        "macs",
        mark("MACs"),
        mark(
            "Multiply-accumulates: products that are added up, of which convolutions and matrix products are made. "
            "They are counted from the file's shapes for one inference."
        ),
    ),
    Term(
        "zstd",
        mark("zstd"),
        mark(
            "A general compressor. A file that it shrinks much holds many equal bytes, such as zeros, and travels "
            "cheaply."
        ),
    ),
    Term(
        "lag",
        mark("lag 1"),
        mark(
            "Correlation of neighbouring inferences: near 0 they are independent of each other, near 1 they are no "
            "repeats."
        ),
    ),
    Term(
        "outliers",
        mark("outliers"),
        mark("Inferences beyond 1.5 (mild) and 3 (severe) interquartile ranges. They are counted and never dropped."),
    ),
    Term(
        "anonymous",
        mark("anonymous, file"),
        mark(
            "Memory that the process wrote, and memory that holds parts of files (libraries, weights) which the "
            "system may drop and read again."
        ),
    ),
    Term(
        "peak",
        mark("peak memory"),
        mark("The largest resident memory of the whole process in any phase, the runtime included."),
    ),
    Term(
        "net",
        mark("net of idle"),
        mark("Energy without what the board draws while it does nothing."),
    ),
)
BY_KEY = {term.key: term for term in TERMS}
_USED = {
    "answer": "median interval ratio baseline control missed pp peak zstd",
    "cells": "ratio baseline equivalent",
    "compare": "median interval faster equivalent pp front zstd",
    "emulated": "ratio work pp front zstd",
    "paid": "macs zstd ratio",
    "trust": "block control lag outliers",
    "memory": "peak anonymous",
    "energy": "net ratio",
}


def words_in(section: str) -> tuple[Term, ...]:
    """The terms that a section of the report uses, by the section's id."""
    return tuple(BY_KEY[key] for key in _USED[section].split())
