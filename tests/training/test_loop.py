"""What happens in a step, and what a run leaves behind: one test for each fault that trainers are known for."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from spatialvae.data import ImageSplit
from spatialvae.data.batches import in_order
from spatialvae.data.subset import subset
from spatialvae.elbo import ELBO
from spatialvae.errors import UserError
from spatialvae.model import SpatialVAE
from spatialvae.runtime.evaluating import evaluating
from spatialvae.seeding import seeded
from spatialvae.store import load
from spatialvae.training import loop, read_journal, train, validation
from spatialvae.training.state import TrainingState
from spatialvae.training.validation import validate
from tests.training.tiny import begin, checkpoint, same, settings, stage, tiny_data, weights


def one_step(state: TrainingState[SpatialVAE], **changed: Any) -> tuple[Tensor, dict[str, Tensor]]:
    trained = stage(images=1000, **changed)
    result = loop.train_step(state, trained, state.step * trained.optimisation.batch_size)
    state.step += 1
    return result


def copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def journal(out: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The lines of training, and those of validation."""
    lines = read_journal(out / "metrics.jsonl")
    return [line for line in lines if "loss" in line], [line for line in lines if "validation_bound" in line]


@pytest.mark.parametrize("latent", ["vector", "naive", "matrix-normal", "low-rank"])
@pytest.mark.parametrize("likelihood", ["gaussian", "logistic", "bernoulli"])
def test_every_parameter_is_updated(tmp_path: Path, latent: str, likelihood: str) -> None:
    # A learned likelihood scale that is in no optimiser would stay where it was.
    state = begin(tmp_path, latent=latent, likelihood=likelihood)
    before = copied(state.network)
    one_step(state, latent=latent, likelihood=likelihood)
    assert [name for name, value in state.network.named_parameters() if torch.equal(value, before[name])] == []
    held = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    assert len(held) == len({id(parameter) for parameter in held}) == len(before)


def test_the_likelihoods_scale_moves_ten_times_as_fast(tmp_path: Path) -> None:
    state = begin(tmp_path, learning_rate=1e-3)
    before = copied(state.network)["likelihood.log_scale"]
    one_step(state, learning_rate=1e-3)
    moved = (state.network.get_parameter("likelihood.log_scale") - before).abs().item()
    assert moved == pytest.approx(10 * 1e-3, rel=1e-3)  # Adam's first step has the size of its rate


def test_the_step_has_the_schedules_learning_rate(tmp_path: Path) -> None:
    state = begin(tmp_path)
    one_step(state, warmup=40, learning_rate=0.4)
    assert [group["lr"] for group in state.optimizer.param_groups] == pytest.approx([0.1, 1.0])


@pytest.mark.parametrize("objective", ["elbo", "paper"])
@pytest.mark.parametrize("beta", [1.0, 3.0])
def test_the_loss_is_the_objective_of_the_terms(tmp_path: Path, objective: str, beta: float) -> None:
    loss, terms = one_step(begin(tmp_path, objective=objective), objective=objective, beta=beta)
    assert (terms["kl"] > 0).all()
    if objective == "elbo":
        assert_close(loss, (beta * terms["kl"] - terms["reconstruction"]).mean())
    else:
        error = -2 * terms["reconstruction"] - 64 * math.log(2 * math.pi)  # of a Gaussian with scale 1
        assert_close(loss, (error / 64 + beta * terms["kl"] / 18).mean(), rtol=1e-4, atol=1e-5)


def test_a_larger_beta_makes_a_smaller_kl(tmp_path: Path) -> None:
    # The KL with the wrong sign would grow instead.
    results = []
    for beta in (0.3, 30.0):
        train(settings(images=2000, beta=beta), tiny_data(), tmp_path / str(beta), progress=False)
        results.append(journal(tmp_path / str(beta))[1][-1]["validation_kl"])
    assert 0 < results[1] < results[0] / 2


