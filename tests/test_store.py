"""Models on disk: the same after loading, plain words about what is damaged, nothing that can run."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close

import spatialvae
from spatialvae.config import ModelConfig, ModelOptions, TrainConfig
from spatialvae.errors import UserError
from spatialvae.files import replacing
from spatialvae.latents import parse_latent
from spatialvae.model import SpatialVAE
from spatialvae.networks import ResidualNetworks
from spatialvae.priors import FlowMatchingFamily, GaussianPrior, Labels
from spatialvae.store import load, prior_file, save_default_prior, save_model, save_prior, weights_hash
from tests.priors.gaussians import gaussian


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved model with a fitted prior."""
    model = SpatialVAE.from_config(
        ModelConfig(latent="low-rank:rank=2", maps=2, map_size="3x4", image_size=(8, 10), channels=2)
    )
    save_model(tmp_path / "run", model)
    save_prior(tmp_path / "run", gaussian(torch.randn(2, 3, 4)))
    return tmp_path / "run"


def test_a_round_trip(tmp_path: Path) -> None:
    model = SpatialVAE.from_config(ModelConfig(latent="vector", maps=4, image_size=(8, 9), channels=1)).train()
    model(torch.randint(0, 256, (4, 1, 8, 9), dtype=torch.uint8))  # running statistics that are not the first ones
    save_model(tmp_path / "run", model)
    loaded = spatialvae.load(tmp_path / "run")
    assert loaded.config == model.config
    assert not loaded.training
    assert loaded.state_dict().keys() == model.state_dict().keys()
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert torch.equal(loaded.sample(3, seed=1), model.sample(3, seed=1))
    assert loaded.priors == {}


def test_a_prior_comes_back(folder: Path) -> None:
    prior = gaussian(torch.randn(2, 3, 4), torch.eye(24) + torch.rand(24, 24).tril())
    save_prior(folder, prior)
    result = load(str(folder)).priors["gaussian"]
    assert isinstance(result, GaussianPrior)
    assert result.state_dict().keys() == prior.state_dict().keys()
    assert all(torch.equal(tensor, prior.state_dict()[name]) for name, tensor in result.state_dict().items())


def test_a_prior_keeps_its_classes(folder: Path) -> None:
    prior = FlowMatchingFamily(width=16, blocks=1).start(gaussian(torch.zeros(2, 3, 4)), 2)
    labels = Labels(("cat", "dog"), (3, 0))
    prior.name_classes(labels)
    save_prior(folder, prior)
    result = load(folder).priors[prior.family.spelled]
    assert result.labels == result.to("cpu").labels == labels
    with pytest.raises(UserError, match=r"label dog: the prior was fitted to no image of this class.*\n.*cat"):
        load(folder).sample(1, prior=prior.family.spelled, label="dog")
    pictures = [load(folder).sample(2, prior=prior.family.spelled, label=label, seed=0) for label in ("cat", 0)]
    assert torch.equal(*pictures)


def test_a_prior_without_the_names_of_its_classes_is_not_used(folder: Path) -> None:
    prior = FlowMatchingFamily(width=16, blocks=1).start(gaussian(torch.zeros(2, 3, 4)), 2)
    for metadata in ({}, {"labels": Labels(("cat",)).spelled()}):
        metadata |= {"prior": prior.family.spelled, "weights": weights_hash(folder)}
        save_file(prior.state_dict(), prior_file(folder, prior.family.spelled), metadata)
        with pytest.raises(UserError, match=r"cannot be used: (its classes are not|it knows 2 classes, and 1)"):
            load(folder).prior(prior.family.spelled)


def test_a_prior_of_other_weights_is_refused_by_name(folder: Path) -> None:
    model = load(folder)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    save_model(folder, model)
    loaded = load(folder)
    assert loaded.priors == {}
    assert loaded.priors.default == "standard"
    with pytest.raises(UserError, match=r"gaussian was fitted to other weights.*\n.*fit-prior and prior gaussian"):
        loaded.sample(1, prior="gaussian")
    assert (folder / "prior-gaussian.safetensors").is_file()  # a fit may have taken long: it is not deleted


def test_a_prior_file_of_another_run(folder: Path, tmp_path: Path) -> None:
    other = SpatialVAE.from_config(load(folder).config)
    save_model(tmp_path / "other", other)
    (tmp_path / "other" / "prior-gaussian.safetensors").write_bytes(
        (folder / "prior-gaussian.safetensors").read_bytes()
    )
    assert list(load(tmp_path / "other").priors.unusable) == ["gaussian"]


