"""The Parzen log-density against its definition, in any blocks, and the authors' protocol against theirs."""

from __future__ import annotations

import importlib
import math
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import gaussian_kde
from torch import Tensor
from torch.distributions import Normal

from spatialvae.errors import UserError
from spatialvae.metrics.samples import distances

module: Any = importlib.import_module(
    "spatialvae.metrics.samples.parzen"
)  # the package may have a function of that name
log_likelihood, choose_sigma, parzen = module.parzen_log_likelihood, module.choose_sigma, module.parzen


def pictures(count: int, size: tuple[int, ...] = (1, 2, 3)) -> Tensor:
    return torch.rand(count, *size, dtype=torch.float64)


def by_definition(images: Tensor, samples: Tensor, sigma: float) -> Tensor:
    """Image by image and sample by sample."""
    rows = []
    for image in images:
        logs = torch.stack([Normal(sample, sigma).log_prob(image).sum() for sample in samples])
        rows.append(logs.logsumexp(0) - math.log(len(samples)))
    return torch.stack(rows)


@pytest.mark.parametrize("sigma", [0.01, 0.2, 3.0])
def test_it_is_the_definition(sigma: float) -> None:
    images, samples = pictures(7), pictures(9)
    expected = by_definition(images, samples, sigma)
    assert torch.allclose(log_likelihood(images, samples, sigma), expected, rtol=1e-12, atol=1e-10)


def test_it_is_scipys_kernel_density() -> None:
    images, samples = pictures(6, (2,)), pictures(400, (2,))
    # scipy's kernel has the samples' covariance times the factor squared: white samples have one width.
    deviations = samples - samples.mean(0)
    white = deviations @ torch.linalg.inv(torch.linalg.cholesky(deviations.mT @ deviations / 399)).mT
    kernel = gaussian_kde(white.numpy().T, bw_method=0.3)
    assert np.allclose(log_likelihood(images, white, 0.3), kernel.logpdf(images.numpy().T))


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_blocks_do_not_matter(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    images, samples = pictures(8), pictures(10)
    monkeypatch.setattr(distances, "BLOCK_ROWS", rows)
    seen = [b.shape for *_, b in distances.squared_distances(images, samples, names=("a", "b"))]
    assert max(max(shape) for shape in seen) <= rows
    assert torch.allclose(log_likelihood(images, samples, 0.1), by_definition(images, samples, 0.1), rtol=1e-12)


def test_blocks_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distances, "BLOCK_BYTES", 6 * 8 * 2)  # two images in float64
    seen = list(distances.squared_distances(pictures(5), pictures(3), names=("a", "b")))
    assert [(rows, columns) for rows, columns, _ in seen[:3]] == [
        (slice(0, 2), slice(0, 2)),
        (slice(0, 2), slice(2, 3)),
        (slice(2, 4), slice(0, 2)),
    ]


def test_a_set_far_from_zero_loses_nothing() -> None:
    images, samples = pictures(5), pictures(6)
    density = log_likelihood(images + 1e6, samples + 1e6, 0.1)
    assert torch.allclose(density, log_likelihood(images, samples, 0.1), rtol=1e-6)
    assert torch.allclose(
        log_likelihood(images.float() + 500, samples.float() + 500, 0.3),
        density.new_tensor(
            by_definition((images.float() + 500).double(), (samples.float() + 500).double(), 0.3).tolist()
        ),
        rtol=1e-4,
        atol=1e-4,
    )


def test_uint8_is_read_as_pixels_from_0_to_1_and_left_alone() -> None:
    images, samples = (torch.randint(0, 256, (n, 3, 4, 4), dtype=torch.uint8) for n in (6, 9))
    kept = images.clone()
    expected = log_likelihood(images.double() / 255, samples.double() / 255, 0.1)
    assert torch.allclose(log_likelihood(images, samples, 0.1), expected, rtol=1e-6)
    assert torch.allclose(log_likelihood(images, samples.double() / 255, 0.1), expected, rtol=1e-12)
    assert torch.equal(images, kept)
    floats = samples.float() / 255
    copy = floats.clone()
    assert torch.allclose(log_likelihood(images, floats, 0.1), expected, rtol=1e-6)
    assert torch.equal(floats, copy)


