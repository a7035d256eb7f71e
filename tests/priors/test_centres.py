"""Where a mixture begins: centres that stay with their classes."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from spatialvae.priors.mixture.centres import centres_of
from tests.priors.toy import ToyCodes

EVENT = (2, 2, 2)


def test_centres_stay_with_their_classes() -> None:
    """Two classes a little apart along one number, and two modes far apart along another, the same in both classes."""
    torch.manual_seed(0)
    labels, mode = torch.randint(0, 2, (2, 6000))
    codes = torch.randn(6000, *EVENT)
    codes[:, 0, 0, 0] += 12.0 * mode
    codes[:, 1, 1, 1] += 2.0 * labels
    centres, owners = centres_of(ToyCodes(codes, labels), 2)
    result = centres.reshape(-1, *EVENT)
    assert owners is not None
    assert torch.equal(owners, torch.eye(2, dtype=torch.bool))
    assert_close(result[:, 1, 1, 1], torch.tensor([0.0, 2.0]), rtol=0, atol=0.15)
    assert_close(result[:, 0, 0, 0], torch.tensor([6.0, 6.0]), rtol=0, atol=0.5)
    _, nobodys = centres_of(ToyCodes(codes, labels), 1)
    assert nobodys is None
