"""The residual networks: any size, any map that is in reach, decoders of equal cost, and a start at zero."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from spatialvae.config import ModelConfig, ModelOptions, Optimisation, TrainConfig
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS, parse_latent
from spatialvae.model import SpatialVAE
from spatialvae.networks import ResidualNetworks, feature_shape
from spatialvae.networks.memory import recompute
from spatialvae.networks.rearrangement import Rearrangement, depth_to_space, space_to_depth
from spatialvae.networks.residual_layers import Stack
from spatialvae.networks.shapes import Shape, count_flops
from spatialvae.parts import with_defaults
from spatialvae.resized import at_size
from spatialvae.training.model_stage import ModelStage
from tests.training.tiny import tiny_data

TINY = ResidualNetworks(width=8, depth=1)


def tiny(image_shape: Shape = (1, 8, 8), network: str = "residual:width=8,depth=1", **options: object) -> SpatialVAE:
    channels, *size = image_shape
    values = {"network": network, "channels": channels, "image_size": size, **options}
    return SpatialVAE.from_config(ModelConfig.model_validate(values))


def images(count: int, shape: Shape, seed: int = 0) -> Tensor:
    return torch.randint(0, 256, (count, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.mark.parametrize("latent", list(LATENTS))
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (2, 9, 14), (4, 33, 20)], ids=str)
def test_any_image_and_any_latent(shape: Shape, latent: str) -> None:
    model = tiny(shape, latent=latent)
    given = images(2, shape)
    model.start_from(given)
    terms = model(given)
    terms.bound.mean().backward()
    assert torch.isfinite(terms.bound).all()
    assert model.reconstruct(given).shape == given.shape
    assert model.sample(1, seed=0).shape == (1, *shape)


@pytest.mark.parametrize(
    "options", ["attention=true", "norm=none", "resample=strided", "linear=none", "down=0", "depth=0"]
)
def test_every_option_trains(options: str) -> None:
    model = tiny((3, 8, 12), f"residual:width=8,depth=1,{options}", latent="naive", map_size="4x6").train()
    assert options in model.config.network.replace(":", ",").split(",")
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(3):  # what starts at zero keeps others from a gradient for a step or two
        optimizer.zero_grad()
        (-model(images(4, (3, 8, 12))).bound.mean()).backward()
        optimizer.step()
    for name, weights in model.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.any(), name


def test_widths_and_blocks_of_a_32x32_model() -> None:
    model = SpatialVAE(latent=parse_latent("naive", (18, 8, 8)), image_shape=(3, 32, 32), networks=ResidualNetworks())
    stacks = [module for module in model.encoder.modules() if isinstance(module, Stack)]
    assert [len(stack) for stack in stacks] == [2, 3]
    assert feature_shape(model.encoder, (3, 32, 32)) == (18 + 64, 8, 8)
    assert 0.25e6 < sum(weights.numel() for weights in model.decoder.parameters()) < 0.4e6


@pytest.mark.parametrize("down", [1, 2, 3])
def test_decoders_that_are_compared_cost_the_same(down: int) -> None:
    networks, output = ResidualNetworks(down=down), (3, 32, 32)
    costs: list[tuple[int, int]] = []
    for side, maps in ((3, 128), (4, 72), (8, 18), (16, 4)):
        for name in ("naive", "matrix-normal", "low-rank"):
            costs.append(_cost(networks, LATENTS[name](maps=maps, height=side, width=side).event_shape, output))
    costs.append(_cost(networks, (1152, 1, 1), output))
    for values, tolerance in zip(zip(*costs, strict=True), (1.05, 1.10), strict=True):
        assert max(values) <= tolerance * min(values), (down, values)


def _cost(networks: ResidualNetworks, code: Shape, output: Shape) -> tuple[int, int]:
    decoder = networks.decoder(code, output, (18, 8, 8))
    return sum(weights.numel() for weights in decoder.parameters()), count_flops(decoder, code)


@pytest.mark.parametrize("code", [(6, 8, 8), (5, 4, 16), (7, 2, 8), (3, 16, 32), (70, 1, 1), (9, 1, 8)], ids=str)
def test_a_code_comes_back_from_the_lowest_resolution(code: Shape) -> None:
    arrange = Rearrangement.between(code, (8, 8))
    codes = torch.randn(3, *code)
    lowest = arrange(codes)
    assert lowest.shape == (3, arrange.channels, 8, 8)
    assert torch.equal(arrange.back(lowest)[:, : code[0]], codes)
    assert_close(lowest.square().sum(), codes.square().sum())  # nothing but zeros is added


def test_shuffles_are_those_of_torch() -> None:
    maps = torch.randn(2, 8, 4, 6)
    assert torch.equal(depth_to_space(maps, (2, 2)), nn.functional.pixel_shuffle(maps, 2))
    assert torch.equal(space_to_depth(maps, (2, 2)), nn.functional.pixel_unshuffle(maps, 2))


def test_maps_of_three_are_interpolated_to_four() -> None:
    arrange = Rearrangement.between((2, 3, 3), (4, 4))
    corners = arrange(torch.arange(18.0).reshape(1, 2, 3, 3))[..., ::3, ::3]
    assert_close(corners, torch.tensor([[[[0.0, 2.0], [6.0, 8.0]], [[9.0, 11.0], [15.0, 17.0]]]]))


@pytest.mark.parametrize(
    ("network", "map_size", "words"),
    [
        ("residual", "5", "nearest are 4x4 and 7x7"),
        ("residual", "6x8", "nearest are 4x8 and 7x8"),
        ("residual:down=3", "32", ""),
        ("residual:down=6", "8", "at most down=5"),
        ("residual:width=0", "8", "width=0"),
        ("residual:depth=-1", "8", "depth=-1"),
        ("residual:down=-1", "8", "down=-1"),
        ("residual:norm=batch", "8", "norm=batch"),
    ],
)
def test_what_is_out_of_reach_is_a_plain_error(network: str, map_size: str, words: str) -> None:
    config = ModelConfig(network=network, map_size=map_size, latent="naive", image_size=(32, 32))
    if not words:
        assert SpatialVAE.from_config(config).latent.event_shape[1:] == (32, 32)
        return
    with pytest.raises(UserError, match=words):
        SpatialVAE.from_config(config)


def test_a_family_has_a_head_a_likelihood_and_a_grid_of_its_own() -> None:
    options = with_defaults(ModelOptions(network="residual"))
    assert (options.head, options.likelihood) == ("conv", "gaussian:mean=linear")
    assert with_defaults(ModelOptions(head="dense", network="residual")).head == "dense"
    paper = with_defaults(ModelOptions())
    assert (paper.head, paper.likelihood) == ("dense", "gaussian")
    assert tiny((3, 32, 32)).latent.event_shape == (18, 8, 8)
    # A learned scale of the paper's squared error is none, whatever the network.
    paper = TrainConfig.parse({"network": "residual", "objective": "paper", "maps": 2, "map_size": "4"}, "here")
    stage = ModelStage(paper, tiny_data())
    assert stage.config.model.likelihood == "gaussian:mean=linear"
    built = stage.build(torch.device("cpu"))
    assert built.config.likelihood == "gaussian:scale=1,mean=linear"
    assert not list(built.likelihood.parameters()) and built.likelihood(torch.full((1, 1, 8, 8), 3.0)).mean.max() == 3


def test_the_weights_of_one_size_serve_another() -> None:
    model = tiny((1, 16, 16), latent="naive").eval()
    larger = at_size(model, (24, 32))
    assert larger.latent.event_shape[1:] == (6, 8)
    assert larger.reconstruct(images(2, (1, 24, 32))).shape == (2, 1, 24, 32)


def test_checkpointing_changes_no_gradient() -> None:
    model = tiny(latent="naive", network="residual:width=8,depth=2,attention=true").train()
    gradients: list[list[Tensor]] = []
    for on in (False, True):
        recompute(model, on=on)
        torch.manual_seed(0)
        model.zero_grad()
        model(images(3, (1, 8, 8))).bound.sum().backward()
        gradients.append([weights.grad.clone() for weights in model.parameters() if weights.grad is not None])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
    with pytest.raises(UserError, match="checkpointing"):
        recompute(nn.Linear(1, 1), on=True)
    assert not Optimisation().checkpointing