def test_single_precision_products_are_close() -> None:
    images, samples = pictures(8, (3, 32, 32)), pictures(200, (3, 32, 32))
    samples[:8] = images + 0.01 * torch.randn_like(images)
    density = log_likelihood(images.float(), samples.float(), 0.1)
    assert density.dtype == torch.float64
    assert (density - log_likelihood(images, samples, 0.1)).abs().max() < 0.01


def test_copies_of_an_image_among_the_samples() -> None:
    image = pictures(1, (3, 8, 8)).float() + 3
    expected = -192 * (math.log(0.01) + math.log(2 * math.pi) / 2)
    assert log_likelihood(image, image.repeat(5, 1, 1, 1), 0.01).item() == pytest.approx(expected)


def test_the_best_of_several_sigmas() -> None:
    images, samples, sigmas = pictures(6), pictures(20), [0.05, 0.1, 0.2, 0.4, 0.8]
    means = [by_definition(images, samples, sigma).mean().item() for sigma in sigmas]
    best = sigmas[int(np.argmax(means))]
    assert best == 0.2
    assert choose_sigma(images, samples, sigmas) == (best, False)
    assert choose_sigma(images, samples, [0.8, 0.1, 0.2, 0.4]) == (best, False)  # in any order
    assert choose_sigma(images, samples, [0.4, 0.2]) == (0.2, True)
    assert choose_sigma(images, samples, [0.05, 0.1]) == (0.1, True)


