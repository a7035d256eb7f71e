"""The Parzen-window log-density of images under a set of samples (Breuleux, Bengio and Vincent, 2011)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spatialvae.errors import UserError, nearest
from spatialvae.estimate import Estimate
from spatialvae.metrics.samples.distances import squared_distances

__all__ = [
    "HELD_OUT_SIGMAS",
    "PARZEN_SIGMAS",
    "PROTOCOLS",
    "ParzenDetails",
    "choose_sigma",
    "parzen",
    "parzen_log_likelihood",
]

PARZEN_SIGMAS = tuple(10 ** (step / 18) for step in range(-18, 1, 2))
"""The ten widths of the authors' released code: logspace(-1, 0, 10), for pixels in [-1, 1]."""

HELD_OUT_SIGMAS = tuple(10 ** (step / 18) for step in range(-36, 10, 2))
"""0.01 to 2.8 for pixels in [0, 1], as dense as the authors' ten."""

PROTOCOLS = ("held-out", "authors")

AUTHORS_CHOOSE_ON = 1000
"""How many images the authors tried each sigma on."""


@dataclass(frozen=True)
class ParzenDetails:
    """How the sigma of a Parzen log-density was chosen."""

    protocol: str
    pixels: str
    """The range of pixels that the density and `sigma` are of."""
    chosen_on: int
    """Images that sigmas were tried on."""
    scored_again: int
    """How many of those are scored."""
    sigma: float
    at_edge: bool
    """Of the sigmas tried: the best may lie outside."""
    samples: int
    note: str
    """What a reader must know, in words; may be empty."""


def parzen_log_likelihood(images: Tensor, samples: Tensor, sigma: float) -> Tensor:
    """The log-density of each image under a normal of width sigma around every sample, nats per image, float64 [n].

        log (1/m) sum_j N(x_i; s_j, sigma^2 I)

    It says little about a model of images: in thousands of dimensions 10,000 samples are too few for a kernel density
    (Theis, van den Oord and Bethge, 2016). It is here for comparison with older papers alone. Its value depends on the
    scale of the pixels: those of uint8 images are read as [0, 1].

    Products are float32 and sums float64; everything is float64 if either set is. One matrix product a block of 64 MiB
    of images and of samples, so that memory does not grow with n or m.

    Args:
        images: [n ...], uint8, or floating point as it is.
        samples: [m ...], of the same size.
        sigma: the standard deviation of a kernel, in units of a pixel.

    Raises:
        UserError: sigma not above 0, an empty set, sets of different sizes, integers other than uint8, NaN.

    >>> black, white = torch.zeros(1, 1, 2, 2, dtype=torch.uint8), torch.full((1, 1, 2, 2), 255, dtype=torch.uint8)
    >>> parzen_log_likelihood(black, torch.cat([black, white]), sigma=0.5)
    tensor([-1.5960], dtype=torch.float64)
    """
    return _log_densities(images, samples, [sigma])[0]


def choose_sigma(images: Tensor, samples: Tensor, sigmas: Iterable[float]) -> tuple[float, bool]:
    """The sigma with the highest mean log-density of the images, and whether it lies at an edge of those tried.

    At an edge the best may lie outside. The distances are computed once for all sigmas.

    Raises:
        UserError: no sigmas, and as `parzen_log_likelihood`.

    >>> black, white = torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    >>> choose_sigma(black, white, [0.25, 0.5, 1, 2, 4])
    (1.0, False)
    """
    widths = [float(sigma) for sigma in sigmas]
    if not widths:
        raise UserError("There is no sigma to choose from: give at least one number above 0.")
    means = _log_densities(images, samples, widths).mean(1)
    best = widths[int(means.argmax())]
    return best, best in (min(widths), max(widths))


