"""A discriminator against the decoder: whose gradients go where, when it begins, and how a run resumes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from spatialvae.data import ImageData
from spatialvae.errors import UserError
from spatialvae.store import load
from spatialvae.training import Run, loop, read_journal, train
from spatialvae.training.adversary import CAP, Adversary
from spatialvae.training.discriminator import PatchDiscriminator, hinge_loss
from spatialvae.training.model_stage import ModelStage
from spatialvae.training.state import TrainingState, make_accelerator, start
from tests.conftest import smooth_images
from tests.training.tiny import checkpoint, same, settings, weights

SMALL: dict[str, Any] = {"network": "residual:width=8,depth=1", "latent": "naive", "map_size": "4"}
BEGUN: dict[str, Any] = {**SMALL, "adversarial": 0.5, "adversarial_from": 10}


def data(channels: int = 3, side: int = 16) -> ImageData:
    images = smooth_images(100, channels=channels, height=side, width=side)
    return ImageData.from_arrays({"train": images[:60], "validation": images[60:80], "test": images[80:]}, name="tiny")


def begun(folder: Path, **changed: Any) -> tuple[ModelStage, TrainingState[Any], Tensor]:
    asked = ModelStage(settings(**{**BEGUN, **changed}), data())
    state = start(asked, Run(folder), make_accelerator(asked.optimisation))
    return asked, state, torch.from_numpy(data().split("train").images[:10].copy())


@pytest.mark.parametrize(("side", "scores"), [(16, 6), (31, 13), (32, 6), (64, 6)])
def test_scores_are_of_patches(side: int, scores: int) -> None:
    network = PatchDiscriminator((3, side, side))
    assert network(torch.randn(2, 3, side, side)).shape == (2, 1, scores, scores)
    images = torch.randn(1, 3, side, side, requires_grad=True)
    network(images)[0, 0, 0, 0].backward()
    assert images.grad is not None
    assert images.grad[..., 0, 0].abs().sum() > 0
    if side > 31:
        assert images.grad[..., -1, -1].abs().sum() == 0


def test_scores_change_no_faster_than_pixels() -> None:
    # The product of singular values is 1, a leaky rectifier shrinks; a convolution of kernel 4 and stride 1 or 2 may
    # stretch by its overlap, at most 16 over stride^2 a layer in squares.
    torch.manual_seed(0)
    network = PatchDiscriminator((3, 32, 32))
    for _ in range(30):
        network(torch.randn(4, 3, 32, 32))  # the power iteration settles
    network.eval()
    one, other = torch.rand(2, 8, 3, 32, 32) * 2 - 1
    change = (network(one) - network(other)).flatten(1).norm(dim=1) / (one - other).flatten(1).norm(dim=1)
    assert change.max() < 2 * 2 * 4 * 4
    for layer in network.layers:
        if isinstance(layer, torch.nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, rel=0.1)


def test_the_hinge() -> None:
    scores = torch.tensor([3.0, 0.5]), torch.tensor([-0.5, -4.0])
    assert hinge_loss(*scores).item() == pytest.approx(0.25 + 0.25)


def test_the_share_is_that_of_the_gradients_on_the_outputs(tmp_path: Path) -> None:
    _, state, batch = begun(tmp_path)
    assert state.adversary is not None
    torch.manual_seed(1)
    made = state.wrapped(batch)
    loss = -made.terms.bound.mean()
    added, named = state.adversary.judge(loss, batch, made, seen=10)
    whole, own = (torch.autograd.grad(one, made.outputs, retain_graph=True)[0].norm() for one in (loss, added))
    assert named["adversarial_weight"].item() < CAP
    assert_close(own, 0.5 * whole)


def test_the_weight_has_a_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, state, batch = begun(tmp_path)
    assert state.adversary is not None
    made = state.wrapped(batch)
    monkeypatch.setattr("spatialvae.training.adversary.CAP", 1e-6)
    _, named = state.adversary.judge(-made.terms.bound.mean(), batch, made, seen=10)
    assert named["adversarial_weight"].item() == pytest.approx(1e-6)

    class Blind(torch.nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return 0 * images.mean((1, 2, 3))

    state.adversary.network = Blind()
    added, named = state.adversary.judge(-made.terms.bound.mean(), batch, made, seen=10)
    assert torch.isfinite(added)
    assert torch.isfinite(named["adversarial_weight"]).all()


@pytest.mark.parametrize("accumulate", [1, 2])
def test_gradients_go_where_they_should(tmp_path: Path, accumulate: int) -> None:
    asked, state, batch = begun(tmp_path, accumulate=accumulate, adversarial_from=1)
    adversary = state.adversary
    assert adversary is not None
    trained = {id(parameter) for group in state.optimizer.param_groups for parameter in group["params"]}
    assert trained == {id(parameter) for parameter in state.network.parameters()}
    theirs = {id(parameter) for group in adversary.optimizer.param_groups for parameter in group["params"]}
    assert theirs == {id(parameter) for parameter in adversary.network.parameters()}
    loss, _ = asked.loss(state.wrapped, state.network, batch, seen=10)
    loss.backward()
    assert all(parameter.grad is None for parameter in adversary.network.parameters())
    touched = {n for n, p in state.network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any(name.startswith("encoder") for name in touched)
    assert any(name.startswith("decoder") for name in touched)
    before = {name: parameter.grad.clone() for name, parameter in state.network.named_parameters() if name in touched}  # pyright: ignore
    learned = adversary.learn(1)
    assert learned is not None
    assert all(parameter.grad is not None for parameter in adversary.network.parameters())
    for name, gradient in before.items():  # the discriminator's own loss leaves the model alone
        assert torch.equal(state.network.get_parameter(name).grad, gradient)  # pyright: ignore
    assert adversary.learn(1) is None  # once a batch


def test_it_begins_late_and_moves_both(tmp_path: Path) -> None:
    plain = settings(**SMALL)
    train(plain, data(), tmp_path / "plain", progress=False)
    train(settings(**{**BEGUN, "adversarial_from": 59}), data(), tmp_path / "never", progress=False)
    assert same(weights(tmp_path / "plain"), weights(tmp_path / "never"))
    train(settings(**{**BEGUN, "adversarial_from": 30}), data(), tmp_path / "late", progress=False)
    assert not same(weights(tmp_path / "plain"), weights(tmp_path / "late"))
    line = read_journal(tmp_path / "late" / "metrics.jsonl")[0]
    assert {"adversarial", "adversarial_weight", "discriminator"} <= line.keys()
    assert line["discriminator"] > 0
    never = checkpoint(tmp_path / "never")
    torch.manual_seed(0)
    late = checkpoint(tmp_path / "late")
    name = "discriminator.layers.0.parametrizations.weight.original"
    assert not torch.equal(never[name], late[name])
    assert not any(name.startswith("discriminator") for name in weights(tmp_path / "late"))
    assert load(tmp_path / "late").sample(2, seed=0).shape == (2, 3, 16, 16)


def test_the_default_begins_halfway() -> None:
    stage = ModelStage(settings(**{**SMALL, "adversarial": 0.5}), data())
    adversary = stage.make_adversary(stage.build(torch.device("cpu")))
    assert adversary is not None
    assert [adversary.takes_part(seen) for seen in (0, 20, 30, 50)] == [False, False, True, True]


@pytest.mark.parametrize("where", ["between the two steps", "after both"])
def test_a_run_that_broke_off_goes_on_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    asked = settings(**BEGUN, checkpoint_every=10, ema=0.9, accumulate=2)
    train(asked, data(), tmp_path / "whole", progress=False)
    step, calls = Adversary.step, []

    def failing(self: Adversary, rate: float) -> None:
        calls.append(rate)
        if where == "after both":
            step(self, rate)
        if len(calls) == 3:
            raise RuntimeError("the power is gone")
        if where != "after both":
            step(self, rate)

    with monkeypatch.context() as patch:
        patch.setattr(Adversary, "step", failing)
        with pytest.raises(RuntimeError, match="the power is gone"):
            train(asked, data(), tmp_path / "broken", progress=False)
    train(asked, data(), tmp_path / "broken", progress=False)
    assert same(checkpoint(tmp_path / "broken"), checkpoint(tmp_path / "whole"))


def test_bf16_trains(tmp_path: Path) -> None:
    train(settings(**{**BEGUN, "precision": "bf16"}), data(), tmp_path, progress=False)
    assert read_journal(tmp_path / "metrics.jsonl")[0]["adversarial_weight"] > 0


def test_pictures_of_one_channel(tmp_path: Path) -> None:
    train(settings(**BEGUN), data(channels=1), tmp_path, progress=False)
    assert read_journal(tmp_path / "metrics.jsonl")[0]["discriminator"] > 0


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"adversarial": 0.0, "adversarial_from": 10}, "says when `adversarial` begins, and that is 0"),
        ({"objective": "paper", "network": "paper", "map_size": "3"}, "`adversarial` goes with the bound"),
        ({"likelihood": "pixelcnn"}, "which pixelcnn makes pixel by pixel"),
    ],
)
def test_what_has_no_adversary(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        train(settings(**{**BEGUN, **changed}), data(), tmp_path / "run", progress=False)
    assert words.replace("`", "") in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_what_is_not_finite_is_named() -> None:
    stage = ModelStage(settings(**BEGUN), data())
    words = stage.not_finite({"reconstruction": 1.0, "kl": 2.0, "adversarial": float("nan"), "discriminator": 0.5})
    assert words == "reconstruction 1, KL 2 nats, adversarial nan, discriminator 0.5"


def test_images_of_8_pixels_are_too_small(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="images of 8x8 are too small: use images of 16 pixels or more"):
        train(settings(**BEGUN), data(side=8), tmp_path / "run", progress=False)


def test_parts_of_a_batch_add_up_to_its_gradient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without noise, batch norm and discriminator, whose share is of a part's gradient.
    monkeypatch.setattr("torch.distributions.Normal.rsample", lambda self, shape=(): self.mean.expand(self.batch_shape))
    gradients, losses = [], []
    for accumulate in (1, 5):
        asked, state, batch = begun(tmp_path, accumulate=accumulate, adversarial=0.0, adversarial_from=None)
        parts = [loop.gradients(state, asked, part, 0)[0] for part in loop.cut(batch, accumulate)]
        losses.append(torch.stack(parts).mean())
        gradients.append([parameter.grad for parameter in state.network.parameters()])
    assert_close(losses[1], losses[0])
    for one, other in zip(*gradients, strict=True):
        assert_close(other, one, rtol=1e-3, atol=1e-3)


def test_parts_that_do_not_divide_a_batch(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="accumulate 4 does not divide the 10 images of a process's step: use 5"):
        train(settings(**SMALL, accumulate=4), data(), tmp_path / "run", progress=False)


def test_batches_are_cut() -> None:
    codes, labels = torch.arange(6).reshape(6, 1), torch.arange(6)
    assert [part.flatten().tolist() for part in loop.cut(codes, 3)] == [[0, 1], [2, 3], [4, 5]]
    parts = loop.cut((codes, labels), 2)
    assert [own[1].tolist() for own in parts] == [[0, 1, 2], [3, 4, 5]]
    assert loop.cut((codes, None), 2)[1][1] is None
