"""Scales from raw numbers: exp where posteriors live, and bounds where only a bad step or a strange image gets."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import kl_divergence

from spatialvae.latents import AbstractLatent
from spatialvae.latents.base import LOWEST, TANGENT_FROM, positive
from spatialvae.priors import standard_normal
from tests.latents.cases import CASES, spelled


def test_is_exp_up_to_the_tangent() -> None:
    raw = torch.linspace(LOWEST, TANGENT_FROM, 200, dtype=torch.float64)
    assert torch.equal(positive(raw), raw.exp())


def test_is_the_tangent_beyond() -> None:
    edge = math.exp(TANGENT_FROM)
    raw = torch.tensor([TANGENT_FROM + 1e-9, 5.0, 50.0], dtype=torch.float64, requires_grad=True)
    scale = positive(raw)
    torch.testing.assert_close(scale.detach(), edge * (raw.detach() - TANGENT_FROM + 1))
    scale.sum().backward()
    torch.testing.assert_close(raw.grad, torch.full_like(raw, edge))


def test_never_rounds_to_zero() -> None:
    assert torch.equal(positive(torch.tensor([LOWEST - 1, -200.0])), torch.full((2,), LOWEST).exp())


@pytest.mark.parametrize("number", [60.0, -60.0, -200.0])
@pytest.mark.parametrize("latent", CASES, ids=spelled)
def test_wild_numbers_keep_the_kl_and_its_gradient_finite(latent: AbstractLatent, number: float) -> None:
    # Of an image unlike all before it; a scale of 0 would have a log without a gradient.
    shapes = {name: (2, *shape) for name, shape in latent.shapes.items()} | latent.shared_shapes
    raw = {
        name: torch.full(shape, number if name.endswith("scale") or number > 0 else 0.1, requires_grad=True)
        for name, shape in shapes.items()
    }
    kl = kl_divergence(latent.distribution(raw), standard_normal(latent.event_shape))
    kl.sum().backward()
    assert kl.isfinite().all()
    assert all(value.grad is not None and value.grad.isfinite().all() for value in raw.values())