def test_a_prior_of_a_name_of_before(folder: Path) -> None:
    metadata = {"prior": "diffusion", "weights": weights_hash(folder)}
    save_file(load_file(folder / "prior-gaussian.safetensors"), folder / "prior-diffusion.safetensors", metadata)
    model = load(folder)
    assert "gaussian" in model.priors
    with pytest.raises(UserError, match="There is no prior 'diffusion'") as caught:
        model.sample(1, prior="diffusion")
    assert "flow-matching" in str(caught.value)
    assert "prior diffusion" not in str(caught.value).splitlines()[-1]


def test_the_default_prior(folder: Path) -> None:
    assert load(folder).priors.default == "gaussian"
    save_default_prior(folder, "mixture")  # not fitted, or outdated: the next best
    assert load(folder).priors.default == "gaussian"
    (folder / "prior-gaussian.safetensors").unlink()
    assert load(folder).priors.default == "standard"


def test_only_plain_formats(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "codes.json",
        "config.json",
        "model.safetensors",
        "prior-gaussian.safetensors",
    ]
    for path in folder.iterdir():
        assert not zipfile.is_zipfile(path)  # what torch.save writes
        if path.suffix == ".json":
            json.loads(path.read_text())
        else:
            load_file(path)


def test_the_codes_mean_and_deviation_by_map(folder: Path) -> None:
    kept = json.loads((folder / "codes.json").read_text())
    assert kept["weights"] == weights_hash(folder)
    torch.manual_seed(0)
    codes = load(folder).prior("gaussian").sample(torch.Size([20_000])).transpose(0, 1).flatten(1)
    assert_close(torch.tensor(kept["mean"]), codes.mean(1), rtol=0, atol=0.02)
    assert_close(torch.tensor(kept["standard_deviation"]), codes.std(1), rtol=0.02, atol=0)


def complaint(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_a_model(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    assert "config.json and model.safetensors is wanted" in complaint(folder)


@pytest.mark.parametrize(("stem", "network"), [("matched", "paper"), ("authors", "paper:stem=authors")])
def test_settings_of_earlier_versions_are_read(tmp_path: Path, stem: str, network: str) -> None:
    model = SpatialVAE.from_config(ModelConfig(latent="vector", image_size=(8, 8), channels=1, network=network))
    save_model(tmp_path, model)
    old = json.loads((tmp_path / "config.json").read_text())
    del old["network"], old["head"]
    (tmp_path / "config.json").write_text(json.dumps({**old, "decoder_stem": stem}))
    assert load(tmp_path).config == model.config
    (tmp_path / "config.yaml").write_text(f"latent: vector\ndecoder_stem: {stem}\n")
    asked = ModelOptions(latent="vector", network=network)
    assert TrainConfig.read(tmp_path / "config.yaml").model == asked


def test_a_residual_network_of_before_group_norm_is_read_without(tmp_path: Path) -> None:
    network = "residual:width=8,depth=1"
    config = ModelConfig(latent="naive", image_size=(8, 8), channels=1, network=f"{network},norm=none")
    model = SpatialVAE.from_config(config)
    save_model(tmp_path, model)
    stored = json.loads((tmp_path / "config.json").read_text())
    assert "norm=none" in stored["network"]
    (tmp_path / "config.json").write_text(json.dumps({**stored, "network": network}))
    codes = torch.randn(2, *model.latent.event_shape)
    assert torch.equal(load(tmp_path).decode(codes).mean, model.eval().decode(codes).mean)


def test_defaults_are_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = SpatialVAE(latent=parse_latent("naive", (2, 4, 4)), image_shape=(1, 8, 8), networks=ResidualNetworks())
    save_model(tmp_path, model)
    monkeypatch.setattr(ResidualNetworks.__init__, "__defaults__", (16, 1, None, "none", False, "shuffle", "none"))
    assert ResidualNetworks().depth == 1
    assert load(tmp_path).config == model.config  # a default that changes does not change what was stored


def test_a_folder_of_a_newer_version_is_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({"format": 1, **config}))
    load(folder)
    (folder / "config.json").write_text(json.dumps({"format": 2, **config, "unheard_of": 1}))
    assert "config.json has format 2, and spatialvae " in complaint(folder)
    assert complaint(folder).endswith(" reads formats up to 1: update spatialvae.")


def test_a_home_folder_may_be_shortened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder.parent))
    assert load(f"~/{folder.name}").latent == load(folder).latent
    images = torch.zeros(4, *load(folder).image_shape, dtype=torch.uint8)
    assert spatialvae.evaluate(f"~/{folder.name}", images, metrics="mse").metrics["mse"].n == 4