def test_training_improves_the_bound(tmp_path: Path) -> None:
    train(settings(images=4000, checkpoint_every=400), tiny_data(), tmp_path / "run", progress=False)
    bounds = [line["validation_bound"] for line in journal(tmp_path / "run")[1]]
    assert len(bounds) == 10
    assert sum(bounds[-3:]) / 3 > sum(bounds[:3]) / 3 + 5  # single values are draws of 25 images


@pytest.mark.parametrize("objective", ["elbo", "paper"])
def test_training_and_validation_log_the_same_quantities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, objective: str
) -> None:
    monkeypatch.setattr(loop, "JOURNAL_STEPS", 3)
    train(settings(objective=objective), tiny_data(), tmp_path / "run", progress=False)
    training, validation = journal(tmp_path / "run")
    assert [line["images"] for line in training] == [30, 60]
    for line in training:
        assert line["bound"] == pytest.approx(line["reconstruction"] - line["kl"], rel=1e-6)
        assert line["kl"] > 0  # as it is, not with the sign of the bound
    for line in validation:
        assert {f"validation_{name}" for name in ("bound", "reconstruction", "kl")} < line.keys()
        assert line["validation_bound"] == pytest.approx(
            line["validation_reconstruction"] - line["validation_kl"], rel=1e-6
        )
        assert line["validation_kl"] > 0
    # In nats per image under both objectives, whatever the loss is.
    if objective == "elbo":
        assert training[0]["loss"] == pytest.approx(-training[0]["bound"], rel=1e-5)
    else:
        assert training[0]["reconstruction"] < -0.5 * 64 * math.log(2 * math.pi)


def test_validation_is_the_models_own_bound_in_evaluation_mode() -> None:
    model = SpatialVAE.from_config(settings().sized((8, 8), 1)).train()
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    split = tiny_data().split("validation")
    result = validate(model, split, seed=7)
    with torch.no_grad(), evaluating(model), seeded(7):
        terms = model.elbo(next(in_order(split, 250)))
    assert result["validation_kl"] == pytest.approx(terms.kl.mean().item(), rel=1e-5)
    assert result["validation_reconstruction"] == pytest.approx(terms.reconstruction.mean().item(), rel=1e-5)
    assert result["validation_bound"] == pytest.approx(terms.bound.mean().item(), rel=1e-5)
    assert model.training
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    assert validate(model, split, seed=7) == result


def test_validation_is_of_the_same_images_for_every_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "LIMIT", 8)
    model, split = SpatialVAE.from_config(settings().sized((8, 8), 1)), tiny_data().split("validation")
    rows = subset(len(split), 8)
    alone = ImageSplit(split.images[rows], None)
    for seed in (0, 7):
        assert validate(model, split, seed=seed) == validate(model, alone, seed=seed)
    assert rows.tolist() != list(range(8))


def test_clipping_comes_after_the_gradient(tmp_path: Path) -> None:
    # Adam's step does not depend on the gradient's size until it is far under its epsilon of 1e-8.
    state = begin(tmp_path)
    before = copied(state.network)
    one_step(state, clip=1e-13, learning_rate=1e-3)
    moved = max((value - before[name]).abs().max().item() for name, value in state.network.named_parameters())
    assert moved < 1e-6
    one_step(state, learning_rate=1e-3)
    moved = max((value - before[name]).abs().max().item() for name, value in state.network.named_parameters())
    assert moved > 1e-4


def test_gradients_do_not_pile_up(tmp_path: Path) -> None:
    state = begin(tmp_path)
    one_step(state)
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in state.network.parameters())


def test_the_average_follows_the_weights(tmp_path: Path) -> None:
    state = begin(tmp_path, ema=0.75)
    assert state.average is not None
    one_step(state, ema=0.75)
    expected = copied(state.network)  # the first average is the first weights
    for _ in range(2):
        one_step(state, ema=0.75)
        expected = {name: 0.75 * value + 0.25 * copied(state.network)[name] for name, value in expected.items()}
    for name, value in copied(state.scored).items():
        assert_close(value, expected[name], rtol=1e-4, atol=1e-6)
    for name, value in state.scored.named_buffers():
        assert torch.equal(value, state.network.get_buffer(name)), name


