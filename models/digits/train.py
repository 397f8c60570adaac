"""Train the digits model and write it as `digits.onnx`.

    pip install -e '.[train]' onnxscript==0.7.2 -c constraints.txt
    python models/digits/train.py

A residual network of ten convolutions (three blocks of 32, 64 and 128 channels, each halving the picture), 303,866
parameters and 9.4 million multiply-accumulates an image. The number of epochs is fixed and the test images are looked
at once, after the last epoch: nothing is chosen by them. One thread and a seed make a run repeatable on one machine;
another CPU may round differently.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that every PyTorch user knows

HERE = Path(__file__).parent
SEED = 7
BATCH = 64
LEARNING_RATE = 0.01
MAX_SHIFT = 2  # pixels, in both directions
OPSET = 18


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, the first with stride 2, beside a 1 x 1 shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H/2, W/2]."""
        y = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)))))
        return F.relu(y + self.norm3(self.shortcut(x)))


class DigitsNet(nn.Module):
    """Ten logits for an image [N, 1, 28, 28] scaled to 0..1."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.blocks = nn.Sequential(ResidualBlock(16, 32), ResidualBlock(32, 64), ResidualBlock(64, 128))
        self.head = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits, [N, 10]."""
        features = self.blocks(self.stem(image))
        return self.head(torch.flatten(F.avg_pool2d(features, 4), 1))


def read(name: str) -> tuple[Tensor, Tensor]:
    """Return images as float32 [N, 1, 28, 28] in 0..1 and labels as int64 [N]."""
    with np.load(HERE / f"digits-{name}.npz") as data:
        images = torch.from_numpy(data["images"]).float().div(255).unsqueeze(1)
        return images, torch.from_numpy(data["labels"].astype(np.int64))


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Move each image by up to MAX_SHIFT pixels: the one augmentation that keeps a digit a digit."""
    padded = F.pad(images, (MAX_SHIFT,) * 4)
    offsets = torch.randint(0, 2 * MAX_SHIFT + 1, (len(images), 2), generator=generator).tolist()
    return torch.stack([p[:, dy : dy + 28, dx : dx + 28] for p, (dy, dx) in zip(padded, offsets, strict=True)])


def train(model: DigitsNet, images: Tensor, labels: Tensor, epochs: int) -> None:
    """Train in place: AdamW, one warm-up and cosine cycle over all steps."""
    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.02)
    steps = epochs * math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.2)
    model.train()
    for epoch in range(epochs):
        started, total = time.monotonic(), 0.0
        for chosen in torch.randperm(len(images), generator=generator).split(BATCH):
            batch = shifted(images[chosen], generator).contiguous(memory_format=torch.channels_last)
            loss = F.cross_entropy(model(batch), labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(chosen)
        seconds = time.monotonic() - started
        print(f"epoch {epoch + 1}/{epochs}: loss {total / len(images):.4f}, {seconds:.0f} s", flush=True)


def export(model: DigitsNet, path: Path) -> None:
    """Write one ONNX file with a free batch dimension, and without the exporter's traces of this machine."""
    model = model.eval().to(memory_format=torch.contiguous_format)
    torch.onnx.export(
        model,
        (torch.zeros(2, 1, 28, 28),),
        path,
        dynamo=True,
        external_data=False,
        opset_version=OPSET,
        input_names=["image"],
        output_names=["logits"],
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


def accuracy(path: Path) -> tuple[int, int]:
    """Return how many test images the file gets right in onnxruntime, and of how many."""
    import onnxruntime

    images, labels = read("test")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    logits = np.asarray(session.run(None, {"image": images.numpy()})[0])
    return int((logits.argmax(1) == labels.numpy()).sum()), len(labels)


def main() -> None:
    """Train, export, and say how good the exported file is."""
    parser = argparse.ArgumentParser(description="Train the digits model.")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("-o", "--output", type=Path, default=HERE / "digits.onnx")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(SEED)
    model = DigitsNet().to(memory_format=torch.channels_last)
    print(f"{sum(p.numel() for p in model.parameters())} parameters")
    train(model, *read("train"), arguments.epochs)
    export(model, arguments.output)
    right, of = accuracy(arguments.output)
    print(f"{arguments.output.name}: {arguments.output.stat().st_size} bytes, {right} of {of} right: {right / of:.4f}")


if __name__ == "__main__":
    main()
