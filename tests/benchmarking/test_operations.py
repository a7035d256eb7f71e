"""Operations and bytes against counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spatialvae.benchmarking.operations import count, of_sampling, of_training
from spatialvae.benchmarking.peak import probes
from spatialvae.config import ModelConfig


def test_a_linear_layer() -> None:
    layer, x = nn.Linear(3, 5), torch.randn(7, 3)
    with torch.no_grad():
        assert count(lambda: layer(x)).flops == 2 * 7 * 3 * 5
    # The backward is a product for the weights, and one for the input where that is wanted.
    assert count(lambda: layer(x).sum().backward()).flops == 2 * 2 * 7 * 3 * 5
    wanted = x.clone().requires_grad_()
    assert count(lambda: layer(wanted).sum().backward(), images=7).flops == 3 * 2 * 3 * 5


def test_a_convolution_there_and_back() -> None:
    x = torch.randn(2, 3, 8, 6)
    down, up = nn.Conv2d(3, 4, 5, stride=2, padding=2), nn.ConvTranspose2d(3, 4, 2, stride=2)
    with torch.no_grad():
        assert count(lambda: down(x)).flops == 2 * 2 * (4 * 3) * 4 * (3 * 25)  # a product for each output site
        assert count(lambda: up(x)).flops == 2 * 2 * (8 * 6) * 3 * (4 * 4)  # and for each input site


def test_bytes_are_what_operators_read_and_write() -> None:
    x = torch.zeros(10, 4)
    assert count(lambda: x + x).bytes == 3 * 40 * 4
    assert count(lambda: x.view(4, 10).t()).bytes == 0
    assert count(lambda: x.add_(1)).bytes == 2 * 40 * 4
    assert count(x.double).bytes == 40 * (4 + 8)


def test_the_papers_model() -> None:
    # 3.9 M parameters; the numbers are known from counting every layer.
    config = ModelConfig(latent="low-rank")
    assert of_training(config).flops == pytest.approx(196.8e6, rel=1e-3)
    assert of_sampling(config).flops == pytest.approx(14.28e6, rel=1e-3)
    assert of_sampling(config).intensity == of_sampling(config).flops / of_sampling(config).bytes


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_probes_do_what_they_count(precision: str) -> None:
    for probe in probes(precision, torch.device("cpu"), scale=1).values():
        assert count(probe.work).flops == probe.flops
