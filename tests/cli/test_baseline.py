"""`spatialvae baseline`: its table, its JSON, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from spatialvae import baselines
from tests.cli.program import spatialvae


def test_the_table_and_the_json(images: Path) -> None:
    shown = spatialvae("baseline", images, "--numbers", "4, 20")
    assert shown.code == 0, shown.err
    assert [line.split("  ")[1] for line in shown.out.splitlines()[1:5]] == [
        "model",
        "probabilistic PCA, 4 numbers",
        "probabilistic PCA, 20 numbers",
        "one Gaussian over the pixels, full covariance",
    ]
    result = spatialvae("baseline", images, "--numbers", "4,20", "--json").json
    four, twenty, whole = result["models"]
    expected = baselines.ppca(images, 20)
    assert twenty["bits_per_dim"]["value"] == expected.bits_per_dim.value
    assert (four["numbers"], twenty["numbers"], whole["numbers"], whole["mse"]) == (4, 20, None, None)
    assert four["bits_per_dim"]["value"] > twenty["bits_per_dim"]["value"]
    assert (result["split"], result["notes"]) == ("test", [])


def test_images_are_prepared_as_by_other_commands(images: Path) -> None:
    result = spatialvae(
        "baseline", images, "--image-size", "8x16", "--split", "validation", "--threads", 1, "--json"
    ).json
    assert result["models"][-1]["dimensions"] == 128
    assert result["split"] == "validation"
    assert result["models"][-1]["train_images"] > 100


def test_a_part_of_the_images_is_drawn_by_a_seed(images: Path) -> None:
    result = spatialvae("baseline", images, "--numbers", 4, "--limit", 4, "--seed", 3, "--json").json
    expected = baselines.ppca(images, 4, limit=4, seed=3)
    assert (result["images"], result["seed"]) == (4, 3)
    assert result["models"][0]["bits_per_dim"]["value"] == expected.bits_per_dim.value
    assert "invalid value for '--limit'" in spatialvae("baseline", images, "--limit", 0).complaint.lower()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--numbers", "4,many"), "'many' is no whole number"),
        (("--numbers", "0"), "--numbers 0 is not possible"),
        (("--numbers", "-4"), "'-4' is no whole number"),
        (("--numbers", "64"), "at most 63"),
        (("--numbers", ""), "no whole number"),
        (("--split", "tset"), "Did you mean 'test'"),
    ],
)
def test_what_it_refuses(images: Path, flags: tuple[str, str], words: str) -> None:
    assert words in spatialvae("baseline", images, *flags).complaint
