"""Settings: typed, refused with a plain line, and the same after a round trip."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError

from spatialvae.config import (
    BenchConfig,
    CompareConfig,
    EvaluationConfig,
    ModelConfig,
    ModelOptions,
    Optimisation,
    PriorConfig,
    TrainConfig,
)
from spatialvae.errors import UserError
from spatialvae.seeding import seeded, stream_seed
from spatialvae.settings import LAST_SEED, AbstractSettings, divided
from spatialvae.sizes import parse_size


@pytest.mark.parametrize("kind", [ModelConfig, TrainConfig, PriorConfig])
def test_every_field_is_documented(kind: type[ModelConfig | TrainConfig | PriorConfig]) -> None:
    for name, field in kind.flat_fields().items():
        assert field.description, name
        assert field.description.endswith("."), name


def test_settings_do_not_change() -> None:
    config = TrainConfig()
    with pytest.raises(ValidationError):
        config.beta = 2.0  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learning_rat": 1}, ["'learning_rat'", "'learning_rate'"]),
        ({"xyz": 1}, ["'xyz'", "Choose from"]),
        ({"beta": -1.0}, ["beta -1.0", "greater than or equal to 0"]),
        ({"beta": float("nan")}, ["beta nan"]),
        ({"batch_size": 1}, ["batch_size 1", "2"]),
        ({"images": 0}, ["images 0", "1"]),
        ({"images": 10, "epochs": 1.0}, ["here: give images or epochs, not both."]),
        ({"learning_rate": 0}, ["learning_rate 0", "greater than 0"]),
        ({"learning_rate": "fast"}, ["learning_rate fast", "number"]),
        ({"objective": "vae"}, ["objective vae", "'elbo' or 'paper'"]),
        (
            {"objective": "paper", "likelihood": "bernoulli"},
            ["here: objective paper is a squared error: leave likelihood out."],
        ),
        ({"schedule": "step"}, ["schedule step", "'constant' or 'cosine'"]),
        ({"precision": "int8"}, ["precision int8", "'bf16'"]),
        ({"ema": 1.0}, ["ema 1.0", "less than 1"]),
        ({"clip": 0.0}, ["clip 0.0", "greater than 0"]),
        ({"seed": -1}, ["seed -1"]),
        ({"maps": 2.5}, ["maps 2.5", "integer"]),
        ({"seed": 2**63}, ["seed 9223372036854775808", "9223372036854775807"]),
        ({"batch_size": 10**9}, ["batch_size 1000000000", "1000000"]),
        ({"epochs": 1e300}, ["epochs 1e+300", "1000000"]),
    ],
)
def test_a_wrong_setting_is_one_plain_line(values: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        TrainConfig.parse(values, "here")
    message = str(caught.value)
    assert message.startswith("here")
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


def numeric_fields() -> list[tuple[type[AbstractSettings], str, bool]]:
    """Every number among the settings: its class, its name, and whether it is a whole one."""
    kinds = (TrainConfig, PriorConfig, EvaluationConfig, CompareConfig, BenchConfig)
    results = []
    for kind in kinds:
        for name, field in kind.flat_fields().items():
            spelled = str(field.annotation)
            if "int" in spelled or "float" in spelled:
                results.append((kind, name, "float" not in spelled))
    return results


@pytest.mark.parametrize(("kind", "name", "whole"), numeric_fields())
def test_no_number_is_infinite_negative_or_none_at_all(kind: type[AbstractSettings], name: str, whole: bool) -> None:
    for value in (math.inf, -math.inf, math.nan, -1, *([10**30] if whole and name not in UNBOUNDED else [])):
        with pytest.raises(UserError, match=f"{name} ") as caught:
            kind.parse({name: value}, "here")
        assert "\n" not in str(caught.value)


UNBOUNDED = {"limit", "nll_images", "generated", "rounds", "steps", "seeds"}
"""Whole numbers that may be as large as one likes: more than there is, or as long as one waits."""


def test_the_largest_seed_works_everywhere() -> None:
    seed = Optimisation(seed=LAST_SEED).seed
    with seeded(seed):
        torch.rand(1)
    torch.Generator().manual_seed(seed)
    np.random.default_rng([seed, 0]).random()
    np.random.default_rng(stream_seed(seed, 10)).random()


def test_settings_survive_a_file(tmp_path: Path) -> None:
    config = TrainConfig(
        model=ModelOptions(latent="low-rank:rank=2", map_size="3x5"),
        optimisation=Optimisation(images=500, clip=1.5, ema=0.99),
        flip=True,
    )
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.flat()))
    assert TrainConfig.read(path) == config


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- 1\n- 2\n", "holds no settings"),
        (b"", "holds no settings"),
        (b"beta: [1", "cannot be read as settings"),
        (b"\xff\xfe\x00", "cannot be read as settings"),
        (b"beta: !!python/object/apply:os.getcwd []", "cannot be read as settings"),
        (b"1: 2", "unknown setting 1"),
        (b"bet: 1", "Did you mean 'beta'?"),
        (b"model: {latent: naive}", "settings are flat: give latent, ... by themselves, not inside 'model'"),
        (b"modell: {latent: naive, maps: 2}", "settings are flat: give latent, maps, ... by themselves"),
        (b"data: {data: mnist, crop: center}", "settings are flat, and it should be text"),
        (b"optimisation: fast", "settings are flat: give images, epochs, batch_size, ... by themselves"),
    ],
)
def test_a_wrong_file_is_one_plain_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        TrainConfig.read(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_a_run_is_flat() -> None:
    # Names and order as in the run folders of every version so far.
    model = ["latent", "maps", "map_size", "prior", "likelihood", "network", "head"]
    data = ["data", "image_size", "crop", "layout", "skip_bad_images", "channels"]
    length = ["images", "epochs", "batch_size", "learning_rate", "schedule", "warmup"]
    steps = ["clip", "ema", "precision", "seed", "checkpoint_every", "accumulate", "checkpointing"]
    objective = ["objective", "beta", "perceptual_weight", "adversarial", "adversarial_from", "from_run", "kl_warmup"]
    assert list(TrainConfig().flat()) == [*model, *data, *length, *steps, *objective, "flip", "random_crop"]
    assert TrainConfig.parse(TrainConfig().flat(), "here") == TrainConfig()


def test_given_settings_are_told_from_defaults() -> None:
    config = TrainConfig(model=ModelOptions(latent="vector"), beta=1)
    assert config.given() == {"latent": "vector", "beta": 1.0}
    assert config.replaced(seed=3).given() == {"latent": "vector", "seed": 3, "beta": 1.0}
    assert config.replaced(seed=3) == config.replaced(seed=2).replaced(seed=3)
    with pytest.raises(UserError, match="seed -1"):
        config.replaced(seed=-1)


def test_two_settings_of_one_name_cannot_be_composed() -> None:
    with pytest.raises(TypeError, match="two fields called beta"):

        class _Twice(AbstractSettings):
            part: TrainConfig = TrainConfig()
            beta: float = 1.0


def test_a_setting_beside_its_part_is_pointed_out() -> None:
    with pytest.raises(UserError, match=r"give optimisation=Optimisation\(images=...\)"):
        TrainConfig(images=500)  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        (Optimisation, {"image": 5}, "Optimisation has an unknown setting 'image'. Did you mean 'images'?"),
        (ModelConfig, {"width": 3}, "ModelConfig has an unknown setting 'width'. Choose from: latent, maps, "),
        (ModelConfig, {"channels": 5}, "ModelConfig: channels 5 is not possible: it should be less than or equal to 4"),
        (ModelConfig, {"network": object}, "it should be text, as a file has it"),
        (PriorConfig, {"images": 5, "epochs": 1}, "PriorConfig: give images or epochs, not both."),
        (TrainConfig, {"beta": np.ones((50, 50))}, "it should be a valid number"),
        (TrainConfig, {"model": {"widt": 1}}, "ModelOptions has an unknown setting 'widt'"),
    ],
)
def test_a_wrong_argument_is_one_plain_line(kind: type[AbstractSettings], values: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        kind(**values)
    assert words in str(caught.value) and "\n" not in str(caught.value) and len(str(caught.value)) < 240


def test_settings_can_be_copied() -> None:
    config = TrainConfig(optimisation=Optimisation(images=4), beta=3)
    again = copy.deepcopy(config)
    assert again == config and again.given() == {"images": 4, "beta": 3.0}


def test_values_are_divided_among_settings() -> None:
    values = {"prior": ["gaussian"], "beta": 2, "limit": 3}
    parts = divided(values, "here", CompareConfig, TrainConfig, EvaluationConfig)
    assert parts == [{"prior": ["gaussian"], "beta": 2}, {}, {"limit": 3}]
    with pytest.raises(UserError, match="here has an unknown setting 'seed'"):
        divided({"seed": 1}, "here", CompareConfig, TrainConfig, without=("seed",))


def test_a_missing_file_is_one_plain_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read as settings"):
        TrainConfig.read(tmp_path / "none.yaml")


def test_the_model_takes_its_settings_from_the_run() -> None:
    options = ModelOptions(latent="naive", maps=7, map_size="2", likelihood="bernoulli", network="paper:stem=authors")
    model = TrainConfig(model=options).sized((9, 10), 2)
    assert (model.image_size, model.channels) == ((9, 10), 2)
    for name in ModelOptions.model_fields:
        assert getattr(model, name) == getattr(options, name)


def test_the_papers_objective_has_the_papers_likelihood() -> None:
    # Its squared error is that of a Gaussian with scale 1; a learned scale would be another loss.
    assert TrainConfig(objective="paper").sized((8, 8), 1).likelihood == "gaussian:scale=1"
    linear = ModelOptions(likelihood="gaussian:mean=linear")
    assert TrainConfig(objective="paper", model=linear).sized((8, 8), 1).likelihood == "gaussian:scale=1,mean=linear"
    assert TrainConfig(objective="elbo").sized((8, 8), 1).likelihood is None  # the network's own


@pytest.mark.parametrize(("text", "size"), [("3", (3, 3)), ("3x5", (3, 5)), ("64X48", (64, 48))])
def test_sizes(text: str, size: tuple[int, int]) -> None:
    assert parse_size(text, "map_size") == size


@pytest.mark.parametrize("text", ["", "0", "x", "3x", "3x0", "-3", "3x4x5", "2.5", "²", "big"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UserError, match=r"map_size .*is not a size"):
        parse_size(text, "map_size")
