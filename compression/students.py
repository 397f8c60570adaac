"""Small networks for pictures, to be trained from scratch in a larger model's place.

`mobile-digits` has depthwise separable convolutions: A. Howard et al., "MobileNets: Efficient convolutional neural
networks for mobile vision applications", arXiv 1704.04861. `squeeze-digits` has fire modules: F. Iandola et al.,
"SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size", arXiv 1602.07360. Both were sized
for digits of 28 x 28 pixels, yet take any picture and any number of classes: they are fully convolutional.

torch is imported inside the functions, as the base install has none; hence the classes inside functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import RecipeError, UnsupportedRecipeError
from .tensor import TensorSpec, shown
from .trainsteps import STUDENTS
from .words import nearest

if TYPE_CHECKING:
    from torch import Tensor, nn

MIN_PIXELS = 8  # each side is halved three times

# mobile-digits: (channels, stride) of each depthwise separable block, after a stem of MOBILE_STEM channels and stride 2
MOBILE_STEM = 16
MOBILE_BLOCKS = ((32, 1), (64, 2), (64, 1), (96, 2), (96, 1))

# squeeze-digits: (squeeze, expand 1 x 1, expand 3 x 3) channels of each fire module; a pool stands before each. Few
# and wide, because in a file of 24 kB each convolution costs some 700 bytes of operators and scales beside its weights.
SQUEEZE_STEM = 16
SQUEEZE_FIRES = ((8, 16, 16), (16, 24, 32), (16, 24, 40))


def student(name: str, inputs: TensorSpec, outputs: TensorSpec, seed: int) -> nn.Module:
    """Return an untrained network that takes `inputs` [N, C, H, W] and gives `outputs` [N, classes], as logits.

    Its weights follow from `seed` alone; the process's own random numbers are left as they were. Raises RecipeError
    for an unknown name, UnsupportedRecipeError where the specs are not those of a picture classifier.
    """
    import torch

    if name not in STUDENTS:
        raise RecipeError(f"Unknown student `{name}`.{nearest(name, STUDENTS)}")
    channels, classes = _picture_channels(name, inputs), _classes(name, outputs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = _mobile(channels, classes) if name == "mobile-digits" else _squeeze(channels, classes)
    # Channels side by side in memory: a step of training takes half the time.
    return made.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _picture_channels(name: str, spec: TensorSpec) -> int:
    shape = spec.sample_shape
    if len(shape) != 3 or min(shape[1:]) < MIN_PIXELS or not spec.dtype.startswith("float"):
        raise UnsupportedRecipeError(
            f"The student `{name}` takes pictures [N, channels, height, width] of at least {MIN_PIXELS} x {MIN_PIXELS} "
            f"pixels as floats; input `{spec.name}` is {shown(spec.shape)} of {spec.dtype}."
        )
    return shape[0]


def _classes(name: str, spec: TensorSpec) -> int:
    shape = spec.sample_shape
    if len(shape) != 1 or shape[0] < 2:
        raise UnsupportedRecipeError(
            f"The student `{name}` gives the scores of classes, [N, classes]; output `{spec.name}` is "
            f"{shown(spec.shape)}."
        )
    return shape[0]


def _convolution(inputs: int, outputs: int, size: int, *, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Return convolution, batch norm and Relu; the picture keeps its size but for the stride."""
    from torch import nn

    kernel = nn.Conv2d(inputs, outputs, size, stride=stride, padding=size // 2, groups=groups, bias=False)
    return [kernel, nn.BatchNorm2d(outputs), nn.ReLU()]


def _mobile(channels: int, classes: int) -> nn.Module:
    """Return the depthwise student: each block filters every channel alone (3 x 3), then mixes them (1 x 1)."""
    from torch import nn

    layers, width = _convolution(channels, MOBILE_STEM, 3, stride=2), MOBILE_STEM
    for outputs, stride in MOBILE_BLOCKS:
        layers += _convolution(width, width, 3, stride=stride, groups=width)
        layers += _convolution(width, outputs, 1)
        width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


def _squeeze(channels: int, classes: int) -> nn.Module:
    """Return the fire student; like its model it has no matrix: the last 1 x 1 convolution gives the classes."""
    from torch import nn

    layers, width = _convolution(channels, SQUEEZE_STEM, 3), SQUEEZE_STEM
    for squeeze, narrow, wide in SQUEEZE_FIRES:
        layers += [nn.MaxPool2d(2), _fire(width, squeeze, narrow, wide)]
        width = narrow + wide
    last = nn.Conv2d(width, classes, 1)
    return nn.Sequential(*layers, last, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _fire(inputs: int, squeeze: int, narrow: int, wide: int) -> nn.Module:
    """Return a fire module: few channels (1 x 1), then 1 x 1 and 3 x 3 filters side by side."""
    import torch
    from torch import nn

    class Fire(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.squeeze = nn.Sequential(*_convolution(inputs, squeeze, 1))
            self.narrow = nn.Sequential(*_convolution(squeeze, narrow, 1))
            self.wide = nn.Sequential(*_convolution(squeeze, wide, 3))

        def forward(self, x: Tensor) -> Tensor:
            few = self.squeeze(x)
            return torch.cat([self.narrow(few), self.wide(few)], dim=1)

    return Fire()
