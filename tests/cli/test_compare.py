"""`spatialvae compare`: runs, numbers and report from flags or from a file."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from spatialvae.cli.comparison_settings import comparison_settings
from spatialvae.cli.repeated_flags import spread
from spatialvae.config import CompareConfig, EvaluationConfig
from tests.cli.conftest import SETTINGS
from tests.cli.program import spatialvae, stop_at_step
from tests.conftest import rounded
from tests.metrics.script_files import MeanColour, saved

FAST = ("--importance-samples", 2, "--nll-images", 3)
RUN = "beta-1/seed-0"


@pytest.fixture(scope="module")
def compared(shared: Path, images: Path) -> tuple[Path, dict[str, Any]]:
    """A comparison of two latents by the command, and what it printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spatialvae.comparison.cost.GENERATED", 5)
        result = spatialvae(*line(images, shared / "compared"), "--json")
    return shared / "compared", result.json


def line(images: Path, out: Path, fast: tuple[object, ...] = FAST) -> tuple[object, ...]:
    """A comparison of a second."""
    what = ("--data", images, "--latent", "vector", "low-rank", "--seeds", 1)
    return ("compare", *what, "--images", 60, *SETTINGS, *fast, "--out", out)


def test_it_writes_and_prints_the_comparison(compared: tuple[Path, dict[str, Any]]) -> None:
    out, printed = compared
    assert json.loads((out / "comparison.json").read_text()) == printed
    assert [model["latent"] for model in printed["models"]] == ["vector", "low-rank"]
    assert printed["command"].startswith("spatialvae compare --data ")
    assert (printed["settings"]["images"], printed["seeds"]) == (60, [0])
    assert {path.name for path in out.iterdir()} >= {"vector", "low-rank", "report.md", "report.html", "figures"}


