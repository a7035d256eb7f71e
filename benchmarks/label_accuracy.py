"""Whether draws with a label show what was asked for: judged by a classifier that was trained on real images.

    python benchmarks/label_accuracy.py RUN --prior flow-matching --guidance 1 2 3 --count 1000

The classifier is a small convolutional network, trained on the run's training images for two epochs. Its accuracy on
the test images is printed beside that on the draws, of which each class gets an equal number.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from spatialvae.data import ImageSplit
from spatialvae.data.batches import batch_indices
from spatialvae.training import open_run

BATCH = 100


def classifier(channels: int, classes: int) -> nn.Sequential:
    """Two strided convolutions and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(64 * 16, classes),
    )


def fitted(split: ImageSplit, classes: int, epochs: int) -> nn.Sequential:
    """The classifier, trained with Adam."""
    torch.manual_seed(0)
    network = classifier(split.shape[0], classes)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    assert split.labels is not None
    for step in range(epochs * len(split) // BATCH):
        rows = batch_indices(len(split), BATCH, step, seed=0)
        logits = network(torch.from_numpy(split.take(rows)) / 127.5 - 1)
        loss = cross_entropy(logits, torch.from_numpy(split.labels[rows]).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of uint8 images [n C H W] that are given their label."""
    named = torch.cat([network(part / 127.5 - 1).argmax(1) for part in images.split(500)])
    return (named == labels).double().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # pyright: ignore[reportOptionalMemberAccess]
    parser.add_argument("run", type=Path)
    parser.add_argument("--prior", default="flow-matching")
    parser.add_argument("--guidance", type=float, nargs="*", default=[1.0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    run = open_run(options.run, device=torch.device("cpu"))
    data, model = run.images, run.model
    classes, test = len(data.label_names or ()), data.split("test")
    if not classes or test.labels is None or (test.labels < 0).any():
        raise SystemExit("Every image needs a label with a name.")
    network = fitted(data.split("train"), classes, options.epochs)
    real = accuracy(network, torch.from_numpy(test.images.copy()), torch.from_numpy(test.labels).long())
    print(json.dumps({"test_images": real}))
    each = options.count // classes
    labels = torch.arange(classes).repeat_interleave(each)
    for weight in options.guidance:
        drawn = [model.sample(each, seed=k, prior=options.prior, label=k, guidance=weight) for k in range(classes)]
        print(
            json.dumps(
                {"guidance": weight, "draws": len(labels), "as_asked": accuracy(network, torch.cat(drawn), labels)}
            )
        )


if __name__ == "__main__":
    main()
