"""The keys of a plan that say how boards are measured beside the protocol; pydantic, as users write them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from ..targets.agent.job import AS_SHIPPED, CONTROLLED
from ..targets.strict import Strict
from .measuring import Measuring

UNSUPPORTED = "unsupported"
CERTIFY = "certify"


class SustainedFile(Strict):
    """A long run without a break, in windows, to its steady state or its limit."""

    wanted: bool = Field(default=True, description="What `true` and `false` in place of the mapping stand for.")
    window_s: Annotated[float, Field(ge=0.1, le=600)] = Field(default=5.0, description="How long one window is timed.")
    limit_s: Annotated[float, Field(ge=1, le=86_400)] = Field(
        default=600.0, description="When it ends at the latest, steady or not."
    )

    @model_validator(mode="after")
    def _fits(self) -> SustainedFile:
        if self.window_s > self.limit_s:
            raise ValueError(f'"window_s" is {self.window_s:g}; it must be at most "limit_s" ({self.limit_s:g})')
        return self


def _from_word(value: object) -> object:
    return {"wanted": value} if isinstance(value, bool) else value


Sustained = Annotated[SustainedFile, BeforeValidator(_from_word, json_schema_input_type=bool | SustainedFile)]


class MeasureKeys(Strict):
    """How real boards are set and what is measured once for each cell. Emulated boards take `operators` and `counters`
    only: they have neither frequency nor heat."""

    profile: Literal["as-shipped", "controlled"] = Field(
        default=AS_SHIPPED,
        description="controlled: governor and frequency are set, read back and brought back, processes are pinned.",
    )
    fallback: Literal["unsupported", "as-shipped"] = Field(
        default=UNSUPPORTED,
        description="What becomes of a board that does not allow `controlled`: its cells are unsupported, or it is "
        "measured as shipped.",
    )
    frequency_mhz: Annotated[float, Field(gt=0, le=20_000)] | None = Field(
        default=None, description="With `controlled`: the frequency to set; by default the highest without boost."
    )
    rate_hz: Annotated[float, Field(ge=0.01, le=10_000)] | None = Field(
        default=None, description="Inferences a second, with sleep in between; by default back to back."
    )
    sustained: Sustained | None = Field(
        default=None, description="A long run for each cell after all blocks; by default with `certify` only."
    )
    operators: bool = Field(default=True, description="What each operator costs, once for each cell.")
    counters: bool = Field(default=True, description="What the processor's counters give, once for each cell.")
    memory_processes: Annotated[int, Field(ge=0, le=20)] = Field(
        default=1,
        description="How many processes tell the memory of each cell; the figure is their median. 0: none.",
    )

    @model_validator(mode="after")
    def _belongs_to_controlled(self) -> MeasureKeys:
        for key in ("fallback", "frequency_mhz"):
            if key in self.model_fields_set and self.profile != CONTROLLED:
                raise ValueError(f'"{key}" belongs to "profile: controlled", but this plan has "profile: as-shipped"')
        return self


def measuring_of(keys: MeasureKeys, protocol: str) -> Measuring:
    """The keys in the units of jobs. `certify` has a sustained run unless the plan refuses it."""
    windows = keys.sustained or SustainedFile(wanted=protocol == CERTIFY)
    return Measuring(
        profile=keys.profile,
        fallback=keys.fallback == AS_SHIPPED,
        frequency_khz=None if keys.frequency_mhz is None else round(keys.frequency_mhz * 1000),
        rate_hz=keys.rate_hz,
        sustained=windows.wanted,
        sustained_window_s=windows.window_s,
        sustained_limit_s=windows.limit_s,
        operators=keys.operators,
        counters=keys.counters,
        memory_processes=keys.memory_processes,
    )
