"""Names of networks in files: complete, and what they meant when they were written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch

from spatialvae.config import ModelOptions
from spatialvae.errors import UserError
from spatialvae.networks import NETWORKS, PaperNetworks, ResidualNetworks
from spatialvae.networks.earlier import as_stored
from spatialvae.parts import with_defaults
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


@pytest.mark.parametrize("text", ["residual:attention=true,width=08", "residual:width=+8,attention=true,norm=group"])
def test_spellings_of_one_network_are_one_text(text: str) -> None:
    assert NETWORKS.complete(text) == NETWORKS.complete("residual:width=8,attention=true")


def test_a_network_without_a_name_is_refused_in_a_line() -> None:
    with pytest.raises(UserError, match="There is no network 'own'"):
        with_defaults(ModelOptions(network="own:Mine"))


def test_a_default_that_no_text_spells_is_left_out() -> None:
    parts = Registry[object]("part")

    @parts.register("one")
    @dataclass(frozen=True)
    class One:
        size: int
        words: str = "a,b"
        table: tuple[int, ...] = ()
        kernel: Any = torch.ones(2)  # noqa: RUF009

    assert parts.complete("one:size=3") == "one:size=3"
    assert isinstance(parts.parse(parts.complete("one:size=3")), One)
