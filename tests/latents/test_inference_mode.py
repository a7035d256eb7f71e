"""A latent that was first used in inference mode trains afterwards, in the same process."""

from __future__ import annotations

import pytest
import torch

from spatialvae.latents import LATENTS, covariance, parse_latent


@pytest.mark.parametrize("spec", [*LATENTS, "matrix-normal:covariance=full"])
def test_gradients_after_inference_mode(spec: str) -> None:
    covariance._kept_places.cache_clear()
    latent = parse_latent(spec, (3, 2, 2))
    shapes = {**latent.shapes, **latent.shared_shapes}
    shared = latent.shared_shapes
    with torch.inference_mode():
        latent.distribution(
            {name: torch.zeros(shape if name in shared else (4, *shape)) for name, shape in shapes.items()}
        )
    raw = {
        name: torch.zeros(shape if name in shared else (4, *shape), requires_grad=True)
        for name, shape in shapes.items()
    }
    latent.distribution(raw).rsample().sum().backward()
    assert any(value.grad is not None for value in raw.values())
