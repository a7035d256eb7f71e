"""Transplants: exactly the chosen cells go over."""

from __future__ import annotations

import pytest
import torch

from spatialvae.data.pixels import to_uint8
from spatialvae.editing.cells import parse_cells
from spatialvae.editing.transplant import transplant
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from tests.editing.models import near, pictures, small


@pytest.mark.parametrize("latent", [name for name in LATENTS if name != "vector"])
def test_cells_of_the_second_in_the_first(latent: str) -> None:
    model, first, second = small(latent), pictures(3), pictures(3)
    mixed = transplant(model, first, second, parse_cells("0:2,1:3", (3, 3)))
    with torch.no_grad():
        code, other = model.encode(first).mean.clone(), model.encode(second).mean
        code[:, :, 0:2, 1:3] = other[:, :, 0:2, 1:3]
        expected = to_uint8(model.decode(code).mean)
    assert (mixed.dtype, mixed.shape) == (torch.uint8, (3, 1, 8, 8))
    assert near(mixed, expected)
    assert not near(mixed, model.reconstruct(first))


def test_all_cells_are_the_second_picture() -> None:
    model, first, second = small().train(), pictures(), pictures()
    mixed = transplant(model, first, second, parse_cells(":,:", (3, 3)))
    assert near(mixed, model.reconstruct(second))
    assert model.training


def test_what_is_refused() -> None:
    model = small()
    with pytest.raises(UserError, match=r"bool \[3, 3\]"):
        transplant(model, pictures(), pictures(), torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(UserError, match="no cell"):
        transplant(model, pictures(), pictures(), torch.zeros(3, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="this model wants"):
        transplant(model, pictures(), torch.zeros(2, 1, 9, 8, dtype=torch.uint8), torch.ones(3, 3, dtype=torch.bool))
