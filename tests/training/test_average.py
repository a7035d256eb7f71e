"""The average of the weights: in one operation what a loop over them does."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn
from torch.testing import assert_close

from spatialvae.training.average import WeightAverage


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_it_is_the_loop_over_the_weights(decay: float) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    average = WeightAverage(model, decay)
    loop = AveragedModel(model, avg_fn=get_ema_avg_fn(decay))
    for _ in range(4):
        with torch.no_grad():
            for value in model.parameters():
                value.add_(torch.randn_like(value))
        model(torch.randn(3, 1, 5, 5))  # moves the batch norm's buffers
        average.update()
        loop.update_parameters(model)
    wanted = loop.state_dict()
    assert average.state_dict().keys() == wanted.keys()  # checkpoints of before can be read
    for name, value in average.state_dict().items():
        assert_close(value, wanted[name], rtol=1e-6, atol=1e-6)
    for name, value in average.module.named_buffers():
        assert torch.equal(value, model.get_buffer(name)), name


def test_it_goes_on_from_what_was_stored() -> None:
    model = nn.Linear(2, 2)
    average, resumed = WeightAverage(model, 0.9), WeightAverage(model, 0.9)
    average.update()
    resumed.load_state_dict({name: value.clone() for name, value in average.state_dict().items()})
    nn.init.normal_(model.weight)
    for each in (average, resumed):
        each.update()
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in average.state_dict().items())
    assert not torch.equal(resumed.module.get_parameter("weight"), model.weight)
