"""`influence`: its picture, its arrays, its numbers, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spatialvae.data import prepare
from spatialvae.data.batches import some_images
from spatialvae.editing.influence import influence, inside_share
from spatialvae.store import load
from tests.cli.looks import size
from tests.cli.program import spatialvae


def test_a_picture_and_its_numbers(run: Path, images: Path, tmp_path: Path) -> None:
    result = spatialvae("influence", run, "--images", 3, "--out", tmp_path / "a.png", "--json").json
    assert (result["images"], result["prior"], result["split"], result["probes"]) == (3, "gaussian", "test", None)
    count = len(prepare(str(images)).split("test"))
    assert (result["correlated"], result["of"], result["seed"]) == (count, count, 0)
    few = f"the aggregate is that of {count} image{'s' * (count > 1)} (test), which says little"
    assert [note.startswith(few) for note in result["notes"]] == ([True] if count < 10 else [])
    assert result["block"] == pytest.approx(1 / 9)
    for what in ("writes", "reads"):
        assert 0 < result[what]["inside"] < 1
        assert 0 < result[what]["radius"] < 6
    assert set(result["correlation"]) == {"posterior", "prior", "aggregate"}
    wide, high = size(tmp_path / "a.png")
    assert 400 < wide < 1000 and 400 < high < 1000


def test_the_images_are_those_of_the_seed(run: Path, images: Path, tmp_path: Path) -> None:
    split = prepare(str(images)).split("train")
    for seed in (0, 1):
        flags = ("--split", "train", "--images", 2, "--seed", seed, "--out", tmp_path / f"{seed}.npz")
        assert spatialvae("influence", run, *flags).code == 0
        expected = influence(load(run), some_images(split, 2, seed=seed), seed=seed)
        with np.load(tmp_path / f"{seed}.npz", allow_pickle=False) as file:
            np.testing.assert_allclose(file["writes"], expected.writes.numpy(), rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(file["reads"], expected.reads.numpy(), rtol=1e-4, atol=1e-6)


def test_arrays(run: Path, tmp_path: Path) -> None:
    result = spatialvae("influence", run, "--images", 2, "--out", tmp_path / "a.npz", "--json").json
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files}
    assert {name: array.shape for name, array in stored.items()} == {
        "writes": (3, 3, 8, 8),
        "reads": (3, 3, 8, 8),
        "posterior": (9, 9),
        "prior": (9, 9),
        "aggregate": (9, 9),
    }
    import torch

    assert inside_share(torch.from_numpy(stored["writes"])).mean() == pytest.approx(result["writes"]["inside"])


def test_the_words(run: Path, tmp_path: Path) -> None:
    printed = spatialvae("influence", run, "--images", 2, "--split", "validation", "--out", tmp_path / "a.png").out
    assert [line.split()[:3] for line in printed.splitlines()[:2]] == [
        ["a", "cell", "writes:"],
        ["a", "cell", "reads:"],
    ]
    assert printed.splitlines()[-1] == f"writes, reads, correlations: {tmp_path / 'a.png'}"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--images", "0"), ["--images", "1"]),
        (("--split", "tset"), ["Did you mean 'test'?"]),
        (("--prior", "gausian"), ["Did you mean 'gaussian'?"]),
        (("--out", "folder"), ["folder", ".png or .npz"]),
        (("--out", "a.svg"), ["a.svg", ".png or .npz"]),
        (("--image-size", "9"), ["9x9", "8x8"]),
    ],
)
def test_what_is_refused(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    message = spatialvae("influence", run, *flags).complaint
    assert all(word in message for word in words), message
    assert not list(tmp_path.glob("*.png"))


def test_a_vector_has_no_cells(vector_run: Path, tmp_path: Path) -> None:
    message = spatialvae("influence", vector_run, "--out", tmp_path / "a.png").complaint
    assert "a vector, maps of 1x1" in message


def test_nothing_is_overwritten_unasked(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("mine")
    assert "--overwrite" in spatialvae("influence", run, "--out", tmp_path / "a.png").complaint
