"""What the bound gains with another p(z): how well a prior describes codes that it was not fitted to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import reduce
from operator import or_

import torch
from torch import Tensor

from spatialvae.data import ImageSplit
from spatialvae.data.batches import in_order, to_device
from spatialvae.data.pixels import to_float
from spatialvae.data.subset import drawn
from spatialvae.metrics.base import key_of
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.subjects import ModelOnSplit
from spatialvae.model import SpatialVAE
from spatialvae.priors import AbstractPrior
from spatialvae.progress import Progress
from spatialvae.seeding import seeded, stream_seed

__all__ = ["measure_gains", "prior_gains"]

BATCH = 250


@torch.no_grad()
def prior_gains(
    model: SpatialVAE, split: ImageSplit, count: int, priors: Sequence[str], *, seed: int = 0, progress: bool = False
) -> dict[str, Tensor]:
    """What the bound of some images gains with each prior p in place of the model's own p_0, nats per image.

        log p(z) - log p_0(z),   z ~ q(z|x)

    Its mean is the difference of E_q[log p(x|z) + log p(z) - log q(z|x)], a lower bound on log p(x) for any p, to the
    ELBO. So gains compare priors, and ELBO plus gain compares latents. All priors see the same code of an image;
    where a density is an estimate, its errors are independent between images.

    Returns:
        {prior: [n]}, n at most `count` and the prior's `scored`, of the images of the split's `subset` of n and `seed`;
        nothing for the model's own prior.
    """
    distributions = {name: model.prior(name) for name in priors if name != model.priors.own}
    wanted = {
        name: min(count, model.priors[name].scored if name in model.priors else AbstractPrior.scored)
        for name in distributions
    }
    gains: dict[str, list[Tensor]] = defaultdict(list)
    most, seen, own = max(wanted.values(), default=0), 0, model.prior()
    # In the order of their draw, so that a slower prior's fewer images are the first ones here.
    rows = drawn(len(split), most, seed=seed)
    with Progress("codes under each prior", most, shown=progress) as work:
        for images in in_order(split, BATCH, rows):
            codes = model.encode_checked(to_float(to_device(images, model.device))).sample()
            before = own.log_prob(codes)
            for name, distribution in distributions.items():
                left = max(0, wanted[name] - seen)
                if left:
                    with seeded(stream_seed(torch.initial_seed(), seen)):  # the codes to come stay what they are
                        density = distribution.log_prob(codes[:left])
                    gains[name].append((density - before[:left]).cpu())
            seen += len(images)
            work.advance(len(images))
    return {name: torch.cat(parts)[torch.from_numpy(rows[: wanted[name]].argsort())] for name, parts in gains.items()}


def measure_gains(subject: ModelOnSplit) -> Measurement:
    """The gains of all priors but the model's own."""
    gains = prior_gains(
        subject.model,
        subject.split,
        subject.count,
        subject.priors,
        seed=subject.config.seed,
        progress=subject.progress,
    )
    return reduce(or_, (Measurement.of(key_of(subject.key, name), one) for name, one in gains.items()), Measurement())
