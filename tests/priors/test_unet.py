"""The U-Net of a flow-matching prior: maps of every size, times and labels that matter, gradients everywhere."""

from __future__ import annotations

import pytest
import torch

from spatialvae.priors.flow_matching.unet import VelocityUNet


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        ((5, 4), [(5, 4)]),
        ((8, 8), [(8, 8), (4, 4)]),
        ((16, 16), [(16, 16), (8, 8), (4, 4)]),
        ((9, 20), [(9, 20), (5, 10)]),
        ((2, 30), [(2, 30)]),
    ],
)
def test_maps_of_every_size(size: tuple[int, int], sizes: list[tuple[int, int]]) -> None:
    network = VelocityUNet((3, *size), classes=2, width=8, blocks=1)
    assert network.sizes == sizes
    codes = torch.randn(2, 3, *size)
    assert torch.equal(network(codes, torch.rand(2), None), torch.zeros_like(codes))


def stirred() -> VelocityUNet:
    torch.manual_seed(0)
    network = VelocityUNet((3, 9, 8), classes=2, width=8, blocks=2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return network


def test_time_label_and_every_site_matter_everywhere() -> None:
    network, codes = stirred(), torch.randn(1, 3, 9, 8)
    whole = network(codes, torch.tensor([0.3]), torch.tensor([1]))
    assert (whole - network(codes, torch.tensor([0.4]), torch.tensor([1]))).abs().min() > 0
    assert (whole - network(codes, torch.tensor([0.3]), torch.tensor([0]))).abs().min() > 0
    assert torch.equal(
        network(codes, torch.tensor([0.3]), None), network(codes, torch.tensor([0.3]), torch.tensor([2]))
    )
    other = codes.clone()
    other[0, :, 0, 0] += 1  # one corner reaches the opposite one
    assert (whole - network(other, torch.tensor([0.3]), torch.tensor([1])))[0, :, -1, -1].abs().min() > 0


def test_each_code_is_on_its_own_and_gradients_reach_every_weight() -> None:
    network, codes = stirred(), torch.randn(4, 3, 9, 8)
    time, labels = torch.rand(4), torch.tensor([0, 1, 2, 0])
    together = network(codes, time, labels)
    for k in range(4):
        alone = network(codes[k : k + 1], time[k : k + 1], labels[k : k + 1])
        torch.testing.assert_close(together[k : k + 1], alone, rtol=1e-4, atol=1e-5)
    together.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in network.parameters())
