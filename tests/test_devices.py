"""Devices by name: what is there, what is not, and which one is taken by itself."""

from __future__ import annotations

import pytest
import torch

from spatialvae.devices import resolve_device
from spatialvae.errors import UserError


def with_cuda(patch: pytest.MonkeyPatch, count: int) -> None:
    patch.setattr(torch.cuda, "is_available", lambda: count > 0)
    patch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("wanted", "count", "result"),
    [(None, 0, "cpu"), (None, 2, "cuda"), ("cpu", 2, "cpu"), ("cuda", 1, "cuda"), ("cuda:1", 2, "cuda:1")],
)
def test_what_is_there(monkeypatch: pytest.MonkeyPatch, wanted: str | None, count: int, result: str) -> None:
    with_cuda(monkeypatch, count)
    assert resolve_device(wanted) == torch.device(result)


@pytest.mark.parametrize(
    ("wanted", "count", "words"),
    [
        ("gpu", 1, "device gpu is not known. Choose from: cpu, cuda, cuda:1 and so on, mps."),
        ("cuda:", 1, "device cuda: is not known"),
        ("cpu:1", 1, "device cpu:1 is not known"),
        ("cuda:-1", 1, "device cuda:-1 is not known"),
        ("cuda", 0, "which has no CUDA device. Leave device out to compute on cpu."),
        ("cuda:1", 1, "which has cuda. Leave device out to compute on cuda."),
        ("cuda:4", 4, "which has cuda:0 to cuda:3."),
        ("mps", 0, "device mps is not in this machine."),
    ],
)
def test_what_is_not(monkeypatch: pytest.MonkeyPatch, wanted: str, count: int, words: str) -> None:
    with_cuda(monkeypatch, count)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UserError) as caught:
        resolve_device(wanted)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
