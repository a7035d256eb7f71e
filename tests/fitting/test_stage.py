"""A prior's network in the loop: it improves, resumes bit for bit, stops when it should and keeps its best weights."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from spatialvae.config import PriorConfig
from spatialvae.errors import UserError
from spatialvae.fitting import PriorStage, train_prior
from spatialvae.priors import (
    AbstractTrainedFamily,
    AbstractTrainedPrior,
    FlowFamily,
    FlowMatchingFamily,
    GaussianFamily,
)
from spatialvae.training import Interrupted, loop, read_journal
from tests.priors.toy import ToyCodes
from tests.training.tiny import checkpoint, same

FAMILIES = [FlowFamily(couplings=2, width=16), FlowMatchingFamily(width=16, blocks=1)]


class NoisyCodes(ToyCodes):
    """Toy codes with fresh noise whenever they are asked for, as draws from a posterior have."""

    def batch(self, indices: np.ndarray) -> tuple[Tensor, Tensor | None]:
        codes, labels = super().batch(indices)
        return codes + 0.1 * torch.randn_like(codes), labels


def toy(count: int = 600) -> NoisyCodes:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 2, (count,), generator=generator)
    return NoisyCodes(torch.randn(count, 2, 1, 2, generator=generator) * 0.3 + 4 * labels[:, None, None, None], labels)


def settings(**changed: Any) -> PriorConfig:
    values = {"images": 600, "batch_size": 20, "checkpoint_every": 200, "warmup": 100, "ema": 0.5}
    return PriorConfig(**{**values, **changed})


def begin(family: AbstractTrainedFamily, codes: NoisyCodes) -> AbstractTrainedPrior:
    torch.manual_seed(0)
    return family.start(GaussianFamily().fit(codes)[0], len(codes.labels))


def run(family: AbstractTrainedFamily, folder: Path, **changed: Any) -> AbstractTrainedPrior:
    codes = toy()
    return train_prior(begin(family, codes), codes, settings(**changed), folder, progress=False)


def held_out(folder: Path) -> list[float]:
    return [line["held_out_loss"] for line in read_journal(folder / "metrics.jsonl") if "held_out_loss" in line]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_training_lowers_the_held_out_loss(tmp_path: Path, family: AbstractTrainedFamily) -> None:
    codes = toy()
    start = begin(family, codes)
    before = PriorStage(start, codes, settings()).validate(start.network)
    longer = settings(images=12_000, learning_rate=1e-2, checkpoint_every=6000, batch_size=50)
    prior = train_prior(start, codes, longer, tmp_path / "run", progress=False)
    after = PriorStage(prior, codes, settings()).validate(prior.network)
    assert after["held_out_loss"] < before["held_out_loss"] - before["held_out_error"]
    assert_close(after["held_out_loss"], min(held_out(tmp_path / "run")))
    assert not same(start.state_dict(), prior.state_dict())
    drawn = prior().sample([200])
    assert drawn.shape == (200, 2, 1, 2)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_stopped_stage_goes_on_as_if_it_had_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: AbstractTrainedFamily
) -> None:
    whole = run(family, tmp_path / "whole")
    taken, step = 0, loop.train_step

    def counted(*args: Any) -> Any:
        nonlocal taken
        taken += 1
        if taken == 13:
            signal.raise_signal(signal.SIGTERM)
        return step(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "train_step", counted)
        with pytest.raises(Interrupted, match="Stopped after 260 of 600"):
            run(family, tmp_path / "parts")
    parts = run(family, tmp_path / "parts")
    assert same(parts.state_dict(), whole.state_dict())
    assert same(checkpoint(tmp_path / "parts"), checkpoint(tmp_path / "whole"))
    assert held_out(tmp_path / "parts") == held_out(tmp_path / "whole")
    monkeypatch.setattr(loop, "train_step", None)  # what is complete is left alone
    assert same(run(family, tmp_path / "whole").state_dict(), whole.state_dict())


def test_it_stops_after_three_validations_without_gain_and_keeps_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([3.0, 2.0, 2.5, 2.0, 2.1, 1.0])
    kept: list[dict[str, Tensor]] = []

    def validate(_: PriorStage, network: torch.nn.Module) -> dict[str, float]:
        kept.append({name: value.clone() for name, value in network.state_dict().items()})
        return {"held_out_loss": next(losses), "held_out_error": 0.1}

    monkeypatch.setattr(PriorStage, "validate", validate)
    prior = run(FAMILIES[0], tmp_path / "run", images=2000)
    assert held_out(tmp_path / "run") == [3.0, 2.0, 2.5, 2.0, 2.1]
    assert same(prior.network.state_dict(), kept[3])  # of equals the later
    monkeypatch.setattr(loop, "train_step", None)
    again = run(FAMILIES[0], tmp_path / "run", images=2000)
    assert same(again.state_dict(), prior.state_dict())


def test_the_journal_says_what_was_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "JOURNAL_STEPS", 10)
    run(FAMILIES[1], tmp_path / "run")
    lines = read_journal(tmp_path / "run" / "metrics.jsonl")
    assert [(line["images"], "held_out_loss" in line) for line in lines] == [
        (images, validated) for images in (200, 400, 600) for validated in (False, True)
    ]
    assert lines[0].keys() == {"images", "loss", "images_per_second", "learning_rate"}
    assert lines[1]["held_out_error"] > 0
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert files - {"tensorboard"} == {"config.yaml", "metrics.jsonl", "checkpoints", "network.safetensors"}
    assert PriorConfig.read(tmp_path / "run" / "config.yaml") == settings()


def test_a_longer_stage_and_other_codes_are_refused(tmp_path: Path) -> None:
    run(FAMILIES[0], tmp_path / "run")
    with pytest.raises(UserError, match="images was 600, now 800"):
        run(FAMILIES[0], tmp_path / "run", images=800)
    codes = toy(700)
    with pytest.raises(UserError, match="other codes or of another form"):
        train_prior(begin(FAMILIES[0], codes), codes, settings(), tmp_path / "run", progress=False)
    with pytest.raises(UserError, match="other codes or of another form"):
        run(FAMILIES[1], tmp_path / "run")


def test_a_loss_that_is_not_finite_stops_it(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not finite at step 1: nan a number of the code"):
        codes = toy()
        prior = begin(FAMILIES[0], codes)
        codes.codes = codes.codes * torch.nan
        train_prior(prior, codes, settings(), tmp_path / "run", progress=False)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_weights_that_diverged_are_not_kept(tmp_path: Path, family: AbstractTrainedFamily) -> None:
    wild = {"images": 40, "checkpoint_every": 40, "warmup": 0, "clip": None, "learning_rate": 1e20}
    with pytest.raises(UserError) as caught:
        run(family, tmp_path / "run", **wild)
    assert "step 2" in str(caught.value)
    assert f"repeat fit-prior --prior {family.spelled} with learning_rate 0.002" in str(caught.value)
    assert not list((tmp_path / "run").rglob("*.safetensors"))
    calm = wild | {"learning_rate": 2e-3}
    assert same(run(family, tmp_path / "run", **calm).state_dict(), run(family, tmp_path / "calm", **calm).state_dict())


def test_lengths() -> None:
    codes = toy()
    prior = begin(FAMILIES[0], codes)
    for config, total in ((PriorConfig(epochs=2), 1080), (PriorConfig(), 120_000), (PriorConfig(images=70), 70)):
        assert PriorStage(prior, codes, config).total == total


def test_a_loss_that_stands_still_at_first_is_waited_for() -> None:
    codes = toy()
    stage = PriorStage(begin(FAMILIES[0], codes), codes, settings(images=1000))
    lines: list[dict[str, Any]] = [{"images": images, "held_out_loss": 1.0} for images in range(50, 1001, 50)]
    assert [stage.converged(lines[:count]) for count in (0, 4, 7, 8)] == [False, False, False, True]
