"""What `--metrics` can ask for."""

from __future__ import annotations

from typing import Any

import pytest

from spatialvae.config import EvaluationConfig
from spatialvae.errors import UserError
from spatialvae.metrics import METRICS
from spatialvae.metrics.selection import select

MODEL = ("bound", "nll", "prior_gain", "mse", "baselines", "psnr", "ssim")
FEATURES = ("frechet", "kernel", "precision", "recall", "density", "coverage")


def chosen(metrics: str = "default", labels: bool = False, **settings: Any) -> tuple[str, ...]:
    no_probe = None if labels else "the data has no labels"
    return tuple(select(EvaluationConfig(metrics=metrics, **settings), no_probe=no_probe))


def test_the_default_follows_what_is_there() -> None:
    assert chosen() == (*MODEL, "health")
    assert chosen(labels=True) == (*MODEL, "health", "probe")
    assert chosen(features="net.pt", lpips="p.pt") == (*MODEL, "lpips", *FEATURES, "health")
    assert chosen("all", labels=True, features="net.pt", lpips="p.pt") == tuple(METRICS)
    assert "parzen" in chosen("all")


def test_images_have_no_likelihood() -> None:
    config = EvaluationConfig(features="net.pt")
    assert tuple(select(config, model=False, pairs=False)) == FEATURES
    assert tuple(select(config, model=False, pairs=True)) == ("mse", "psnr", "ssim", *FEATURES)


def test_the_order_is_ours_and_spaces_do_not_matter() -> None:
    assert chosen(" ssim, nll,nll ") == ("nll", "ssim")


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ("freche", "There is no metric 'freche'. Did you mean 'frechet'?"),
        ("nll,frechet", "metrics frechet is not possible here: it needs a feature network: features imagenet"),
        ("lpips", "lpips FILE.pt"),
        ("probe", "the data has no labels"),
        (",", "names nothing"),
        ("elbo", "There is no metric 'elbo': it is a number that the metric 'bound' gives."),
        ("mse,pca_bits_per_dim", "'pca_bits_per_dim': it is a number that the metric 'baselines' gives."),
        ("nll_bound", "the metric 'nll' gives"),
    ],
)
def test_what_cannot_be_measured(metrics: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        chosen(metrics)
    assert words in str(caught.value)


def test_all_images_hold_those_that_parzen_is_tuned_on() -> None:
    assert "parzen" not in chosen("all", split="all")
    with pytest.raises(UserError, match="split all holds too: use split test"):
        chosen("parzen", split="all")


@pytest.mark.parametrize(("metrics", "words"), [("nll", "give a run folder"), ("mse", "set paired")])
def test_what_cannot_be_measured_of_images(metrics: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        select(EvaluationConfig(metrics=metrics), model=False, pairs=False)
    assert words in str(caught.value)
