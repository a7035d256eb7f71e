"""Gaps of the bound against a linear model whose p(z|x) is known, and what refining leaves as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal, kl_divergence

from spatialvae.errors import UserError
from spatialvae.latents import LATENTS, AbstractLatent, Naive, Vector
from spatialvae.likelihoods.base import AbstractLikelihood
from spatialvae.likelihoods.gaussian import GaussianPixels
from spatialvae.metrics import METRICS, evaluate
from spatialvae.metrics.likelihood import gaps as module
from spatialvae.metrics.likelihood.gaps import Gaps, ImageBounds, bound_gaps
from spatialvae.model import SpatialVAE
from tests.metrics.measured import data_of, measure, small, split

PIXELS, NUMBERS, SCALE = 12, 6, 0.5
KEYS = ("amortisation_gap", "family_gap")


class Straight(AbstractLikelihood):
    """x ~ N(output, s^2 I)."""

    def forward(self, output: Tensor) -> GaussianPixels:
        return GaussianPixels(output, output.new_tensor(SCALE))


class Linear:
    """z ~ N(0, I), x ~ N(W z, s^2 I) as a `SpatialVAE`, and the best diagonal q(z|x), moved by `shift` and `widen`."""

    def __init__(self, latent: AbstractLatent, shift: float = 0.0, widen: float = 0.0) -> None:
        self.weight = 0.6 * torch.randn(PIXELS, NUMBERS, dtype=torch.float64)
        decoder = nn.Sequential(nn.Flatten(), nn.Linear(NUMBERS, PIXELS, bias=False), nn.Unflatten(1, (1, 3, 4)))
        self.model = SpatialVAE(
            latent=latent, image_shape=(1, 3, 4), likelihood=Straight(), encoder=nn.Flatten(), decoder=decoder
        ).double()
        self.precision = torch.eye(NUMBERS, dtype=torch.float64) + self.weight.mT @ self.weight / SCALE**2
        head: Any = self.model.posterior.projection
        with torch.no_grad():
            decoder.get_parameter("1.weight").copy_(self.weight)
            head.weight.zero_()
            head.weight[:NUMBERS] = torch.linalg.solve(self.precision, self.weight.mT / SCALE**2)
            head.bias[:NUMBERS] = shift
            head.bias[NUMBERS:] = widen - 0.5 * self.precision.diagonal().log()

    def images(self, count: int) -> Tensor:
        """Some that the model could have made, within [-1, 1]."""
        codes = torch.randn(count, NUMBERS, dtype=torch.float64) * 0.2
        return (codes @ self.weight.mT).unflatten(1, (1, 3, 4)).clamp(-1, 1)

    def lost(self, shift: float = 0.0, widen: float = 0.0) -> float:
        """KL(q || p(z|x)), what the bound lacks to log p(x); the same for each image."""
        exact = MultivariateNormal(torch.zeros(NUMBERS).double(), precision_matrix=self.precision)
        spread = self.precision.diagonal().rsqrt() * torch.tensor(widen).exp()
        q = MultivariateNormal(torch.full((NUMBERS,), shift).double(), scale_tril=spread.diag())
        return kl_divergence(q, exact).item()

    def log_likelihood(self, images: Tensor) -> Tensor:
        covariance = self.weight @ self.weight.mT + SCALE**2 * torch.eye(PIXELS, dtype=torch.float64)
        return MultivariateNormal(torch.zeros(PIXELS).double(), covariance).log_prob(images.flatten(1))


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds by 10 draws, for what does not look at their values."""
    monkeypatch.setattr(module, "SCORED", 10)


def near(values: Tensor, wanted: float, slack: float = 0.01) -> bool:
    error = values.std() / len(values) ** 0.5
    return abs(values.mean().item() - wanted) < 4.5 * error.item() + slack


@pytest.mark.parametrize("latent", [Vector(maps=NUMBERS), Naive(maps=1, height=2, width=3)])
def test_the_gaps_of_a_linear_model_are_its_divergences_to_the_exact_posterior(latent: AbstractLatent) -> None:
    moved = {"shift": 0.3, "widen": -0.4}
    oracle = Linear(latent, **moved)
    images = oracle.images(30)
    gaps = bound_gaps(oracle.model, images, steps=100)
    family, encoder = oracle.lost(), oracle.lost(**moved) - oracle.lost()
    assert min(family, encoder) > 0.5  # else nothing would be seen
    assert near(gaps.family, family)
    assert near(gaps.amortisation, encoder)
    assert near(gaps.dense - oracle.log_likelihood(images), 0.0)  # the dense q is the exact posterior
    assert gaps.rises.mean(1).abs().max() < 0.2
    assert gaps.block == NUMBERS


def test_an_encoder_that_is_right_has_no_gap_and_estimates_may_be_negative() -> None:
    oracle = Linear(Vector(maps=NUMBERS))
    gaps = bound_gaps(oracle.model, oracle.images(30), steps=100)
    assert near(gaps.amortisation, 0.0)
    assert gaps.amortisation.min() < 0 < gaps.amortisation.max()


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("latent", [*LATENTS, "low-rank:rank=2", "tensor-normal:covariance=full"])
def test_every_latent_has_gaps(latent: str) -> None:
    model = small(latent=latent, prior="learned" if latent == "tensor-normal" else "standard").double()
    images = torch.from_numpy(split(5).images)
    gaps = bound_gaps(model, images, steps=8, draws=4)
    assert gaps.encoder.shape == gaps.amortisation.shape == gaps.family.shape == (5,)
    assert gaps.amortisation.mean() > 0  # far from trained, an encoder has something to gain
    assert gaps.dense.isfinite().all()


