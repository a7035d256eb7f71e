"""What a comparison trains when it is not told: latents, seeds, the table's beta, folders."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from spatialvae.comparison import default_latents
from spatialvae.comparison.plan import Plan, make_plan, run_folder
from spatialvae.comparison.settings import ComparisonSettings
from spatialvae.config import CompareConfig, TrainConfig
from spatialvae.data import ImageData, ImageSplit
from spatialvae.errors import UserError
from spatialvae.latents import AbstractLatent
from spatialvae.priors import PRIORS, AbstractModelFamily
from tests.cli.plugin_files import forgotten
from tests.training.tiny import settings, tiny_data

FOUR = ["vector", "naive", "matrix-normal", "low-rank"]


def data(side: int, channels: int = 3, train: int = 5) -> ImageData:
    """Black pictures that take no memory."""
    images = np.broadcast_to(np.zeros((), np.uint8), (train, channels, side, side))
    splits = {"train": ImageSplit(images, None), "test": ImageSplit(images[:1], None)}
    return ImageData("x", "x", "0a", side, side, channels, splits, [0.0] * channels, 0, None)


@pytest.mark.parametrize(
    ("side", "changed", "control"),
    [
        (64, {}, ["vector:maps=576"]),
        (32, {}, ["vector:maps=1152"]),
        (8, {"maps": 2}, ["vector:maps=18"]),
        (8, {"maps": 2, "map_size": "2x4"}, ["vector:maps=16"]),
        (8, {"maps": 2, "latent": "low-rank:rank=2"}, ["vector:maps=18"]),
        (8, {"maps": 1, "map_size": "1"}, []),  # the vector has one number already
    ],
)
def test_the_control_has_as_many_numbers_as_the_maps(side: int, changed: dict[str, object], control: list[str]) -> None:
    assert default_latents(TrainConfig.parse(changed, "test"), data(side)) == [*FOUR, *control]


@pytest.mark.parametrize(
    ("train", "asked", "seeds"), [(9_999, None, [0, 1, 2]), (10_000, None, [0]), (5, 2, [0, 1]), (10_000, 2, [0, 1])]
)
def test_small_data_is_trained_on_thrice(train: int, asked: int | None, seeds: list[int]) -> None:
    wanted = CompareConfig(latent=["naive"], seeds=asked)
    assert make_plan(wanted, settings(), data(8, 1, train)) == Plan(["naive"], [1.0], seeds)


@pytest.mark.parametrize(
    ("betas", "table"), [([1.0], 1.0), ([0.3, 1, 3], 1.0), ([0.3, 3], 0.3), ([2.0], 2.0), ([0.0, 1.0], 1.0)]
)
def test_the_table_is_about_the_bound_if_it_can(betas: list[float], table: float) -> None:
    plan = make_plan(CompareConfig(latent=["naive"], beta=betas), settings(), tiny_data())
    assert (plan.betas, plan.beta) == (betas, table)


def test_the_baseline_is_the_papers() -> None:
    assert Plan(["naive", "vector"], [1.0], [0]).baseline == "vector"
    assert Plan(["naive", "vector:maps=9"], [1.0], [0]).baseline == "naive"


def test_every_run_has_a_folder_of_its_own() -> None:
    latents = ["vector", "vector:maps=1152", "low-rank", "low-rank:rank=2", "low-rank:maps=3,rank=2"]
    runs = [
        run_folder(Path("a"), latent, beta, seed) for latent in latents for beta in (0.3, 1.0, 3.0) for seed in (0, 1)
    ]
    assert len(set(runs)) == len(runs)
    assert run_folder(Path("a"), "vector:maps=1152", 0.3, 2) == Path("a/vector-maps1152/beta-0.3/seed-2")


@pytest.mark.parametrize(
    ("latent", "beta", "words"),
    [
        (["naive", "naive"], [1.0], "latent naive is named twice"),
        (["vector", "vector:maps=3"], [1.0], "(vector:maps=3 and vector are the same)"),
        (["navie"], [1.0], "Did you mean 'naive'?"),
        (["naive"], [1.0, 0.3, 1.0], "beta 1 is named twice"),
        (["naive"], [1.0, 1.0000001], "beta 1 is named twice"),  # they would share a folder
    ],
)
def test_what_cannot_be_planned(latent: list[str], beta: list[float], words: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(CompareConfig(latent=latent, beta=beta), settings(), tiny_data())
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"latent": []}, ["latent", "name at least one"]),
        ({"beta": []}, ["beta", "name at least one"]),
        ({"beta": [1, -0.5]}, ["beta -0.5", "greater than or equal to 0"]),
        ({"beta": float("inf")}, ["beta inf", "finite"]),
        ({"beta": ["much"]}, ["beta much", "number"]),
        ({"seeds": 0}, ["seeds 0", "greater than or equal to 1"]),
        ({"seed": 3}, ["'seed'", "'seeds'"]),
    ],
)
def test_wrong_settings_are_one_plain_line(values: dict[str, object], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        CompareConfig.parse(values, "here")
    message = str(caught.value)
    assert message.startswith("here") and "\n" not in message
    assert [word for word in words if word not in message] == [], message


def test_one_value_is_a_list_of_one() -> None:
    assert CompareConfig.parse({"latent": "naive", "beta": 2}, "here") == CompareConfig(latent=["naive"], beta=[2.0])
    with pytest.raises(UserError, match="CompareConfig: seeds 0"):
        CompareConfig(seeds=0)


def test_a_prior_of_ones_own_that_is_trained_with_the_model() -> None:
    with forgotten():

        @PRIORS.register("drifting")
        @dataclass(frozen=True)
        class Drifting(AbstractModelFamily):
            start: float = 0.0

            def module(self, latent: AbstractLatent) -> torch.nn.Module | None:
                return None

        settings = ComparisonSettings.of({"prior": ["standard", "drifting:start=0.5", "gaussian"]}, "compare")
        assert settings.training.model.prior == "drifting:start=0.5"
        assert settings.evaluation.prior == ["standard", "drifting", "gaussian"]
        with pytest.raises(UserError, match="prior names learned and drifting, but a model is trained with one prior"):
            ComparisonSettings.of({"prior": ["learned", "drifting"]}, "compare")
