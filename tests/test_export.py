"""Encoder and decoder leave torch: exported with a batch of any size, and traced."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from spatialvae.globals import globals_kept
from spatialvae.latents import LATENTS
from spatialvae.model import SpatialVAE
from tests.test_model import pictures, small


@pytest.fixture(autouse=True)
def _globals_kept() -> Iterator[None]:
    """torch's own compiler switches off the checks of torch.distributions."""
    with globals_kept():
        yield


SPECS = [*LATENTS, "matrix-normal:covariance=ar1", "tensor-normal:covariance=full"]


class Encoder(nn.Module):
    """Images [B C H W] -> mean and standard deviation of q(z|x)."""

    def __init__(self, model: SpatialVAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        distribution = self.model.encode(images)
        return distribution.mean, distribution.stddev


class Decoder(nn.Module):
    """Codes -> the mean picture in [-1, 1]."""

    def __init__(self, model: SpatialVAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, codes: Tensor) -> tuple[Tensor]:
        return (self.model.decode(codes).mean,)


def halves(latent: str) -> list[tuple[nn.Module, Tensor, Tensor]]:
    """Each half with a batch to export it by, and one of another size."""
    model = small(latent=latent)
    images, codes = pictures(8) / 127.5 - 1, torch.randn(8, *model.latent.event_shape)
    return [(half, given[:3], given[3:]) for half, given in ((Encoder(model), images), (Decoder(model), codes))]


@pytest.mark.parametrize("latent", SPECS)
@torch.no_grad()
def test_each_half_is_exported_with_any_batch(latent: str) -> None:
    for half, given, other in halves(latent):
        program = torch.export.export(half, (given,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        for wanted, got in zip(half(other), program.module()(other), strict=True):
            assert_close(got, wanted)


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Converting a tensor to a Python boolean:torch.jit.TracerWarning")
@torch.no_grad()
def test_each_half_is_traced() -> None:
    for half, given, other in halves("low-rank"):
        traced = torch.jit.trace(half, (given,))
        for wanted, got in zip(half(other), traced(other), strict=True):  # pyright: ignore[reportCallIssue]
            assert_close(got, wanted)


@torch.no_grad()
def test_exporting_leaves_the_process_able_to_compute() -> None:
    half, given, other = halves("tensor-normal:maps=5")[0]
    torch.export.export(half, (given,))
    assert half(other)[0].isfinite().all()