def test_a_divergence_without_a_formula_is_estimated() -> None:
    class Unknown(Independent[Normal]):
        """Normals of which no divergence is registered."""

    torch.manual_seed(1)
    model = small(latent="naive").double()
    floats = torch.from_numpy(split(20).images).double() / 127.5 - 1
    bounds = ImageBounds(model, floats)
    loc, scale = torch.randn(2, 20, 2, 3, 3, dtype=torch.float64)
    q = Independent(Normal(loc, scale.abs() + 0.1), 3)
    unknown: Distribution = Unknown(q.base_dist, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "kl_divergence", refuse)
        estimated = bounds.bound(unknown, seed=3)
    assert near(estimated - bounds.bound(q, seed=3), 0.0)
    assert not torch.equal(estimated, bounds.bound(q, seed=3))


def refuse(*_: object) -> Tensor:
    raise NotImplementedError


@pytest.mark.usefixtures("few_draws")
def test_draws_follow_the_seed_and_the_model_is_left_alone() -> None:
    model, images = small(latent="tensor-normal").train(), torch.from_numpy(split(6).images)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.random.get_rng_state()
    first, again, other = (bound_gaps(model, images, steps=4, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.dense, again.dense)
    assert not torch.equal(first.dense, other.dense)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(value.grad is None and value.requires_grad for value in model.parameters())
    assert model.training


@pytest.mark.usefixtures("few_draws")
def test_images_are_refined_in_parts_that_fit_into_memory() -> None:
    oracle = Linear(Vector(maps=NUMBERS))
    images, steps = oracle.images(7), list[int]()
    gaps = bound_gaps(oracle.model, images, steps=3, entries=3 * NUMBERS**2, advance=steps.append)
    assert steps == [3] * 12 + [1] * 6  # three, three and one image; two refinements of three steps
    assert gaps.rises.shape == (2, 7)
    assert gaps.block == NUMBERS


def test_blocks_gain_less_than_a_dense_gaussian() -> None:
    oracle = Linear(Naive(maps=1, height=2, width=3))
    images = oracle.images(30)
    gaps = bound_gaps(oracle.model, images, steps=150, entries=2 * NUMBERS)
    assert gaps.block == 2
    # The best q with blocks of two has the blocks of the precision: the loss is that of its other entries.
    blocks = [oracle.precision[i : i + 2, i : i + 2].logdet() for i in range(0, NUMBERS, 2)]
    lost = 0.5 * (sum(blocks) - oracle.precision.logdet()).item()
    assert near(gaps.family, oracle.lost() - lost)


@pytest.mark.usefixtures("few_draws")
def test_a_metric_with_its_words_and_its_making() -> None:
    result = measure(small(), split(), metrics="gaps:steps=5,draws=2")
    assert set(result.metrics) == set(result.values) == set(KEYS)
    assert {result.metrics[key].n for key in KEYS} == {12}
    made: Any = result.provenance.details["family_gap"]
    assert (made["images"], made["steps"], made["draws"], made["covariance"]) == (12, 5, 2, 18)
    assert measure(small(), split(40), metrics="gaps:steps=2").metrics["family_gap"].n == 32
    assert measure(small(), split(40), metrics="gaps:steps=2,images=9").metrics["family_gap"].n == 9


@pytest.mark.usefixtures("few_draws")
def test_what_fits_no_memory_and_what_still_rises_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    zero, rises = torch.zeros(12), torch.tensor([0.1, 3.0]).expand(12, 2).mT
    monkeypatch.setattr(module, "bound_gaps", lambda *_, **__: Gaps(zero, zero + 10, zero + 30, rises, block=5))
    first, second = measure(small(), split(), metrics="gaps:steps=12").warnings
    assert "a full covariance of 18 numbers does not fit into memory" in first
    assert "runs of 5 numbers" in first
    assert second.startswith("family_gap: the bound still rose by 3.0 nats")
    assert "take more, such as gaps:steps=48" in second


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("gaps:steps=0", "gaps:steps=0 is not possible: use at least 1"),
        ("gaps:images=-3", "gaps:images=-3 is not possible"),
        ("gaps:draws=0", "gaps:draws=0 is not possible"),
        ("gaps:stepps=2", "gaps has no option 'stepps'. Did you mean 'steps'?"),
        ("gaps:images=2.5", "images is a whole number"),
    ],
)
def test_options_that_cannot_be(spec: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        METRICS.parse(spec)
    assert words in str(caught.value)


def test_more_images_than_there_are_are_refused_before_anything_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialvae.metrics.evaluation._one_pass", None)
    with pytest.raises(UserError, match="metrics gaps:images=13 is not possible: 12 images are measured"):
        evaluate(small(), data_of(split()), metrics="bound,gaps:images=13")
    with pytest.raises(UserError, match="gaps:images=5 is not possible: 4 images"):
        evaluate(small(), data_of(split()), metrics="gaps:images=5", limit=4)
