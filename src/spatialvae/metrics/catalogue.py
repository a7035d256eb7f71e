"""Every metric's words in one place: title, unit, which way is better, what it means."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from spatialvae.errors import UserError, nearest

__all__ = ["CATALOGUE", "OF", "Metric", "describe"]


@dataclass(frozen=True)
class Metric:
    """One quantity that a model or a set of images is measured by."""

    name: str
    title: str
    unit: str
    better: Literal["higher", "lower", ""]
    group: Literal["likelihood", "reconstruction", "samples", "latent"]
    meaning: str


def _metrics(group: Literal["likelihood", "reconstruction", "samples", "latent"], *rows: tuple) -> dict[str, Metric]:
    return {name: Metric(name, title, unit, better, group, meaning) for name, title, unit, better, meaning in rows}


CATALOGUE: dict[str, Metric] = {
    **_metrics(
        "likelihood",
        ("elbo", "bound", "nats", "higher", "the evidence lower bound on log p(x): reconstruction minus KL, per image"),
        (
            "nll",
            "neg. log-likelihood",
            "nats",
            "lower",
            "minus the importance-weighted bound, per image; compare it with the bound of the same images below, which "
            "it is tighter than, and not with the bound above, which is of all images",
        ),
        (
            "nll_bound",
            "bound, same images",
            "nats",
            "higher",
            "the evidence lower bound of the images and draws that the neg. log-likelihood is of, per image",
        ),
        (
            "bits_per_dim",
            "bits per dim",
            "bits",
            "lower",
            "the bound as a code length of the 8-bit image, per number of the image",
        ),
        ("reconstruction", "reconstruction", "nats", "", "the log-density of the image given its code, per image"),
        (
            "kl",
            "KL",
            "nats",
            "",
            "how much the code says about the image, per image; neither more nor less is better by itself",
        ),
    ),
    **_metrics(
        "reconstruction",
        ("mse", "squared error", "of 0 to 1", "lower", "between image and reconstruction, mean over pixels in [0, 1]"),
        ("psnr", "PSNR", "dB", "higher", "the same error as a peak signal-to-noise ratio"),
        ("ssim", "SSIM", "at most 1", "higher", "the structural similarity of image and reconstruction"),
        ("lpips", "LPIPS", "from 0", "lower", "the perceptual distance of image and reconstruction, by a network"),
    ),
    **_metrics(
        "samples",
        (
            "prior_gain",
            "gain of the bound",
            "nats",
            "",
            "with this law as p(z) in place of the model's own, per image: how much better it describes the codes; "
            "compares priors of one model, and beside the bound those of several",
        ),
        ("frechet", "Fréchet distance", "squared", "lower", "between Gaussians fitted to the features of both sets"),
        ("kernel", "kernel distance", "squared", "lower", "unbiased squared MMD of the features, cubic kernel"),
        ("precision", "precision", "share", "higher", "images that lie on the real images' manifold of features"),
        ("recall", "recall", "share", "higher", "real images that lie on the other set's manifold of features"),
        ("density", "density", "ratio", "higher", "precision that counts how many real balls hold an image"),
        ("coverage", "coverage", "share", "higher", "real images with an image of the other set in their ball"),
        (
            "parzen",
            "Parzen log-density",
            "nats",
            "higher",
            "of held-out images under a kernel density on the images; superseded, for comparison with old papers only",
        ),
    ),
    **_metrics(
        "latent",
        ("active_units", "active numbers", "of the code", "", "whose mean varies over images by more than 0.01"),
        ("rank_one_share", "rank-1 share", "share", "", "of a mean map's energy in its best rank-1 approximation"),
        ("probe", "linear probe", "accuracy", "higher", "of the labels, by logistic regression on the mean codes"),
    ),
}
"""By name, in the order of reports."""

OF = {
    "standard": "samples from N(0, I)",
    "learned": "samples from the learned prior",
    "gaussian": "samples from the fitted Gaussian",
    "mixture": "samples from the fitted mixture",
    "flow": "samples from the fitted flow",
    "diffusion": "samples from the fitted diffusion",
    "reconstructions": "reconstructions",
}
"""What the part of a key after the slash says that a metric was taken of."""


def describe(key: str) -> Metric:
    """The words for a result's key: a metric's name, or name/of-what for metrics of sets of images.

    >>> describe("elbo").title, describe("frechet/gaussian").title
    ('bound', 'Fréchet distance, samples from the fitted Gaussian')
    >>> describe("recall/mixture:components=20").title
    'recall, samples from the fitted mixture (components=20)'

    Raises:
        UserError: no such metric.
    """
    name, _, of = key.partition("/")
    if name not in CATALOGUE:
        raise UserError(f"Metric {name!r} is not known. {nearest(name, CATALOGUE)}")
    metric = CATALOGUE[name]
    if not of:
        return metric
    prior, _, options = of.partition(":")
    said = f"{OF[prior]} ({options})" if options and prior in OF else OF.get(of, f"samples from the prior {of}")
    return replace(metric, name=key, title=f"{metric.title}, {said}")