def test_the_discretised_logistics_name_of_earlier_versions_is_read(tmp_path: Path) -> None:
    model = SpatialVAE.from_config(
        ModelConfig(latent="vector", image_size=(8, 8), channels=1, likelihood="logistic", head="dense")
    )
    save_model(tmp_path, model)
    text = (tmp_path / "config.json").read_text().replace('"logistic"', '"discretized-logistic"')
    (tmp_path / "config.json").write_text(text)
    assert load(tmp_path).config == model.config
    (tmp_path / "config.yaml").write_text("likelihood: discretized-logistic\n")
    assert TrainConfig.read(tmp_path / "config.yaml").model.likelihood == "logistic"


def test_no_folder_at_all(tmp_path: Path) -> None:
    assert "holds no model" in complaint(tmp_path / "none")


@pytest.mark.parametrize("name", ["model.safetensors", "prior-gaussian.safetensors"])
@pytest.mark.parametrize("damage", ["cut", "noise", "empty"])
def test_damaged_tensors(folder: Path, name: str, damage: str) -> None:
    content = (folder / name).read_bytes()
    damaged = {"cut": content[: len(content) // 2], "noise": b"\x80\x04 not tensors" * 50, "empty": b""}
    (folder / name).write_bytes(damaged[damage])
    assert "cannot be read as safetensors" in complaint(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "is not valid JSON"),
        (b"\xff\xfe", "is not valid JSON"),
        (b"[1]", "holds no settings"),
        (b'{"latnt": "naive"}', "unknown setting 'latnt'. Did you mean 'latent'?"),
        (b'{"channels": 9}', "channels 9"),
        (b'{"latent": "foo"}', "latent 'foo' of "),
        (b'{"likelihood": "foo"}', "likelihood 'foo' of "),
    ],
)
def test_a_foreign_config(folder: Path, content: bytes, words: str) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(UserError) as caught:
        load(folder)
    assert words in str(caught.value)
    assert str(caught.value).count("\n") <= 1


def test_weights_of_another_model(folder: Path) -> None:
    other = SpatialVAE.from_config(ModelConfig(latent="naive", maps=2, map_size="3x4", image_size=(8, 10), channels=2))
    save_file(other.state_dict(), folder / "model.safetensors")
    assert "posterior.projection.weight came as" in complaint(folder)


def test_a_tensor_too_few_and_one_too_many(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    extra = {**tensors, "surprise": torch.zeros(1)}
    save_file(extra, folder / "model.safetensors")
    assert "surprise came as [1], wanted is nothing" in complaint(folder)
    tensors.pop("likelihood.log_scale")
    save_file(tensors, folder / "model.safetensors")
    assert "likelihood.log_scale came as nothing, wanted is []" in complaint(folder)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"loc": torch.zeros(2, 3, 3), "factor_0": torch.eye(24)}, "loc came as [2, 3, 3], wanted is [2, 3, 4]"),
        ({"loc": torch.zeros(2, 3, 4), "factor_0": torch.eye(18)}, "factor_0 came as [18, 18], wanted is [24, 24]"),
        ({"loc": torch.zeros(2, 3, 4)}, "factor_0 came as nothing"),
    ],
)
def test_a_prior_of_another_shape(folder: Path, tensors: dict[str, torch.Tensor], words: str) -> None:
    metadata = {"prior": "gaussian", "weights": weights_hash(folder)}
    save_file(tensors, folder / "prior-gaussian.safetensors", metadata)
    model = load(folder)  # a prior is not the model: a file from another version stops nobody from using that
    assert len(model.sample(1, seed=0)) == 1
    assert model.priors.default == "standard"
    with pytest.raises(UserError) as caught:
        model.sample(1, prior="gaussian")
    assert words in str(caught.value)
    assert "prior-gaussian.safetensors cannot be used" in str(caught.value)
    assert str(caught.value).endswith("Fit it again with fit-prior and prior gaussian.")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["file.txt"]
