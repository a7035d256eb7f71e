"""A program of two processes, `python two_ranks.py TASK FOLDER`, as torchrun would start each."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import save_file

from spatialvae.data.batches import training_batch
from spatialvae.elbo import ELBO, elbo_loss
from spatialvae.model import SpatialVAE
from spatialvae.training import train
from spatialvae.training.adversary import Adversary
from spatialvae.training.discriminator import hinge_loss
from spatialvae.training.pictures import Seen, WithPictures
from tests.training.test_adversarial import BEGUN, data
from tests.training.tiny import settings, tiny_data


def loss(made: ELBO | Seen, weight: float) -> torch.Tensor:
    if not isinstance(made, Seen):
        return elbo_loss(made)
    assert made.perceptual is not None
    return elbo_loss(made.terms) + weight * made.perceptual.mean()


def gradients(folder: Path, perceptual_weight: float = 0.0) -> None:
    """Each rank's share of one batch, through the wrapped model; its own gradient and the shared one."""
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(0)
    model = SpatialVAE.from_config(settings().sized((8, 8), 1))
    images = training_batch(tiny_data().split("train"), 16, 0, seed=0, flip=False, rank=rank, world=world)
    stepped = WithPictures(model, distance=True) if perceptual_weight else model
    wrapped = accelerator.prepare(stepped).eval()  # batch norm on its running statistics: images do not mix
    for name, forward in (("alone", stepped), ("together", wrapped)):
        model.zero_grad()
        torch.manual_seed(rank)
        accelerator.backward(loss(forward(images), perceptual_weight))
        result = {key: value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}
        save_file(result, folder / f"{name}-{rank}.safetensors")


def discriminator(folder: Path) -> None:
    """The same of a discriminator's own loss, on images and pictures of each rank."""
    rank = int(os.environ["RANK"])
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(0)
    options = {"share": 0.5, "begins": 0, "learning_rate": 1e-3}
    adversary = Adversary((1, 16, 16), torch.device("cpu"), **options)  # pyright: ignore[reportArgumentType]
    network = adversary.network.eval()  # no step of the power iteration
    images, pictures = torch.randn(2, 8, 1, 16, 16, generator=torch.Generator().manual_seed(rank))
    hinge_loss(*network(torch.cat([images, pictures])).chunk(2)).backward()
    alone = {key: value.grad.clone() for key, value in network.named_parameters() if value.grad is not None}
    save_file(alone, folder / f"alone-{rank}.safetensors")
    network.zero_grad()
    adversary.prepare(accelerator)
    adversary._wrapped.eval()
    adversary._judged = images, pictures
    adversary.learn(1)
    together = {key: value.grad.clone() for key, value in network.named_parameters() if value.grad is not None}
    save_file(together, folder / f"together-{rank}.safetensors")


if __name__ == "__main__":
    task, out = sys.argv[1], Path(sys.argv[2])
    if task == "discriminator":
        discriminator(out)
    elif task == "adversarial":
        train(settings(**BEGUN, checkpoint_every=20), data(), out / "run", progress=False)
    elif task != "train":
        gradients(out, perceptual_weight=64.0 if task == "perceptual" else 0.0)
    else:
        train(settings(checkpoint_every=20), tiny_data(), out / "run", progress=False)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
