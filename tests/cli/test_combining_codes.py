"""The commands that put codes together: interpolate's paths, transplant, inpaint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.looks import CELL, arrays, size
from tests.cli.program import spatialvae
from tests.conftest import smooth_images


@pytest.fixture
def extra(command: str, pictures: list[Path]) -> list[object]:
    """What a command wants beside the run."""
    return {
        "interpolate": [*pictures[:2], "--path", "cells"],
        "transplant": [*pictures[:2], "--cells", "0,0"],
        "inpaint": [pictures[0], "--region", "0,0"],
    }[command]


EDITS = ["interpolate", "transplant", "inpaint"]


@pytest.mark.parametrize("path", ["linear", "spherical", "cells"])
def test_paths(run: Path, tmp_path: Path, pictures: list[Path], path: str) -> None:
    line = ("interpolate", run, *pictures[:2], "--steps", 4, "--path", path)
    result = spatialvae(*line, "--out", tmp_path / "a.npz", "--json").json
    assert (result["path"], result["paths"]) == (path, 1)
    assert spatialvae("reconstruct", run, *pictures[:2], "--out", tmp_path / "ends.npz").code == 0
    ends = arrays(tmp_path / "ends.npz")
    assert abs(arrays(tmp_path / "a.npz")[[0, -1]].astype(int) - ends).max() <= 1
    assert spatialvae("interpolate", run, "--path", path, "--rows", 2, "--out", tmp_path / "b.png").code == 0


def test_an_unknown_path(run: Path, tmp_path: Path) -> None:
    message = spatialvae("interpolate", run, "--path", "round", "--out", tmp_path / "a.png").complaint
    assert "--path round" in message and "linear, spherical, cells" in message


def test_a_transplant(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    line = ("transplant", run, *pictures[:2], "--cells", "0:2,1:3")
    result = spatialvae(*line, "--out", tmp_path / "a.png", "--json").json
    assert result["cells"] == [[0, 1], [0, 2], [1, 1], [1, 2]]
    assert len(result["order"]) == 5
    assert size(tmp_path / "a.png") == (5 * CELL + 2, CELL + 2)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "RGB"  # the region is outlined in colour
    printed = spatialvae(*line, "--out", tmp_path / "a.npz").out
    assert printed == (
        "first, second, first reconstructed, second reconstructed, first with the second's cells (4 of 9): "
        f"{tmp_path / 'a.npz'}\n"
    )
    assert spatialvae("reconstruct", run, *pictures[:2], "--out", tmp_path / "b.npz").code == 0
    shown = arrays(tmp_path / "a.npz")
    assert shown.shape == (5, 1, 8, 8)
    assert np.array_equal(shown[2:4], arrays(tmp_path / "b.npz"))
    with Image.open(pictures[0]) as picture:
        assert np.array_equal(shown[0, 0], np.asarray(picture))  # no outline in arrays


def test_an_inpainting(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    def drawn(name: str, *flags: object) -> np.ndarray:
        out = tmp_path / f"{name}.npz"
        line = ("inpaint", run, pictures[0], "--region", "0:2,1:3", "--count", 3)
        result = spatialvae(*line, *flags, "--out", out, "--json").json
        assert (result["count"], len(result["region"])) == (3, 4)
        return arrays(out)

    one = drawn("one")
    assert one.shape == (5, 1, 8, 8)
    assert np.array_equal(one, drawn("again", "--prior", "gaussian", "--seed", 0))
    for name, flags in (("seed", ("--seed", 1)), ("prior", ("--prior", "standard")), ("cold", ("--temperature", 0.5))):
        other = drawn(name, *flags)
        assert np.array_equal(one[:2], other[:2])
        assert not np.array_equal(one[2:], other[2:])
    frozen = drawn("frozen", "--temperature", 0)[2:].astype(int)
    assert abs(frozen - frozen[:1]).max() <= 1
    words = spatialvae("inpaint", run, pictures[1], "--region", "1,1", "--out", tmp_path / "a.png").out
    assert words.startswith("original, reconstruction and 8 draws of 1 of 9 cells from gaussian")
    assert size(tmp_path / "a.png") == (10 * CELL + 2, CELL + 2)


@pytest.mark.parametrize("command", ["transplant", "inpaint"])
@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ("0:9,1", ["rows 0:9 lie outside", "3x3", "nearest 0:3"]),
        ("1:1,1", ["1:1 holds no rows"]),
        ("0", ["ROWS,COLUMNS"]),
    ],
)
def test_cells_that_do_not_exist(
    run: Path, tmp_path: Path, pictures: list[Path], command: str, cells: str, words: list[str]
) -> None:
    given = [*pictures[:2], "--cells", cells] if command == "transplant" else [pictures[0], "--region", cells]
    message = spatialvae(command, run, *given, "--out", tmp_path / "a.png").complaint
    assert all(word in message for word in [str(given[-2]), *words])
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize("command", EDITS)
def test_a_vector_has_no_cells(vector_run: Path, tmp_path: Path, command: str, extra: list[object]) -> None:
    message = spatialvae(command, vector_run, *extra, "--out", tmp_path / "a.png").complaint
    assert "a vector, maps of 1x1" in message


@pytest.mark.parametrize("command", EDITS)
def test_nothing_is_overwritten_unasked(run: Path, tmp_path: Path, command: str, extra: list[object]) -> None:
    (tmp_path / "a.png").write_text("mine")
    message = spatialvae(command, run, *extra, "--out", tmp_path / "a.png").complaint
    assert "--overwrite" in message
    assert (tmp_path / "a.png").read_text() == "mine"
    assert spatialvae(command, run, *extra, "--out", tmp_path / "a.png", "--overwrite").code == 0


@pytest.mark.parametrize(("command", "count"), [("transplant", 4), ("inpaint", 2)])
def test_folders_of_too_many_pictures(run: Path, tmp_path: Path, command: str, count: int) -> None:
    (tmp_path / "two").mkdir()
    for index in range(2):
        Image.fromarray(smooth_images(1, 1, 9, 9, seed=index)[0, 0]).save(tmp_path / "two" / f"{index}.png")
    given = {
        "transplant": [tmp_path / "two"] * 2 + ["--cells", "0,0"],
        "inpaint": [tmp_path / "two", "--region", "0,0"],
    }
    message = spatialvae(command, run, *given[command], "--out", tmp_path / "a.png").complaint
    assert f"{count} pictures were given" in message


def test_a_prior_that_is_not_there(run: Path, tmp_path: Path, pictures: list[Path]) -> None:
    line = ("inpaint", run, pictures[0], "--region", "0,0", "--prior", "gausian")
    assert "'gaussian'" in spatialvae(*line, "--out", tmp_path / "a.png").complaint
