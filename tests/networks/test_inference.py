"""The decoder's fast form: the same function, in fewer passes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from spatialvae.networks import PaperDecoder
from spatialvae.networks import inference as module
from spatialvae.networks.folding import folded
from spatialvae.networks.inference import compiling_pays, decoded_at_once, fast_decoder
from spatialvae.runtime import precision

CPU = torch.device("cpu")


def trained(code: tuple[int, int, int] = (4, 3, 3), size: tuple[int, int] = (16, 16)) -> PaperDecoder:
    """A decoder whose batch norms have seen something, so that folding them wrongly shows."""
    decoder = PaperDecoder(code, 3, size)
    for norm in decoder.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for value in (norm.weight, norm.running_var):
                assert value is not None
                nn.init.uniform_(value, 0.5, 1.5)
            for value in (norm.bias, norm.running_mean):
                assert value is not None
                nn.init.uniform_(value, -0.5, 0.5)
    return decoder.eval()


@pytest.mark.parametrize(("code", "size"), [((4, 3, 3), (16, 16)), ((9, 1, 1), (16, 16)), ((2, 2, 5), (9, 20))])
def test_folding_changes_nothing_but_rounding(code: tuple[int, int, int], size: tuple[int, int]) -> None:
    decoder = trained(code, size).double()
    codes = torch.randn(5, *code, dtype=torch.float64)
    network = folded(decoder)
    assert not [layer for layer in network if isinstance(layer, nn.BatchNorm2d)]
    assert_close(network(codes), decoder(codes), rtol=1e-12, atol=1e-12)


def test_the_decoder_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_cpu_has_amx", lambda: True)
    decoder = trained()
    before = {name: value.clone() for name, value in decoder.state_dict().items()}
    codes = torch.randn(2, 4, 3, 3)
    kept = codes.clone()
    fast_decoder(decoder, codes, compile=False)(codes)
    assert torch.equal(codes, kept)
    assert all(parameter.requires_grad for parameter in decoder.parameters())
    for name, value in decoder.state_dict().items():
        assert value.dtype == before[name].dtype
        assert value.stride() == before[name].stride()
        assert torch.equal(value, before[name])


def test_bf16_where_it_is_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, codes = trained(), torch.randn(50, 4, 3, 3)
    exact = decoder(codes)
    results = {}
    for amx in (False, True):
        monkeypatch.setattr(precision, "_cpu_has_amx", lambda amx=amx: amx)
        results[amx] = fast_decoder(decoder, codes, compile=False)(codes)
        assert results[amx].dtype == torch.float32
    assert_close(results[False], exact, rtol=1e-5, atol=1e-5)
    assert not torch.equal(results[False], results[True])
    grey = 127.5 * (results[True].tanh() - exact.tanh()).abs()
    assert grey.max() < 2
    assert grey.mean() < 0.3


def test_double_precision_stays_double(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_cpu_has_amx", lambda: True)
    codes = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    assert fast_decoder(trained().double(), codes, compile=False)(codes).dtype == torch.float64


def test_only_whole_batches_go_through_the_compiled_network(monkeypatch: pytest.MonkeyPatch) -> None:
    # Another size would be compiled anew, for a few pictures.
    monkeypatch.setattr(precision, "_cpu_has_amx", lambda: False)
    sizes: list[int] = []

    def compiled(function: Any, try_out: Any, **_: Any) -> Any:
        try_out(function)

        def noted(codes: Tensor) -> Tensor:
            sizes.append(len(codes))
            return function(codes)

        return noted

    monkeypatch.setattr(module, "compiled_or_eager", compiled)
    decoder = trained()
    fast = fast_decoder(decoder, torch.zeros(6, 4, 3, 3), compile=True)
    codes = torch.randn(6, 4, 3, 3)
    for count in (6, 2, 6):
        assert_close(fast(codes[:count]), decoder(codes[:count]), rtol=1e-5, atol=1e-5)
    assert sizes == [6, 6]


def test_compiling_is_decided_by_the_count() -> None:
    numbers = 64 * 64 * 3
    assert not compiling_pays(10_000 * numbers, CPU)
    assert compiling_pays(1_000_000 * numbers, CPU)
    assert not compiling_pays(1_000_000 * numbers, torch.device("cuda"))
    assert decoded_at_once(CPU) < decoded_at_once(torch.device("cuda"))


class Skip(nn.Module):
    """A decoder whose layers are no chain: a skip goes round the second."""

    def __init__(self, fast: nn.Module | None = None) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 3, 1), nn.Conv2d(3, 3, 1)
        self.offered = fast
        self.calls = 0

    def forward(self, codes: Tensor) -> Tensor:
        self.calls += 1
        hidden = self.first(codes)
        return hidden + self.second(hidden)


class Offering(Skip):
    """The same with a fast form, right or wrong."""

    def fast(self) -> nn.Module:
        assert self.offered is not None
        return copy.deepcopy(self.offered)


def merged(decoder: Skip) -> nn.Module:
    """h + W h as one layer."""
    layer = copy.deepcopy(decoder.second)
    with torch.no_grad():
        layer.weight += torch.eye(3)[:, :, None, None]
    return nn.Sequential(copy.deepcopy(decoder.first), layer)


@torch.no_grad()
def test_a_decoder_with_a_skip_runs_as_it_is() -> None:
    decoder, codes = Skip().eval(), torch.randn(5, 4, 3, 3)
    assert torch.equal(fast_decoder(decoder, codes, compile=False)(codes), decoder(codes))


@torch.no_grad()
def test_a_fast_form_is_compared_whenever_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_cpu_has_amx", lambda: False)
    decoder, codes = Offering().eval(), torch.randn(5, 4, 3, 3)
    decoder.offered = merged(decoder)
    state = torch.random.get_rng_state()
    for _ in range(3):
        assert_close(fast_decoder(decoder, codes, compile=False)(codes), Skip.forward(decoder, codes))
    assert decoder.calls == 3 + 3
    assert torch.equal(torch.random.get_rng_state(), state)
    decoder.first.weight.data.mul_(2)  # the form of the weights before is not used
    with pytest.warns(UserWarning, match="fast form of Offering is not used.* a pixel differs by .* of 255"):
        run = fast_decoder(decoder, codes, compile=False)
    assert torch.equal(run(codes), decoder(codes))


@torch.no_grad()
@pytest.mark.parametrize("amx", [False, True])
def test_a_wrong_fast_form_is_not_used(amx: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_cpu_has_amx", lambda: amx)
    decoder, codes = Offering().eval(), torch.randn(5, 4, 3, 3)
    for form in (folded(Skip()), nn.Sequential(decoder.first, decoder.second), nn.Conv2d(4, 2, 1)):
        decoder.offered = form
        with pytest.warns(UserWarning, match="fast form of Offering is not used, but its plain form"):
            run = fast_decoder(decoder, codes, compile=False)
        assert torch.equal(run(codes), decoder(codes))


class Trunk(nn.Module):
    """A decoder that offers a part of itself, or nothing that works."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__()
        self.trunk, self.broken = nn.Conv2d(4, 3, 1), broken

    def forward(self, codes: Tensor) -> Tensor:
        return self.trunk(codes)

    def fast(self) -> nn.Module:
        if self.broken:
            raise NotImplementedError("not for these codes")
        return self.trunk


@torch.no_grad()
def test_what_a_decoder_offers_of_itself_keeps_its_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_cpu_has_amx", lambda: True)
    decoder, codes = Trunk().eval(), torch.randn(5, 4, 3, 3)
    fast_decoder(decoder, codes, compile=False)(codes)
    assert decoder.trunk.weight.dtype == torch.float32 and decoder.trunk.weight.requires_grad


@torch.no_grad()
def test_a_fast_form_that_fails_leaves_the_plain_one() -> None:
    decoder, codes = Trunk(broken=True).eval(), torch.randn(5, 4, 3, 3)
    with pytest.warns(UserWarning, match="it fails: NotImplementedError: not for these codes"):
        run = fast_decoder(decoder, codes, compile=False)
    assert torch.equal(run(codes), decoder(codes))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # of torch's own compiler
def test_compiled_is_the_same_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_cpu_has_amx", lambda: False)
    decoder, codes = trained(), torch.randn(6, 4, 3, 3)
    with torch.inference_mode():
        assert_close(fast_decoder(decoder, codes, compile=True)(codes), decoder(codes), rtol=1e-4, atol=1e-5)
