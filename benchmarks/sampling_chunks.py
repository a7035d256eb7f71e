"""How many codes a decoder should take at a time, in which number format and memory layout: images a second.

    python benchmarks/sampling_chunks.py                  # the paper's CelebA decoder: 64x64, low-rank
    python benchmarks/sampling_chunks.py --chunks 25 50 100 200 500 --formats float32 bfloat16 --compile

Every round times all combinations in turn, so that a busy machine hits all alike. It is what `AT_ONCE` in
`src/spatialvae/networks/inference.py` was chosen by.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from spatialvae.config import ModelConfig
from spatialvae.data.pixels import to_uint8
from spatialvae.model import SpatialVAE
from spatialvae.networks.folding import folded, with_subpixels

LAYOUTS = {
    "contiguous": torch.contiguous_format,
    "channels_last": torch.channels_last,
    "sub-pixel": torch.channels_last,  # and the last layer in its sub-pixel form
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--latent", default="low-rank")
    parser.add_argument("--images", type=int, default=2000, help="decoded in each turn")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--chunks", type=int, nargs="+", default=[25, 50, 100, 200, 500, 1000])
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=list(LAYOUTS))
    parser.add_argument("--formats", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true", help="each combination compiled as well (20 to 30 s each)")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    side = arguments.image_size
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = SpatialVAE.from_config(ModelConfig(latent=arguments.latent, image_size=(side, side))).to(device).eval()
    codes = torch.randn(arguments.images, *model.latent.event_shape, device=device)
    ways: dict[tuple[str, str, int, str], Callable[[], None]] = {}
    kinds = ["eager", "compiled"] if arguments.compile else ["eager"]
    for number, layout, chunk, kind in itertools.product(arguments.formats, arguments.layouts, arguments.chunks, kinds):
        ways[number, layout, chunk, kind] = decoding(model, codes, number, layout, chunk, kind)
    plain = model.decoder

    def as_it_is() -> None:
        for part in codes.split(100):
            to_uint8(model.likelihood(plain(part)).mean).cpu()

    ways["float32", "not folded", 100, "eager"] = as_it_is
    rates: dict[tuple[str, str, int, str], list[float]] = {way: [] for way in ways}
    with torch.inference_mode():
        for round_ in range(arguments.rounds + 1):
            for way, decode in ways.items():
                begin = time.perf_counter()
                decode()
                if round_:  # the first round is the warm-up
                    rates[way].append(arguments.images / (time.perf_counter() - begin))
    print(f"{side}x{side}, {arguments.latent}, {arguments.rounds} rounds, {torch.get_num_threads()} threads, {device}")
    print(f"{'format':<10}{'layout':<15}{'chunk':>6}  {'form':<10}{'images/s':>10}{'quartiles':>20}")
    for (number, layout, chunk, kind), values in sorted(rates.items(), key=lambda item: -statistics.median(item[1])):
        low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
        print(f"{number:<10}{layout:<15}{chunk:>6}  {kind:<10}{middle:>10.0f}{f'{low:.0f} to {high:.0f}':>20}")


def decoding(model: SpatialVAE, codes: Tensor, number: str, layout: str, chunk: int, kind: str) -> Callable[[], None]:
    """All codes to pictures on the CPU, `chunk` at a time."""
    dtype, memory = getattr(torch, number), LAYOUTS[layout]
    layers = folded(model.decoder)
    network = (with_subpixels(layers) if layout == "sub-pixel" else layers).to(dtype=dtype, memory_format=memory)  # pyright: ignore[reportCallIssue]
    decode = torch.compile(network) if kind == "compiled" else network

    def work() -> None:
        for part in codes.split(chunk):
            outputs = decode(part.to(dtype=dtype, memory_format=memory)).float()
            to_uint8(model.likelihood(outputs).mean).cpu()

    return work


if __name__ == "__main__":
    main()
