"""Fits and results are kept in the cache, known by all that they depend on, and made again where damaged."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from spatialvae import baselines
from spatialvae.baselines import api, spectrum, stored
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from tests.conftest import smooth_images

IMAGES = smooth_images(40, 1, 4, 4)
DATA = ImageData.from_arrays({"train": IMAGES[:30], "test": IMAGES[30:]})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPATIALVAE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "baselines"


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was computed: fits and passes over the images measured."""
    done: list[str] = []
    fit, measure = spectrum.moments_of, api.values_of
    monkeypatch.setattr(spectrum, "moments_of", lambda *a, **k: [done.append("fit"), fit(*a, **k)][1])
    monkeypatch.setattr(api, "values_of", lambda *a, **k: [done.append("pass"), measure(*a, **k)][1])
    return done


def test_the_second_call_computes_nothing(cache: Path, work: list[str]) -> None:
    first = baselines.linear_baselines(DATA, [3, 5])
    assert work == ["fit", "pass"]
    again = baselines.linear_baselines(DATA, [5, 3])
    assert work == ["fit", "pass"]
    assert [model.bits_per_dim for model in again.models] == [first.models[i].bits_per_dim for i in (1, 0, 2)]
    baselines.ppca(DATA, 4)
    assert work == ["fit", "pass", "pass"]
    assert len(list(cache.iterdir())) == 5  # the spectrum and four models, nothing temporary


def test_what_it_depends_on(cache: Path, work: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    baselines.ppca(DATA, 3)
    other = ImageData.from_arrays({"train": IMAGES[:29], "test": IMAGES[30:]})
    baselines.ppca(other, 3)
    assert work == ["fit", "pass"] * 2
    baselines.ppca(DATA, 3, split="train")
    baselines.ppca(DATA, 3, limit=6)
    baselines.ppca(DATA, 3, limit=6, seed=1)
    assert work == ["fit", "pass"] * 2 + ["pass"] * 3
    baselines.ppca(DATA, 3, limit=100, seed=2)  # all there are, whatever the seed
    assert len(work) == 7
    monkeypatch.setattr(stored, "__version__", "0.0.1")
    baselines.ppca(DATA, 3)
    assert work[7:] == ["fit", "pass"]


@pytest.mark.parametrize("damage", ["empty", "cut", "bit", "no words", "name", "shape"])
def test_damaged_entries_are_made_again(cache: Path, work: list[str], damage: str) -> None:
    first = baselines.linear_baselines(DATA, [3])
    for path in cache.iterdir():
        whole = path.read_bytes()
        if damage in ("no words", "name", "shape"):
            entry = load_file(path)
            name = next(iter(entry))
            changed = {
                "no words": entry,
                "name": {("x" if key == name else key): value for key, value in entry.items()},
                "shape": {**entry, name: torch.zeros(2, dtype=torch.float64)},
            }[damage]
            save_file(changed, path)
        else:
            path.write_bytes(
                {"empty": b"", "cut": whole[:-8], "bit": whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]}[damage]
            )
    again = baselines.linear_baselines(DATA, [3])
    assert work == ["fit", "pass"] * 2
    values, before = ([model.bits_per_dim.value for model in one.models] for one in (again, first))
    assert values == pytest.approx(before, rel=1e-9)
    baselines.linear_baselines(DATA, [3])
    assert len(work) == 4


def test_it_is_the_same_twice(cache: Path) -> None:
    first = baselines.ppca(DATA, 3)
    for path in cache.iterdir():
        path.unlink()
    again, before = (one.values["bits_per_dim"] for one in (baselines.ppca(DATA, 3), first))
    torch.testing.assert_close(again, before, rtol=1e-9, atol=0)


def test_a_cache_that_cannot_be_written(cache: Path, work: list[str]) -> None:
    cache.parent.mkdir()
    cache.write_text("a file in the way")
    with pytest.raises(UserError, match="SPATIALVAE_CACHE"):
        baselines.ppca(DATA, 3)
    assert not work


def test_images_of_no_baseline(cache: Path) -> None:
    one = ImageData.from_arrays({"train": IMAGES[:1], "test": IMAGES[1:]})
    with pytest.raises(UserError, match="at least 2 of them: there is 1"):
        baselines.pixel_gaussian(one)
    with pytest.raises(UserError, match="none to train on"):
        baselines.pixel_gaussian(ImageData.from_arrays({"test": IMAGES}))
    with pytest.raises(UserError, match="'test' is not known"):
        baselines.pixel_gaussian(ImageData.from_arrays({"train": IMAGES}))
    with pytest.raises(UserError, match="prepared already"):
        baselines.pixel_gaussian(DATA, image_size=8)


@pytest.mark.parametrize("numbers", [0, -3, 16, 500])
def test_numbers_that_images_cannot_have(cache: Path, numbers: int) -> None:
    with pytest.raises(UserError, match=f"`?numbers`? {numbers}.* at most 15"):
        baselines.ppca(DATA, numbers)


def test_what_is_printed_and_what_a_notebook_shows(cache: Path) -> None:
    result = baselines.linear_baselines(smooth_images(400, 1, 8, 8), [16], name="waves & more")
    text, html = repr(result), result._repr_html_()
    assert text.startswith("waves & more, test, all ")
    assert "probabilistic PCA, 16 numbers" in text
    assert "waves &amp; more" in html
    assert html.count("<tr>") == 3