def test_results_are_made_with_the_average(tmp_path: Path) -> None:
    returned = train(settings(ema=0.9), tiny_data(), tmp_path / "run", progress=False).model
    stored = checkpoint(tmp_path / "run")
    averaged = {name.removeprefix("average.module."): v for name, v in stored.items() if "average.module." in name}
    raw = {name.removeprefix("model."): value for name, value in stored.items() if name.startswith("model.")}
    assert same(weights(tmp_path / "run"), averaged)
    assert same(dict(returned.state_dict()), averaged)
    assert not same(raw, averaged)
    assert not returned.training


@pytest.mark.parametrize("when", [1, 5])
def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: int) -> None:
    forward, taken = SpatialVAE.forward, 0

    def broken(self: SpatialVAE, images: Tensor) -> ELBO:
        nonlocal taken
        taken += self.training
        terms = forward(self, images)
        return terms._replace(kl=terms.kl * math.inf) if self.training and taken == when else terms

    config = settings(checkpoint_every=20)
    with monkeypatch.context() as patch:
        patch.setattr(SpatialVAE, "forward", broken)
        with pytest.raises(UserError) as caught:
            train(config, tiny_data(), tmp_path / "run", progress=False)
    message = str(caught.value)
    assert message.count("\n") == 1
    for words in (f"not finite at step {when}", "reconstruction -", "KL inf nats", "learning_rate", "clip"):
        assert words in message
    kept = sorted(path.name for path in (tmp_path / "run" / "checkpoints").glob("[0-9]*"))
    assert kept == [f"{images:012d}" for images in (20, 40) if images < 10 * when]
    if when > 1:  # what was there before is whole, and the run goes on from it
        assert all(torch.isfinite(value).all() for value in checkpoint(tmp_path / "run").values())
        assert load(tmp_path / "run").sample(1).shape == (1, 1, 8, 8)
    train(config, tiny_data(), tmp_path / "run", progress=False)
    train(config, tiny_data(), tmp_path / "calm", progress=False)
    assert same(weights(tmp_path / "run"), weights(tmp_path / "calm"))


def test_the_files_of_a_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    model = train(settings(checkpoint_every=20, ema=0.5), tiny_data(), out, progress=False).model
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    kept = {f"checkpoints/{images:012d}/" for images in (40, 60)}  # the newest two
    parts = {"model.safetensors", "average.safetensors", "optimizer.safetensors", "state.json"}
    grids = {f"grids/{n:09d}-{what}.png" for n in (20, 40, 60) for what in ("samples", "reconstructions")}
    wanted = {"config.yaml", "data.json", "config.json", "model.safetensors", "metrics.jsonl"}
    wanted |= {"prior-gaussian.safetensors", "codes.json"} | grids
    wanted |= {folder + part for folder in kept for part in parts}
    assert {name for name in files if not name.startswith("tensorboard/")} == wanted
    assert not [name for name in files if zipfile.is_zipfile(out / name)]  # what torch.save and pickle write
    state = json.loads((out / "checkpoints" / f"{60:012d}" / "state.json").read_text())
    assert state["images"] == 60
    assert torch.equal(load(out).sample(4, seed=0), model.sample(4, seed=0))


def test_tensorboard_gets_what_the_journal_gets(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    train(settings(), tiny_data(), tmp_path / "run", progress=False)
    events = accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert {"bound", "kl", "reconstruction", "validation_bound"} <= set(events.Tags()["scalars"])
    line = journal(tmp_path / "run")[1][-1]
    assert events.Scalars("validation_bound")[-1].value == pytest.approx(line["validation_bound"], rel=1e-6)
    assert events.Scalars("validation_bound")[-1].step == 60
