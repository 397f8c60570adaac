"""Train the detector of digits in composed scenes and write it as `digit-scenes.onnx`.

    pip install -e '.[train]' onnxscript==0.7.2 -c constraints.txt
    python models/digit-scenes/train.py

A fully convolutional network: three 3 x 3 convolutions with stride 2, two more, and a 1 x 1 convolution that gives 15
numbers for each cell of 8 x 8 pixels, as `hilbench.compression.detection_grid` reads them. Every epoch sees new scenes,
composed of training digits only. The number of epochs is fixed and the test scenes are looked at once, after the last
epoch: nothing is chosen by them. One thread and a seed make a run repeatable on one machine; another CPU may round
differently.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that every PyTorch user knows

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from hilbench.compression.detection import image_f1, padded  # noqa: E402
from hilbench.compression.detection_grid import LARGEST, STRIDE, decode_grid  # noqa: E402
from hilbench.compression.detection_map import map50  # noqa: E402
from scenes import scenes, test_scenes  # noqa: E402

SEED = 7
CLASSES = 10
SCENES = 4000  # an epoch
BATCH = 32
LEARNING_RATE = 0.004
OPSET = 18


class ScenesNet(nn.Module):
    """15 numbers for each cell of 8 x 8 pixels of an image [N, 1, 96, 96] scaled to 0..1: [N, 15, 12, 12]."""

    def __init__(self) -> None:
        super().__init__()
        widths = [(1, 16, 2), (16, 32, 2), (32, 64, 2), (64, 64, 1), (64, 64, 1)]
        layers: list[nn.Module] = []
        for inputs, outputs, stride in widths:
            layers += [nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)]
            layers += [nn.BatchNorm2d(outputs), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Conv2d(64, 5 + CLASSES, 1)
        nn.init.constant_(self.head.bias[0], -3)  # most cells hold no digit

    def forward(self, image: Tensor) -> Tensor:
        """Return the raw numbers of each cell."""
        return self.head(self.features(image))


def composed(epoch: int) -> tuple[Tensor, Tensor]:
    """Return new training scenes: images as float32 [SCENES, 1, 96, 96] in 0..1 and boxes [SCENES, 5, 5]."""
    images, boxes = zip(*scenes("train", samples=SCENES, seed=1000 + epoch), strict=True)
    return torch.from_numpy(np.stack(images)).float().div(255).unsqueeze(1), torch.from_numpy(np.stack(boxes))


def loss_of(raw: Tensor, boxes: Tensor) -> Tensor:
    """Return the loss of a batch: whether a cell holds a digit's middle, and where one does its box and its class."""
    sample, number = torch.nonzero(boxes[:, :, 0] >= 0, as_tuple=True)
    label, x0, y0, x1, y1 = boxes[sample, number].unbind(1)
    x, y = (x0 + x1) / 2 / STRIDE, (y0 + y1) / 2 / STRIDE
    column, row = x.long(), y.long()
    held = torch.zeros_like(raw[:, 0])
    held[sample, row, column] = 1
    cells = raw[sample, :, row, column]
    wanted = torch.stack([x - column, y - row, (x1 - x0) / LARGEST, (y1 - y0) / LARGEST], 1)
    here = F.binary_cross_entropy_with_logits(raw[:, 0], held, reduction="sum")
    place = F.l1_loss(torch.sigmoid(cells[:, 1:5]), wanted, reduction="sum")
    kind = F.cross_entropy(cells[:, 5:], label.long(), reduction="sum")
    return (here + 5 * place + kind) / len(boxes)


def train(model: ScenesNet, epochs: int) -> None:
    """Train in place: AdamW, one warm-up and cosine cycle over all steps."""
    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    steps = epochs * math.ceil(SCENES / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.2)
    model.train()
    for epoch in range(epochs):
        started, total = time.monotonic(), 0.0
        images, boxes = composed(epoch)
        for chosen in torch.randperm(SCENES, generator=generator).split(BATCH):
            batch = images[chosen].contiguous(memory_format=torch.channels_last)
            loss = loss_of(model(batch), boxes[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        seconds = time.monotonic() - started
        print(f"epoch {epoch + 1}/{epochs}: loss {total / SCENES:.4f}, {seconds:.0f} s", flush=True)


def export(model: ScenesNet, path: Path) -> None:
    """Write one ONNX file with a free batch dimension, and without the exporter's traces of this machine."""
    model = model.eval().to(memory_format=torch.contiguous_format)
    torch.onnx.export(
        model,
        (torch.zeros(2, 1, 96, 96),),
        path,
        dynamo=True,
        external_data=False,
        opset_version=OPSET,
        input_names=["image"],
        output_names=["cells"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    proto = onnx.load(path)
    for carrier in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.graph.initializer):
        carrier.ClearField("metadata_props")
        carrier.ClearField("doc_string")
    for value in (*proto.graph.input, *proto.graph.output):
        value.ClearField("metadata_props")
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)


def judged(path: Path) -> tuple[float, float]:
    """Return mAP@0.5 and the mean F1 score of an image, on the test scenes, of the file in onnxruntime."""
    import onnxruntime

    images, boxes = (np.stack(part) for part in zip(*test_scenes(), strict=True))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    cells = np.asarray(session.run(None, {"image": images[:, np.newaxis].astype(np.float32) / 255})[0])
    found = padded(decode_grid({"cells": cells}))
    return map50(found, boxes), float(image_f1(found, boxes).mean())


def main() -> None:
    """Train, export, and say how good the exported file is."""
    parser = argparse.ArgumentParser(description="Train the detector of digits in composed scenes.")
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "digit-scenes.onnx")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    model = ScenesNet().to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    train(model, arguments.epochs)
    export(model, arguments.output)
    precision, f1 = judged(arguments.output)
    print(f"{arguments.output.name}: {arguments.output.stat().st_size} bytes, mAP@0.5 {precision:.4f}, F1 {f1:.4f}")


if __name__ == "__main__":
    main()
