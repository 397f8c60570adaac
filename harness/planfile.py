"""The plan as a user writes it: pydantic models, errors with file and line, JSON Schema for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from ..targets.strict import Strict
from .measurefile import MeasureKeys
from .search.searchfile import SearchFile


class TaskFile(Strict):
    """How the accuracy of a model is judged. Pixels become `(pixel * scale - mean) / std`.

    Data is an .npz, a folder of images, or a function that yields images or (image, label): `package.module:function`
    or `path/file.py:function`.
    """

    kind: Literal["classification", "text-recognition", "detection", "agreement", "custom", "none"] = Field(
        default="classification",
        description="`agreement`: how often the uncompressed model's answer is given, without labels. `custom`: a "
        "function of yours. `none`: random inputs, no accuracy.",
    )
    test: str | None = Field(default=None, description="What accuracy is judged on; labelled unless `agreement`.")
    calibration: str | None = Field(
        default=None, description="Unlabelled data for static quantization; must not overlap with the others."
    )
    train: str | None = Field(default=None, description="Data for recipes that train; must not overlap either.")
    metrics: list[Literal["top1", "top5"]] = Field(
        default_factory=list[Literal["top1", "top5"]],
        description="Of a classification: `[top1, top5]` reports top-5 beside top-1, which stays what is judged.",
    )
    metric: str | None = Field(
        default=None,
        description="Of a `custom` task: `package.module:function` or `path/file.py:function`. It gets the outputs by "
        "name and the labels, and gives a score from 0 to 1 for each sample.",
    )
    decode: str | None = Field(
        default=None,
        description="Of a detection: a function that gets the outputs by name and gives the boxes of each image, "
        "[K, 6]: x0, y0, x1, y1 in pixels, score, class; as hilbench.compression.detection_grid:decode_grid does.",
    )
    characters: Path | None = Field(
        default=None,
        description="Of a text recognition: a file, one character a line; by default those in the model's metadata.",
    )
    scale: float | None = Field(
        default=None, description="Factor for stored values; by default 1/255 for uint8 images."
    )
    mean: float | list[float] | None = Field(default=None, description="Per channel, after scaling.")
    std: float | list[float] | None = Field(default=None, description="Per channel, after scaling.")
    layout: Literal["nchw", "nhwc"] = "nchw"

    @model_validator(mode="after")
    def _fits_its_kind(self) -> TaskFile:
        if self.kind != "none" and self.test is None:
            raise ValueError('a task other than "none" needs the key "test": data to judge accuracy on')
        if self.kind == "custom" and self.metric is None:
            raise ValueError('a custom task needs the key "metric": package.module:function or path/file.py:function')
        if self.kind == "detection" and self.decode is None:
            raise ValueError('a detection needs the key "decode": package.module:function or path/file.py:function')
        owners = {
            "metric": "custom",
            "metrics": "classification",
            "characters": "text-recognition",
            "decode": "detection",
        }
        for key, kind in owners.items():
            if getattr(self, key) and self.kind not in (kind, *(("agreement",) if key == "characters" else ())):
                raise ValueError(f'the key "{key}" belongs to a task of the kind "{kind}", not to "{self.kind}"')
        return self


class ModelFile(Strict):
    """One model to compare. Paths are relative to the plan file."""

    file: str = Field(
        description="An .onnx or .tflite file, a PyTorch factory (package.module:function), or zoo:ppocr-rec."
    )
    task: TaskFile = TaskFile(kind="none")
    input_shapes: dict[str, list[Annotated[int, Field(gt=0)]]] = Field(
        default_factory=dict[str, list[int]], description="Shapes of inputs whose dimensions the file leaves open."
    )


class RuntimeFile(Strict):
    """One runtime setting."""

    name: Literal["onnxruntime", "tflite-runtime", "ai-edge-litert", "command"] | None = Field(
        default=None, description="By default the one that fits the model's format."
    )
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    graph_optimization: Literal["disabled", "basic", "extended", "all"] = "all"
    providers: list[str] = Field(default_factory=list[str], description="ONNX Runtime's execution providers, in order.")
    python: str | None = Field(default=None, description="The boards' interpreter that has it; else the inventory's.")
    affinity: (
        Literal["all", "big", "middle", "little"]
        | Annotated[list[Annotated[int, Field(ge=0, lt=4096)]], Field(min_length=1)]
        | None
    ) = Field(
        default=None,
        description="Processors to run on: `all`, their numbers, or the board's fastest (`big`), slowest (`little`) or "
        "other (`middle`) cores. By default the kernel chooses, under the profile `controlled` among the fastest.",
    )
    arena: bool | None = Field(default=None, description="ONNX Runtime's memory arena; by default on.")
    memory_pattern: bool | None = Field(default=None, description="ONNX Runtime's memory pattern; by default on.")
    spinning: bool | None = Field(
        default=None, description="Whether ONNX Runtime's idle threads keep their core busy; by default with 2 or more."
    )
    xnnpack: bool | None = Field(
        default=None, description="TensorFlow Lite's XNNPACK delegate; by default the build's."
    )
    offline_graph: bool = Field(
        default=False, description="Have ONNX Runtime optimise the graph on the board once, and load what it wrote."
    )
    input_layout: Literal["nchw", "nhwc"] | None = Field(
        default=None,
        description="Where an ONNX file takes the channels of its images: it gets a transposition in front if its own "
        "place (the task's `layout`) is another. By default as the file is.",
    )
    settings: Literal["best", "best-memory"] | None = Field(
        default=None, description="Instead of all these: what `hilbench optimize` found for the artifact on the board."
    )

    @model_validator(mode="after")
    def _best_is_all(self) -> RuntimeFile:
        if self.settings is not None:
            chosen = sorted(self.model_fields_set - {"name", "python", "settings"})
            if chosen:
                raise ValueError(
                    f'"settings: {self.settings}" stands for all settings, so not with {", ".join(chosen)}'
                )
        return self


class BudgetFile(Strict):
    """What a candidate must keep to be shipped."""

    accuracy_drop_pp: Annotated[float, Field(ge=0, le=100)] | None = Field(
        default=None, description="In percentage points; 1 where accuracy is judged."
    )
    latency_p95_ms: Annotated[float, Field(gt=0)] | None = None
    memory_peak_mib: Annotated[float, Field(gt=0)] | None = None
    artifact_kb: Annotated[float, Field(gt=0)] | None = None
    instructions: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Per inference, on emulated boards."
    )
    latency_median_ms: Annotated[float, Field(gt=0)] | None = None
    energy_mj: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="Millijoules of one inference, on boards with a power meter."
    )


class PlanFile(MeasureKeys):
    """What to compare: models x recipes x boards x runtime settings, under a protocol, against a baseline."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    models: Annotated[dict[str, ModelFile], Field(min_length=1)]
    recipes: Annotated[list[str | dict[str, Any]], Field(min_length=1)] = Field(
        ["fp32"], description="Names of built-in recipes, or `{name: [steps]}`."
    )
    boards: Annotated[list[str], Field(min_length=1)] = Field(
        description="Words that select boards: NAME, user@host, kind:K, any:K, tag:T or FACT=VALUE (isa=dotprod)."
    )
    runtimes: list[RuntimeFile] = Field(
        default_factory=list[RuntimeFile], description="Empty: the runtime that fits the model's format, 1 thread."
    )
    protocol: Literal["quick", "standard", "certify"] = "quick"
    baseline: str = Field(default="fp32", description="The recipe that the others are compared with.")
    shortlist: list[str] = Field(default_factory=list[str], description="Recipes that get verdicts; empty: all.")
    budget: BudgetFile = BudgetFile()
    blocks: Annotated[int, Field(ge=2, le=1000)] | None = Field(
        None, description="Blocks on each timed board; by default the protocol's, or as many as the verdicts need."
    )
    stop_at_width_pct: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="End early once every comparison's interval is this narrow, in percent of the ratio."
    )
    accuracy_samples: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None, description="Images judged on a board; by default 100 on emulated boards, 500 on real ones."
    )
    processes: Annotated[int, Field(ge=1, le=100)] | None = Field(
        None, description="Processes on each emulated board; by default the protocol's, 3."
    )
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    search: SearchFile | None = Field(None, description="What `hilbench search` tries and makes better.")

    @field_validator("models")
    @classmethod
    def _names(cls, models: dict[str, ModelFile]) -> dict[str, ModelFile]:
        for name in models:
            if not name or any(c in name for c in "/~#\n"):
                raise ValueError(f'a model\'s name may not be empty or hold "/", "~" or "#": "{name}"')
        return models
