"""Whether a GPU computes what a CPU does: number formats, the compiled step, sampling, the same seed twice.

    python benchmarks/gpu_check.py --json benchmarks/results/gpu-check.json
    python benchmarks/gpu_check.py --device cpu --steps 3          # the script itself, where there is no GPU

Every check is of a small model on digits, for the paper's network and `residual`, and several latents, likelihoods and
p(z). Prints a line a check; a failed one has its error and the others go on. The exit code is 1 if any failed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import spatialvae as sv
from spatialvae.benchmarking import describe_machine
from spatialvae.config import ModelOptions, Optimisation, TrainConfig
from spatialvae.data import ImageData
from spatialvae.elbo import elbo_loss
from spatialvae.rounding import full_float32
from spatialvae.seeding import seeded
from spatialvae.training.acceleration import GRAPHS, compiled_training, suit_layout

MODELS: dict[str, dict[str, Any]] = {
    "paper, low-rank": {"latent": "low-rank", "maps": 4, "map_size": "3"},
    "paper, tensor-normal": {"latent": "tensor-normal:covariance=full", "maps": 4, "map_size": "3"},
    "paper, vector": {"latent": "vector:maps=16"},
    "residual, naive, learned p(z)": {
        "network": "residual:width=16,depth=1",
        "latent": "naive",
        "maps": 4,
        "map_size": "4",
        "prior": "learned:latent=tensor-normal,covariance=full",
    },
    "residual, matrix-normal, mixture": {
        "network": "residual:width=16,depth=1,norm=group,attention=true",
        "latent": "matrix-normal",
        "maps": 4,
        "map_size": "4",
        "likelihood": "logistic-mixture",
    },
    "residual, naive, pixelcnn": {
        "network": "residual:width=16,depth=1",
        "latent": "naive",
        "maps": 4,
        "map_size": "4",
        "likelihood": "pixelcnn:layers=2,width=16",
    },
}
CLOSE = 2e-3
"""Of the terms of the bound, relative."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--jobs", type=int, default=len(MODELS), help="models that are checked at a time")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    asked = parser.parse_args()
    device = torch.device(asked.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        sys.exit("torch finds no CUDA device here: --device cpu tries the script.")
    if asked.jobs < 1:
        sys.exit(f"--jobs {asked.jobs} is not possible: 1 or more models are checked at a time.")
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
    sv.prepare("digits")
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        jobs = [pool.submit(of_model, name, asked.device, asked.steps) for name in MODELS]
        results = {check: result for job in jobs for check, result in job.result().items()}
    if asked.json:
        machine = describe_machine("several", device)
        asked.json.write_text(json.dumps({"machine": machine, "checks": results}, indent=2) + "\n")
    sys.exit(any("error" in result for result in results.values()))


def of_model(name: str, device_name: str, steps: int) -> dict[str, dict[str, Any]]:
    """All checks of one model, in a process of its own."""
    torch.set_num_threads(1)
    data, parts, device = sv.prepare("digits"), MODELS[name], torch.device(device_name)
    formats = ("fp32", "bf16", "fp16") if device.type == "cuda" else ("fp32", "bf16")
    checks: dict[str, Callable[[], dict[str, Any]]] = {
        "the same terms as a CPU": lambda: same_terms(parts, data, device),
        "two runs of one seed": lambda: twice(parts, data, device, steps),
        **{f"training in {each}": lambda each=each: trained(parts, data, device, steps, each) for each in formats},
        "compiled step": lambda: compiled_step(parts, data, device),
    }
    return {f"{name}: {check}": checked(f"{name}: {check}", run) for check, run in checks.items()}


def checked(title: str, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a check found, or the error that it ended with."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = run()
        except Exception as error:  # whatever it is belongs into the table
            traceback.print_exc()
            result = {"error": f"{type(error).__name__}: {error}"[:300]}
    failed = sorted({str(one.message)[:200] for one in caught if "torch.compile failed" in str(one.message)})
    result |= {"warnings": failed} if failed else {}
    print(f"{'FAILED' if 'error' in result else 'ok':<7}{title}: {result}", flush=True)
    return result


def config_of(parts: dict[str, Any], steps: int = 40, precision: str = "fp32") -> TrainConfig:
    return TrainConfig(
        model=ModelOptions(**parts),
        optimisation=Optimisation(images=50 * steps, batch_size=50, precision=precision),  # pyright: ignore[reportArgumentType]
    )


def started(parts: dict[str, Any], data: ImageData, device: torch.device) -> tuple[sv.SpatialVAE, Tensor]:
    """A model on the device, started from images, and images."""
    images = torch.from_numpy(data.split("train").take(range(50)))  # pyright: ignore[reportArgumentType]
    with seeded(0):
        model = sv.SpatialVAE.from_config(config_of(parts).sized((data.height, data.width), data.channels))
    model.start_from(images)
    return suit_layout(model, device).train(), images.to(device)


def terms(model: sv.SpatialVAE, images: Tensor) -> Tensor:
    """Both terms of the bound at the mean code, [2 B], on the CPU: noise differs between devices."""
    with torch.no_grad(), full_float32():
        posterior = model.encode(images)
        floats = images / 127.5 - 1
        kl = torch.distributions.kl_divergence(posterior, model.prior())
        return torch.cat([model.decode(posterior.mean).log_prob(floats), kl]).double().cpu()


def same_terms(parts: dict[str, Any], data: ImageData, device: torch.device) -> dict[str, Any]:
    model, images = started(parts, data, device)
    model.eval()
    here = terms(model, images)
    there = terms(model.cpu(), images.cpu())
    worst = float(((here - there).abs() / (there.abs() + 1)).max())
    if worst > CLOSE:
        raise ArithmeticError(f"terms differ by {worst:.2g} of their size")
    return {"largest relative difference": worst}


def compiled_step(parts: dict[str, Any], data: ImageData, device: torch.device) -> dict[str, Any]:
    model, images = started(parts, data, device)
    kind = {"options": GRAPHS} if device.type == "cuda" else {"backend": "eager"}  # named: then nothing races
    compiled = compiled_training(model, model, len(images), fullgraph=True, **kind)
    if compiled is model:
        raise RuntimeError("it does not compile, see the warning")
    values: list[Tensor] = []
    for forward in (model, compiled):
        with seeded(1):
            elbo_loss(forward(images)).backward()
        gradients = [weights.grad.flatten().double() for weights in model.parameters() if weights.grad is not None]
        values.append(torch.cat(gradients).cpu().clone())
        model.zero_grad()
    worst = float((values[0] - values[1]).norm() / values[0].norm())
    if worst > 10 * CLOSE:
        raise ArithmeticError(f"gradients differ by {worst:.2g} of their norm")
    return {"relative difference of the gradient": worst}


def trained(parts: dict[str, Any], data: ImageData, device: torch.device, steps: int, precision: str) -> dict[str, Any]:
    config = config_of(parts, steps, precision)
    with tempfile.TemporaryDirectory() as folder:
        run = sv.train(config, data, folder, device=device, track="none", progress=False)
        bound, model = run.validation["validation_bound"], run.model
    pictures = model.sample(4, seed=0)
    if pictures.dtype != torch.uint8 or not torch.equal(pictures, model.sample(4, seed=0)):
        raise ArithmeticError("samples of one seed differ")
    return {"validation bound": bound}


def twice(parts: dict[str, Any], data: ImageData, device: torch.device, steps: int) -> dict[str, Any]:
    states: list[dict[str, Tensor]] = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            run = sv.train(config_of(parts, steps), data, folder, device=device, track="none", progress=False)
            states.append({name: value.detach().cpu() for name, value in run.model.state_dict().items()})
    equal = all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    worst = max(
        float((value.double() - states[1][name].double()).abs().max())
        for name, value in states[0].items()
        if value.ndim
    )
    return {"bit-equal": equal, "largest difference of a weight": worst}


if __name__ == "__main__":
    main()
