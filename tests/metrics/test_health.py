"""A model's health on a split: the pieces put together, alarms of broken models, seeds, and edge cases."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Distribution, Normal, kl_divergence

from spatialvae.config import ModelConfig
from spatialvae.data import ImageSplit
from spatialvae.data.subset import subset
from spatialvae.distributions import MatrixNormal
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from spatialvae.latents.base import independent_normals
from spatialvae.metrics.latent.gauge import fixed_gauge
from spatialvae.metrics.latent.health import latent_health
from spatialvae.metrics.latent.summary import LatentHealth
from spatialvae.model import SpatialVAE
from spatialvae.records import as_json, parse
from tests.conftest import smooth_images

module: Any = importlib.import_module("spatialvae.metrics.latent.health")
codes_module: Any = importlib.import_module("spatialvae.metrics.latent.codes")

NAMES = [
    "n", "units", "kl", "kl_per_map", "kl_per_site", "active_units", "active_per_site", "row_scale", "column_scale",
    "total_scale", "row_correlation", "column_correlation", "rank_one_share", "aggregate", "outside", "alarms",
]  # fmt: skip
AGGREGATE = [
    "largest_mean", "smallest_variance", "median_variance", "largest_variance", "kl_to_prior", "site_correlation",
    "absolute_site_correlation",
]  # fmt: skip


def small(spread: float = 60.0, **options: Any) -> SpatialVAE:
    """A small model, its head scaled up so that the codes of an untrained one depend on the image."""
    model = SpatialVAE.from_config(ModelConfig(**{"image_size": (8, 8), "channels": 1, "maps": 3, **options})).eval()
    with torch.no_grad():
        model.posterior.projection.weight *= spread
    return model


def split(count: int = 60, height: int = 8, width: int = 8) -> ImageSplit:
    return ImageSplit(smooth_images(count, 1, height, width), None)


def encoded(model: SpatialVAE, images: ImageSplit) -> Distribution:
    with torch.no_grad():
        return model.encode(torch.from_numpy(images.images))


def numbers(value: Any) -> list[float]:
    """Every number in nested lists and dictionaries; anything else but words and None is refused."""
    if isinstance(value, dict):
        return [number for part in value.values() for number in numbers(part)]
    if isinstance(value, list):
        return [number for part in value for number in numbers(part)]
    assert value is None or type(value) in (int, float, str), type(value)
    return [float(value)] if isinstance(value, int | float) else []


@pytest.mark.parametrize("count", [60, 7, 1])
@pytest.mark.parametrize("latent", [*LATENTS, "vector:maps=1"])
def test_plain_finite_numbers_of_every_latent(latent: str, count: int) -> None:
    health = latent_health(small(latent=latent), split(count))
    written = as_json(health)
    assert list(written) == NAMES
    assert list(written["aggregate"]) == AGGREGATE
    assert parse(LatentHealth, json.loads(json.dumps(written, allow_nan=False)), "evaluation.json") == health
    assert np.isfinite(numbers(written)).all()
    assert health.n == count
    height, width = np.shape(health.kl_per_site)
    assert len(health.kl_per_map or ()) * height * width == health.units
    assert np.shape(health.aggregate.site_correlation or ()) == (height * width, height * width)


@pytest.mark.parametrize("latent", list(LATENTS))
def test_the_divergence_by_map_and_site(latent: str) -> None:
    model, images = small(latent=latent), split(23)
    health = latent_health(model, images)
    distribution = encoded(model, images)
    assert health.kl == pytest.approx(kl_divergence(distribution, model.prior()).double().mean().item(), rel=1e-5)
    own = kl_divergence(Normal(distribution.mean, distribution.variance.sqrt()), Normal(0.0, 1.0)).double().mean(0)
    np.testing.assert_allclose(health.kl_per_map or (), own.sum((1, 2)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(health.kl_per_site, own.sum(0), rtol=1e-4, atol=1e-5)
    assert sum(health.kl_per_map or ()) == pytest.approx(health.kl)
    assert np.sum(health.kl_per_site) == pytest.approx(health.kl)


def test_spreads_over_images() -> None:
    model, images = small(latent="naive"), split(31)
    health, distribution = latent_health(model, images), encoded(model, images)
    active = distribution.mean.double().var(0) > 0.01
    assert 0 < active.sum() <= 27
    assert health.active_units == active.sum()
    assert np.array_equal(np.array(health.active_per_site), active.sum(0))
    means = distribution.mean.double().flatten(1)
    variance = distribution.variance.double().flatten(1).mean(0) + means.var(0, correction=0)
    aggregate = health.aggregate
    assert aggregate.largest_mean == pytest.approx(means.mean(0).abs().max().item(), rel=1e-5)
    assert aggregate.smallest_variance == pytest.approx(variance.min().item(), rel=1e-5)
    assert aggregate.median_variance == pytest.approx(variance.quantile(0.5).item(), rel=1e-5)
    assert aggregate.largest_variance == pytest.approx(variance.max().item(), rel=1e-5)
    covariance = means.mT.cov(correction=0) + distribution.variance.double().flatten(1).mean(0).diag()
    correlation = covariance / torch.outer(variance, variance).sqrt()
    blocks = torch.stack([correlation[9 * k : 9 * k + 9, 9 * k : 9 * k + 9] for k in range(3)])
    np.testing.assert_allclose(aggregate.site_correlation or (), blocks.mean(0), atol=1e-5)
    np.testing.assert_allclose(aggregate.absolute_site_correlation or (), blocks.abs().mean(0), atol=1e-5)


def test_active_numbers_are_those_above_the_threshold() -> None:
    # A head whose means are one pixel's brightness, each by another weight.
    model, images = small(latent="vector:maps=6"), split(40)
    distribution = encoded(model, images)
    with torch.no_grad():
        weight, bias = model.posterior.projection.weight, model.posterior.projection.bias
        weight[1:6] = weight[0]
        weight[:6] /= distribution.mean[:, 0].std()
        weight[:6] *= torch.tensor([1.0, 0.3, 0.101, 0.099, 0.05, 0.0])[:, None]
        bias.zero_()
    assert latent_health(model, images).active_units == 3


@pytest.mark.parametrize("latent", ["matrix-normal", "low-rank"])
def test_scales_and_rank(latent: str) -> None:
    model, images = small(latent=latent, map_size="2x3"), split(19)
    health, distribution = latent_health(model, images), encoded(model, images)
    maps: Any = getattr(distribution, "base_dist")  # noqa: B009
    assert isinstance(maps, MatrixNormal)
    row, column, total = fixed_gauge(maps)
    np.testing.assert_allclose(health.row_scale or (), row.log().mean((0, 1)).exp(), rtol=1e-4)
    np.testing.assert_allclose(health.column_scale or (), column.log().mean((0, 1)).exp(), rtol=1e-4)
    assert health.total_scale == pytest.approx(total.log().mean().exp().item(), rel=1e-4)
    share = health.rank_one_share
    assert share is not None and share.standard_error is not None
    assert share.n == 19
    assert (share.value == pytest.approx(1, abs=1e-6)) == (latent == "low-rank")
    assert (share.standard_error < 1e-6) == (latent == "low-rank")


@pytest.mark.parametrize(("latent", "map_size"), [("naive", "1x3"), ("naive", "2x1"), ("vector", "3")])
def test_what_a_distribution_does_not_have_is_none(latent: str, map_size: str) -> None:
    health = latent_health(small(latent=latent, map_size=map_size), split(5))
    assert [getattr(health, name) for name in ("row_scale", "column_scale", "total_scale", "rank_one_share")] == [
        None
    ] * 4


def test_one_image_has_no_spread_over_images() -> None:
    health = latent_health(small(latent="matrix-normal"), split(1))
    assert (health.active_units, health.active_per_site, health.outside) == (None, None, None)
    assert health.rank_one_share is not None and health.rank_one_share.standard_error is None
    assert health.kl > 0


@pytest.mark.parametrize("latent", list(LATENTS))
def test_a_collapsed_model_raises_the_alarm(latent: str) -> None:
    model = small(latent=latent)
    with torch.no_grad():
        for parameter in model.posterior.parameters():
            parameter.zero_()
    health = latent_health(model, split())
    assert health.kl == pytest.approx(0, abs=1e-6)
    assert health.active_units == 0
    assert health.rank_one_share is None
    assert len(health.alarms) == 1  # N(0, I) itself has no holes and the right width
    assert health.alarms[0].startswith("Posterior collapse")


def test_narrow_codes_far_from_zero_raise_the_alarms() -> None:
    model = small(latent="naive")
    with torch.no_grad():
        model.posterior.projection.weight[27:] = 0
        model.posterior.projection.bias[:27] = 3.0
        model.posterior.projection.bias[27:] = -4.0
        model.posterior.projection.weight[:27] *= 0.1
    health = latent_health(model, split())
    alarms = " ".join(health.alarms)
    assert health.outside is not None and health.outside > 0.9
    assert "Prior holes" in alarms
    assert "narrower" in alarms


def test_codes_are_held_against_the_aggregate_of_other_images(monkeypatch: pytest.MonkeyPatch) -> None:
    # A covariance of 15 images in 27 directions fits those images alone. Judged by their own codes, nearly every
    # draw from the prior would lie outside.
    model, images = small(latent="naive"), split(30)
    seen: dict[str, Any] = {}
    monkeypatch.setattr(
        module, "share_outside", lambda aggregate, codes, prior: seen.update(fit=aggregate, codes=codes) or 0.0
    )
    latent_health(model, images)
    means = encoded(model, images).mean.double().flatten(1)
    np.testing.assert_allclose(seen["fit"].mean[0], means[::2].mean(0), atol=1e-4)
    many = seen["codes"].double().unflatten(0, (-1, 15)).mean(0)  # 67 draws of each image between
    np.testing.assert_allclose(many, means[1::2], atol=4.5 / 67**0.5 * encoded(model, images).variance.sqrt().max())


@pytest.mark.parametrize("images", [1, 2, 3, 999, 1000, 1999, 2001, 5000])
def test_about_as_many_codes_of_however_many_images(images: int) -> None:
    numbers = torch.arange(images, dtype=torch.float32).reshape(-1, 1, 1, 1)
    results = []
    for part in numbers.split(250):
        distribution = independent_normals(part, torch.full_like(part, 1e-4))
        results.append(module._draws(distribution, int(part[0]), images))
    codes = torch.cat(results).round().flatten()
    assert 1000 <= len(codes) <= 2000
    assert codes.unique().diff().unique().numel() <= 1  # spread evenly, over batches too


def test_the_same_seed_gives_the_same_numbers_and_leaves_no_trace() -> None:
    model, images = small().train(), split(30)
    state = torch.random.get_rng_state()
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    first, again = (latent_health(model, images, seed=1) for _ in range(2))
    assert first == again
    other = latent_health(model, images, seed=2)
    assert replace(other, outside=0.0) == replace(first, outside=0.0)  # the only number that is drawn
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())


@pytest.mark.parametrize("latent", ["matrix-normal", "vector"])
def test_batches_do_not_matter(latent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = small(latent=latent), split(41)
    whole = latent_health(model, images)
    monkeypatch.setattr(codes_module, "BATCH", 7)
    parts = latent_health(model, images)
    assert parts.outside == pytest.approx(whole.outside, abs=0.2)  # it follows the draw
    pair = [numbers(as_json(replace(one, outside=None))) for one in (parts, whole)]
    np.testing.assert_allclose(*pair, rtol=1e-3, atol=1e-4)


def test_limit_takes_the_subset_of_the_seed() -> None:
    model, images = small(), split(30)
    few = latent_health(model, images, limit=9, seed=2)
    assert few == latent_health(model, ImageSplit(images.images[subset(30, 9, seed=2)], None), seed=2)
    assert few.n == 9
    assert latent_health(model, images, limit=500).n == 30


def test_bad_input() -> None:
    with pytest.raises(UserError, match="The images are 8x9 with 1 channel; this model was trained on 8x8"):
        latent_health(small(), split(3, 8, 9))
    with pytest.raises(UserError, match="holds no images"):
        latent_health(small(), ImageSplit(np.zeros((0, 1, 8, 8), np.uint8), None))
    with pytest.raises(UserError, match="limit 0"):
        latent_health(small(), split(3), limit=0)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_whose_training_diverged(value: float) -> None:
    model = small(latent="naive")
    with torch.no_grad():
        model.posterior.projection.bias[-1] = value  # of a scale
    with pytest.raises(UserError, match="the training has diverged"):
        latent_health(model, split(3))


def test_a_scale_that_was_driven_to_its_floor_is_measured() -> None:
    model = small(latent="naive")
    with torch.no_grad():
        model.posterior.projection.bias[-1] = -200.0  # exp of it would be 0, and the KL infinite
    kl = latent_health(model, split(3)).kl
    assert 19.5 <= kl < 25  # -log s - 1/2 of s = e^-20, and what means and the other scales add


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialvae.progress.FIRST_LINE", 0.0)
    latent_health(small(), split(2), progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "latent health" in captured.err


@pytest.mark.parametrize("latent", ["tensor-normal:covariance=full", "matrix-normal:covariance=ar1", "low-rank"])
@pytest.mark.parametrize("prior", ["learned", "learned:latent=tensor-normal", "standard"])
def test_distributions_beyond_the_paper(latent: str, prior: str) -> None:
    model, images = small(latent=latent, prior=prior), split(60)
    with torch.no_grad():
        for value in model.learned_prior.parameters() if model.learned_prior else []:
            value.add_(0.3)
        for value in model.posterior.shared.values():
            value.add_(0.4)
        wanted = kl_divergence(encoded(model, images), model.prior()).mean().item()
    health = latent_health(model, images)
    assert health.kl == pytest.approx(wanted, rel=1e-4)
    assert sum(health.kl_per_map or ()) == pytest.approx(health.kl)
    assert sum(sum(row) for row in health.kl_per_site) == pytest.approx(health.kl)
    assert np.isfinite(numbers(as_json(replace(health, alarms=())))).all()
    assert (abs(health.row_correlation or 0.0) > 1e-3) == ("covariance" in latent)
