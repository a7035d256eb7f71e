"""Linear models beside a model: the numbers of `spatialvae.baselines`, and in words who lies behind them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spatialvae import baselines
from spatialvae.config import ModelConfig
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.estimate import Estimate
from spatialvae.metrics import Evaluation, evaluate
from spatialvae.metrics.reconstruction.linear import behind
from spatialvae.model import SpatialVAE
from spatialvae.report import result_table
from spatialvae.results import ModelResult, Results
from tests.conftest import smooth_images

IMAGES = smooth_images(140, 1, 8, 8)
DATA = ImageData.from_arrays({"train": IMAGES[:120], "test": IMAGES[120:]})


def model(latent: str) -> SpatialVAE:
    return SpatialVAE.from_config(ModelConfig(latent=latent, image_size=(8, 8), channels=1, maps=3))


def measure(latent: str = "vector:maps=5", data: ImageData = DATA, metrics: str = "bound,mse,baselines") -> Evaluation:
    return evaluate(model(latent), data, metrics=metrics)


def test_the_numbers_are_those_of_the_baselines() -> None:
    result = measure().metrics
    pca, gaussian = baselines.ppca(DATA, 5), baselines.pixel_gaussian(DATA)
    assert result["pca_bits_per_dim"] == pca.bits_per_dim
    assert result["pca_mse"] == pca.mse
    assert result["pixel_gaussian_bits_per_dim"] == gaussian.bits_per_dim


def test_they_are_of_the_images_that_the_model_is_measured_on() -> None:
    evaluation = evaluate(model("naive"), DATA, metrics="mse,baselines", limit=7, seed=3)
    result = baselines.ppca(DATA, 27, limit=7, seed=3)
    assert evaluation.metrics["pca_mse"] == result.mse
    whole = baselines.ppca(DATA, 27)
    distances = (whole.values["mse"][:, None] - result.values["mse"]).abs()
    assert distances.amin(0).max() < 1e-9 * whole.values["mse"].mean()
    rows = distances.argmin(0).tolist()
    assert len(set(rows)) == 7
    assert rows == sorted(rows)


def test_measuring_them_changes_no_other_number() -> None:
    torch.manual_seed(0)
    chosen = model("naive")
    alone, beside = (evaluate(chosen, DATA, metrics=names) for names in ("bound,nll", "bound,nll,baselines"))
    assert {key: beside.metrics[key] for key in alone.metrics} == dict(alone.metrics)


def test_a_code_as_long_as_the_image_is_left_with_the_gaussian() -> None:
    assert {"pca_bits_per_dim", "pca_mse"} & measure("vector:maps=64").metrics.keys() == set()
    assert "pixel_gaussian_bits_per_dim" in measure("vector:maps=64").metrics


def test_without_training_images_the_default_leaves_them_out() -> None:
    data = ImageData.from_arrays({"test": IMAGES})
    assert "pca_mse" not in measure(data=data, metrics="default").metrics
    with pytest.raises(UserError, match=r"metrics baselines is not possible here: .* the data has 0"):
        measure(data=data)
    one = ImageData.from_arrays({"train": IMAGES[:1], "test": IMAGES})
    with pytest.raises(UserError, match="the data has 1"):
        measure(data=one)


def test_an_untrained_model_is_told_that_it_is_behind() -> None:
    text = repr(measure())
    assert "bits a dimension behind linear PCA with as many numbers" in text
    assert "is above that of linear PCA with as many numbers" in text


def test_a_difference_within_two_errors_is_not_behind() -> None:
    linear = {"pca_bits_per_dim": Estimate(5.0, 0.3, 100)}
    for value, expected in ((5.9, 0), (6.1, 1), (4.0, 0), (float("nan"), 0)):
        assert len(behind({"bits_per_dim": Estimate(value, 0.4, 100), **linear})) == expected


def test_the_report_has_rows_and_a_sentence() -> None:
    def column(latent: str, bits: float) -> ModelResult:
        linear = {"pca_bits_per_dim": Estimate(5.1, 0.01, 9), "pca_mse": Estimate(0.0002, 1e-5, 9)}
        own = {"bits_per_dim": Estimate(bits, 0.01, 9), "mse": Estimate(1e-4, 1e-5, 9)}
        return ModelResult(latent, metrics=own | linear)

    table = result_table(Results(models=(column("naive", 6.07), column("vector", 4.9)), seeds=(0,)))
    rows = {row.title: row for row in table.rows}
    assert rows["bits per dim, linear PCA"].cells == ("5.100 ± 0.010", "5.100 ± 0.010")
    titles = [row.title for row in table.rows]
    assert titles.index("squared error, linear PCA") == titles.index("squared error") + 1
    assert [note for note in table.notes if "Behind" in note] == [
        "Behind linear PCA with as many numbers, in bits a dimension: naive by 0.97."
    ]


def test_few_training_images_give_a_warning() -> None:
    data = ImageData.from_arrays({"train": IMAGES[:20], "test": np.ascontiguousarray(IMAGES[20:40])})
    assert any("too few" in warning for warning in measure(data=data).warnings)
