"""`spatialvae.train`: what it takes, what it gives back, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spatialvae.config import DataOptions, ModelConfig, Optimisation, TrainConfig
from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from spatialvae.likelihoods import Bernoulli
from spatialvae.model import SpatialVAE
from spatialvae.networks import ResidualNetworks
from spatialvae.priors import LearnedFamily
from spatialvae.store import load
from spatialvae.training import Callback, FinishedRun, open_run, read_journal, train
from tests.conftest import smooth_images
from tests.latents.own import Separable
from tests.training.tiny import checkpoint, same, settings, tiny_data, weights

SMALL: dict[str, Any] = {"maps": 2, "epochs": 1, "batch_size": 10, "precision": "fp32", "progress": False}


def built(size: tuple[int, int], channels: int) -> SpatialVAE:
    return SpatialVAE.from_config(ModelConfig(maps=2, image_size=size, channels=channels))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    return train("low-rank", tiny_data(), tmp_path_factory.mktemp("runs") / "run", checkpoint_every=30, **SMALL)


def test_settings_by_name_are_those_of_a_config(run: FinishedRun, tmp_path: Path) -> None:
    train(settings(checkpoint_every=30, latent="low-rank"), tiny_data(), tmp_path / "whole", progress=False)
    assert same(checkpoint(tmp_path / "whole"), checkpoint(run.folder))


def test_what_it_gives_back(run: FinishedRun) -> None:
    assert torch.equal(run.model.sample(2, seed=0), load(run.folder).sample(2, seed=0))
    lines = read_journal(run.folder / "metrics.jsonl")
    assert [{"images": line.images, **line.values} for line in run.journal] == lines
    curve = run.curves()["validation_bound"]
    assert (curve.images, curve.values) == ([30, 60], [line["validation_bound"] for line in lines if len(line) == 4])
    assert run.validation["validation_bound"] == curve.values[-1]
    assert len(run.grids) == 4 and all(path.suffix == ".png" for path in run.grids)
    assert run.record is not None and run.record.name == "tiny"


def test_it_can_be_read(run: FinishedRun) -> None:
    words = repr(run)
    assert "low-rank:maps=2" in words and "after 60 images: validation bound" in words
    page = run._repr_html_()
    assert page.count("data:image/png;base64,") == 2
    assert "<polyline" in page


def test_it_opens_again(run: FinishedRun) -> None:
    again = open_run(str(run.folder))
    assert repr(again) == repr(run)
    assert same(again.model.state_dict(), dict(run.model.state_dict()))
    with pytest.raises(UserError, match="which no file holds"):
        _ = again.images


@pytest.mark.parametrize(
    "model", ["naive", LATENTS.parse("naive:maps=2,height=3,width=3"), ModelConfig(latent="naive", image_size=(8, 8))]
)
def test_models_by_name_object_and_settings(model: Any, tmp_path: Path) -> None:
    images = smooth_images(100, channels=3, height=8, width=8)
    options = {**SMALL, **({"maps": None} if not isinstance(model, str) else {})}
    options = {name: value for name, value in options.items() if value is not None}
    trained = train(model, images, str(tmp_path / "run"), **options).model
    assert LATENTS.name_of(trained.latent) == "naive"
    assert trained.config.channels == 3


def test_a_model_is_trained_from_its_own_weights(tmp_path: Path) -> None:
    def own() -> SpatialVAE:
        torch.manual_seed(5)
        return SpatialVAE.from_config(settings().sized((8, 8), 1))

    options = {name: value for name, value in SMALL.items() if name != "maps"}
    model = own()
    run = train(model, tiny_data(), tmp_path / "run", **options)
    assert run.model is model
    train(own(), tiny_data(), tmp_path / "parts", **{**options, "epochs": 0.5})
    train(own(), tiny_data(), tmp_path / "parts", **options)  # goes on
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "run"))
    train(settings(), tiny_data(), tmp_path / "seeded", progress=False)
    assert not same(weights(tmp_path / "seeded"), weights(tmp_path / "run"))


def test_a_model_with_an_encoder_of_ones_own(tmp_path: Path) -> None:
    def own() -> SpatialVAE:
        torch.manual_seed(3)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 5))
        return SpatialVAE(latent=LATENTS.parse("naive:maps=2,height=3,width=3"), image_shape=(1, 8, 8), encoder=encoder)

    options = {name: value for name, value in SMALL.items() if name != "maps"}
    run = train(own(), tiny_data(), tmp_path / "run", **options)
    assert "naive" in repr(run)
    again = open_run(run.folder, like=own())
    assert torch.equal(again.model.sample(2, seed=1), run.model.sample(2, seed=1))
    train(own(), tiny_data(), tmp_path / "run", **{**options, "epochs": 2})  # goes on
    with pytest.raises(UserError, match="squared error"):
        train(own(), tiny_data(), tmp_path / "other", objective="paper", **options)


def test_images_of_a_source_open_again(tmp_path: Path) -> None:
    run = train(None, "digits", tmp_path, **{**SMALL, "epochs": 0.02})
    assert isinstance(run.images, ImageData) and run.images.name == "digits"
    assert np.array_equal(run.images.split("test").shape, (1, 8, 8))


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("naive", {"lerning_rate": 1}, ["'lerning_rate'", "'learning_rate'"]),
        ("naive", {"data": "digits"}, ["data is given", "second argument"]),
        ("nave", {}, ["'nave'", "'naive'"]),
        ("naive", {"latent": "vector"}, ["latent is given twice"]),
        (LATENTS.parse("naive:maps=2,height=3,width=3"), {"latent": "vector"}, ["latent is given twice"]),
        ({"latent": "naive"}, {}, ["A dict cannot be trained", "ModelConfig"]),
        (SpatialVAE, {}, ["A SpatialVAE cannot be trained"]),
        (nn.Linear(2, 2), {}, ["A Linear cannot be trained", "SpatialVAE"]),
        (Path("model"), {}, ["cannot be trained"]),
        (FinishedRun(Path("run"), built((8, 8), 1)), {}, ["run.model"]),
        ("naive", {"image_size": (16, 16, 3)}, ["image_size (16, 16, 3)"]),
        ("naive", {"images": 500}, ["images is given twice", "length as epochs", "Optimisation(images=...)"]),
        ("naive", {"model": ModelConfig()}, ["model is given twice", "by their own names"]),
        ("naive", {"optimisation": Optimisation()}, ["settings are flat: give images, epochs", "'optimisation'"]),
        ("naive", {"network": ResidualNetworks(width=8)}, ['network="residual:width=8"', "SpatialVAE(networks=...)"]),
        ("naive", {"network": ResidualNetworks}, ['network="residual"', "SpatialVAE(networks=...)"]),
        ("naive", {"likelihood": Bernoulli()}, ['likelihood="bernoulli"', "SpatialVAE(likelihood=...)"]),
        ("naive", {"prior": LearnedFamily()}, ['prior="learned"', "SpatialVAE(prior=...)"]),
        ("naive", {"beta": -1}, ["beta -1", "greater than or equal to 0"]),
        ("naive", {"device": "gpu"}, ["device gpu"]),
        ("naive:maps=5", {"maps": 3}, ["maps 3 is not read", "has maps 5"]),
        ("naive:height=2,width=2", {"map_size": 3}, ["map_size 3 is not read", "has height 2"]),
        (LATENTS.parse("naive:maps=2,height=3,width=3"), {"maps": 3}, ["maps 3 is not read", "has maps 2"]),
        ("naive", {"crop": "center"}, ["crop is decided", "as_image_data"]),
        ("naive", {"image_size": 16}, ["image_size is decided", "as_image_data"]),
        (TrainConfig(data=DataOptions(channels=3)), {}, ["channels is decided"]),
        (TrainConfig(data=DataOptions(data="mnist")), {}, ["data mnist and other images"]),
        (
            SpatialVAE.from_config(ModelConfig(maps=2, image_size=(8, 8), channels=1)),
            {"latent": "naive"},
            ["the model's own"],
        ),
        (SpatialVAE.from_config(ModelConfig(maps=2, image_size=(9, 8), channels=3)), {}, ["8x8 with 1", "9x8 with 3"]),
        (ModelConfig(image_size=(9, 8), channels=3), {}, ["8x8 with 1", "9x8 with 3"]),
    ],
)
def test_mistakes_leave_no_folder(model: Any, options: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        train(model, tiny_data(), tmp_path / "run", progress=False, **options)
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert caught.value.message.count("\n") <= 1
    assert not (tmp_path / "run").exists()


def test_a_number_of_images_is_no_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"images 500 is a number.*epochs"):
        train(images=500, out=tmp_path / "run", progress=False)


def test_settings_that_agree_with_the_images_are_no_contradiction(tmp_path: Path) -> None:
    options = {**SMALL, "image_size": 8, "channels": 1, "crop": "none"}
    run = train("naive:maps=2", tiny_data(), tmp_path / "run", **options)
    again = train(TrainConfig.read(run.folder / "config.yaml"), tiny_data(), run.folder, progress=False)
    assert same(again.model.state_dict(), dict(run.model.state_dict()))
    Vector = LATENTS["vector"]
    assert train(Vector(maps=5), tiny_data(), tmp_path / "vector", **SMALL).model.latent.maps == 5


def test_a_config_of_arrays_wants_its_images(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give images"):
        train(TrainConfig(data=DataOptions(data=None)), None, tmp_path / "run", progress=False)


@pytest.mark.parametrize("callbacks", [[Callback], [print], Callback()])
def test_what_is_no_callback_is_refused_before_training(tmp_path: Path, callbacks: Any) -> None:
    with pytest.raises(UserError, match="inherit from Callback"):
        train("naive", tiny_data(), tmp_path / "run", epochs=1, callbacks=callbacks)
    assert not (tmp_path / "run").exists()


def test_a_latent_without_a_name_trains_as_part_of_a_model(tmp_path: Path) -> None:
    data = tiny_data()
    model = SpatialVAE(latent=Separable(2, 3, 3), image_shape=(data.channels, data.height, data.width))
    assert train(model, data, tmp_path / "run", epochs=1, progress=False).model.config.latent == "own:Separable"


def test_a_latent_as_an_object_keeps_its_options(tmp_path: Path) -> None:
    latent = LATENTS.parse("low-rank:rank=3,maps=2,height=5,width=4")
    options = {name: value for name, value in SMALL.items() if name != "maps"}
    run = train(latent, tiny_data(), tmp_path / "run", **options)
    assert run.model.latent == latent
    assert load(run.folder).latent == latent


@pytest.mark.parametrize("size", [(8, 10), [8, 10], "8x10"])
def test_an_image_size_as_a_pair(size: Any, tmp_path: Path) -> None:
    images = smooth_images(100, channels=1, height=12, width=12)
    run = train("naive", images, tmp_path / "run", image_size=size, **SMALL)
    assert run.model.image_shape == (1, 8, 10)
    train("naive", images, tmp_path / "run", image_size=size, **SMALL)  # it is the same run


def test_images_are_made_as_large_as_a_config_says(tmp_path: Path) -> None:
    options = {name: value for name, value in SMALL.items() if name != "maps"}
    images = smooth_images(100, channels=1, height=12, width=12)
    run = train(ModelConfig(maps=2, image_size=(8, 8)), images, tmp_path / "run", **options)
    assert run.model.image_shape == (1, 8, 8)


@pytest.mark.parametrize("length", [{"images": 10}, {"epochs": 5}])
def test_epochs_take_the_place_of_a_configs_length(length: dict[str, Any], tmp_path: Path) -> None:
    config = settings(**{"images": None, **length})
    assert train(config, tiny_data(), tmp_path / "run", epochs=0.5, progress=False).journal[-1].images == 30


def test_what_prepares_images_is_refused_beside_prepared_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="crop is decided where ImageData is made"):
        train("naive", tiny_data(), tmp_path / "run", epochs=1, crop="center")
    assert not (tmp_path / "run").exists()
