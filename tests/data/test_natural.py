"""The order of names with numbers in them."""

from __future__ import annotations

import random

from spatialvae.data.natural import natural_key


def test_numbers_are_compared_as_numbers() -> None:
    wanted = ["", "0.png", "1.png", "01.png", "2.png", "10.png", "class", "class 2", "class 2a", "class 10", "class a"]
    for seed in range(20):
        shuffled = random.Random(seed).sample(wanted, len(wanted))
        assert sorted(shuffled, key=natural_key) == wanted


def test_numbers_of_any_length() -> None:
    one, two = "1" + "0" * 9000, "2" + "0" * 9000
    assert sorted([two, "9", one], key=natural_key) == ["9", one, two]
