"""What prepared images say of themselves in a line and in a notebook."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
from PIL import Image

from spatialvae.data import as_image_data
from tests.data.pictures import noise

DATA = as_image_data({"train": (noise(40), np.arange(40) % 3 - 1), "test": noise(3, seed=1)}, name="<mine>")


def test_lines() -> None:
    validation = len(DATA.split("validation"))
    counts = f"train {40 - validation}, validation {validation}, test 3"
    assert repr(DATA) == f"ImageData(<mine>: 8x8 colour, {counts}, 2 classes)"
    assert repr(DATA.split("test")) == "ImageSplit(3 images of 8x8 colour, unlabelled)"
    labels = DATA.split("train").labels
    assert labels is not None and f"{(labels >= 0).sum()} labelled" in repr(DATA.split("train"))
    assert "8x8 with 2 channels" in repr(as_image_data(noise(20, 2)))


def test_pictures() -> None:
    html = DATA._repr_html_()
    assert "&lt;mine&gt;" in html and "<mine>" not in html
    pictures = [Image.open(io.BytesIO(base64.b64decode(one))) for one in re.findall(r"base64,([^\"]+)", html)]
    assert len(pictures) == 3
    last = np.asarray(pictures[2]).transpose(2, 0, 1)
    test = DATA.split("test").images
    shown = [last[:, 2 + 2 : 34 : 4, left : left + 32 : 4] for left in (2, 36, 70)]  # each pixel enlarged to 4x4
    assert np.array_equal(np.stack(shown), test)
    assert "16 of" in html and "3 of 3 test images" in html
    assert DATA.split("test")._repr_html_().count("<img") == 1
