"""What the bound gains by another prior, against two bounds by their definition and against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from spatialvae.config import ModelConfig
from spatialvae.data import ImageSplit
from spatialvae.data.pixels import to_float
from spatialvae.data.subset import subset
from spatialvae.metrics.likelihood.prior_gain import prior_gains
from spatialvae.model import SpatialVAE
from spatialvae.priors import FlowMatchingFamily, GaussianFamily, GaussianPrior
from spatialvae.priors.normal import CodeNormal
from tests.conftest import smooth_images
from tests.priors.trained import stirred


def small(**options: object) -> SpatialVAE:
    torch.manual_seed(0)
    config = ModelConfig.model_validate({"latent": "naive", "image_size": (8, 8), "channels": 1, "maps": 2, **options})
    return SpatialVAE.from_config(config).eval()


def gaussian(model: SpatialVAE, scale: float) -> GaussianPrior:
    numbers = math.prod(model.latent.event_shape)
    loc = torch.full(model.latent.event_shape, 0.3)
    return GaussianPrior(GaussianFamily(), CodeNormal(loc, (scale * torch.eye(numbers),)))


def bounds(model: SpatialVAE, images: Tensor, prior: torch.distributions.Distribution) -> Tensor:
    """log p(x|z) + log p(z) - log q(z|x) for a draw an image."""
    floats = to_float(images)
    posterior = model.encode(floats)
    codes = posterior.sample()
    return model.decode(codes).log_prob(floats) + prior.log_prob(codes) - posterior.log_prob(codes)


def test_it_is_the_difference_of_two_bounds() -> None:
    model, images = small(), torch.from_numpy(smooth_images(1, 1, 8, 8)).repeat(2000, 1, 1, 1)
    model.priors["gaussian"] = gaussian(model, 0.8)
    # Of one image the scored draws are so many draws of the same number.
    values = prior_gains(model, ImageSplit(images.numpy(), None), 2000, ["standard", "gaussian"])["gaussian"]
    with_it, without = (bounds(model, images, model.prior(name)) for name in ("gaussian", "standard"))
    error = sum(each.var() / len(each) for each in (values, with_it, without)) ** 0.5
    assert abs(values.mean() - (with_it.mean() - without.mean())) < 4.5 * error
    assert values.mean().abs() > 4.5 * error  # a distribution as far off as this one is told from N(0, I)


def test_it_is_the_difference_of_two_divergences() -> None:
    model = small(prior="learned")
    assert model.learned_prior is not None
    with torch.no_grad():  # before training it is N(0, I) itself
        for parameter in model.learned_prior.parameters():
            parameter.add_(0.3)
    images = torch.from_numpy(smooth_images(1, 1, 8, 8))
    split = ImageSplit(images.repeat(2000, 1, 1, 1).numpy(), None)
    values = prior_gains(model, split, 2000, ["learned", "standard"])
    assert list(values) == ["standard"]  # the model's own prior gains nothing over itself
    posterior = model.encode(images)
    wanted = kl_divergence(posterior, model.prior()) - kl_divergence(posterior, model.prior("standard"))
    error = (values["standard"].var() / 2000).sqrt()
    assert abs(values["standard"].mean() - wanted.item()) < 4.5 * error
    assert wanted.abs() > 9 * error


def test_it_takes_as_many_images_as_a_prior_is_scored_by() -> None:
    model = small()
    model.priors["gaussian"], model.priors["slow"] = gaussian(model, 1.0), gaussian(model, 1.0)
    model.priors["slow"].scored = 7  # pyright: ignore[reportAttributeAccessIssue]
    split = ImageSplit(smooth_images(300, 1, 8, 8), None)
    gains = prior_gains(model, split, 300, ["standard", "gaussian", "slow"])
    assert {name: len(values) for name, values in gains.items()} == {"gaussian": 300, "slow": 7}
    assert_close(gains["slow"], gains["gaussian"][torch.from_numpy(subset(300, 7))])
    assert len(prior_gains(model, split, 5, ["slow"])["slow"]) == 5
    assert prior_gains(model, split, 5, ["standard"]) == {}


def test_it_is_of_the_same_images_for_every_prior_in_their_order() -> None:
    model = small()
    model.priors["gaussian"] = gaussian(model, 1.0)
    model.encode_checked = Sure  # type: ignore[assignment, method-assign]: one code an image, no noise
    split = ImageSplit(smooth_images(600, 1, 8, 8), None)
    whole = prior_gains(model, split, 600, ["gaussian"])["gaussian"]
    assert whole.unique().numel() > 500
    for count, seed in ((300, 0), (40, 3)):
        some = prior_gains(model, split, count, ["gaussian"], seed=seed)["gaussian"]
        assert_close(some, whole[torch.from_numpy(subset(600, count, seed=seed))])


class Sure:
    """q(z|x) of no width: some of the pixels."""

    def __init__(self, floats: Tensor) -> None:
        self.code = floats.flatten(1)[:, :18].unflatten(1, (2, 3, 3))

    def sample(self) -> Tensor:
        return self.code


def test_an_estimated_density_moves_no_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialvae.priors.flow_matching.flow_matching.LARGEST_EXACT", 4)
    model, split = small(), ImageSplit(smooth_images(300, 1, 8, 8), None)
    model.priors["gaussian"] = gaussian(model, 0.8)
    start = FlowMatchingFamily(width=16, blocks=1, steps=2).start(gaussian(model, 0.8), 0)
    model.priors["flow-matching"] = matched = stirred(start, 0.3)
    results = []
    for names in (["gaussian"], ["gaussian", "flow-matching"], ["flow-matching"]):
        torch.manual_seed(4)
        results.append(prior_gains(model, split, 300, names))
    assert torch.equal(results[0]["gaussian"], results[1]["gaussian"])
    assert torch.equal(results[1]["flow-matching"][:250], results[2]["flow-matching"][:250])  # of the first batch
    # Two batches, so that signs would repeat if each began anew: of equal images and codes every gain differs.
    equal = ImageSplit(np.repeat(smooth_images(1, 1, 8, 8), 256, 0), None)
    monkeypatch.setattr(model, "encode_checked", lambda images: Normal(torch.ones(len(images), 2, 3, 3), 1e-30))
    assert matched.scored == 256
    assert len(prior_gains(model, equal, 256, ["flow-matching"])["flow-matching"].unique()) > 250
