"""The projection head: one layer, cut into the parameters that the latent names."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from spatialvae.latents import LATENTS, AbstractLatent, LowRank, Naive
from spatialvae.posterior import Amortized
from tests.latents.cases import CASES, spelled

every_latent = pytest.mark.parametrize("latent", CASES, ids=spelled)


@every_latent
def test_it_is_one_layer_of_the_latents_outputs(latent: AbstractLatent) -> None:
    head = Amortized(latent, (7,))
    shapes = {name: tuple(value.shape) for name, value in head.named_parameters()}
    outputs = latent.encoder_outputs
    shared = {f"shared.{name}": shape for name, shape in latent.shared_shapes.items()}
    assert shapes == {"projection.weight": (outputs, 7), "projection.bias": (outputs,), **shared}
    q = head(torch.randn(5, 7))
    assert (q.batch_shape, q.event_shape) == ((5,), latent.event_shape)


def test_outputs_are_cut_in_the_order_of_shapes() -> None:
    head = Amortized(LowRank(2, 3, 5), (1,))
    with torch.no_grad():
        head.projection.weight.zero_()
        head.projection.bias.copy_(torch.linspace(-1, 1, head.latent.encoder_outputs))
    bias = head.projection.bias.detach()
    rows, columns, row_scale, column_scale = bias.split([6, 10, 6, 10])
    q = head(torch.zeros(1, 1))
    assert_close(q.mean[0], rows.view(2, 3, 1) * columns.view(2, 1, 5))
    assert_close(q.stddev[0], (row_scale.view(2, 3, 1) + column_scale.view(2, 1, 5)).exp())


def test_a_naive_map_is_row_major() -> None:
    head = Amortized(Naive(2, 2, 3), (1,))
    with torch.no_grad():
        head.projection.weight.zero_()
        head.projection.bias.copy_(torch.arange(24.0) / 24)
    assert_close(head(torch.zeros(1, 1)).mean.flatten(), torch.arange(12.0) / 24)


@pytest.mark.parametrize("name", list(LATENTS))
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_features_give_a_float32_distribution(name: str, half: torch.dtype) -> None:
    head = Amortized(LATENTS[name](4, *((1, 1) if name == "vector" else (3, 3))), (8,)).to(half)
    q = head(torch.randn(2, 8, dtype=half))
    assert q.mean.dtype == q.stddev.dtype == q.rsample().dtype == torch.float32


def test_autocast_rounds_no_product_of_the_distribution() -> None:
    head = Amortized(LowRank(4, 3, 3, rank=2), (8,))
    features = torch.randn(5, 8)
    results = []
    head.projection.register_forward_hook(lambda _module, _inputs, outputs: results.append(outputs.float()))
    with torch.autocast("cpu", torch.bfloat16):
        mean = head(features).mean
    rows, columns = (part.view(5, 4, 3, 2) for part in results[0][:, :48].split(24, dim=1))
    assert_close(mean, rows @ columns.mT)


def test_it_has_the_dtype_of_its_features_otherwise() -> None:
    head = Amortized(Naive(1, 2, 2), (3,)).double()
    assert head(torch.randn(2, 3, dtype=torch.float64)).mean.dtype == torch.float64
