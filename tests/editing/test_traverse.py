"""Directions against known covariances; walks: what moves, how far, and what stays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from spatialvae.data.pixels import to_uint8
from spatialvae.editing.cells import parse_cells
from spatialvae.editing.directions import deviation_along, draws_of, principal_directions
from spatialvae.editing.traverse import component_directions, part_directions, traverse
from spatialvae.priors import standard_normal
from tests.editing.models import near, small
from tests.priors.gaussians import gaussian

SHAPE = (2, 2, 3)
SPREAD = torch.tensor([9.0, 5, 3, 2, 1, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2], dtype=torch.float64)


def rotated() -> tuple[Tensor, Tensor]:
    """Axes [12, 12], a row each, and draws whose covariance has them with the deviations SPREAD."""
    axes = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64)).Q.mT
    covariance = axes.mT @ SPREAD.square().diag() @ axes
    return axes, draws_of(gaussian(torch.randn(SHAPE, dtype=torch.float64), torch.linalg.cholesky(covariance))())


def test_components_of_a_known_distribution() -> None:
    axes, draws = rotated()
    directions = component_directions(draws, [0, 1, 2])
    assert [direction.name for direction in directions] == ["component 0", "component 1", "component 2"]
    for k, direction in enumerate(directions):
        assert abs((direction.vector.flatten() @ axes[k]).item()) > 0.99
        assert abs(direction.deviation(draws) / SPREAD[k] - 1) < 0.05
        assert abs(direction.share / (SPREAD[k].square() / SPREAD.square().sum()) - 1) < 0.1
        assert direction.vector.flatten()[direction.vector.abs().argmax()] > 0
    assert [direction.name for direction in component_directions(draws, [2])] == ["component 2"]
    torch.testing.assert_close(component_directions(draws, [2])[0].vector, directions[2].vector)


def test_a_randomised_decomposition_agrees(monkeypatch: pytest.MonkeyPatch) -> None:
    _, draws = rotated()
    exact = principal_directions(draws, 2)
    monkeypatch.setattr("spatialvae.editing.directions.MOST_DIRECTIONS", 5)
    monkeypatch.setattr("spatialvae.editing.directions.MORE", 5)
    state = torch.random.get_rng_state()
    for one, other in zip(principal_directions(draws, 2), exact, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_draws_are_repeatable_and_of_a_batch_of_one() -> None:
    distribution = standard_normal(SHAPE)
    assert torch.equal(draws_of(distribution, seed=3), draws_of(distribution, seed=3))
    assert draws_of(distribution).shape == draws_of(distribution.expand(torch.Size([1]))).shape == (2000, *SHAPE)


@pytest.mark.parametrize(
    ("cells", "maps", "names", "where"),
    [
        ("1,2", None, ["cell 1,2"], (slice(None), 1, 2)),
        (None, [1], ["map 1"], (1, slice(None), slice(None))),
        ("0,1", [1], ["map 1 at cell 0,1"], (1, 0, 1)),
    ],
)
def test_parts_move_alone(cells: str | None, maps: list[int] | None, names: list[str], where: tuple) -> None:
    _, draws = rotated()
    mask = None if cells is None else parse_cells(cells, SHAPE[1:])
    directions = part_directions(draws, cells=mask, maps=maps)
    assert [direction.name for direction in directions] == names
    [direction] = directions
    rest = direction.vector.clone()
    rest[where] = 0
    assert (rest == 0).all()
    torch.testing.assert_close(direction.vector.norm(), torch.ones((), dtype=torch.float64))
    part = draws[(slice(None), *where)].reshape(len(draws), -1)
    values = torch.linalg.eigvalsh(part.T.cov().reshape(part.shape[1], -1))
    assert abs(direction.deviation(draws) ** 2 / values[-1] - 1) < 1e-6
    assert abs(direction.share - values[-1] / values.sum()) < 1e-6


def test_a_row_for_every_map_at_every_cell() -> None:
    _, draws = rotated()
    directions = part_directions(draws, cells=parse_cells("0,0:2", SHAPE[1:]), maps=[1, 0])
    assert [way.name for way in directions] == [f"map {k} at cell 0,{j}" for k in (1, 0) for j in (0, 1)]
    assert len(part_directions(draws, cells=parse_cells(":,:", SHAPE[1:]))) == 6


def test_what_never_changes_has_no_share() -> None:
    [direction] = part_directions(torch.zeros(10, *SHAPE), maps=[0])
    assert direction.share == direction.deviation(torch.zeros(10, *SHAPE)) == 0


def test_the_deviation_of_another_distribution() -> None:
    _, draws = rotated()
    direction = component_directions(draws, [0])[0]
    assert abs(deviation_along(direction.vector, draws_of(standard_normal(SHAPE))) - 1) < 0.05


def test_a_walk_is_decoded_row_by_row() -> None:
    model = small()
    draws = draws_of(model.prior("gaussian"))
    directions = part_directions(draws, maps=[0, 1])
    origin = torch.randn(model.latent.event_shape)
    walked = traverse(model, origin, directions, [6.0, 2.0], 5)
    assert walked.shape == (10, 1, 8, 8)
    with torch.no_grad():
        codes = [origin, origin - 6 * directions[0].vector.float(), origin + directions[1].vector.float()]
        start, end, half = to_uint8(model.decode(torch.stack(codes)).mean)
    assert near(walked[[2, 7]], torch.stack([start, start]))
    assert near(walked[0], end)
    assert near(walked[8], half)
