"""The words of a metric of one's own: what is missing or unknown is said, by the metric's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from spatialvae.errors import UserError
from spatialvae.metrics import METRICS, AbstractCodeMetric
from spatialvae.metrics.catalogue import quantities
from tests.cli.plugin_files import forgotten


@dataclass(frozen=True)
class Mine(AbstractCodeMetric):
    """A metric with all its words but the group."""

    title = "mine"
    unit = "nats"
    better = "lower"
    meaning = "nothing"

    def measure(self, batch: Any) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({}, "metric mine lacks its group: give its class title"),
        ({"group": "latents"}, "metric mine has group='latents'. Did you mean 'latent'"),
        ({"group": "latent", "better": "more"}, "metric mine has better='more'"),
    ],
)
def test_words_that_are_missing_or_unknown(words: dict[str, str], message: str) -> None:
    with forgotten(), pytest.raises(UserError) as caught:
        METRICS.register("mine")(type("Other", (Mine,), words))
        quantities()
    assert message in str(caught.value)


def test_a_function_is_no_metric() -> None:
    with forgotten(), pytest.raises(UserError, match="metric mine is no class that extends AbstractMetric"):
        METRICS.register("mine")(quantities)
        quantities()
