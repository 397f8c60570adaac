"""Figures of a search as people read them. Pure."""

from __future__ import annotations

NOT_MEASURED = "not measured"


def amount(metric: str, value: float | None) -> str:
    """A figure of `reports.searchrecord.UNITS` with its unit; `not measured` for None."""
    if value is None:
        return NOT_MEASURED
    match metric:
        case "latency" | "p95":
            return f"{value / 1e6:.3g} ms"
        case "instructions":
            return f"{value / 1e6:.4g} M instructions"
        case "energy":
            return f"{value * 1e3:.3g} mJ"
        case "memory":
            return f"{value / 2**20:.1f} MiB"
        case "size":
            return f"{value / 1000:.0f} kB" if value >= 10_000 else f"{value / 1000:.2g} kB"
        case "accuracy":
            return f"{value:.2%}"
        case "drop":
            return f"{100 * value:.2f} pp"
        case _:
            return f"{value:g}"
