"""N(0, I) over codes."""

from __future__ import annotations

import torch
from torch.distributions import Normal
from torch.testing import assert_close

from spatialvae.priors import standard_normal


def test_it_is_the_standard_normal() -> None:
    distribution, z = standard_normal((4, 3, 5), dtype=torch.float64), torch.randn(6, 4, 3, 5, dtype=torch.float64)
    assert (distribution.batch_shape, distribution.event_shape) == ((), (4, 3, 5))
    assert_close(distribution.log_prob(z), Normal(0.0, 1.0).log_prob(z).flatten(1).sum(1))
    assert_close(distribution.mean, torch.zeros(4, 3, 5, dtype=torch.float64))
    assert distribution.sample().dtype == torch.float64


def test_draws_are_independent_numbers() -> None:
    z = standard_normal((2, 2, 2)).sample(torch.Size([20_000])).flatten(1)
    assert_close(z.mT.cov(), torch.eye(8), rtol=0, atol=0.06)
