"""Paths between codes: their ends are what they join; straight ones have the mean code in the middle."""

from __future__ import annotations

import pytest
import torch

from spatialvae.data.pixels import to_uint8
from spatialvae.editing.interpolate import between_draws, between_pictures, cell_by_cell, linear, spherical
from spatialvae.errors import UserError
from spatialvae.latents import LATENTS
from tests.editing.models import near, pictures, small


@pytest.mark.parametrize("latent", list(LATENTS))
def test_a_path_between_pictures(latent: str) -> None:
    model, images = small(latent), pictures()
    path = between_pictures(model, images, 5)
    assert (path.shape, path.dtype) == ((5, 1, 8, 8), torch.uint8)
    assert near(path[[0, -1]], model.reconstruct(images))
    with torch.no_grad():
        first, last = model.encode(images).mean
        quarter = to_uint8(model.decode((0.75 * first + 0.25 * last)[None]).mean)
    assert near(path[1:2], quarter)


def test_two_steps_are_the_ends() -> None:
    model, images = small(), pictures()
    assert near(between_pictures(model, images, 2), model.reconstruct(images))


@pytest.mark.parametrize("prior", ["standard", "gaussian"])
def test_paths_between_draws(prior: str) -> None:
    model = small()
    state = torch.random.get_rng_state()
    paths = between_draws(model, 3, 4, seed=1, prior=prior)
    assert paths.shape == (12, 1, 8, 8)
    assert torch.equal(paths, between_draws(model, 3, 4, seed=1, prior=prior))
    assert not torch.equal(paths, between_draws(model, 3, 4, seed=2, prior=prior))
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        ends = model.prior(prior).sample(torch.Size([6]))
    with torch.no_grad():
        decoded = to_uint8(model.decode(ends).mean)
    assert near(paths[[0, 4, 8]], decoded[:3])  # path after path: each starts at its own draw
    assert near(paths[[3, 7, 11]], decoded[3:])


def test_the_priors_differ() -> None:
    model = small()
    assert not near(*(between_draws(model, 2, 2, seed=1, prior=prior) for prior in ("standard", "gaussian")))


def test_training_mode_makes_no_difference_and_stays() -> None:
    model, images = small(), pictures()
    calm = between_pictures(model, images, 3), between_draws(model, 1, 3, seed=0, prior="standard")
    model.train()
    assert torch.equal(between_pictures(model, images, 3), calm[0])
    assert torch.equal(between_draws(model, 1, 3, seed=0, prior="standard"), calm[1])
    assert model.training


def test_an_unknown_prior() -> None:
    with pytest.raises(UserError, match=r"no prior 'gaussan'\. Did you mean 'gaussian'\?"):
        between_draws(small(), 1, 2, seed=0, prior="gaussan")


SHAPE = (2, 3, 4)


def codes(count: int) -> torch.Tensor:
    return torch.randn(count, *SHAPE, dtype=torch.float64)


@pytest.mark.parametrize("walk", [linear, spherical, cell_by_cell])
@pytest.mark.parametrize("steps", [2, 5, 40])
def test_every_path_has_its_ends(walk, steps: int) -> None:
    first, last, centre = codes(3)
    path = walk(first, last, steps, centre)
    assert path.shape == (steps, *SHAPE)
    torch.testing.assert_close(path[0], first)
    torch.testing.assert_close(path[-1], last)


def test_an_arc_turns_evenly_round_the_centre() -> None:
    first, last, centre = codes(3)
    path = (spherical(first, last, 7, centre) - centre).flatten(1)
    lengths = path.norm(dim=1)
    torch.testing.assert_close(lengths.diff(), ((lengths[-1] - lengths[0]) / 6).expand(6))
    units = path / lengths[:, None]
    angles = (units[1:] * units[:-1]).sum(1).acos()
    torch.testing.assert_close(angles, angles[:1].expand(6))
    rank = torch.linalg.matrix_rank(path, tol=1e-9)
    assert int(rank) == 2  # it stays in the plane of its ends


def test_arcs_that_are_lines() -> None:
    centre, u = codes(2)
    for factor in (2.0, -1.0, 0.0):
        path = spherical(centre + u, centre + factor * u, 5, centre)
        assert torch.isfinite(path).all()
        torch.testing.assert_close(path[-1], centre + factor * u)
    middle = spherical(centre + u, centre + 2 * u, 3, centre)[1]
    torch.testing.assert_close(middle, centre + 1.5 * u)
    torch.testing.assert_close(spherical(centre, centre, 3, centre), centre.expand(3, *SHAPE))


def test_cells_go_over_in_reading_order() -> None:
    first, last, centre = codes(3)
    path = cell_by_cell(first, last, 13, centre)  # a cell a step
    for step in range(13):
        gone = (torch.arange(12) < step).reshape(3, 4)
        assert torch.equal(path[step], torch.where(gone, last, first))
    counts = [int((code != first).all(0).sum()) for code in cell_by_cell(first, last, 6, centre)]
    assert counts == [0, 2, 5, 7, 10, 12]


@pytest.mark.parametrize("path", ["spherical", "cells"])
def test_paths_between_pictures_and_draws(path: str) -> None:
    model, images = small(), pictures()
    walked = between_pictures(model, images, 4, path=path, prior="standard")
    assert near(walked[[0, -1]], model.reconstruct(images))
    assert not near(walked, between_pictures(model, images, 4))
    assert between_draws(model, 2, 4, seed=0, prior="gaussian", path=path).shape == (8, 1, 8, 8)


def test_paths_that_do_not_exist() -> None:
    with pytest.raises(UserError, match=r"path sphrical is not known\. Did you mean 'spherical'\?"):
        between_pictures(small(), pictures(), 3, path="sphrical")
    with pytest.raises(UserError, match="a vector, maps of 1x1"):
        between_draws(small("vector"), 1, 3, seed=0, prior="standard", path="cells")
