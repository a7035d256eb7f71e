"""What keeps samples from looking like reconstructions: the prior, the directions it works on, or batch norm.

    python benchmarks/sample_limits.py RUN --features cifar10-resnet20.pt --json benchmarks/results/sample_limits.json

Fréchet distance, precision and recall against the test images of pictures decoded from

- `posterior`: one draw from q(z|x) of a training image, the best that any prior of these codes could do;
- `signal`: the same along the directions that tell images apart, noise along the others;
- `gaussian`, `standard`: draws from these priors; `hotter`: from the Gaussian with 1.2 times the standard deviation;

each with the decoder's batch norm on its running statistics, as `sample` uses it, and on `standing` ones: mean and
variance of 5,000 of the same codes (Brock et al., BigGAN, 2019; Vahdat and Kautz, NVAE, 2020). `--picture` shows 16 of
each, a row each in this order, every kind first as it is and then with standing statistics.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from spatialvae import load
from spatialvae.cli.images import images_for
from spatialvae.config import EvaluationConfig
from spatialvae.data.pixels import to_uint8
from spatialvae.metrics.measurement import Measurement
from spatialvae.metrics.samples.reference import Reference
from spatialvae.metrics.selection import select
from spatialvae.model import SpatialVAE
from spatialvae.picture_grid import grid, save_picture
from spatialvae.posterior_codes import PosteriorCodes
from spatialvae.priors import GaussianPrior, signal_directions
from spatialvae.seeding import seeded

METRICS = ("frechet", "precision", "recall")
STANDING = 5000
SHOWN = 16
HOTTER = 1.2
CHUNK = 500


def kinds_of_codes(model: SpatialVAE, codes: PosteriorCodes, count: int) -> dict[str, Tensor]:
    """The codes of every kind by name, [count, maps, h, w]."""
    gaussian = model.prior("gaussian")
    assert isinstance(gaussian, GaussianPrior)
    basis = signal_directions(codes, gaussian)
    print(f"{basis.shape[1]:,} of {len(basis):,} directions tell images apart", flush=True)
    posterior = torch.cat([drawn for drawn, _ in codes.draws(limit=count)])
    white, noise = gaussian.whiten(posterior).flatten(1), torch.randn(count, len(basis))
    signal = noise + (white - noise) @ basis @ basis.mT
    size = torch.Size([count])
    return {
        "posterior": posterior,
        "signal": gaussian.colour(signal.reshape(posterior.shape)),
        "gaussian": gaussian.sample(size),
        "hotter": gaussian(temperature=HOTTER).sample(size),
        "standard": model.prior("standard").sample(size),
    }


def pictures(model: SpatialVAE, codes: Tensor) -> Tensor:
    return torch.cat([to_uint8(model.decode(part).mean) for part in codes.split(CHUNK)])


@contextmanager
def standing(model: SpatialVAE, codes: Tensor) -> Iterator[None]:
    """The decoder's batch norm on the mean and variance of `codes` inside, as it was afterwards."""
    before = {name: tensor.clone() for name, tensor in model.decoder.state_dict().items()}
    norms = [module for module in model.decoder.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean over batches
        norm.train()
    for part in codes.split(CHUNK):
        model.decode(part)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
    yield
    model.decoder.load_state_dict(before)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--features", required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    model = load(arguments.run)
    data = images_for(arguments.run, model, {}, progress=False).data
    config = EvaluationConfig(metrics=",".join(METRICS), features=arguments.features)
    reference, measured = Reference(data, config, len(data.split("test")), select(config)), Measurement()
    shown: list[Tensor] = []
    with seeded(0), PosteriorCodes(model, data) as codes:
        for kind, drawn in kinds_of_codes(model, codes, min(arguments.count, len(codes))).items():
            decoded = pictures(model, drawn)
            shown.append(decoded[:SHOWN])
            measured |= reference.on_features(decoded, kind)
            with standing(model, drawn[:STANDING]):
                decoded = pictures(model, drawn)
                shown.append(decoded[:SHOWN])
                measured |= reference.on_features(decoded, f"{kind}, standing")
            for name in (kind, f"{kind}, standing"):
                print(
                    name,
                    {metric: round(measured.metrics[f"{metric}/{name}"].value, 3) for metric in METRICS},
                    flush=True,
                )
    if arguments.picture:
        save_picture(grid(torch.cat(shown), columns=SHOWN), arguments.picture)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({key: value.value for key, value in measured.metrics.items()}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
