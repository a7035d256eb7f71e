"""What the encoder puts out is kept: made once, of these weights and images alone, mirrored ones too."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

from spatialvae.config import ModelConfig
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.posterior_codes import PosteriorCodes
from spatialvae.priors import GaussianFamily
from spatialvae.runtime.evaluating import evaluating
from tests.conftest import smooth_images
from tests.training.tiny import tiny_data

SETTINGS = ModelConfig(latent="naive", maps=2, image_size=(8, 8), channels=1)


def model(seed: int = 0) -> SpatialVAE:
    torch.manual_seed(seed)
    return SpatialVAE.from_config(SETTINGS).eval()


def refusing(codes: SpatialVAE, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the encoder ran")

    monkeypatch.setattr(codes.encoder, "forward", never)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_encoder_runs_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, data = model(), tiny_data()
    with PosteriorCodes(ours, data, folder=tmp_path) as codes:
        means, held_out = torch.cat(list(codes.means())), codes.held_out
    (name,) = files(tmp_path)
    assert load_file(tmp_path / name)["train"].shape == (60, ours.latent.encoder_outputs)
    refusing(ours, monkeypatch)
    with PosteriorCodes(ours, data, folder=tmp_path) as codes:
        assert torch.equal(torch.cat(list(codes.means())), means)
        assert torch.equal(codes.held_out, held_out)


def test_other_weights_or_images_are_encoded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, data = model(), tiny_data()
    with PosteriorCodes(ours, data, folder=tmp_path):
        before = files(tmp_path)
    images = smooth_images(100, channels=1, height=8, width=8)[::-1].copy()
    other = ImageData.from_arrays({"train": images[:60], "validation": images[60:]}, name="other")
    with PosteriorCodes(ours, other, folder=tmp_path):
        assert len(files(tmp_path)) == 2  # beside the first
    with PosteriorCodes(ours, data, folder=tmp_path, limit=20) as codes:
        assert (len(codes), len(files(tmp_path))) == (20, 3)
    theirs = model(seed=1)
    with PosteriorCodes(theirs, data, folder=tmp_path) as codes, torch.no_grad(), evaluating(theirs):
        means = torch.cat(list(codes.means()))
        assert_close(means, theirs.encode(torch.from_numpy(data.split("train").images.copy())).mean)
    assert files(tmp_path) == before  # what the weights of before made is of no use
    refusing(theirs, monkeypatch)
    with PosteriorCodes(theirs, data, folder=tmp_path) as codes:
        assert torch.equal(torch.cat(list(codes.means())), means)


def test_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    ours, data = model(), tiny_data()
    with PosteriorCodes(ours, data, folder=tmp_path) as codes:
        means = torch.cat(list(codes.means()))
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for damage in (whole[:-9], b"", b"\xff" * 40):
        path.write_bytes(damage)
        with PosteriorCodes(ours, data, folder=tmp_path) as codes:
            assert torch.equal(torch.cat(list(codes.means())), means)
        assert path.read_bytes() == whole


def test_mirrored_images(tmp_path: Path) -> None:
    ours, data = model(), tiny_data()
    images = torch.from_numpy(data.split("train").images.copy())
    with torch.no_grad(), evaluating(ours):
        plain, mirrored = ours.encode(images).mean, ours.encode(images.flip(-1)).mean
    with PosteriorCodes(ours, data, folder=tmp_path, flip=True) as codes:
        assert len(codes) == 60
        assert_close(torch.cat(list(codes.means())), torch.cat([plain, mirrored]))
        assert sum(len(part) for part, _ in codes.draws()) == 120
        torch.manual_seed(0)
        index = np.zeros(3000, np.int64)
        drawn = codes.batch(index)[0].mean(0)
        assert_close(drawn, (plain[0] + mirrored[0]) / 2, rtol=0, atol=0.12)
        assert (plain[0] - mirrored[0]).abs().max() > 1e-3


def test_a_gaussian_of_mirrored_images_has_the_moments_of_both(tmp_path: Path) -> None:
    ours, data = model(), tiny_data()
    with PosteriorCodes(ours, data, folder=tmp_path, flip=True) as codes:
        assert codes.provenance["flip"] == 1
        prior, _ = GaussianFamily().fit(codes)
    images = torch.from_numpy(data.split("train").images.copy())
    with torch.no_grad(), evaluating(ours):
        both = ours.encode(torch.cat([images, images.flip(-1)]))
    assert_close(prior.loc, both.mean.mean(0), rtol=1e-4, atol=1e-5)
    wanted = both.mean.flatten(1).double().T.cov(correction=0).diagonal() + both.variance.flatten(1).mean(0)
    assert_close(prior.normal.variance().flatten().double(), wanted, rtol=0.2, atol=0)
    assert prior.normal.variance().flatten().double().mean().item() == pytest.approx(wanted.mean().item(), rel=0.05)


def test_files_that_are_no_outputs_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(1)}, other)
    with PosteriorCodes(model(), tiny_data(), folder=tmp_path):
        (path,) = (path for path in tmp_path.iterdir() if path != other)
    half, old = (path.with_name(f".{path.name}.{k}.tmp") for k in (123, 124))
    for one in (half, old):
        one.write_bytes(b"half")
    os.utime(old, (0, 0))
    with PosteriorCodes(model(seed=1), tiny_data(), folder=tmp_path):  # a process beside this one may still write
        assert files(tmp_path) == sorted([half.name, path.name, "model.safetensors"])


def test_numbers_that_are_not_finite_leave_no_file(tmp_path: Path) -> None:
    ours = model()
    with torch.no_grad():
        next(ours.posterior.parameters()).fill_(float("nan"))
    with pytest.raises(UserError, match="its training diverged"), PosteriorCodes(ours, tiny_data(), folder=tmp_path):
        pass
    assert files(tmp_path) == []
