"""All metrics of a model on a split: the same terms as in training, a real code length, honest errors."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spatialvae.config import EvaluationConfig
from spatialvae.data import ImageData, ImageSplit
from spatialvae.data.pixels import to_float
from spatialvae.errors import UserError
from spatialvae.likelihoods import LIKELIHOODS
from spatialvae.metrics import Estimate, evaluate
from spatialvae.metrics.selection import select
from tests.conftest import smooth_images
from tests.metrics.measured import BOUND, data_of, few_steps, found_by, measure, small, split
from tests.metrics.networks import feature_file

module: Any = importlib.import_module("spatialvae.metrics.evaluation")

NLL = ["nll", "nll_bound"]
LINEAR = ["pca_bits_per_dim", "pixel_gaussian_bits_per_dim", "pca_mse"]
PAIRS = ["mse", "psnr", "ssim"]
GAPS = ["amortisation_gap", "family_gap"]
PIXELS = 64


def test_all_images_of_all_splits() -> None:
    parts = {name: smooth_images(count, 1, 8, 8, seed=count) for name, count in (("train", 9), ("test", 4))}
    model, data = small(), ImageData.from_arrays(parts)
    config = EvaluationConfig(metrics="mse", split="all")
    evaluation, alone = (
        evaluate(model, data, config),
        evaluate(model, data, config.model_copy(update={"split": "test"})),
    )
    assert evaluation.metrics["mse"].n == 13
    assert torch.equal(evaluation.values["mse"][9:], alone.values["mse"])
    assert (evaluation.provenance.data, evaluation.provenance.split) == ("arrays", "all")


def values(result: dict[str, Estimate]) -> dict[str, float]:
    return {name: estimate.value for name, estimate in result.items()}


def test_an_estimate_is_a_mean_and_its_standard_error() -> None:
    numbers = torch.tensor([1.0, 2.0, 6.0, 7.0])
    result = Estimate.of(numbers)
    assert result.value == 4.0
    assert result.standard_error == pytest.approx(numbers.numpy().std(ddof=1) / 2)
    assert result.as_dict() == {"value": 4.0, "standard_error": result.standard_error, "n": 4, "over": "images"}
    assert Estimate.of(torch.tensor([3.0])) == Estimate(3.0, None, 1)


def test_sums_run_in_double_precision() -> None:
    values = torch.full((3000,), 16_777_217.0, dtype=torch.float64).float()
    assert Estimate.of(values).value == values[0].item()


@pytest.mark.parametrize("latent", ["vector", "low-rank"])
def test_the_bound_is_the_models_own(latent: str) -> None:
    model, images = small(latent=latent), split()
    evaluation = found_by(model, images, seed=5)
    torch.manual_seed(5)
    with torch.no_grad():
        terms = model.elbo(torch.from_numpy(images.images))
    expected = {"elbo": terms.bound, "kl": terms.kl, "reconstruction": terms.reconstruction}
    for name, value in expected.items():
        own = Estimate.of(value)
        assert evaluation[name].value == pytest.approx(own.value, rel=1e-4)
        assert evaluation[name].standard_error == pytest.approx(own.standard_error, rel=1e-3)
        assert evaluation[name].n == 12
    assert evaluation["elbo"].value == pytest.approx(evaluation["reconstruction"].value - evaluation["kl"].value)


@pytest.mark.parametrize("likelihood", list(LIKELIHOODS))
def test_bits_per_dim_is_the_formula(likelihood: str) -> None:
    model, images = small(likelihood=likelihood), split()
    evaluation = found_by(model, images, seed=2)["bits_per_dim"]
    floats = to_float(torch.from_numpy(images.images))
    torch.manual_seed(2)
    with torch.no_grad():
        posterior = model.encode(floats)
        mass = model.decode(posterior.sample()).log_mass(floats)
        kl = torch.distributions.kl_divergence(posterior, model.prior())
    expected = ((kl - mass) / (PIXELS * math.log(2))).mean().item()
    assert evaluation.value == pytest.approx(expected, rel=1e-4)
    assert evaluation.value > 0


def test_bits_per_dim_is_above_the_code_length_of_the_tighter_bound() -> None:
    # A discretised likelihood's log-density is the mass itself: the bound, in bits a number, is the code length.
    model, images = small(likelihood="logistic"), split(40)
    evaluation = found_by(model, images, metrics="bound,nll", importance_samples=50)
    bits = PIXELS * math.log(2)
    assert evaluation["bits_per_dim"].value == pytest.approx(-evaluation["elbo"].value / bits, rel=1e-5)
    assert evaluation["bits_per_dim"].value >= evaluation["nll"].value / bits
    assert evaluation["nll"].value <= -evaluation["elbo"].value


def test_an_untrained_model_pays_about_eight_bits() -> None:
    evaluation = found_by(small(), split(40))["bits_per_dim"]
    assert 5 < evaluation.value < 12


def test_reconstructions_are_those_of_the_mean_code() -> None:
    model, images = small(), split()
    evaluation = found_by(model, images)
    pictures = model.reconstruct(torch.from_numpy(images.images)).numpy().astype(float)
    errors = ((images.images - pictures) / 255) ** 2
    assert evaluation["mse"].value == pytest.approx(errors.mean(), rel=0.01)
    psnr = -10 * np.log10(errors.mean((1, 2, 3)))
    assert evaluation["psnr"].value == pytest.approx(psnr.mean(), rel=0.01)


def test_names_and_numbers_of_images() -> None:
    evaluation = found_by(small(), split(), metrics="bound,nll,mse,psnr,ssim", importance_samples=3, nll_images=5)
    assert set(evaluation) == {*BOUND, *PAIRS, *NLL}
    expected = {**dict.fromkeys(BOUND + PAIRS, 12), **dict.fromkeys(NLL, 5)}
    assert {name: estimate.n for name, estimate in evaluation.items()} == expected
    assert all(math.isfinite(estimate.value) for estimate in evaluation.values())
    assert all(estimate.standard_error for estimate in evaluation.values())


def test_the_values_an_image_are_kept() -> None:
    evaluation = measure(small(), split(), metrics="bound,nll,mse", importance_samples=2, nll_images=5)
    assert set(evaluation.values) == {*BOUND, "mse", *NLL}
    for name, each in evaluation.values.items():
        assert each.dtype == torch.float64
        assert Estimate.of(each) == evaluation.metrics[name]


def test_the_default_is_all_that_is_possible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few_steps(monkeypatch)
    plain = measure(small(), split(), metrics="default")
    assert set(plain.metrics) == {*BOUND, *PAIRS, *NLL, *LINEAR, "active_units", "rank_one_share"}
    assert plain.health is not None
    sets = ("frechet", "kernel", "precision", "recall", "density", "coverage")
    everything = measure(
        small(),
        split(20, labels=True),
        metrics="all",
        importance_samples=2,
        generated=30,
        features=str(feature_file(tmp_path)),
    )
    wanted = {f"{name}/{of}" for name in sets for of in ("standard", "reconstructions")}
    wanted |= {"probe", "parzen/standard", "perceptual", "interpolated_frechet"}
    assert set(everything.metrics) == {*plain.metrics, *wanted, *GAPS}
    assert everything.metrics["frechet/standard"].n == 30
    assert everything.metrics["frechet/reconstructions"].n == 20


def test_what_the_numbers_depend_on_is_part_of_the_result(tmp_path: Path) -> None:
    path = feature_file(tmp_path)
    source = measure(small(), split(), metrics="frechet", features=str(path), generated=20, seed=3).provenance
    assert (source.split, source.images, source.generated, source.seed) == ("test", 12, 20, 3)
    assert (source.crop, source.resize, source.image_size, source.fingerprint) == ("none", "none", (8, 8), "0a")
    features = source.features
    assert features is not None
    assert features.name == path.stem
    assert features.title == f"Fréchet distance, {path.stem}"
    assert len(features.sha256) == 64
    assert features.dimension is not None and features.dimension > 0


def test_few_images_for_the_features_are_warned_of(tmp_path: Path) -> None:
    evaluation = measure(small(), split(), metrics="frechet", features=str(feature_file(tmp_path)), generated=20)
    assert len(evaluation.warnings) == 1
    assert "12" in evaluation.warnings[0]


def test_reconstructions_that_are_the_images_are_at_distance_zero(tmp_path: Path) -> None:
    model, images = small(), split(30)
    model.reconstruct = None  # type: ignore[assignment, method-assign]
    decoded = torch.from_numpy(images.images)
    from spatialvae.metrics.samples.reference import Reference

    config = EvaluationConfig(features=str(feature_file(tmp_path)), metrics="frechet,precision,recall")
    result = Reference(data_of(images), config, 30, select(config)).on_features(decoded, "same")
    assert result.metrics["frechet/same"].value == pytest.approx(0, abs=1e-6)
    assert (result.metrics["precision/same"].value, result.metrics["recall/same"].value) == (1, 1)


def test_the_same_seed_gives_the_same_numbers_and_leaves_no_trace() -> None:
    model, images = small().train(), split()
    state = torch.random.get_rng_state()
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    first, again, other = (found_by(model, images, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first["elbo"] != other["elbo"]
    assert first["mse"] == other["mse"]
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())


def test_dropout_and_batch_norm_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    # Batches of another size see the same network: no statistics of the batch.
    model, images = small().train(), split()
    whole = values(found_by(model, images))
    monkeypatch.setattr(module, "BATCH", 5)
    parts = values(found_by(model, images))
    for name in ("kl", "mse", "psnr", "ssim"):  # the others follow the draw
        assert parts[name] == pytest.approx(whole[name], rel=0.02)


def test_colour_and_odd_sizes() -> None:
    model = small(channels=3, image_size=(9, 14))
    evaluation = found_by(model, split(3, 3, 9, 14))
    assert all(math.isfinite(estimate.value) for estimate in evaluation.values())


def test_a_single_image_has_no_standard_error() -> None:
    evaluation = found_by(small(), split(1))
    assert {estimate.standard_error for estimate in evaluation.values()} == {None}


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((4, 1, 8, 9), "The images are 8x9 with 1 channel; this model was trained on 8x8 with 1 channel"),
        ((4, 3, 8, 8), "The images are 8x8 with 3 channels; this model was trained on 8x8 with 1 channel"),
    ],
)
def test_images_of_another_kind(shape: tuple[int, int, int, int], words: str) -> None:
    with pytest.raises(UserError) as caught:
        found_by(small(), split(*shape))
    assert words in str(caught.value)


def test_no_images() -> None:
    with pytest.raises(UserError, match="holds no images"):
        found_by(small(), ImageSplit(np.zeros((0, 1, 8, 8), np.uint8), None))


def test_bright_images_are_not_taken_for_floats_of_another_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialvae.data.pixels._doubted", [False])
    bright = ImageSplit(smooth_images(12, 1, 8, 8) // 4 + 190, None)
    config = EvaluationConfig(metrics="bound,nll,prior_gain,mse,health", importance_samples=2, prior=["standard"])
    model = small()
    evaluate(model, data_of(bright), config)  # a warning is an error here
    model.reconstruct(torch.from_numpy(bright.images))


def test_progress_goes_to_stderr(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialvae.progress.FIRST_LINE", 0.0)
    evaluate(small(), data_of(split(2)), EvaluationConfig(metrics="bound"), progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "metrics" in captured.err
