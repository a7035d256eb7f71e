"""No setting is accepted and ignored: each that a call would not read is refused, with what would read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spatialvae.comparison.compare import run_comparison
from spatialvae.comparison.settings import ComparisonSettings
from spatialvae.config import EvaluationConfig, ModelOptions
from spatialvae.errors import UserError
from spatialvae.metrics.base import METRICS
from spatialvae.metrics.selection import SOME_READ, refuse_unread, select
from spatialvae.training.unread import refuse_other_maps
from tests.cli.program import spatialvae
from tests.training.tiny import tiny_data

OTHERS: dict[str, Any] = {
    "importance_samples": 2,
    "nll_images": 10,
    "features": "network.pt",
    "lpips": "network.pt",
    "generated": 10,
    "prior": ["gaussian"],
    "steps": 5,
    "guidance": 2.0,
    "parzen_protocol": "authors",
}
"""Settings of an evaluation that only some metrics read, none at its default."""
ON_FEATURES = {"frechet", "kernel", "precision", "recall", "density", "coverage"}
READERS: dict[str, set[str]] = {
    "importance_samples": {"nll"},
    "nll_images": {"nll"},
    "features": {*ON_FEATURES, "interpolated_frechet"},
    "lpips": {"lpips"},
    "generated": {*ON_FEATURES, "parzen"},
    "prior": {*ON_FEATURES, "prior_gain", "parzen"},
    "steps": {*ON_FEATURES, "parzen"},
    "guidance": {*ON_FEATURES, "parzen"},
    "parzen_protocol": {"parzen"},
}


def test_every_such_setting_is_listed() -> None:
    assert set(OTHERS) == set(READERS) == set(SOME_READ)
    common = {"metrics", "split", "limit", "seed"}
    assert set(SOME_READ) | common == set(EvaluationConfig.model_fields)


@pytest.mark.parametrize("setting", OTHERS)
def test_a_setting_that_no_metric_reads_is_refused(setting: str) -> None:
    own = [name for name in METRICS if METRICS[name].__module__.startswith("spatialvae.")]  # not those of other tests
    for name in own:
        config = EvaluationConfig.parse({"metrics": name, setting: OTHERS[setting]}, "here")
        wanted = {name: METRICS.parse(name)}
        if name in READERS[setting]:
            refuse_unread(config, wanted)
            continue
        with pytest.raises(UserError, match=f"^{setting} is not read by {name}: leave it out") as no:
            refuse_unread(config, wanted)
        assert "\n" not in no.value.message


def test_what_default_metrics_read_is_taken() -> None:
    for setting in ("importance_samples", "nll_images", "prior"):
        config = EvaluationConfig.parse({setting: OTHERS[setting]}, "here")
        refuse_unread(config, select(config))
    refuse_unread(EvaluationConfig(metrics="mse", generated=10_000), {"mse": METRICS.parse("mse")})  # is the default


@pytest.mark.parametrize("setting", ["importance_samples", "nll_images", "generated", "prior", "steps", "guidance"])
def test_sets_of_images_have_no_use_for_settings_of_models(setting: str) -> None:
    config = EvaluationConfig.parse({"metrics": "parzen", setting: OTHERS[setting]}, "here")
    with pytest.raises(UserError, match=f"^{setting} is for models, and these are images"):
        refuse_unread(config, {"parzen": METRICS.parse("parzen")}, model=False)


def test_maps_of_a_latent_that_has_its_own() -> None:
    refuse_other_maps(ModelOptions(latent="naive:maps=5", maps=5))
    refuse_other_maps(ModelOptions(latent="vector:maps=5", maps=3))  # the maps whose decoder a vector's is matched to
    with pytest.raises(UserError, match="maps 3 is not read"):
        refuse_other_maps(ModelOptions(latent="low-rank:maps=5,rank=2", maps=3))


def test_codes_for_priors_without_a_network(tmp_path: Path) -> None:
    asked = ComparisonSettings.of({"latent": "naive", "prior_images": 100, "images": 20, "maps": 2}, "compare")
    with pytest.raises(UserError, match="prior_images is for priors with a network"):
        run_comparison(asked, tiny_data(), tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("bench", "--crop", "center"), "--crop is for images"),
        (("bench", "--layout", "nchw"), "--layout is for images"),
        (("fit-prior", "run", "--generated", "50"), "--generated is for the Fréchet distance"),
        (("train", "--latent", "naive:maps=5", "--maps", "3", "--out", "run"), "--maps 3 is not read"),
    ],
)
def test_flags_that_are_not_read(
    command: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = spatialvae(*command)
    assert outcome.code == 2 and words in outcome.err
