"""`traverse`: the rows that its flags name, how far they go, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.cli.looks import CELL, arrays, size
from tests.cli.program import spatialvae


def test_the_first_principal_directions(run: Path, tmp_path: Path) -> None:
    result = spatialvae("traverse", run, "--out", tmp_path / "a.png", "--json").json
    assert [row["moves"] for row in result["rows"]] == [f"component {k}" for k in range(6)]
    assert (result["prior"], result["spread"]) == ("gaussian", "prior")
    deviations = [row["deviation"] for row in result["rows"]]
    assert deviations == sorted(deviations, reverse=True)
    assert all(0 < row["share"] < 1 and row["of"] == "the code" for row in result["rows"])
    assert size(tmp_path / "a.png") == (7 * CELL + 2, 6 * CELL + 2)


@pytest.mark.parametrize(
    ("flags", "moves"),
    [
        (("--cell", "0:2,1"), ["cell 0,1", "cell 1,1"]),
        (("--map", "1"), ["map 1"]),
        (("--map", "0:2", "--cell", "2,2"), ["map 0 at cell 2,2", "map 1 at cell 2,2"]),
        (("--component", "4+1"), ["component 4", "component 1"]),
    ],
)
def test_what_moves(run: Path, tmp_path: Path, pictures: list[Path], flags: tuple[str, ...], moves: list[str]) -> None:
    line = ("traverse", run, pictures[0], *flags, "--steps", 5)
    result = spatialvae(*line, "--out", tmp_path / "a.npz", "--json").json
    assert [row["moves"] for row in result["rows"]] == moves
    assert result["spread"] == "posterior"
    shown = arrays(tmp_path / "a.npz").reshape(len(moves), 5, 1, 8, 8)
    assert spatialvae("reconstruct", run, pictures[0], "--out", tmp_path / "b.npz").code == 0
    assert abs(shown[:, 2].astype(int) - arrays(tmp_path / "b.npz")).max() <= 1  # the picture's own code
    words = spatialvae(*line, "--out", tmp_path / "a.png").out.splitlines()
    assert len(words) == len(moves) + 1
    assert all(name in word for name, word in zip(moves, words, strict=False))
    assert words[-1] == f"{len(moves)} row(s) of 5 pictures from {pictures[0]}: {tmp_path / 'a.png'}"


def test_how_far(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    def row(name: str, *flags: object) -> tuple[float, np.ndarray]:
        line = ("traverse", run, pictures[0], "--map", 1, *flags, "--out", tmp_path / f"{name}.npz", "--json")
        return spatialvae(*line).json["rows"][0]["deviation"], arrays(tmp_path / f"{name}.npz")

    own, near = row("own", "--extent", 1)
    again, far = row("far", "--extent", 9)
    prior, _ = row("prior", "--spread", "prior")
    assert own == again != prior
    assert not np.array_equal(near, far)
    still = row("still", "--extent", 0)[1]
    assert (abs(still.astype(int) - still[:1]) <= 1).all()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--map", "2"), ["--map 2", "maps go from 0 to 1", "nearest 1"]),
        (("--cell", "0,3"), ["columns 3 lie outside", "3x3", "nearest 2"]),
        (("--component", "18"), ["components go from 0 to 17"]),
        (("--component", "0", "--map", "1"), ["--component moves the whole code"]),
        (("--spread", "posterior"), ["there is no picture"]),
        (("--spread", "wide"), ["--spread wide", "posterior, prior"]),
        (("--prior", "gausian"), ["Did you mean 'gaussian'?"]),
        (("--steps", "1"), ["--steps", "2"]),
    ],
)
def test_what_is_refused(run: Path, tmp_path: Path, flags: tuple[str, ...], words: list[str]) -> None:
    message = spatialvae("traverse", run, *flags, "--out", tmp_path / "a.png").complaint
    assert all(word in message for word in words), message
    assert not (tmp_path / "a.png").exists()


def test_a_vector_has_maps_but_no_cells(vector_run: Path, tmp_path: Path) -> None:
    message = spatialvae("traverse", vector_run, "--cell", "0,0", "--out", tmp_path / "a.png").complaint
    assert "a vector, maps of 1x1" in message
    result = spatialvae("traverse", vector_run, "--out", tmp_path / "a.png", "--json").json
    assert [row["moves"] for row in result["rows"]] == [f"component {k}" for k in range(3)]  # it has three numbers
    assert spatialvae("traverse", vector_run, "--map", "0", "--out", tmp_path / "b.png").code == 0


def test_nothing_is_overwritten_unasked(run: Path, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("mine")
    assert "--overwrite" in spatialvae("traverse", run, "--out", tmp_path / "a.png").complaint
    assert spatialvae("traverse", run, "--out", tmp_path / "a.png", "--overwrite").code == 0
