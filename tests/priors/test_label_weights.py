"""p(k | y) with the components held: against an independent optimiser, on sorted images, with labels missing."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from torch import Tensor
from torch.testing import assert_close

from spatialvae.priors import MixtureFamily
from spatialvae.priors.mixture.kronecker import Components
from spatialvae.priors.mixture.label_weights import labelled_draws, with_labels
from spatialvae.priors.normal import CodeNormal
from tests.priors.toy import ToyCodes


def on_a_line(count: int = 3000) -> tuple[Tensor, Tensor]:
    """Codes of one number of three classes around -3, 0 and 3, and their labels, sorted."""
    labels = torch.arange(3).repeat_interleave(count // 3)
    return (3.0 * (labels - 1) + 0.8 * torch.randn(len(labels)))[:, None, None, None], labels


def components(loc: list[float], scale: list[float]) -> Components:
    distribution = CodeNormal(torch.tensor(loc).reshape(-1, 1, 1, 1), (torch.tensor(scale).reshape(-1, 1, 1),))
    return Components(torch.full((len(loc),), 1 / len(loc)).log(), distribution)


def best(codes: Tensor, loc: list[float], scale: list[float]) -> np.ndarray:
    """The weights of largest likelihood, by scipy."""
    density = scipy.stats.norm.pdf(codes.double().flatten()[:, None].numpy(), np.array(loc), np.array(scale))
    result = scipy.optimize.minimize(
        lambda w: -np.log(density @ w).mean(),
        np.full(len(loc), 1 / len(loc)),
        bounds=[(0, 1)] * len(loc),
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-12},
    )
    return result.x


@pytest.mark.parametrize(
    ("loc", "scale"), [([-1.5, 1.5], [2.0, 2.0]), ([-3.0, 0.0, 3.0, 0.0], [1.0, 1.0, 1.0, 3.0]), ([0.0], [2.0])]
)
def test_weights_are_those_of_largest_likelihood(loc: list[float], scale: list[float]) -> None:
    codes, labels = on_a_line()
    toy = ToyCodes(codes, labels)
    weights = with_labels(toy, components(loc, scale)).log_label_weights
    assert weights is not None
    for label in range(3):
        expected = torch.from_numpy(best(toy.codes[labels[: len(toy)] == label], loc, scale))
        assert_close(weights[label].exp().double(), expected, rtol=0, atol=0.01)
        assert_close(weights[label].exp().sum().item(), 1.0)


def test_fewer_components_than_classes() -> None:
    codes, labels = on_a_line()
    order = torch.randperm(len(codes))
    prior, _ = MixtureFamily(2).fit(ToyCodes(codes[order], labels[order]))
    middles = torch.stack([prior(label).mean.squeeze() for label in range(3)])
    weights = prior.components.log_label_weights
    assert weights is not None
    assert_close(weights[[0, 2]].exp().max(1).values, torch.ones(2), rtol=0, atol=0.01)
    assert middles.tolist() == sorted(middles.tolist())


def test_a_class_keeps_to_its_own_components() -> None:
    codes, labels = on_a_line()
    start = components([-3.0, 0.0, 3.0], [1.0, 1.0, 1.0])
    owners = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    start = Components(start.log_weights, start.normal, owners.log())
    weights = with_labels(ToyCodes(codes, labels.clamp(max=1)), start).log_label_weights
    assert weights is not None
    assert_close(weights[0].exp(), owners[0])
    assert_close(
        weights[1].exp(), torch.tensor([0.0, 10 / 17, 7 / 17]), rtol=0, atol=0.03
    )  # 300 of the last are held out


def test_draws_of_sorted_images_are_of_every_class() -> None:
    labels = torch.tensor([0] * 4000 + [2] * 4000 + [-1] * 500 + [3] * 3 + [0] * 1000)
    toy = ToyCodes(torch.randn(len(labels), 1, 1, 1), labels)
    drawn = [own for _, own in labelled_draws(toy, 100)]
    counts = torch.bincount(torch.cat(drawn), minlength=4).tolist()
    assert counts[1] == 0
    assert counts[3] == 3
    assert all(60 < counts[k] < 140 for k in (0, 2))


def test_a_code_without_a_label_may_be_of_any_component() -> None:
    start, codes = components([-3.0, 0.0, 3.0], [1.0, 2.0, 3.0]), torch.tensor([-2.0, 1.0, 1.0]).reshape(3, 1, 1, 1)
    owners = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    owned = Components(start.log_weights, start.normal, owners.log())
    result = owned.shares(codes, torch.tensor([-1, -1, 1]))
    assert_close(result[:2], start.shares(codes[:2], None))
    assert_close(result[2, 0].item(), 0.0)
    assert_close(result.sum(1), torch.ones(3))
