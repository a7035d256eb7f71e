"""Priors from a file outside the package: fitted or trained by a command, stored, and drawn from again."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.testing import assert_close

from spatialvae.plugins import load_plugin
from spatialvae.priors import parse_own, prior_title
from spatialvae.store import load
from tests.cli.plugin_files import forgotten
from tests.cli.prior_plugin import PRIORS_OF_ONES_OWN
from tests.cli.program import Outcome, spatialvae

SMALL = ("--images", 20, "--maps", 2, "--batch-size", 20, "--precision", "fp32")


def alone(*arguments: object) -> Outcome:
    """A command in a process of its own, as far as parts go: nothing that it registers is left."""
    with forgotten():
        return spatialvae(*arguments)


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A file of one's own."""
    path = tmp_path / "my_priors.py"
    path.write_text(PRIORS_OF_ONES_OWN)
    return path


def test_a_fitted_prior(plugin: Path, own_run: Path, tmp_path: Path) -> None:
    name = "ball:width=0.5"
    line = ("fit-prior", own_run, "--prior", name, "--plugin", plugin)
    fitted = alone(*line, "--json")
    assert fitted.code == 0, fitted.err
    assert list(fitted.json["fitted"]) == [name]
    tensors = load_file(own_run / "prior-ball-width=0.5.safetensors")
    drawn = {}
    for temperature in (1, 0):
        out = tmp_path / f"{temperature}.npz"
        flags = ("--prior", "ball", "--temperature", temperature, "--count", 3, "--seed", 0, "--out", out)
        assert alone("sample", own_run, *flags, "--plugin", plugin).code == 0
        [drawn[temperature]] = np.load(out).values()
    assert (drawn[0] == drawn[0][:1]).all() and (drawn[1] != drawn[1][:1]).any()
    missing = alone("sample", own_run, "--prior", name, "--out", tmp_path / "missing.npz").complaint
    assert "cannot be used: There is no prior 'ball'" in missing
    with forgotten():
        load_plugin(plugin)
        model = load(own_run)
        assert_close(model.priors[name].state_dict(), tensors)
        far = model.prior(name).mean + 1.0  # 1/2 of (1 / 0.5)^2 nats a number
        gap = model.prior(name).log_prob(model.prior(name).mean) - model.prior(name).log_prob(far)
        assert_close(gap, torch.tensor(2.0 * model.latent.numbers))
        assert prior_title(name) == "the ball about the mean (width=0.5)"


def test_a_prior_trained_with_the_model(plugin: Path, images: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "a.npz"
    line = ("train", "--data", images, *SMALL, "--prior", "drifting:start=0.5", "--out", run)
    done = alone(*line, "--plugin", plugin)
    assert done.code == 0, done.err
    assert alone("sample", run, "--prior", "drifting", "--count", 2, "--out", out, "--plugin", plugin).code == 0
    assert re.search("no prior 'drifting'", alone("sample", run, "--count", 2, "--out", tmp_path / "b.npz").complaint)
    with forgotten():
        load_plugin(str(plugin))
        model = load(run)
        assert (model.priors.own, parse_own(model.config.prior).spelled) == ("drifting", "drifting:start=0.5")
        assert 0 < (model.prior().mean - 0.5).abs().max() < 0.2  # it moved, and it came back
