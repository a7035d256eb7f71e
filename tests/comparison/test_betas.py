"""Several betas and a feature network: the rate-distortion curve, and what is said of metrics of sets."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from spatialvae.comparison import ComparisonSettings, run_comparison
from spatialvae.comparison.entries import over_seeds
from spatialvae.config import CompareConfig, EvaluationConfig
from spatialvae.metrics import Estimate
from spatialvae.model import SpatialVAE
from spatialvae.results import Parameters
from tests.metrics.networks import feature_file
from tests.training.tiny import settings, tiny_data

cost: Any = importlib.import_module("spatialvae.comparison.cost")
BETAS = [0.0, 1.0]


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[str]]:
    """Two latents with two betas, one seed, on features; what was said on the way."""
    folder, messages = tmp_path_factory.mktemp("betas"), []
    evaluation = EvaluationConfig(metrics="bound,frechet,recall", features=str(feature_file(folder)), generated=20)
    wanted = CompareConfig(latent=["vector", "naive"], beta=BETAS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "GENERATED", 5)
        patch.setattr("spatialvae.comparison.plan.SMALL", 10)
        comparison = run_comparison(
            ComparisonSettings(wanted, settings(images=60), evaluation),
            tiny_data(),
            folder / "out",
            progress=False,
            say=messages.append,
        )
    return folder, comparison.as_dict(), messages


def test_every_beta_is_a_point_of_its_latents_curve(compared: tuple[Path, dict[str, Any], list[str]]) -> None:
    folder, result, messages = compared
    assert (result["betas"], result["beta"], result["seeds"]) == (BETAS, 1.0, [0])
    points = [(point["latent"], point["beta"]) for point in result["rate_distortion"]]
    assert points == [(latent, beta) for latent in ("vector", "naive") for beta in BETAS]
    assert messages == [*(f"{latent}, beta {beta:g}, seed 0" for latent, beta in points), "timing the models in turn"]
    for point in result["rate_distortion"]:
        run = folder / "out" / point["latent"] / f"beta-{point['beta']:g}" / "seed-0"
        assert yaml.safe_load((run / "config.yaml").read_text())["beta"] == point["beta"]
        assert point["seeds"] == [{"seed": 0, "rate": point["rate"], "distortion": point["distortion"]}]
        assert (run / "evaluation.json").is_file()
    rates = {(point["latent"], point["beta"]): point["rate"] for point in result["rate_distortion"]}
    assert all(rates[latent, 0.0] > rates[latent, 1.0] for latent in ("vector", "naive"))  # a code for free is longer


def test_the_table_is_about_one_beta(compared: tuple[Path, dict[str, Any], list[str]]) -> None:
    for model in compared[1]["models"]:
        [run] = model["runs"]
        assert run["folder"] == f"{model['latent']}/beta-1/seed-0"
        [point] = [p for p in compared[1]["rate_distortion"] if (p["latent"], p["beta"]) == (model["latent"], 1.0)]
        assert point["rate"] == model["metrics"]["kl"]["value"] == run["metrics"]["kl"]["value"]
        assert point["distortion"] == -model["metrics"]["reconstruction"]["value"]
        assert model["health"] is None


def test_sets_are_told_with_their_networks(compared: tuple[Path, dict[str, Any], list[str]]) -> None:
    result = compared[1]
    message = result["evaluation"]["features"]
    assert set(message) == {"name", "sha256", "title", "dimension", "resize"}
    assert (message["name"], message["dimension"]) == ("pooled", 12)
    assert result["evaluation"]["lpips"] is None
    keys = {f"{name}/{of}" for name in ("frechet", "recall") for of in ("reconstructions", "standard", "gaussian")}
    for model in result["models"]:
        assert keys < set(model["metrics"])
    differences = result["models"][1]["differences"]
    message = [differences[key] for key in keys & set(differences)]
    assert {(one["paired"], one["over"]) for one in message} == {("none", "images")}
    assert set(result["best"].values()) == {None}  # one seed
    assert differences["frechet/gaussian"]["low"] < differences["frechet/gaussian"]["high"]
    assert [warning for warning in result["warnings"] if "12" in warning]  # 15 images for 12 features
    assert len(result["warnings"]) == len(set(result["warnings"]))
    assert {run["command"] for model in result["models"] for run in model["runs"]} == {""}  # of arrays in memory


def test_timed_and_shown_is_the_tables_model(
    compared: tuple[Path, dict[str, Any], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    module: Any = importlib.import_module("spatialvae.comparison.compare")
    seen: dict[str, SpatialVAE] = {}
    measure = module.measure_costs

    def noted(models: dict[str, SpatialVAE], *rest: Any) -> Any:
        seen.update(models)
        return measure(models, *rest)

    monkeypatch.setattr(module, "measure_costs", noted)
    monkeypatch.setattr(cost, "GENERATED", 5)
    monkeypatch.setattr("spatialvae.training.loop.train_step", None)
    monkeypatch.setattr("spatialvae.comparison.plan.SMALL", 10)
    folder, before, _ = compared
    evaluation = EvaluationConfig(metrics="bound,frechet,recall", features=str(folder / "pooled.pt"), generated=20)
    wanted = CompareConfig(latent=["vector", "naive"], beta=BETAS)
    again = run_comparison(
        ComparisonSettings(wanted, settings(images=60), evaluation), tiny_data(), folder / "out", progress=False
    )
    assert list(seen) == ["vector", "naive"]
    assert again.as_dict()["best"] == before["best"]
    from spatialvae.store import load

    expected = load(folder / "out" / "naive" / "beta-1" / "seed-0").state_dict()
    assert all(value.equal(expected[name]) for name, value in seen["naive"].state_dict().items())


@pytest.mark.parametrize(
    ("values", "mean"),
    [
        ([1, 2], 1.5),
        ([(1.0, 2.0), (3.0, 6.0)], (2.0, 4.0)),
        ([((1.0,),), ((2.0,),)], ((1.5,),)),
        ([Parameters(1, 2), Parameters(1, 3)], Parameters(1, 2.5)),  # pyright: ignore[reportArgumentType]
        ([None, None], None),
        ([None, 1.0], None),
        (["x", "x"], "x"),
        (["x", "y"], None),
        ([Estimate(1.0, 0.1, 9), Estimate(3.0, 0.1, 9)], Estimate(2.0, 1.0, 2, "seeds")),
        ([Estimate(1.0, 0.1, 9)] * 2, Estimate(1.0, 0.0, 2, "seeds")),
        ([Estimate(1.0, 0.1, 9)], Estimate(1.0, 0.1, 9)),
    ],
)
def test_over_seeds(values: list[Any], mean: Any) -> None:
    assert over_seeds(values) == mean
