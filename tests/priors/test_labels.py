"""The classes a prior can be asked for: by name, else by number, and only those that it has seen."""

from __future__ import annotations

import pytest

from spatialvae.errors import UserError
from spatialvae.priors import Labels

ANIMALS = Labels(("cat", "dog", "unicorn", "dog 2"), (5, 3, 0, 1))


def test_names_come_first_then_numbers() -> None:
    assert [ANIMALS.index(label) for label in ("cat", "dog 2", "dog", 1, "1", 3)] == [0, 3, 1, 1, 1, 3]
    numbers = Labels(("7", "1000000", "0"), (1, 1, 1))
    assert [numbers.index(label) for label in (7, "7", 1_000_000, 0)] == [0, 0, 1, 2]
    assert [Labels.numbered(3).index(k) for k in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "label", "words"),
    [
        (ANIMALS, "cta", "label cta does not exist. Did you mean 'cat'"),
        (ANIMALS, "zebra", "label zebra does not exist. Choose from: cat, dog, dog 2."),
        (ANIMALS, 4, "label 4 does not exist: labels go from 0 to 3, nearest 3"),
        (ANIMALS, "-1", "label -1 does not exist: labels go from 0 to 3, nearest 0"),
        (ANIMALS, "unicorn", "label unicorn: the prior was fitted to no image of this class.\nChoose from: cat, dog"),
        (ANIMALS, 2, "label 2: the prior was fitted to no image of this class"),
        (Labels(("7", "1000000", "8"), (1, 1, 0)), 0, "labels go from 7 to 1000000, nearest 7"),
        (Labels(("7", "1000000", "8"), (1, 1, 0)), 8, "label 8: the prior was fitted to no image of this class"),
        (Labels(("7", "9")), 8, "label 8 does not exist. Choose from: 7, 9."),
        (Labels(("1", "03", "cat")), 4, "label 4 does not exist. Choose from: 1, 03, cat."),
        (Labels(("7", "1000000")), "cat", "label cat does not exist. Choose from: 7, 1000000."),
        (Labels(tuple("x" * k for k in range(1, 101))), "yy", "and 70 more."),
    ],
)
def test_what_is_not_there_is_refused_with_the_choices(labels: Labels, label: int | str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        labels.index(label)
    assert words in str(caught.value)


@pytest.mark.parametrize("text", ["", "3", "{}", '{"names": 3, "counts": null}'])
def test_what_is_no_description_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="not what this version writes"):
        Labels.parse(text)
