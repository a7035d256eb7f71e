"""The paper's experiment in miniature: complete, strict, repeatable, and never done twice."""

from __future__ import annotations

import importlib
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from spatialvae.comparison import ComparisonSettings, paired_by_image, run_comparison
from spatialvae.config import CompareConfig, EvaluationConfig
from spatialvae.errors import UserError
from spatialvae.records import as_json
from spatialvae.store import load
from spatialvae.training import Interrupted, loop
from tests.training.tiny import same, settings, tiny_data

cost: Any = importlib.import_module("spatialvae.comparison.cost")

LATENTS = ["vector", "low-rank:rank=2"]
FOLDERS = [f"{name}/beta-1/seed-{seed}" for name in ("vector", "low-rank-rank2") for seed in (0, 1)]
OF_BOUND = {"elbo", "kl", "reconstruction", "bits_per_dim", "nll", "nll_bound", "prior_gain/gaussian"}
LINEAR = {"pca_bits_per_dim", "pixel_gaussian_bits_per_dim", "pca_mse"}
ON_IMAGES = {*OF_BOUND, "mse", "psnr", "ssim", *LINEAR}
METRICS = {*ON_IMAGES, "active_units", "rank_one_share"}
FEW = "linear baselines: 60 training images of 64 numbers are too few for a covariance that holds for other images"
FAST: dict[str, Any] = {"importance_samples": 3, "nll_images": 10}


def run(out: Path, latents: list[str] = LATENTS, seeds: int = 2, **measured: Any) -> dict[str, Any]:
    wanted = CompareConfig(latent=latents, seeds=seeds)
    config, evaluation = settings(images=60, checkpoint_every=20), EvaluationConfig(**FAST, **measured)
    comparison = run_comparison(
        ComparisonSettings(wanted, config, evaluation), tiny_data(), out, command="spatialvae compare", progress=False
    )
    return comparison.as_dict()


