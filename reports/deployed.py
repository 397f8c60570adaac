"""Which file of a candidate ran on its board: the artifact, or what was made of it for another layout of the input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from .record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFile:
    """`path` is where it lies beside the artifact, None where that was not recorded; `layout` (`nchw`, `nhwc`) in which
    it takes images, None where it is the artifact itself.
    """

    sha256: str
    path: str | None
    layout: str | None = None


def deployed_file(record: Record) -> DeployedFile | None:
    """The file by what the board's processes said they ran; None where there is no artifact."""
    artifact = record.artifact
    if artifact is None:
        return None
    for used in (trial.used for trial in record.trials):
        if used.get("made_of") == artifact.sha256:
            name = f"{used['model_sha256']}.{artifact.format}"
            path = None if artifact.path is None else str(PurePath(artifact.path).with_name(name))
            return DeployedFile(sha256=str(used["model_sha256"]), path=path, layout=str(used["input_layout"]))
    return DeployedFile(sha256=artifact.sha256, path=artifact.path)
