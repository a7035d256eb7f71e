"""The range of pixels: what is taken, what is doubted once, and what is left alone while torch traces."""

from __future__ import annotations

import warnings

import pytest
import torch

from spatialvae.data import pixels
from spatialvae.data.pixels import to_float
from spatialvae.globals import globals_kept


@pytest.fixture(autouse=True)
def undoubted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has seen no images yet."""
    monkeypatch.setattr(pixels, "_doubted", [False])


def test_images_of_totensor_are_doubted_once() -> None:
    images = torch.rand(2, 1, 4, 4)
    images[0, 0, 0, 0] = 0
    with pytest.warns(UserWarning, match=r"from 0 to 0\.\d+, and the model's range is \[-1, 1\].*2 \* images - 1"):
        assert torch.equal(to_float(images), images)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_float(images)


@pytest.mark.parametrize(
    "images",
    [
        torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8),
        torch.full((2, 1, 4, 4), 255, dtype=torch.uint8),
        2 * torch.rand(2, 1, 4, 4) - 1,
        torch.rand(2, 1, 4, 4).double() - 1,
        torch.zeros(2, 1, 4, 4),
        torch.zeros(0, 1, 4, 4),
    ],
    ids=["uint8", "white", "floats", "dark", "zeros", "none"],
)
def test_others_are_not(images: torch.Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_float(images)


def test_one_value_outside_is_an_error_that_says_the_range() -> None:
    images = torch.zeros(2, 1, 4, 4)
    images[1, 0, 3, 3] = 1.5
    with pytest.raises(ValueError, match=r"from 0 to 1\.5; wanted are uint8 .* in \[-1, 1\]"):
        to_float(images)


def test_values_are_not_looked_at_while_torch_compiles() -> None:
    with globals_kept():
        compiled = torch.compile(to_float, backend="eager", fullgraph=True)
        assert torch.equal(compiled(torch.full((1, 1, 2, 2), 9.0)), torch.full((1, 1, 2, 2), 9.0))