def strict(path: Path) -> Any:
    """JSON as its standard has it: no NaN, no Infinity."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} in {path}")

    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture(scope="module", autouse=True)
def few_pictures() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost, "GENERATED", 5)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished comparison of two latents with two seeds each; not to be changed."""
    out = tmp_path_factory.mktemp("comparison") / "out"
    returned = run(out)
    assert strict(out / "comparison.json") == returned
    return out


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a training step nor an evaluation is allowed."""
    monkeypatch.setattr(loop, "train_step", None)
    monkeypatch.setattr(importlib.import_module("spatialvae.comparison.cached_evaluation"), "evaluate", None)


def test_every_file_is_there(finished: Path) -> None:
    for name in ("comparison.json", "report.md", "report.html"):
        assert (finished / name).stat().st_size > 0
    for folder in FOLDERS:
        assert load(finished / folder).prior("gaussian").event_shape
        evaluation = strict(finished / folder / "evaluation.json")
        assert {"format", "basis", "metrics", "health", "provenance", "warnings", "failed"} == set(evaluation)
        assert evaluation["provenance"]["split"] == "test"
        values = load_file(finished / folder / "evaluation.safetensors")
        assert set(values) == ON_IMAGES
        for name, value in values.items():
            assert value.mean().item() == pytest.approx(evaluation["metrics"][name]["value"])
            assert len(value) == evaluation["metrics"][name]["n"] == (10 if name.startswith("nll") else 15)
    figures = strict(finished / "comparison.json")["figures"]
    assert {"samples-standard", "samples-gaussian", "reconstructions", "curves"} <= set(figures)
    assert all((finished / path).is_file() for path in figures.values())
    assert not [path for path in finished.rglob("*") if path.name.endswith(".tmp")]


def test_the_comparison_is_complete(finished: Path) -> None:
    comparison = strict(finished / "comparison.json")
    assert comparison["format"] == 2
    assert comparison["command"] == "spatialvae compare"
    assert comparison["baseline"] == "vector"
    assert (comparison["seeds"], comparison["intervals"]) == ([0, 1], "over 2 seeds")
    assert comparison["training_seconds"] > 0
    assert comparison["settings"]["images"] == 60
    assert not {"latent", "seed", "data", "beta"} & set(comparison["settings"])
    assert comparison["evaluation"] == EvaluationConfig(**FAST).model_dump(mode="json")
    assert (comparison["betas"], comparison["beta"]) == ([1.0], 1.0)
    assert comparison["warnings"] == [FEW]
    assert (comparison["data"]["crop"], comparison["data"]["image_size"]) == ("none", None)
    assert comparison["data"]["splits"] == {"train": 60, "validation": 25, "test": 15}
    assert comparison["machine"]["precision"] == "fp32"
    assert [model["latent"] for model in comparison["models"]] == LATENTS
    for model in comparison["models"]:
        assert set(model["metrics"]) == METRICS - ({"rank_one_share"} if model["latent"] == "vector" else set())
        folders = [folder for folder in FOLDERS if model["latent"][:4] in folder]
        assert [entry["folder"] for entry in model["runs"]] == folders
        assert [entry["evaluation"] for entry in model["runs"]] == [f"{folder}/evaluation.json" for folder in folders]
        assert [line["images"] for line in model["runs"][0]["curve"]] == [20, 40, 60]
        assert set(model["cost"]) >= {"epoch_seconds", "epoch_ratio", "generation_seconds", "generation_ratio"}
    outputs = [model["encoder_outputs"] for model in comparison["models"]]
    assert outputs == [2 * comparison["models"][0]["code"][0], 2 * (3 + 3) * 3]
    assert [model["kl_weight"] for model in comparison["models"]] == [None, None]
    cost = comparison["models"][0]["cost"]
    assert (cost["epoch_ratio"], cost["generation_ratio"]) == (1, 1)


def test_parameters_are_counted_once(finished: Path) -> None:
    for entry in strict(finished / "comparison.json")["models"]:
        model = load(finished / entry["runs"][0]["folder"])
        likelihood = sum(parameter.numel() for parameter in model.likelihood.parameters())
        total = sum(parameter.numel() for parameter in model.parameters())
        assert sum(entry["parameters"].values()) + likelihood == total


def test_standard_errors_are_over_seeds(finished: Path) -> None:
    for model in strict(finished / "comparison.json")["models"]:
        for name, estimate in model["metrics"].items():
            one, two = (entry["metrics"][name] for entry in model["runs"])
            assert (estimate["n"], estimate["over"], one["over"]) == (2, "seeds", "images")
            assert estimate["value"] == pytest.approx((one["value"] + two["value"]) / 2)
            assert estimate["standard_error"] == pytest.approx(abs(one["value"] - two["value"]) / 2)
        assert model["metrics"]["elbo"]["standard_error"] > 0  # the seeds are different runs


def test_differences_are_those_of_the_kept_values(finished: Path) -> None:
    comparison = strict(finished / "comparison.json")
    assert "differences" not in comparison["models"][0]
    differences = comparison["models"][1]["differences"]
    assert set(differences) == ON_IMAGES | {"active_units"}
    tables = [
        [load_file(finished / entry["folder"] / "evaluation.safetensors") for entry in model["runs"]]
        for model in comparison["models"]
    ]
    for name in ON_IMAGES:
        baseline, values = (torch.stack([seed[name] for seed in table]) for table in tables)
        expected = paired_by_image(values, baseline)
        assert expected is not None and differences[name] == as_json(expected)
        means = [model["metrics"][name]["value"] for model in comparison["models"]]
        assert differences[name]["value"] == pytest.approx(means[1] - means[0])
    assert differences["active_units"]["paired"] == "seed"
    assert set(comparison["best"]) == METRICS
    assert (comparison["best"]["kl"], comparison["best"]["rank_one_share"]) == (None, None)


def test_health_is_the_mean_over_seeds(finished: Path) -> None:
    for model in strict(finished / "comparison.json")["models"]:
        one, two = (entry["health"] for entry in model["runs"])
        assert model["health"]["kl"] == pytest.approx((one["kl"] + two["kl"]) / 2)
        sites = torch.tensor([health["kl_per_site"] for health in (one, two, model["health"])])
        assert torch.allclose(sites[:2].mean(0), sites[2])
        both = [alarm for alarm in one["alarms"] if alarm in two["alarms"]]
        alarms = {f"seed {seed}: {alarm}" for seed, health in enumerate((one, two)) for alarm in health["alarms"]}
        alarms = {alarm for alarm in alarms if alarm.partition(": ")[2] not in both} | set(both)
        assert set(model["health"]["alarms"]) == alarms


def test_runs_differ_in_latent_and_seed_alone(finished: Path) -> None:
    configs = [yaml.safe_load((finished / folder / "config.yaml").read_text()) for folder in FOLDERS]
    varied = [(config.pop("latent"), config.pop("seed")) for config in configs]
    assert varied == [(latent, seed) for latent in LATENTS for seed in (0, 1)]
    assert all(config == configs[0] for config in configs)


def test_a_finished_comparison_is_reused(finished: Path, no_work: None) -> None:
    before = strict(finished / "comparison.json")
    kept = [*finished.rglob("*.safetensors"), *finished.rglob("evaluation.json")]
    stamps = {path: path.stat().st_mtime_ns for path in kept}
    assert len(stamps) > 4 * 4
    journals = {path: path.read_text() for path in finished.rglob("metrics.jsonl")}
    again = run(finished)
    assert {path: path.read_text() for path in journals} == journals
    assert {path: path.stat().st_mtime_ns for path in kept} == stamps
    assert {**again, "models": [{**model, "cost": None} for model in again["models"]]} == {
        **before,
        "models": [{**model, "cost": None} for model in before["models"]],
    }


def test_other_questions_are_measured_again_without_training(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "train_step", None)
    before = strict(finished / "comparison.json")
    result = run(finished, split="validation")
    assert result["evaluation"]["split"] == "validation"
    assert result["models"][0]["runs"][0]["metrics"]["mse"]["n"] == 25
    run(finished)  # as it was
    metrics = [model["metrics"] for model in strict(finished / "comparison.json")["models"]]
    assert metrics == [model["metrics"] for model in before["models"]]


def test_a_latent_more_trains_only_that(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[str] = []
    step = loop.train_step

    def noted(state: Any, stage: Any, *rest: Any) -> Any:
        trained.append(stage.config.model.latent)
        return step(state, stage, *rest)

    monkeypatch.setattr(loop, "train_step", noted)
    result = run(finished, ["low-rank:rank=2", "naive"], seeds=1)
    assert set(trained) == {"naive"}
    assert result["baseline"] == "low-rank:rank=2"
    estimate = result["models"][0]["metrics"]["mse"]
    assert estimate == result["models"][0]["runs"][0]["metrics"]["mse"]
    assert (estimate["n"], estimate["over"]) == (15, "images")
    assert result["intervals"] == "over images, this training only"
    assert set(result["best"].values()) == {None}
    run(finished)


def test_an_interrupted_comparison_goes_on(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, step = 0, loop.train_step

    def counted(*args: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == 6 + 3:  # in the second run
            signal.raise_signal(signal.SIGTERM)
        return step(*args)

    monkeypatch.setattr(loop, "train_step", counted)
    with pytest.raises(Interrupted, match="Stopped after 30 of 60 images"):
        run(tmp_path / "out")
    assert not (tmp_path / "out" / "comparison.json").exists()
    assert taken == 9
    run(tmp_path / "out")
    assert taken == 4 * 6
    for folder in FOLDERS:
        parts, whole = (load_file(out / folder / "model.safetensors") for out in (tmp_path / "out", finished))
        assert same(parts, whole)
    comparison, expected = (strict(out / "comparison.json") for out in (tmp_path / "out", finished))
    assert [model["metrics"] for model in comparison["models"]] == [model["metrics"] for model in expected["models"]]


def test_the_papers_objective_tells_its_kl_weight(tmp_path: Path) -> None:
    config, wanted = settings(images=20, objective="paper"), CompareConfig(latent=["low-rank"], beta=[2.0], seeds=1)
    comparison = run_comparison(
        ComparisonSettings(wanted, config, EvaluationConfig(metrics="mse")), tiny_data(), tmp_path, progress=False
    ).as_dict()
    numbers = 2 * 3 * 3
    assert comparison["models"][0]["kl_weight"] == pytest.approx(2 * 64 / (2 * numbers))
    assert set(comparison["models"][0]["metrics"]) == {"mse"}
    assert (comparison["beta"], comparison["rate_distortion"], comparison["models"][0]["health"]) == (2.0, [], None)
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize(
    ("latents", "measured", "words"),
    [
        (["vector", "vector"], {}, "latent vector is named twice: name each latent to compare once"),
        (["low-rank", "low-rank:rank=1"], {}, "(low-rank:rank=1 and low-rank are the same)"),
        (["vector", "low-rnk"], {}, "no latent 'low-rnk'. Did you mean 'low-rank'?"),
        (["vector", "low-rank:rank=4"], {}, "rank=4"),
        (["vector"], {"split": "tset"}, "Split 'tset' is not known. Did you mean 'test'?"),
        (["vector"], {"metrics": "bound,frehcet"}, "Did you mean 'frechet'?"),
        (["vector"], {"metrics": "frechet"}, "features imagenet"),
        (["vector"], {"features": "none.pt"}, "none.pt"),
        (["vector"], {"lpips": "none.pt"}, "none.pt"),
    ],
)
def test_mistakes_are_told_before_any_training(
    tmp_path: Path, no_work: None, latents: list[str], measured: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError) as caught:
        run(tmp_path / "out", latents, **measured)
    assert words in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_other_settings_are_refused(finished: Path, no_work: None) -> None:
    wanted = CompareConfig(latent=LATENTS, seeds=2)
    changed = ComparisonSettings(wanted, settings(images=60, flip=True), EvaluationConfig())
    with pytest.raises(UserError, match=r"flip was False, now True"):
        run_comparison(changed, tiny_data(), finished, progress=False)
