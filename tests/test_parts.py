"""Models made of objects: parts of one's own from outside the package, trained, saved and loaded again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from spatialvae.config import ModelConfig, Optimisation
from spatialvae.errors import UserError
from spatialvae.latents import LowRank, MatrixNormalMaps, Naive
from spatialvae.likelihoods import Bernoulli, Gaussian
from spatialvae.model import SpatialVAE
from spatialvae.networks import AbstractNetworks, PaperNetworks, feature_shape
from spatialvae.networks.shapes import Shape
from spatialvae.priors import LearnedFamily
from spatialvae.store import load, save_model
from spatialvae.training.model_stage import make_optimizer
from tests.test_model import pictures

SHAPE = (1, 8, 8)


class Encoder(nn.Module):
    """Images to features, by one layer."""

    def __init__(self, features: int = 12) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, features), nn.Dropout(), nn.ReLU())

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class Decoder(nn.Module):
    """Codes to pictures, with a skip past the hidden layer."""

    def __init__(self, side: int = 8) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(18, side * side), nn.Linear(side * side, side * side)
        self.side = side

    def forward(self, codes: Tensor) -> Tensor:
        hidden = self.first(codes.flatten(1)).tanh()
        return (hidden + self.second(hidden)).unflatten(1, (1, self.side, self.side))


def own(**options: object) -> SpatialVAE:
    parts = {"latent": Naive(2, 3, 3), "encoder": Encoder(), "decoder": Decoder(), "image_shape": SHAPE, **options}
    return SpatialVAE(**parts)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("options", "digest"),
    [
        ({"latent": "low-rank", "image_size": (16, 16), "channels": 1, "maps": 4}, "ef16b17ab1e5b56e"),
        ({"latent": "vector", "image_size": (32, 32)}, "86b17ae17a35cd65"),
        ({"latent": "vector", "image_size": (32, 32), "network": "paper:stem=authors"}, "5366d694ce49bcbf"),
        ({"latent": "tensor-normal", "image_size": (16, 16), "maps": 4}, "8a699c24c8d34eac"),
    ],
)
def test_the_weights_of_a_seed_are_those_of_earlier_versions(options: dict[str, object], digest: str) -> None:
    torch.manual_seed(3)
    model = SpatialVAE.from_config(ModelConfig(**options))  # pyright: ignore[reportArgumentType]
    sha = hashlib.sha256()
    for name, value in model.state_dict().items():
        sha.update(name.encode() + value.contiguous().numpy().tobytes())
    sha.update(torch.rand(2).numpy().tobytes())  # and of the numbers that are drawn next
    assert sha.hexdigest()[:16] == digest


def test_objects_and_names_make_the_same_model() -> None:
    config = ModelConfig(latent="low-rank:rank=2", maps=2, image_size=(8, 8), channels=1)
    torch.manual_seed(0)
    named = SpatialVAE.from_config(config)
    torch.manual_seed(0)
    made = SpatialVAE(latent=LowRank(2, 3, 3, rank=2), networks=PaperNetworks(), image_shape=SHAPE)
    for name, value in named.state_dict().items():
        assert torch.equal(value, made.state_dict()[name])
    again = SpatialVAE.from_config(made.config)
    assert (again.latent, again.config) == (made.latent, made.config)
    assert made.config.latent == "low-rank:maps=2,height=3,width=3,rank=2"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"networks": PaperNetworks}, "networks=PaperNetworks is a class.* write PaperNetworks()"),
        ({"latent": Naive}, r"latent=Naive is a class.* write Naive\(\)"),
        ({"likelihood": Bernoulli}, r"write Bernoulli\(\)"),
        ({"prior": LearnedFamily}, r"write LearnedFamily\(\)"),
        ({"encoder": Encoder}, r"write Encoder\(\)"),
        ({"networks": "paper"}, r"networks='paper' is a name(.|\n)*from_config"),
        ({"latent": 5}, "latent=5 is no AbstractLatent"),
        ({"decoder": len}, "is no Module"),
    ],
)
def test_what_is_no_object_of_its_kind_is_refused(parts: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        own(**parts)


def test_networks_of_ones_own_are_trained_saved_and_loaded(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, images = own(), pictures(16)
    optimizer = make_optimizer(model, Optimisation(learning_rate=0.01), fused=False)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = -model(images).bound.mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 5
    save_model(tmp_path, model)
    assert json.loads((tmp_path / "config.json").read_text())["network"] == "own:Encoder+Decoder"
    other = own()
    before = {name: value.clone() for name, value in other.state_dict().items()}
    loaded = load(tmp_path, like=other)
    assert torch.equal(loaded.sample(5, seed=1), model.sample(5, seed=1))
    assert not loaded.training
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def test_without_the_parts_an_error_says_what_is_missing(tmp_path: Path) -> None:
    save_model(tmp_path, own())
    with pytest.raises(UserError, match=r"network of .* no registered name \(own:Encoder\+Decoder\)(.|\n)*like=model"):
        load(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for part in ("latent", "likelihood", "network"):
        changed = {**config, "network": "paper", part: "os.system:command=ls"}
        (tmp_path / "config.json").write_text(json.dumps(changed))
        with pytest.raises(UserError, match=f"The {part} 'os.system:command=ls' of .*not registered") as caught:
            load(tmp_path)
        assert "`plugin`" in caught.value.message
        assert str(caught.value).count("\n") <= 1


def test_like_of_another_shape_is_refused_with_both(tmp_path: Path) -> None:
    save_model(tmp_path, own())
    with pytest.raises(UserError, match=r"\[1, 9, 9\].*\[1, 8, 8\]"):
        load(tmp_path, like=own(image_shape=(1, 9, 9), encoder=nn.Flatten(), decoder=Decoder(9)))
    with pytest.raises(UserError, match=r"encoder.layers.1.weight came as \[12, 64\], wanted is \[11, 64\]"):
        load(tmp_path, like=own(encoder=Encoder(11)))
    with pytest.raises(UserError, match=r"latent MatrixNormalMaps(.|\n)*Naive"):
        load(tmp_path, like=own(latent=MatrixNormalMaps(2, 3, 3)))
    with pytest.raises(UserError, match="likelihood bernoulli"):
        load(tmp_path, like=own(likelihood=Bernoulli()))


def test_outputs_of_another_shape_are_refused_with_both() -> None:
    with pytest.raises(
        UserError, match=r"Decoder puts out \[B, 1, 9, 9\] for codes \[B, 2, 3, 3\](.|\n)*\[B, 1, 8, 8\]"
    ):
        own(decoder=Decoder(9))
    with pytest.raises(UserError, match=r"Sequential puts out \[B, 1, 8, 1, 5\] for images"):
        own(encoder=nn.Sequential(nn.Linear(8, 5), nn.Unflatten(-1, (1, 5))))
    with pytest.raises(UserError, match=r"Encoder cannot take \[B, 3, 8, 8\]: RuntimeError"):
        own(image_shape=(3, 8, 8))


def test_a_likelihood_may_want_more_outputs_than_channels() -> None:
    class Wide(Gaussian):
        def means(self, channels: int) -> tuple[int | None, ...]:
            return (*range(channels), *(None for _ in range(channels)))

        def forward(self, output: Tensor):
            return super().forward(output[:, :1] + output[:, 1:])

    model = SpatialVAE(latent=Naive(2, 3, 3), likelihood=Wide(), image_shape=SHAPE)
    assert model(pictures()).bound.shape == (4,)
    with pytest.raises(UserError, match=r"\[B, 2, 8, 8\]"):
        own(likelihood=Wide())


@pytest.mark.parametrize("name", ["latent", "likelihood", "networks"])
def test_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"='low-rank' is a name(.|\n)*from_config"):
        own(**{name: "low-rank"})


def test_trying_a_network_leaves_no_trace() -> None:
    encoder = Encoder()
    encoder.layers[2].eval()
    state = torch.random.get_rng_state()
    assert feature_shape(encoder, SHAPE) == (12,)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert (encoder.training, encoder.layers[2].training) == (True, False)

    class Told(nn.Module):
        feature_shape = (3, 4, 4)

    assert feature_shape(Told(), SHAPE) == (3, 4, 4)


def test_a_family_makes_both_halves() -> None:
    @dataclass(frozen=True)
    class Mine(AbstractNetworks):
        features: int = 12

        def encoder(self, image_shape: Shape, code_shape: Shape, grid: Shape) -> nn.Module:
            return Encoder(self.features)

        def decoder(
            self, code_shape: tuple[int, int, int], output_shape: tuple[int, int, int], grid: tuple[int, int, int]
        ) -> nn.Module:
            return Decoder(output_shape[1])

    model = SpatialVAE(latent=Naive(2, 3, 3), networks=Mine(features=5), image_shape=SHAPE)
    assert model.posterior.projection.in_features == 5
    assert model.config.network == "own:Mine"


def test_the_text_of_a_model_names_its_parts() -> None:
    text = repr(own())
    for words in ("8x8", "naive", "2 x 3 x 3", "own:Encoder+Decoder", "gaussian", "standard", "encoder 780"):
        assert words in text
    assert len(text.splitlines()) < 10
    html = own()._repr_html_()
    assert "data:image/png;base64,iVBOR" in html
    assert "own:Encoder+Decoder" in html