def test_in_words_it_uses_what_is_there(
    compared: tuple[Path, dict[str, Any]], images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spatialvae.comparison.cost.GENERATED", 5)
    monkeypatch.setattr("spatialvae.training.loop.train_step", None)
    monkeypatch.setattr("spatialvae.comparison.cached_evaluation.evaluate", None)
    monkeypatch.setenv("COLUMNS", "160")
    result = spatialvae(*line(images, compared[0]))
    assert result.code == 0
    assert "vector" in result.out and "bits per dim" in result.out
    assert result.out.endswith(f"report: {compared[0] / 'report.html'}\n")
    assert "low-rank, beta 1, seed 0" in result.err


def test_a_run_of_a_comparison_is_a_run(compared: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    assert spatialvae("sample", compared[0] / "low-rank" / RUN, "--count", 2, "--out", tmp_path / "a.png").code == 0


def test_the_command_beside_a_number_makes_it_again(compared: tuple[Path, dict[str, Any]]) -> None:
    out, printed = compared
    for model in printed["models"]:
        [run] = model["runs"]
        words = shlex.split(run["command"])
        assert words[:3] == ["spatialvae", "evaluate", str(out / model["latent"] / RUN)]
        result = spatialvae(*words[1:], "--json").json
        kept = json.loads((out / run["evaluation"]).read_text())
        assert result["metrics"] == rounded(run["metrics"])
        assert run["metrics"] == kept["metrics"] == model["metrics"]
        assert result["health"] == run["health"] == kept["health"]
        assert (result["provenance"], kept["command"]) == (kept["provenance"], run["command"])


def test_a_stopped_comparison(images: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        stop_at_step(patch, 4, signal.SIGTERM)  # the first step of the second model
        result = spatialvae(*line(images, tmp_path / "out"), "--json")
    assert (result.code, result.out) == (143, "")
    assert "Stopped after 20 of 60 images" in result.err
    assert (tmp_path / "out" / "vector" / RUN / "prior-gaussian.safetensors").is_file()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--latent vector --latent vector", ["once"]),
        ("--latent vector vector", ["once"]),
        ("--latent vector low-rnak", ["'low-rnak'", "'low-rank'"]),
        ("--latent low-rank:rank=8", ["rank=8", "rank=3"]),
        ("--latent", ["--latent names nothing"]),
        ("--seeds 0", ["--seeds 0", "1"]),
        ("--beta -1", ["--beta -1", "0"]),
        ("--beta 1,-1", ["--beta -1", "0"]),
        ("--beta 1 1.0", ["--beta 1", "once"]),
        ("--beta", ["--beta names nothing"]),
        ("--beta much", ["--beta", "number"]),
        ("--split tset", ["'tset'", "'test'"]),
        ("--metrics bonud", ["bonud", "'bound'"]),
        ("--metrics recall", ["recall", "--features"]),
        ("--features none.pt", ["none.pt"]),
        ("--likelihood gausian", ["'gausian'", "'gaussian'"]),
        ("--data digts", ["'digts'", "'digits'"]),
        ("--latnet vector", ["--latnet"]),
        ("--seed 3", ["--seed", "--seeds"]),
        ("naive", ["naive"]),
    ],
)
def test_mistakes_before_any_training(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, words: list[str]
) -> None:
    monkeypatch.setattr("spatialvae.training.loop.train_step", None)
    source = [] if "--data" in flags else ["--data", images]
    message = spatialvae("compare", *flags.split(), *source, "--out", tmp_path / "out", "--json").complaint
    assert all(word in message for word in words), message
    assert not (tmp_path / "out").exists()


def test_a_run_with_other_settings(
    compared: tuple[Path, dict[str, Any]], images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spatialvae.training.loop.train_step", None)
    result = spatialvae(*line(images, compared[0]), "--ema", 0.5)
    assert (result.code, result.out) == (2, "")
    assert "other settings: --ema was 0.0, now 0.5" in result.err and "Traceback" not in result.err


def test_it_wants_a_place_to_write(images: Path) -> None:
    assert "--out" in spatialvae("compare", "--data", images).complaint


def test_settings_from_a_file_and_flags_before_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        "latent: [vector, naive]\nbeta: [0.3, 1]\nseeds: 2\nepochs: 3\nflip: true\nlimit: 9\nimage_size: 16\n"
    )
    asked = comparison_settings(path, {})
    wanted, trained, evaluated = asked.plan, asked.training, asked.evaluation
    assert wanted == CompareConfig(latent=["vector", "naive"], beta=[0.3, 1.0], seeds=2)
    assert (trained.optimisation.epochs, trained.flip, trained.data.image_size, trained.beta) == (3.0, True, "16", 1.0)
    assert evaluated == EvaluationConfig(limit=9)
    asked = comparison_settings(path, {"images": 5, "beta": [2.0], "limit": 3, "flip": False})
    wanted, trained, evaluated = asked.plan, asked.training, asked.evaluation
    assert (wanted.beta, wanted.seeds, trained.optimisation.images, trained.optimisation.epochs) == ([2.0], 2, 5, None)
    assert (evaluated.limit, trained.flip) == (3, False)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("latnet: [naive]\n", ["unknown setting 'latnet'", "'latent'"]),
        ("seed: 3\n", ["unknown setting 'seed'", "'seeds'"]),
        ("importance_sample: 3\n", ["unknown setting", "'importance_samples'"]),
        ("- naive\n", ["holds no settings"]),
        ("", ["holds no settings"]),
        ("latent: []\n", ["--latent", "name at least one"]),
        ("beta: []\n", ["--beta", "name at least one"]),
        ("beta: [1, -3]\n", ["--beta -3", "0"]),
        ("seeds: 0\n", ["--seeds 0"]),
        ("latent: [naive, naive]\n", ["named twice"]),
        ("limit: 0\n", ["--limit 0"]),
        ("images: 3\nepochs: 3\n", ["not both"]),
        ("metrics: bonud\n", ["'bound'"]),
    ],
)
def test_mistakes_in_a_file(images: Path, tmp_path: Path, content: str, words: list[str]) -> None:
    (tmp_path / "a.yaml").write_text(content)
    message = spatialvae(
        "compare", "--config", tmp_path / "a.yaml", "--data", images, "--out", tmp_path / "out"
    ).complaint
    assert all(word in message for word in words), message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--beta 0.3 1 3", "--beta=0.3 --beta=1 --beta=3"),
        ("--beta 0.3,1,3 --json", "--beta=0.3 --beta=1 --beta=3 --json"),
        ("--beta=0.3,1 3", "--beta=0.3 --beta=1 --beta=3"),
        ("--beta 1 --beta 2", "--beta=1 --beta=2"),
        ("--beta -1 1e-3 --seeds -2", "--beta=-1 --beta=1e-3 --seeds -2"),
        ("--latent vector low-rank:rank=2,maps=3 --out a", "--latent=vector --latent=low-rank:rank=2,maps=3 --out a"),
        ("--out a b --beta 2", "--out a b --beta=2"),
        ("", ""),
    ],
)
def test_several_values_after_one_flag(line: str, expected: str) -> None:
    assert spread(line.split(), {"--beta", "--latent"}) == expected.split()


def test_named_priors_are_fitted_measured_and_drawn(shared: Path, images: Path, tmp_path: Path) -> None:
    features = saved(MeanColour(), tmp_path / "features.pt")
    flags = ("--prior", "standard", "mixture:components=2", "--features", features, "--generated", 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spatialvae.comparison.cost.GENERATED", 5)
        result = spatialvae(*line(images, shared / "priors", ()), *flags, "--metrics", "frechet", "--json").json
    keys = {"frechet/reconstructions", "frechet/standard", "frechet/mixture:components=2"}
    assert all(set(model["metrics"]) == keys for model in result["models"])
    assert {"samples-standard", "samples-mixture-components=2"} <= set(result["figures"])
    assert "samples-gaussian" not in result["figures"]
    assert result["settings"]["prior"] == "standard"
    page = (shared / "priors" / "report.html").read_text()
    assert "fitted mixture (components=2)" in page
    again = result["models"][0]["runs"][0]["command"]
    assert "--prior standard --prior mixture:components=2" in again


def test_bad_priors_are_refused_before_training(images: Path, tmp_path: Path) -> None:
    for flags, words in (
        (("--prior", "gausian"), "There is no prior 'gausian'. Did you mean 'gaussian'"),
        (("--prior", "learned", "learned:latent=naive"), "a model is trained with one prior"),
    ):
        assert words in spatialvae(*line(images, tmp_path / "out"), *flags).complaint
    assert not (tmp_path / "out").exists()
