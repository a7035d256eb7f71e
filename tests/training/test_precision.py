"""The number format that was asked for is the one in effect, for every part of the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from spatialvae.errors import UserError
from spatialvae.runtime.precision import resolve_precision
from spatialvae.training import train
from spatialvae.training.loop import train_step
from tests.training.tiny import begin, settings, stage, tiny_data, weights

AMX = "spatialvae.runtime.precision._cpu_has_amx"

KINDS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def kinds(tmp_path: Path, precision: str, **changed: Any) -> dict[str, set[torch.dtype]]:
    """The dtypes that convolutions, the head, and the terms of one step have."""
    state = begin(tmp_path / precision, precision=precision, **changed)
    seen: dict[str, set[torch.dtype]] = {}

    def note(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        kind = next(kind for kind in KINDS if isinstance(layer, kind))
        seen.setdefault(kind.__name__, set()).add(output.dtype)

    for layer in state.network.modules():
        if isinstance(layer, KINDS):
            layer.register_forward_hook(note)
    loss, terms = train_step(state, stage(precision=precision, **changed), 0)
    seen["loss"] = {loss.dtype, terms["kl"].dtype, terms["reconstruction"].dtype}
    seen["weights"] = {parameter.dtype for parameter in state.network.parameters()}
    return seen


@pytest.mark.parametrize("objective", ["elbo", "paper"])
@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_it_is_in_effect_under_both_objectives(
    tmp_path: Path, objective: str, precision: str, dtype: torch.dtype
) -> None:
    seen = kinds(tmp_path, precision, objective=objective)
    for name in ("Conv2d", "ConvTranspose2d", "Linear"):
        assert seen[name] == {dtype}, name
    assert seen["loss"] == seen["weights"] == {torch.float32}


def test_bf16_gives_the_terms_of_fp32(tmp_path: Path) -> None:
    results = []
    for precision in ("fp32", "bf16"):
        state = begin(tmp_path / precision, precision=precision)
        results.append(train_step(state, stage(precision=precision), 0)[1])
    assert_close(results[1]["reconstruction"], results[0]["reconstruction"], rtol=0.02, atol=0.5)
    assert_close(results[1]["kl"], results[0]["kl"], rtol=0.05, atol=0.1)
    assert not torch.equal(results[1]["reconstruction"], results[0]["reconstruction"])


def test_one_process_trains_in_several_formats(tmp_path: Path) -> None:
    assert kinds(tmp_path, "bf16")["Conv2d"] == {torch.bfloat16}
    assert kinds(tmp_path, "fp32")["Conv2d"] == {torch.float32}


def test_bf16_trains(tmp_path: Path) -> None:
    # Two steps on this CPU, which may have to emulate it.
    model = train(settings(images=20, precision="bf16"), tiny_data(), tmp_path / "run", progress=False).model
    assert all(torch.isfinite(value).all() for value in weights(tmp_path / "run").values())
    assert model.sample(2, seed=0).shape == (2, 1, 8, 8)


def test_fp16_needs_cuda(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"precision fp16 needs a CUDA device.* Use bf16, fp32 or auto") as caught:
        resolve_precision("fp16")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="fp16"):
        train(settings(precision="fp16"), tiny_data(), tmp_path / "run", progress=False)


@pytest.mark.parametrize(("amx", "result"), [(True, "bf16"), (False, "fp32")])
def test_auto_looks_for_amx(monkeypatch: pytest.MonkeyPatch, amx: bool, result: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(AMX, lambda: amx)
    assert resolve_precision("auto") == result


@pytest.mark.parametrize(("supported", "result"), [(True, "bf16"), (False, "fp32")])
def test_auto_asks_the_cuda_device(monkeypatch: pytest.MonkeyPatch, supported: bool, result: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: supported)
    assert resolve_precision("auto") == result
    assert resolve_precision("fp16") == "fp16"
