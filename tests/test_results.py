"""docs/results.md and docs/studies say what their numbers carry: their intervals are those of the stored seeds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from spatialvae.comparison import Difference, paired_by_seed

DOCS = Path(__file__).resolve().parent.parent / "docs"
STUDIES = DOCS / "studies"
PAGE = " ".join(" ".join(page.read_text(encoding="utf-8") for page in sorted(STUDIES.glob("*.md"))).split())


def interval(values: list[float], others: list[float]) -> Difference:
    estimate = paired_by_seed(torch.tensor(values).double(), torch.tensor(others).double())
    assert estimate is not None
    return estimate


def stored(file: str, model: str, key: str) -> list[float]:
    """A metric of a model with every seed, from either form of file."""
    recorded = json.loads((STUDIES / file).read_text())
    if "models" in recorded:
        [runs] = [entry["runs"] for entry in recorded["models"] if entry["latent"] == model]
        return [run["metrics"][key]["value"] for run in runs]
    return [run[key] for run in recorded[model]]


@pytest.mark.parametrize(
    ("file", "model", "other", "digits", "message"),
    [
        ("cifar10-bound.json", "naive elbo", "vector elbo", 0, "159 (15 to 302)"),
        ("cifar10-bound.json", "matrix-normal elbo", "vector elbo", 0, "150 (47 to 253)"),
        ("cifar10-bound.json", "vector elbo", "low-rank elbo", 0, "254 (149 to 358)"),
        ("cifar10-bound.json", "matrix-normal elbo", "low-rank elbo", 0, "403 (398 to 408)"),
        ("cifar10-bound.json", "matrix-normal elbo", "vector:maps=1152 elbo", 0, "736 (690 to 782)"),
        ("cifar10-bound.json", "naive elbo", "matrix-normal elbo", 0, "± 113"),
        ("cifar10-objective.json", "vector mse", "low-rank mse", 4, "0.0085 (0.0038 to 0.0131)"),
        ("cifar10-objective.json", "low-rank mse", "vector:maps=1152 mse", 4, "± 0.0086"),
        (
            "cifar10-priors.json",
            "tensor-normal frechet/gaussian",
            "tensor-normal frechet/mixture",
            1,
            "2.2 (0.4 to 4.0)",
        ),
        ("cifar10-priors.json", "tensor-normal recall/flow", "tensor-normal recall/mixture", 3, "± 0.018"),
        ("cifar10-priors.json", "vector prior_gain/flow", "vector prior_gain/mixture", 1, "3.6 (3.1 to 4.1)"),
        ("faces-priors.json", "vector prior_gain/flow", "vector prior_gain/mixture", 1, "2.2 (1.6 to 2.8)"),
        ("faces-priors.json", "tensor-normal elbo", "vector elbo", 0, "2653 (2123 to 3183)"),
        ("residual.json", "naive elbo", "vector:maps=1024 elbo", 0, "506 (490 to 522)"),
        ("residual.json", "matrix-normal elbo", "naive elbo", 0, "± 13"),
        ("residual.json", "naive, p(z) matrix-normal elbo", "naive elbo", 0, "144 (141 to 147)"),
        ("residual.json", "naive, p(z) tensor-normal elbo", "naive elbo", 0, "72 (68 to 77)"),
        ("residual.json", "naive, p(z) diagonal elbo", "naive elbo", 0, "9 (8 to 10)"),
        ("residual-more.json", "mixture: naive elbo", "mixture: matrix-normal elbo", 0, "48 (27 to 68)"),
        ("residual-more.json", "mixture: naive elbo", "mixture: vector:maps=1024 elbo", 0, "578 (574 to 583)"),
        (
            "residual-more.json",
            "mixture: naive, p(z) matrix-normal elbo",
            "mixture: naive elbo",
            0,
            "182 (164 to 200)",
        ),
        ("residual-more.json", "3x3: tensor-normal elbo", "3x3: naive elbo", 0, "± 125"),
        (
            "residual-more.json",
            "faces: tensor-normal, p(z) matrix-normal elbo",
            "faces: vector:maps=576 elbo",
            0,
            "711 (599 to 823)",
        ),
        (
            "residual-more.json",
            "digits: naive, p(z) matrix-normal elbo",
            "digits: vector:maps=196 elbo",
            0,
            "12 (4 to 19)",
        ),
        (
            "residual-more.json",
            "digits: naive, p(z) matrix-normal elbo",
            "digits: tensor-normal, p(z) matrix-normal elbo",
            0,
            "20 (4 to 36)",
        ),
        ("residual-longer.json", "naive elbo", "vector:maps=1024 elbo", 0, "119 (72 to 165)"),
    ],
)
def test_intervals_are_those_of_the_stored_seeds(file: str, model: str, other: str, digits: int, message: str) -> None:
    difference = interval(stored(file, *model.rsplit(" ", 1)), stored(file, *other.rsplit(" ", 1)))
    value, low, high = (f"{number:.{digits}f}" for number in (difference.value, difference.low, difference.high))
    half = f"{(difference.high - difference.low) / 2:.{digits}f}"
    assert message == (f"{value} ({low} to {high})" if difference.excludes_tie else f"± {half}")
    spans = (
        f"{low} to {high}" if difference.excludes_tie else message
    )  # a sentence may stand between value and interval
    assert spans in PAGE.replace(",", "")


def test_the_table_of_seeds_adds_up() -> None:
    rows = re.findall(
        r"^\| ([^|]*−[^|]*) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", (STUDIES / "latents.md").read_text(), re.M
    )
    assert len(rows) == 9
    for name, *seeds, message in rows:
        difference = interval([float(seed.replace("−", "-")) for seed in seeds], [0.0, 0.0, 0.0])
        value, low, high = (
            f"{number:.0f}".replace("-", "−") for number in (difference.value, difference.low, difference.high)
        )
        half = f"{(difference.high - difference.low) / 2:.0f}"
        expected = f"{value} ({low} to {high})" if difference.excludes_tie else f"no difference found, {value} ± {half}"
        assert message == expected, name


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda path: path.name)
def test_no_page_reads_a_wide_interval_as_equality(page: Path) -> None:
    assert not re.search(r"\b(level with|were level|draws level|costs nothing)", page.read_text(encoding="utf-8"))
