"""Single words that records and enumerations hold and that the pages show as words; the filter `said` translates them.

What a user types in a plan or an inventory (names of protocols, profiles, recipes, settings) is none of them: it stays
as it is typed.
"""

from __future__ import annotations

from .language import mark

WORDS = (
    # verdicts, and changes between two runs; in tables with a hyphen, in sentences without
    mark("faster"), mark("slower"), mark("less-work"), mark("more-work"), mark("less work"), mark("more work"),
    mark("better"), mark("worse"), mark("less"), mark("more"), mark("equivalent"), mark("inconclusive"),
    mark("not-comparable"), mark("not-measured"), mark("not comparable"), mark("not measured"),
    # outcomes of cells
    mark("ok"), mark("invalid"), mark("unsupported"), mark("error"), mark("timeout"),
    # states of figures and of runs
    mark("valid"), mark("suspect"), mark("finished"), mark("interrupted"), mark("incomplete"), mark("running"),
    mark("cancelled"),
    # roles of boards
    mark("target"), mark("reference"), mark("emulated"),
    # phases of memory, families of operators, counters
    mark("load"), mark("first"), mark("steady"), mark("Conversion"), mark("Reorder"), mark("instructions"),
    mark("cycles"), mark("cache misses"), mark("branch misses"), mark("cgroup peak"),
    # conditions of a gate
    mark("accuracy"), mark("memory"), mark("energy"), mark("budget"),
)  # fmt: skip
"""All of them, so that a test can ask whether an enumeration has a value without a word."""
