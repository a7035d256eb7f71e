"""Names of networks in files: complete, and what they meant when they were written."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from spatialvae.networks import NETWORKS, PaperNetworks, ResidualNetworks
from spatialvae.networks.earlier import as_stored
from spatialvae.registry import Registry


@pytest.mark.parametrize("networks", [PaperNetworks(stem="authors"), ResidualNetworks(width=8, attention=True)])
def test_a_complete_text_is_the_same_object(networks: PaperNetworks | ResidualNetworks) -> None:
    text = NETWORKS.complete(NETWORKS.spell(networks))
    assert NETWORKS.parse(text) == networks
    assert NETWORKS.complete(text) == text
    assert all(f"{option}=" in text for option in NETWORKS.options(text.partition(":")[0]))


@pytest.mark.parametrize(("text", "norm"), [("residual", "none"), ("residual:depth=2", "none")])
def test_residual_networks_of_before_had_no_norm(text: str, norm: str) -> None:
    networks = NETWORKS.parse(as_stored(text))
    assert isinstance(networks, ResidualNetworks)
    assert networks.norm == norm
    assert as_stored("residual:norm=group") == NETWORKS.complete("residual")


def test_a_name_that_is_not_registered_is_left_as_it_is() -> None:
    assert as_stored("elsewhere:width=2") == "elsewhere:width=2"


def test_a_default_that_no_text_spells_is_left_out() -> None:
    parts = Registry[object]("part")

    @parts.register("one")
    @dataclass(frozen=True)
    class One:
        size: int
        words: str = "a,b"
        table: tuple[int, ...] = ()

    assert parts.complete("one:size=3") == "one:size=3"
    assert parts.parse(parts.complete("one:size=3")) == One(3)
