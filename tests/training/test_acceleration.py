"""What a GPU trains with, as far as a CPU can tell: it is the same function, and nothing waits for the device."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from spatialvae.elbo import ELBO, elbo_loss
from spatialvae.globals import globals_kept
from spatialvae.model import SpatialVAE
from spatialvae.rounding import full_float32
from spatialvae.seeding import seeded
from spatialvae.training.acceleration import (
    COMPILE_FROM,
    MarkedSteps,
    compiled_training,
    compiling_pays,
    faster,
    prepare_device,
    suit_layout,
)
from spatialvae.training.checkpoint import restore_checkpoint, save_checkpoint
from spatialvae.training.loop import train_step
from spatialvae.training.model_stage import make_optimizer
from tests.training.tiny import begin, settings, stage


def pictures(count: int = 10) -> Tensor:
    return torch.randint(0, 256, (count, 1, 8, 8), dtype=torch.uint8)


def terms_and_gradients(forward: nn.Module, model: SpatialVAE, images: Tensor) -> tuple[ELBO, dict[str, Tensor]]:
    with seeded(5):
        terms = forward(images)
        elbo_loss(terms).backward()
    gradients = {name: value.grad.clone() for name, value in model.named_parameters() if value.grad is not None}
    model.zero_grad()
    return terms, gradients


def same_function(forward: nn.Module, model: SpatialVAE, images: Tensor) -> None:
    """The terms and gradients of `forward` and of the model itself, with the same noise."""
    buffers = [value.clone() for value in model.buffers()]
    wanted, gradients = terms_and_gradients(model, model, images)
    for value, before in zip(model.buffers(), buffers, strict=True):
        value.copy_(before)
    result, others = terms_and_gradients(forward, model, images)
    assert_close(result.reconstruction, wanted.reconstruction, rtol=1e-5, atol=1e-4)
    assert_close(result.kl, wanted.kl, rtol=1e-5, atol=1e-4)
    assert others.keys() == gradients.keys()
    for name, value in gradients.items():
        assert_close(others[name], value, rtol=1e-3, atol=1e-3 * value.abs().max().item() + 1e-5)


SLOW = [
    pytest.param(latent, marks=pytest.mark.slow) for latent in ("vector", "naive", "matrix-normal", "low-rank:rank=2")
]


@pytest.mark.parametrize("latent", ["low-rank", *SLOW])
def test_the_whole_step_is_one_graph(tmp_path: Path, latent: str) -> None:
    # A break would leave two graphs with a launch of everything between them.
    state = begin(tmp_path, latent=latent)
    before = {name: value.clone() for name, value in state.network.state_dict().items()}
    compiled = compiled_training(state.wrapped, state.network, 10, fullgraph=True, backend="eager")
    assert compiled is not state.wrapped
    assert all(torch.equal(value, before[name]) for name, value in state.network.state_dict().items())
    assert all(value.grad is None for value in state.network.parameters())
    same_function(compiled, state.network, pictures())


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", ["bernoulli", "logistic", "gaussian:scale=0.1"])
def test_so_it_is_with_every_likelihood_and_in_bf16(tmp_path: Path, likelihood: str) -> None:
    state = begin(tmp_path, likelihood=likelihood, precision="bf16")
    compiled = compiled_training(state.wrapped, state.network, 10, fullgraph=True, backend="eager")
    assert compiled is not state.wrapped


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch's own compiler
def test_compiled_training_is_the_same_function(tmp_path: Path) -> None:
    state = begin(tmp_path)
    compiled = compiled_training(state.wrapped, state.network, 10, options={"fallback_random": True})
    same_function(compiled, state.network, pictures())


def test_what_does_not_compile_is_trained_as_it_is(tmp_path: Path) -> None:
    state = begin(tmp_path)
    buffers = [value.clone() for value in state.network.buffers()]

    def broken(graph: Any, inputs: Any) -> Any:
        raise OSError("no C++ compiler\nand more")

    with pytest.warns(UserWarning, match="torch.compile failed.* no C\\+\\+ compiler"):
        result = compiled_training(state.wrapped, state.network, 10, backend=broken)
    assert result is state.wrapped
    assert all(torch.equal(*pair) for pair in zip(state.network.buffers(), buffers, strict=True))


@pytest.mark.parametrize(
    ("kind", "processes", "steps", "pays"),
    [
        ("cuda", 1, COMPILE_FROM, True),
        ("cuda", 1, COMPILE_FROM - 1, False),
        ("cuda", 2, COMPILE_FROM, False),
        ("cpu", 1, 100 * COMPILE_FROM, False),
    ],
)
def test_compiling_is_decided_by_device_and_steps(kind: str, processes: int, steps: int, pays: bool) -> None:
    accelerator: Any = SimpleNamespace(device=torch.device(kind), num_processes=processes)
    assert compiling_pays(steps, accelerator) is pays


def test_a_cpu_keeps_its_layout() -> None:
    model = suit_layout(SpatialVAE.from_config(settings().sized((8, 8), 1)), torch.device("cpu"))
    assert all(value.is_contiguous() for value in model.parameters())


def test_moments_come_back_in_the_layout_of_the_weights(tmp_path: Path) -> None:
    # Files hold plain rows; a fused step over weights of another layout would mix the numbers up, or refuse.
    model = SpatialVAE.from_config(settings().sized((8, 8), 1)).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = make_optimizer(model, settings().optimisation, fused=True)
    elbo_loss(model(pictures())).backward()
    optimizer.step()
    saved = save_checkpoint(tmp_path, 10, {"model": model}, {"optimizer": optimizer}, {})
    again = make_optimizer(model, settings().optimisation, fused=True)
    restore_checkpoint(saved, {"model": model}, {"optimizer": again})
    for parameter in model.parameters():
        for key in ("exp_avg", "exp_avg_sq"):
            assert again.state[parameter][key].stride() == parameter.stride()
            assert torch.equal(again.state[parameter][key], optimizer.state[parameter][key])


class NoReading(TorchDispatchMode):
    """Fails where a number of a network is read, which would stop a GPU's queue."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default:  # item(), tolist(), bool(), float()
            # The one integer is a count of steps that lies on the CPU whatever the device.
            assert args[0].dtype == torch.int64, "a step reads a number from the device"
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("changed", [{}, {"ema": 0.9, "clip": 1.0, "flip": True, "warmup": 50, "kl_warmup": 50}])
def test_a_step_reads_nothing_from_the_device(tmp_path: Path, changed: dict[str, Any]) -> None:
    state = begin(tmp_path, **changed)
    with NoReading():
        for step in range(2):
            train_step(state, stage(**changed), 10 * step)
            state.step += 1


