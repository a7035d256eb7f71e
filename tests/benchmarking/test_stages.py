"""A step taken apart is the same step, and its parts are all of it."""

from __future__ import annotations

import contextlib
import copy
from itertools import count

import pytest
import torch

from spatialvae.benchmarking.stages import STAGES, Laps, staged_step
from spatialvae.config import ModelConfig
from spatialvae.elbo import elbo_loss
from spatialvae.latents import LATENTS
from spatialvae.model import SpatialVAE

CPU = torch.device("cpu")


def model(latent: str = "low-rank") -> SpatialVAE:
    torch.manual_seed(0)
    return SpatialVAE.from_config(ModelConfig(latent=latent, maps=2, image_size=(8, 8), channels=1)).train()


def images() -> torch.Tensor:
    return torch.randint(0, 256, (6, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("latent", LATENTS)
def test_all_stages_in_their_order_and_nothing_between(latent: str) -> None:
    own = model(latent)
    ticks = count()
    read: list[int] = []

    def clock() -> float:
        read.append(next(ticks))
        return float(read[-1])

    stages = staged_step(own, torch.optim.Adam(own.parameters()), images, contextlib.nullcontext(), Laps(CPU, clock))
    assert list(stages) == list(STAGES)
    assert set(stages.values()) == {1.0}  # each stage begins where the one before ended
    assert sum(stages.values()) == read[-1] - read[0]


def test_it_is_the_step_of_training() -> None:
    own = model()
    own.decoder.eval()
    own.encoder.eval()  # no dropout: the noise of the code is the only one, and comes first in both
    other = copy.deepcopy(own)
    torch.manual_seed(3)
    staged_step(own, torch.optim.SGD(own.parameters(), 1e-4), images, contextlib.nullcontext(), Laps(CPU))
    torch.manual_seed(3)
    elbo_loss(other(images())).backward()
    torch.optim.SGD(other.parameters(), 1e-4).step()
    for (name, one), two in zip(own.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, msg=name)


def test_no_hook_stays_behind() -> None:
    own = model()
    staged_step(own, torch.optim.Adam(own.parameters()), images, contextlib.nullcontext(), Laps(CPU))
    assert not own.posterior.projection._forward_hooks
    assert all(parameter.grad is None for parameter in own.parameters())


def test_bf16() -> None:
    own = model()
    number_format = torch.autocast("cpu", torch.bfloat16)
    stages = staged_step(own, torch.optim.Adam(own.parameters()), images, number_format, Laps(CPU))
    assert list(stages) == list(STAGES)