def test_distances_are_computed_once_for_all_sigmas(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(
        module, "squared_distances", lambda *a, **k: calls.append(1) or distances.squared_distances(*a, **k)
    )
    choose_sigma(pictures(3), pictures(4), module.HELD_OUT_SIGMAS)
    assert calls == [1]


def test_the_grids() -> None:
    assert np.allclose(module.PARZEN_SIGMAS, np.logspace(-1, 0, 10))
    assert set(module.PARZEN_SIGMAS) < set(module.HELD_OUT_SIGMAS)
    assert min(module.HELD_OUT_SIGMAS) < 0.05
    assert max(module.HELD_OUT_SIGMAS) > 2


def test_held_out_images_do_not_choose_the_sigma() -> None:
    images, samples, validation = pictures(30), pictures(50), pictures(40)
    estimate, how = parzen(images, samples, validation)
    sigma, at_edge = choose_sigma(validation, samples, module.HELD_OUT_SIGMAS)
    values = by_definition(images, samples, sigma)
    assert estimate.value == pytest.approx(values.mean().item())
    assert estimate.standard_error == pytest.approx(values.numpy().std(ddof=1) / 30**0.5)
    assert asdict(how) == {
        "protocol": "held-out",
        "sigma": sigma,
        "at_edge": at_edge,
        "samples": 50,
        "chosen_on": 40,
        "scored_again": 0,
        "pixels": "[0, 1]",
        "note": "",
    }


def released(images: np.ndarray, samples: np.ndarray, each: int) -> tuple[float, float]:
    """What the authors released, in numpy: pixels in [-1, 1], each sigma on other images, all of them scored.

    Their test set is read on from sigma to sigma, a thousand images each; here `each` by turns.
    """
    x, y = 2 * images - 1, 2 * samples - 1

    def mean_log_density(some: np.ndarray, sigma: float) -> float:
        exponents = -((some[:, None] - y[None]) ** 2).sum(-1) / (2 * sigma**2)
        log_means = np.log(np.exp(exponents - exponents.max(1, keepdims=True)).mean(1)) + exponents.max(1)
        return (log_means - x.shape[1] * np.log(sigma * np.sqrt(2 * np.pi))).mean()

    sigmas = np.logspace(-1, 0, 10)
    tried = [mean_log_density(x[index::10][:each], sigma) for index, sigma in enumerate(sigmas)]
    best = float(sigmas[int(np.argmax(tried))])
    return best, mean_log_density(x, best)


@pytest.mark.parametrize(("count", "each"), [(70, 7), (70, 3), (35, 1000)])
def test_the_authors_protocol_is_theirs(monkeypatch: pytest.MonkeyPatch, count: int, each: int) -> None:
    monkeypatch.setattr(module, "AUTHORS_CHOOSE_ON", each)
    images, samples = pictures(count, (12,)), pictures(60, (12,))
    images[3::10] += 3  # on these images every sigma looks bad: each sigma has its own
    sigma, value = released(images.numpy(), samples.numpy(), each)
    estimate, how = parzen(images, samples, protocol="authors")
    assert how.sigma == pytest.approx(sigma)
    assert estimate.value == pytest.approx(value)
    assert estimate.n == count
    assert how.pixels == "[-1, 1]"
    assert how.chosen_on == how.scored_again == min(count, 10 * each)
    assert f"{min(count, 10 * each)} of the {count} images" in how.note


def test_pixels_of_another_range_shift_the_density() -> None:
    # At a sigma of the same width in the image: D log 2 nats less than in [0, 1].
    images, samples = pictures(40), pictures(30)
    estimate, how = parzen(images, samples, protocol="authors")
    plain = log_likelihood(images, samples, how.sigma / 2).mean().item()
    assert estimate.value == pytest.approx(plain - 6 * math.log(2))


def test_an_edge_is_told() -> None:
    images = torch.zeros(4, 3)
    _, how = parzen(images, images, images[:2])
    assert how.at_edge
    assert how.sigma == min(module.HELD_OUT_SIGMAS)
    assert "edge" in how.note


MEASURE = """
import resource, torch
from spatialvae.metrics.samples import distances
from spatialvae.metrics.samples.parzen import parzen_log_likelihood
distances.BLOCK_BYTES, distances.BLOCK_ROWS = 2**21, 256
a, b = torch.randint(0, 256, (2, 1500, 3072), dtype=torch.uint8)
parzen_log_likelihood(a[:300], b[:300], 0.1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
parzen_log_likelihood(a, b, 0.1)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_memory_does_not_grow_with_the_sets() -> None:
    # 18 MiB for each set as floats, 17 MiB for all distances; n x m x D would be 26 GiB, one image's row of it 18 MiB.
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 10


BAD = torch.tensor([[0.1, math.nan]])


@pytest.mark.parametrize(
    ("images", "samples", "sigma", "words"),
    [
        (pictures(2), pictures(2), 0.0, "Sigma is 0.0; it must be a finite number above 0"),
        (pictures(2), pictures(2), -1.0, "Sigma is -1.0"),
        (pictures(2), pictures(2), math.nan, "Sigma is nan"),
        (pictures(2), pictures(2), math.inf, "Sigma is inf"),
        (pictures(2), pictures(0), 0.1, "There are no samples"),
        (pictures(0), pictures(2), 0.1, "There are no images"),
        (pictures(2), pictures(2, (1, 3, 2)), 0.1, "sizes 1x2x3 and 1x3x2"),
        (pictures(2).long(), pictures(2), 0.1, "The images are torch.int64"),
        (BAD, torch.zeros(2, 2), 0.1, "The images hold NaN"),
        (torch.zeros(2, 2), BAD, 0.1, "The samples hold NaN"),
    ],
)
def test_bad_input_is_told(images: Tensor, samples: Tensor, sigma: float, words: str) -> None:
    with pytest.raises(UserError, match=words):
        log_likelihood(images, samples, sigma)


def test_bad_protocols_are_told() -> None:
    with pytest.raises(UserError, match="no sigma to choose from"):
        choose_sigma(pictures(2), pictures(2), [])
    with pytest.raises(UserError, match="Did you mean 'held-out'"):
        parzen(pictures(2), pictures(2), pictures(2), protocol="heldout")
    for nothing in (None, pictures(0)):
        with pytest.raises(UserError, match="validation images"):
            parzen(pictures(2), pictures(2), nothing)
    with pytest.raises(UserError, match="9 images: the authors' protocol tries 10 sigmas"):
        parzen(pictures(9), pictures(2), protocol="authors")