def test_each_compiled_step_is_marked_for_cuda_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    # Without the mark every step is recorded anew, as a part of the first: seconds in place of milliseconds.
    order: list[str] = []
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: order.append("mark"))

    class Compiled(nn.Module):
        def forward(self, images: Tensor) -> ELBO:
            order.append("step")
            return ELBO(images, images)

    marked = MarkedSteps(Compiled())
    for _ in range(3):
        marked(torch.zeros(1))
    assert order == ["mark", "step"] * 3


@pytest.mark.parametrize(("delays", "wins"), [((0.02, 0.0), True), ((0.0, 0.02), False)])
def test_the_compiled_step_is_kept_only_where_it_is_faster(delays: tuple[float, float], wins: bool) -> None:
    eager, compiled = nn.Identity(), nn.Identity()

    def steps(forward: nn.Module, count: int) -> None:
        time.sleep(count * delays[forward is compiled])

    if wins:
        assert faster(compiled, eager, steps, torch.device("cpu"))
    else:
        with pytest.warns(UserWarning, match=r"compiled step takes .*goes on with the plain one"):
            assert not faster(compiled, eager, steps, torch.device("cpu"))


def test_a_compiled_step_that_fails_in_the_race_is_left_out() -> None:
    eager, compiled = nn.Identity(), nn.Identity()

    def steps(forward: nn.Module, count: int) -> None:
        if forward is compiled:
            raise torch.OutOfMemoryError("no memory is left")

    with pytest.warns(UserWarning, match="compiled step failed: no memory is left"):
        assert not faster(compiled, eager, steps, torch.device("cpu"))


@pytest.mark.parametrize(("precision", "rounded"), [("fp32", False), ("bf16", True)])
def test_fp32_on_a_gpu_is_float32_in_convolutions_too(precision: str, rounded: bool) -> None:
    with globals_kept():
        prepare_device(torch.device("cuda"), precision)
        assert torch.backends.cudnn.allow_tf32 is rounded
        assert (torch.get_float32_matmul_precision() == "high") is rounded
        with full_float32():
            assert not torch.backends.cudnn.allow_tf32
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.backends.cudnn.allow_tf32 is rounded
    assert torch.backends.cudnn.allow_tf32
