"""What a user is told of baselines: images of black and white, and arguments that make no sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spatialvae import baselines
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from tests.conftest import smooth_images

GREY = smooth_images(300, 1, 4, 4) // 2 + 1


def images(share: float) -> ImageData:
    """Pictures of which so many numbers are white."""
    pixels = GREY.copy()
    pixels.reshape(300, -1)[:, : round(16 * share)] = 255
    return ImageData.from_arrays({"train": pixels, "test": pixels})


@pytest.mark.parametrize(("share", "percent"), [(0.0, None), (0.25, "25%"), (0.5, "50%")])
def test_black_and_white_pixels_are_named(share: float, percent: str | None) -> None:
    notes = [note for note in baselines.linear_baselines(images(share), 4).notes if "0 or 255" in note]
    assert [note.split()[0] for note in notes] == ([] if percent is None else [percent])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"limit": 0}, "limit 0 is not possible"),
        ({"limit": -1}, "limit -1 is not possible"),
        ({"image_siz": 8}, "image_siz is no setting of images. Did you mean 'image_size'"),
    ],
)
def test_arguments_that_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        baselines.ppca(images(0.0), 4, **options)


def test_one_number_is_a_list_of_one() -> None:
    one, other = (baselines.linear_baselines(images(0.0), numbers) for numbers in (4, [4]))
    assert [model.bits_per_dim for model in one.models] == [model.bits_per_dim for model in other.models]
    assert np.isfinite(one.models[0].bits_per_dim.value)
