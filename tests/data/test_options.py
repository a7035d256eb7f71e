"""What can be asked of the pixels."""

from __future__ import annotations

import pytest

from spatialvae.data import ImageOptions, parse_image_size
from spatialvae.errors import UserError


@pytest.mark.parametrize("text", ["", "x", "64x", "-8", "8.5", "64x48x3", "wide"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UserError, match="64x48"):
        parse_image_size(text)


def test_sizes() -> None:
    assert parse_image_size("8") == (8, 8)
    assert parse_image_size("64X48") == (64, 48)
    with pytest.raises(UserError, match="8 pixels"):
        parse_image_size("64x7")


def test_options_are_checked() -> None:
    for wrong, message in (
        ({"image_size": (64, 4)}, "64x4"),
        ({"crop": "centre"}, "'center'"),
        ({"crop": "0"}, "0"),
        ({"layout": "nwhc"}, "'nhwc'"),
        ({"channels": 5}, "1 to 4"),
    ):
        with pytest.raises(UserError, match=message):
            ImageOptions(**wrong)  # pyright: ignore[reportArgumentType]
