"""How a latent is spelled, and what is said when it is spelled wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialvae.errors import UserError
from spatialvae.latents import (
    LATENTS,
    AbstractLatent,
    LowRank,
    MatrixNormalMaps,
    Naive,
    TensorNormalMaps,
    Vector,
    parse_latent,
)

GRID = (64, 3, 3)


@pytest.mark.parametrize(
    ("spec", "latent"),
    [
        ("vector", Vector(81)),
        ("vector:maps=576", Vector(576)),
        ("naive", Naive(64, 3, 3)),
        (" matrix-normal ", MatrixNormalMaps(64, 3, 3)),
        ("matrix-normal:height=5", MatrixNormalMaps(64, 5, 3)),
        ("low-rank:rank=2,maps=16", LowRank(16, 3, 3, rank=2)),
        ("low-rank:", LowRank(64, 3, 3)),
        ("matrix-normal:covariance=full", MatrixNormalMaps(64, 3, 3, covariance="full")),
        ("tensor-normal:covariance=ar1", TensorNormalMaps(64, 3, 3, covariance="ar1")),
    ],
)
def test_what_is_left_out_comes_from_the_grid(spec: str, latent: AbstractLatent) -> None:
    assert parse_latent(spec, GRID) == latent


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("low_rank", ["'low_rank'", "'low-rank'"]),
        ("", ["''", "vector, naive, matrix-normal, low-rank"]),
        ("gaussian-process", ["'gaussian-process'", "vector, naive"]),
        ("Vector", ["'Vector'", "'vector'"]),
        ("low-rank:ranks=2", ["low-rank", "'ranks'", "'rank'"]),
        ("naive:rank=2", ["naive", "'rank'", "maps, height, width"]),
        ("low-rank:rank", ["low-rank:rank", "whole number", "rank=2"]),
        ("low-rank:rank=", ["rank=", "whole number"]),
        ("low-rank:rank=two", ["rank=two", "whole number"]),
        ("low-rank:rank=1.5", ["rank=1.5", "whole number"]),
        ("low-rank:rank=--1", ["rank=--1", "whole number"]),
        ("low-rank:rank=²", ["rank=²", "whole number"]),
        ("matrix-normal:covariance=dense", ["covariance=dense", "diagonal, ar1, full"]),
        ("matrix-normal:covariance=ful", ["covariance=ful", "'full'"]),
        ("tensor-normal:covariance", ["covariance=", "diagonal, ar1, full"]),
        ("naive:covariance=full", ["naive", "'covariance'"]),
        ("low-rank:rank=0", ["rank=0", "3x3", "1 to 3", "rank=1"]),
        ("low-rank:rank=-1", ["rank=-1", "1 to 3", "rank=1"]),
        ("low-rank:rank=4", ["rank=4", "3x3", "1 to 3", "rank=3"]),
        ("low-rank:rank=3,width=2", ["rank=3", "3x2", "1 to 2", "rank=2"]),
        ("naive:maps=0", ["maps=0", "at least 1"]),
        ("matrix-normal:width=-2", ["width=-2", "at least 1"]),
        ("vector:height=3", ["1x1", "3x1", "'naive'"]),
    ],
)
def test_a_wrong_spelling_is_one_plain_line(spec: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        parse_latent(spec, GRID)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


def test_without_a_grid_the_sizes_must_be_said() -> None:
    assert parse_latent("vector:maps=3") == Vector(3)
    with pytest.raises(
        UserError, match="low-rank:maps=4 leaves out height: height is a whole number, for instance low-rank:height=2"
    ):
        parse_latent("low-rank:maps=4")


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "3", None])
def test_python_callers_hear_the_same_rule(value: object) -> None:
    with pytest.raises(UserError, match=r"maps=.* whole number of at least 1"):
        Naive(value, 3, 3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match=r"rank="):
        LowRank(1, 1, 1, rank=2 if value is True else value)  # pyright: ignore[reportArgumentType]


@given(st.sampled_from(sorted(LATENTS)), st.integers(1, 300), st.integers(1, 9), st.integers(1, 9), st.data())
def test_spelling_and_parsing_are_inverse(name: str, maps: int, height: int, width: int, data: st.DataObject) -> None:
    latent = parse_latent(name, (maps, height, width))
    if isinstance(latent, LowRank):
        latent = LowRank(maps, height, width, rank=data.draw(st.integers(1, min(height, width))))
    if isinstance(latent, MatrixNormalMaps | TensorNormalMaps | LowRank):
        latent = replace(latent, covariance=data.draw(st.sampled_from(["diagonal", "ar1", "full"])))
    assert parse_latent(LATENTS.spell(latent)) == latent
    assert parse_latent(LATENTS.spell(latent), GRID) == latent
