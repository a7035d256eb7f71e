"""Which pixels a cell writes and which it reads: the sizes of the decoder's and the encoder's Jacobian."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from spatialvae.data.pixels import to_float
from spatialvae.editing.cells import pixels_of
from spatialvae.model import SpatialVAE
from spatialvae.runtime.evaluating import evaluating
from spatialvae.seeding import seeded

__all__ = ["EXACT_MAPS", "Influence", "influence", "inside_share", "radius", "reads", "writes"]

EXACT_MAPS = 32
"""Up to so many maps the whole basis over the maps is used, beyond it random signs."""
AT_ONCE = 256  # tangents, each of one image, that go through a network together

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Influence:
    """How strongly each cell and each pixel hang together, [height, width, H, W]; pixels are in [-1, 1]."""

    writes: Tensor
    """||d x[:, p] / d z[:, i, j]||_F, root mean square over images: x the decoder's mean picture, z a mean code."""
    reads: Tensor
    """||d m[:, i, j] / d x[:, p]||_F, root mean square over images: m the mean code of x."""
    images: int
    probes: int | None
    """Random signs that the squared norms are means over; None: the exact basis over maps."""


def influence(model: SpatialVAE, images: Tensor, *, probes: int = 32, seed: int = 0) -> Influence:
    """What every cell of the maps writes and reads, at the codes of some images.

    With at most 32 maps all of them are differentiated; with more the squares come from `probes` random signs over
    the maps, E (J v)^2 = sum_k J_k^2, which is unbiased for the squared norm.

    Args:
        images: [B C H W].
        seed: of the random signs.
    """
    floats = to_float(images).to(device=model.device, dtype=next(model.parameters()).dtype)
    exact = model.latent.maps <= EXACT_MAPS
    with evaluating(model), seeded(seed):
        with torch.no_grad():
            codes = model.encode_checked(floats).mean
        written = writes(lambda z: model.decode(z).mean, codes, None if exact else probes)
        read = reads(lambda x: model.encode_checked(x).mean, floats, None if exact else probes)
    return Influence(written.cpu(), read.cpu(), len(images), None if exact else probes)


def writes(decode: Function, codes: Tensor, probes: int | None = None) -> Tensor:
    """sqrt(mean_b sum_{k, c} (d x[c, p] / d z[k, i, j])^2) by forward differentiation: [height, width, H, W].

    Args:
        decode: codes [B, maps, height, width] -> pictures [B, C, H, W], each picture from its own code alone.
        probes: random signs over the maps in place of the exact basis.

    >>> with torch.no_grad():
    ...     writes(lambda z: 2 * z.sum(1, keepdim=True), torch.zeros(1, 4, 1, 2))[0, 1]
    tensor([[0., 4.]])
    """

    def squares(points: Tensor, tangents: Tensor) -> Tensor:
        moved = torch.func.jvp(decode, (points,), (tangents,))[1]
        return moved.square().sum(1)

    return _over_cells(squares, codes, tuple(codes.shape[1:]), probes)


def reads(encode: Function, images: Tensor, probes: int | None = None) -> Tensor:
    """sqrt(mean_b sum_{k, c} (d m[k, i, j] / d x[c, p])^2) by reverse differentiation: [height, width, H, W].

    Args:
        encode: pictures [B, C, H, W] -> mean codes [B, maps, height, width], each code from its own picture alone.
        probes: random signs over the maps in place of the exact basis.

    >>> reads(lambda x: x.mean((2, 3), keepdim=True), torch.zeros(1, 3, 2, 2))[0, 0]
    tensor([[0.4330, 0.4330],
            [0.4330, 0.4330]])
    """

    def squares(points: Tensor, cotangents: Tensor) -> Tensor:
        with torch.enable_grad():
            pixels = points.requires_grad_()
            [gradient] = torch.autograd.grad((encode(pixels) * cotangents).sum(), pixels)
        return gradient.square().sum(1)

    with torch.no_grad():
        shape = tuple(encode(images[:1]).shape[1:])
    return _over_cells(squares, images, shape, probes)


def _over_cells(
    squares: Callable[[Tensor, Tensor], Tensor], points: Tensor, shape: tuple[int, ...], probes: int | None
) -> Tensor:
    """The root of the mean over points of what `squares` gives, summed over the maps: for every cell, [h, w, H, W].

    Args:
        squares: points [n, ...] and vectors over codes [n, *shape] -> squares of pixels [n, H, W].
    """
    maps, height, width = shape
    influences = []
    for cell in range(height * width):
        total = torch.zeros(())
        for which, signs in _vectors(len(points), maps, probes, points):
            vectors = points.new_zeros(len(which), maps, height * width)
            vectors[:, :, cell] = signs
            parts = squares(points[which].detach(), vectors.unflatten(2, (height, width)))
            total = total.to(parts) + parts.detach().sum(0)
        influences.append((total / (len(points) * (probes or 1))).sqrt())
    return torch.stack(influences).unflatten(0, (height, width))


def _vectors(count: int, maps: int, probes: int | None, like: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Every point with every vector over the maps, in pieces: the points' numbers [n] and the vectors [n, maps]."""
    many = probes or maps
    pairs = torch.arange(count * many, device=like.device)
    for piece in pairs.split(AT_ONCE):
        if probes is None:
            vectors = torch.nn.functional.one_hot(piece % many, maps).to(like)
        else:
            vectors = (2 * torch.randint(0, 2, (len(piece), maps), device=like.device) - 1).to(like)
        yield piece // many, vectors


def inside_share(influences: Tensor) -> Tensor:
    """The share of each cell's influence, as squares, that lies on the cell's own block of pixels: [height, width].

    The block's share of the image is what an influence without place would have.

    >>> inside_share(torch.ones(1, 2, 4, 4))
    tensor([[0.5000, 0.5000]])
    """
    height, width, rows, columns = influences.shape
    own = torch.eye(height * width, dtype=torch.bool, device=influences.device).reshape(-1, height, width)
    blocks = torch.stack([pixels_of(cell, (rows, columns)) for cell in own])
    squares = influences.square().flatten(0, 1)
    total = squares.sum((1, 2)).clamp(min=torch.finfo(influences.dtype).tiny)
    return ((squares * blocks).sum((1, 2)) / total).unflatten(0, (height, width))


def radius(influences: Tensor) -> Tensor:
    """The root mean square distance in pixels of each cell's influence, as squares, from its centre: [height, width].

    >>> radius(torch.eye(9).reshape(3, 3, 3, 3))[1, 1], radius(torch.ones(1, 1, 2, 2))
    (tensor(0.), tensor([[0.7071]]))
    """
    rows, columns = influences.shape[2:]
    squares = influences.square()
    total = squares.sum((2, 3)).clamp(min=torch.finfo(influences.dtype).tiny)
    down, across = (torch.arange(size, dtype=influences.dtype, device=influences.device) for size in (rows, columns))

    def spread(weights: Tensor, places: Tensor) -> Tensor:
        centre = (weights * places).sum(-1, keepdim=True) / total[..., None]
        return (weights * (places - centre).square()).sum(-1) / total

    return (spread(squares.sum(3), down) + spread(squares.sum(2), across)).sqrt()
