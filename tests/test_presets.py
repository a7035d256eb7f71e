"""The files of configs/: each is a whole comparison, says how it is run, and one of them runs in miniature."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from spatialvae.cli.comparison_settings import comparison_settings
from spatialvae.latents import parse_latent
from spatialvae.model import SpatialVAE
from spatialvae.networks.shapes import count_flops
from spatialvae.sizes import default_grid
from tests.cli.program import spatialvae

ROOT = Path(__file__).resolve().parent.parent
PRESETS = sorted((ROOT / "configs").glob("*"))
SIDES = {"paper-cifar10": 32, "paper-celeba": 64}
PAPER = [path for path in PRESETS if path.stem in SIDES]
STUDIES = [path for path in PRESETS if path.stem not in SIDES]


def test_there_are_presets() -> None:
    assert len(PAPER) == len(SIDES) and len(STUDIES) >= 5


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_compares_codes_of_one_size_behind_one_decoder(path: Path) -> None:
    asked = comparison_settings(path, {})
    wanted, trained = asked.plan, asked.training
    assert wanted.latent and wanted.out == f"runs/{path.stem}" and wanted.seeds == 3 and trained.optimisation.images
    sized = trained.sized((32, 32), 3)
    models = [SpatialVAE.from_config(sized.model_copy(update={"latent": latent})) for latent in wanted.latent]
    assert all(abs(model.latent.numbers / 1024 - 1) < 0.01 for model in models)
    parameters = [sum(weights.numel() for weights in model.decoder.parameters()) for model in models]
    assert max(parameters) < 1.05 * min(parameters)
    flops = [count_flops(model.decoder, model.latent.event_shape) for model in models]
    assert max(flops) < 1.1 * min(flops)


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.stem)
def test_a_preset_of_the_paper_is_a_whole_comparison(path: Path) -> None:
    asked = comparison_settings(path, {})
    wanted, trained = asked.plan, asked.training
    assert wanted.out and wanted.latent and trained.optimisation.images
    side = SIDES[path.stem]
    numbers = [parse_latent(latent, default_grid((side, side))).numbers for latent in wanted.latent]
    assert numbers[1:] == [numbers[1]] * 4  # the paper's maps, and the vector of their size
    assert [parse_latent(latent, (1, 1, 1)).numbers for latent in wanted.latent][-1] == numbers[-1]
    assert wanted.latent[:4] == ["vector", "naive", "matrix-normal", "low-rank"]


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_a_preset_says_how_it_is_run_and_what_to_expect(path: Path) -> None:
    comment = [line for line in path.read_text().splitlines() if line.startswith("#")]
    [command] = [line for line in comment if line.startswith("#   spatialvae compare")]
    assert f"--config configs/{path.name}" in command
    assert any(re.match("# measured: .*minutes", line) for line in comment)
    assert any(line.startswith("# expected: ") for line in comment)


def test_a_preset_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spatialvae.comparison.cost.GENERATED", 5)
    preset = ROOT / "configs" / "paper-cifar10.yaml"
    small = ("--maps", 2, "--images", 100, "--batch-size", 50, "--precision", "fp32", "--seeds", 1)
    quick = ("--metrics", "bound,mse", "--limit", 10)
    flags = ("--data", "digits", "--latent", "vector", "naive", *small, *quick, "--out", tmp_path / "out")
    result = spatialvae("compare", "--config", preset, *flags, "--json").json
    assert result["settings"]["schedule"] == yaml.safe_load(preset.read_text())["schedule"] == "cosine"
    assert [model["latent"] for model in result["models"]] == ["vector", "naive"]
    assert result["models"][0]["metrics"]["mse"]["n"] == 10
