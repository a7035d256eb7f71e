"""The two heads: what they put out for every latent, their weights, and what the convolutional one sees."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor
from torch.distributions import kl_divergence
from torch.nn.functional import adaptive_avg_pool2d
from torch.testing import assert_close

from spatialvae.errors import UserError
from spatialvae.heads import ConvProjection, DenseProjection, Head, area_weights, resized
from spatialvae.latents import AbstractLatent, LowRank, MatrixNormalMaps, Naive, TensorNormalMaps, Vector
from spatialvae.posterior import HEADS, Amortized
from spatialvae.priors import standard_normal
from tests.latents.cases import CASES, spelled
from tests.latents.own import Separable

every_latent = pytest.mark.parametrize("latent", CASES, ids=spelled)
every_head = pytest.mark.parametrize("head", list(HEADS))
MAPS = (6, 4, 7)


@every_latent
@every_head
def test_gradients_reach_every_weight(latent: AbstractLatent, head: Head) -> None:
    torch.manual_seed(0)
    posterior = Amortized(latent, MAPS, head=head)
    features = torch.randn(5, *MAPS, requires_grad=True)
    q = posterior(features)
    assert (q.batch_shape, q.event_shape) == ((5,), latent.event_shape)
    (q.rsample().square().sum() + kl_divergence(q, standard_normal(latent.event_shape)).sum()).backward()
    for name, value in posterior.named_parameters():
        assert value.grad is not None, name
        assert (value.grad.isfinite() & (value.grad != 0)).all(), name
    assert features.grad is not None
    assert (features.grad != 0).all()


@every_latent
def test_both_heads_start_equally_near_the_prior(latent: AbstractLatent) -> None:
    torch.manual_seed(0)
    features, prior = torch.randn(200, 64, latent.height, latent.width), standard_normal(latent.event_shape)
    with torch.no_grad():
        dense, conv = (
            kl_divergence(Amortized(latent, features.shape[1:], head=head)(features), prior).mean() / latent.numbers
            for head in HEADS
        )
    assert 0 < conv < 0.02
    assert 0.1 * dense < conv < 5 * dense


GROWING = [
    Naive(4, 2, 2),
    MatrixNormalMaps(4, 2, 2),
    MatrixNormalMaps(4, 2, 2, covariance="ar1"),
    MatrixNormalMaps(4, 2, 2, covariance="full"),
    LowRank(4, 2, 2, rank=2, covariance="full"),
    TensorNormalMaps(4, 2, 2, covariance="full"),
    Separable(4, 2, 2),
]


@pytest.mark.parametrize("latent", GROWING, ids=spelled)
def test_conv_weights_of_one_size_serve_another(latent: AbstractLatent) -> None:
    small = Amortized(latent, (8, 2, 2), head="conv")
    large = Amortized(replace(latent, height=9, width=12), (8, 9, 12), head="conv")
    count = sum(weights.numel() for weights in small.parameters())
    assert count == sum(weights.numel() for weights in large.parameters())
    large.load_state_dict(small.state_dict())
    features = torch.randn(3, 8, 1, 1).expand(-1, -1, 9, 12)  # the same everywhere: so is what is made of it
    q, same = large(features), small(features[..., :2, :2])
    assert_close(q.mean[..., :2, :2], same.mean)
    assert_close(q.stddev[..., :2, :2], same.stddev)


@pytest.mark.parametrize("latent", GROWING, ids=spelled)
def test_dense_weights_grow_with_the_maps(latent: AbstractLatent) -> None:
    large = replace(latent, height=9, width=12)
    dense = DenseProjection(large, (8, 9, 12)).weight.numel()
    assert dense == 8 * 9 * 12 * large.encoder_outputs
    assert sum(weights.numel() for weights in ConvProjection(large, (8, 9, 12)).parameters()) < dense / 100


def by_name(latent: AbstractLatent, outputs: Tensor) -> dict[str, Tensor]:
    parts = outputs.split([math.prod(shape) for shape in latent.shapes.values()], dim=1)
    named = zip(latent.shapes.items(), parts, strict=True)
    return {name: part.unflatten(1, shape) for (name, shape), part in named}


def test_each_parameter_sees_the_features_of_what_it_spans() -> None:
    latent = LowRank(2, 3, 4, rank=2, covariance="full")
    projection = ConvProjection(latent, (5, 3, 4)).double()
    features = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    result = by_name(latent, projection(features))

    def layer(name: str) -> tuple[Tensor, Tensor]:
        weight, bias = projection.convolutions[name].parameters()
        return weight.flatten(1), bias

    rows, columns = features.mean(-1), features.mean(-2)
    weight, bias = layer("row_factor")
    wanted = torch.einsum("mrf,bfi->bmir", weight.view(2, 2, 5), rows) + bias.view(2, 1, 2)
    assert_close(result["row_factor"], wanted)
    weight, bias = layer("column_factor")
    assert_close(result["column_factor"][1, 0, 3, 1], weight[1] @ columns[1, :, 3] + bias[1])
    weight, bias = layer("row_scale")
    assert_close(result["row_scale"], torch.einsum("mf,bfi->bmi", weight, rows) + bias[:, None])
    weight, bias = layer("row_mixing")
    for place, (i, j) in enumerate([(1, 0), (2, 0), (2, 1)]):
        pair = torch.cat([rows[..., i], rows[..., j]], dim=1)
        assert_close(result["row_mixing"][..., place], pair @ weight.mT + bias)


def test_a_parameter_of_no_axis_sees_the_mean_and_maps_may_come_last() -> None:
    features = torch.randn(2, 5, 3, 4)
    ar1 = MatrixNormalMaps(3, 3, 4, covariance="ar1")
    projection = ConvProjection(ar1, (5, 3, 4))
    weight, bias = projection.convolutions["row_correlation"].parameters()
    result = by_name(ar1, projection(features))["row_correlation"]
    assert_close(result, (features.mean((-2, -1)) @ weight.flatten(1).mT + bias).unsqueeze(-1))
    own = Separable(3, 3, 4)
    projection = ConvProjection(own, (5, 3, 4))
    weight, _ = projection.convolutions["down"].parameters()
    result = by_name(own, projection(features))["down"]  # [B, row, map]
    assert_close(result, torch.einsum("mf,bfi->bim", weight.flatten(1), features.mean(-1)))


@pytest.mark.parametrize(("given", "wanted"), [((4, 6), (2, 3)), ((8, 8), (8, 8)), ((2, 3), (4, 6)), ((3, 5), (1, 1))])
def test_maps_are_averaged_as_torch_pools_them_where_sizes_divide(
    given: tuple[int, int], wanted: tuple[int, int]
) -> None:
    maps = torch.randn(2, 3, *given, dtype=torch.float64)
    assert_close(resized(maps, wanted), adaptive_avg_pool2d(maps, wanted))


@pytest.mark.parametrize(("given", "wanted"), [(7, 3), (3, 7), (5, 5), (1, 4), (64, 9)])
def test_area_weights_share_a_line_out(given: int, wanted: int) -> None:
    weights = area_weights(given, wanted)
    assert_close(weights.sum(1), torch.ones(wanted))
    assert_close(weights.sum(0), torch.full((given,), wanted / given))


def test_a_dense_head_takes_maps_as_it_takes_their_numbers() -> None:
    torch.manual_seed(0)
    maps = Amortized(Naive(2, 3, 3), (4, 2, 2))
    torch.manual_seed(0)
    numbers = Amortized(Naive(2, 3, 3), (16,))
    features = torch.randn(5, 4, 2, 2)
    assert maps.state_dict().keys() == {"projection.weight", "projection.bias"}
    assert_close(maps(features).mean, numbers(features.flatten(1)).mean, rtol=0, atol=0)


def test_half_precision_maps() -> None:
    posterior = Amortized(Vector(4), (8, 3, 3), head="conv").to(torch.bfloat16)
    assert posterior(torch.randn(2, 8, 3, 3, dtype=torch.bfloat16)).mean.dtype == torch.float32


def test_mistakes() -> None:
    with pytest.raises(UserError, match=r"^head convs is not possible. Did you mean 'conv'\?"):
        Amortized(Vector(4), (8,), head="convs")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="head conv takes feature maps, and this encoder puts out 8 numbers: use dense"):
        Amortized(Vector(4), (8,), head="conv")

    @dataclass(frozen=True)
    class Wrong(Naive):
        @property
        def axes(self) -> dict[str, tuple[str, ...]]:
            return {"loc": ("map", "column", "row"), "scale": ("map", "row", "column")}

    with pytest.raises(UserError, match=r"axes map, column, row of Wrong's loc do not fit its shape \[2, 3, 4\]"):
        Amortized(Wrong(2, 3, 4), (8, 3, 4), head="conv")


@torch.no_grad()
def test_weights_kept_by_an_evaluation_serve_training() -> None:
    latent = LowRank(maps=2, height=3, width=3)
    head = ConvProjection(latent, (4, 7, 5))
    with torch.inference_mode():
        head(torch.zeros(1, 4, 7, 5))
    with torch.enable_grad():
        features = torch.ones(1, 4, 7, 5, requires_grad=True)
        head(features).sum().backward()
    assert features.grad is not None


def test_axes_of_other_names_than_the_shapes_are_refused() -> None:
    @dataclass(frozen=True)
    class Misnamed(Separable):
        @property
        def axes(self) -> dict[str, tuple[str, ...]]:
            return {"loc": ("map", "row", "column")}

    with pytest.raises(UserError, match="needs the same names"):
        ConvProjection(Misnamed(2, 3, 3), (4, 7, 5))