def parzen(
    images: Tensor, samples: Tensor, validation: Tensor | None = None, *, protocol: str = "held-out"
) -> tuple[Estimate, ParzenDetails]:
    """The mean Parzen log-density of images, nats per image, and how its sigma was chosen.

    `held-out`: sigma is the best of `HELD_OUT_SIGMAS` on the validation images, which must not be among the images.
    `authors`: what the paper's authors released. Pixels lie in [-1, 1], so that a density there is
    D log 2 nats lower and their sigmas are half as wide in [0, 1]. Each of the ten `PARZEN_SIGMAS` is tried on other
    images, since the released code goes on in the test set from sigma to sigma: here the k-th on every tenth image from
    the k-th on, at most 1,000. The best is taken, and all images are scored. That leaks, and compares sigmas by
    different images: for old numbers alone, theirs being of 10,000 images and 10,000 samples.

    The standard error is over images; the samples and sigma are held fixed.

    Args:
        images: [n ...], pixels in [0, 1] as in `parzen_log_likelihood`.
        samples: [m ...], of the same size.
        validation: [v ...], of the same size.

    Returns:
        the estimate, and how its sigma was chosen.

    Raises:
        UserError: an unknown protocol, `held-out` without validation images, `authors` with fewer than ten images, and
            as `parzen_log_likelihood`.

    >>> estimate, how = parzen(torch.rand(20, 3), torch.rand(30, 3), torch.rand(10, 3))
    >>> how.protocol, how.scored_again, estimate.n
    ('held-out', 0, 20)
    """
    if protocol not in PROTOCOLS:
        raise UserError(f"Parzen protocol {protocol!r} is not known. {nearest(protocol, PROTOCOLS)}")
    if protocol == "authors":
        sigma, at_edge, again = _authors_sigma(images, samples)
        values, pixels, chosen_on = _in_signed_pixels(images, samples, sigma), "[-1, 1]", again
    else:
        if validation is None or not len(validation):
            raise UserError("The held-out protocol picks sigma on validation images, and there are none: give some.")
        sigma, at_edge = choose_sigma(validation, samples, HELD_OUT_SIGMAS)
        values, again = parzen_log_likelihood(images, samples, sigma), 0
        pixels, chosen_on = "[0, 1]", len(validation)
    note = _note(again, len(images), at_edge)
    details = ParzenDetails(protocol, pixels, chosen_on, again, sigma, at_edge, len(samples), note)
    return Estimate.of(values), details


def _authors_sigma(images: Tensor, samples: Tensor) -> tuple[float, bool, int]:
    """The sigma that the released code takes, for pixels in [-1, 1], if it is an edge, and images it was tried on."""
    count = len(PARZEN_SIGMAS)
    if len(images) < count:
        raise UserError(f"{len(images)} images: the authors' protocol tries {count} sigmas on others each, use more.")
    tried = [images[index::count][:AUTHORS_CHOOSE_ON] for index in range(count)]
    means = [
        _in_signed_pixels(some, samples, sigma).mean().item() for some, sigma in zip(tried, PARZEN_SIGMAS, strict=True)
    ]
    best = max(range(count), key=means.__getitem__)
    return PARZEN_SIGMAS[best], best in (0, count - 1), sum(map(len, tried))


def _in_signed_pixels(images: Tensor, samples: Tensor, sigma: float) -> Tensor:
    """The log-density of 2 x - 1 for pixels x in [0, 1], [n]: half the width there, and the volume's D log 2 less."""
    return parzen_log_likelihood(images, samples, sigma / 2) - images[0].numel() * math.log(2)


def _note(again: int, images: int, at_edge: bool) -> str:
    """What a reader of the number must know, in words."""
    notes = []
    if again:
        notes.append(f"Sigma was picked on {again:,} of the {images:,} images that are scored: the value is too high.")
    if at_edge:
        notes.append("The best sigma is at an edge of those tried: a better one may lie outside.")
    return " ".join(notes)


@torch.no_grad()
def _log_densities(images: Tensor, samples: Tensor, sigmas: Sequence[float]) -> Tensor:
    """The log-density of every image for every sigma, float64 [sigmas, n]."""
    _demand(images, samples, sigmas)
    dtype = torch.float64 if torch.float64 in (images.dtype, samples.dtype) else torch.float32
    totals = torch.full((len(sigmas), len(images)), -math.inf, dtype=torch.float64, device=samples.device)
    for rows, _, squared in squared_distances(images, samples, names=("images", "samples"), dtype=dtype):
        for total, sigma in zip(totals, sigmas, strict=True):
            # Divided twice: sigma^2 of a tiny sigma is 0.
            block = squared.div(-2 * sigma).div_(sigma).logsumexp(1)
            total[rows] = torch.logaddexp(total[rows], block)
    widths = torch.tensor(sigmas, dtype=torch.float64, device=samples.device).unsqueeze(1)
    return totals - images[0].numel() * (widths.log() + math.log(2 * math.pi) / 2) - math.log(len(samples))


def _demand(images: Tensor, samples: Tensor, sigmas: Sequence[float]) -> None:
    for sigma in sigmas:
        if not (math.isfinite(sigma) and sigma > 0):
            raise UserError(f"Sigma is {sigma}; it must be a finite number above 0, such as 0.1.")
    for name, rows in (("images", images), ("samples", samples)):
        if not len(rows):
            raise UserError(f"There are no {name}; a Parzen window needs at least one.")
        if not (rows.dtype == torch.uint8 or rows.is_floating_point()):
            raise UserError(f"The {name} are {rows.dtype}; wanted are uint8 (0 to 255) or floating-point numbers.")
    if images.shape[1:] != samples.shape[1:]:
        sizes = " and ".join("x".join(str(side) for side in rows.shape[1:]) for rows in (images, samples))
        raise UserError(f"Images and samples are of the sizes {sizes}; both must be of one: use `image_size`.")
