"""Everything that a whole process shares and that the library could change, and a script that uses all of the library.

Run as a program in a process of its own, since what is imported once is not imported again; it prints, as JSON, what
each use changed.
"""

from __future__ import annotations

import json
import locale
import logging
import os
import random
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.distributions import Distribution

import tests.conftest  # noqa: F401  (what it sets is the tests' own)

THIRD_PARTY = ("KMP_", "TORCHINDUCTOR_")
"""Variables that scikit-learn and torch's compiler set when they are imported, for libraries and processes to come."""


def global_state() -> dict[str, Any]:
    """One comparable value for everything global; loggers are those of others that are there already."""
    loggers = logging.root.manager.loggerDict
    return {
        "torch format": torch.get_default_dtype(),
        "torch threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "torch gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_anomaly_enabled()),
        "torch products": (torch.get_float32_matmul_precision(), torch.is_autocast_enabled("cpu")),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic),
        "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        "checks of distributions": Distribution._validate_args,
        "random numbers of torch": torch.get_rng_state().tolist(),
        "random numbers of Python": random.getstate(),
        "random numbers of numpy": repr(np.random.get_state()),
        "numpy errors and printing": (np.geterr(), np.get_printoptions()),
        "warnings": (list(map(str, warnings.filters)), warnings.showwarning, warnings.formatwarning),
        "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
        "locale": locale.setlocale(locale.LC_ALL),
        "environment": {k: v for k, v in os.environ.items() if not k.startswith(THIRD_PARTY)},
        "signals": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "hooks": (sys.excepthook, sys.displayhook, sys.unraisablehook),
        "interpreter": (list(sys.argv), list(sys.path), os.getcwd(), sys.getrecursionlimit(), sys.stdout, sys.stderr),
        "Pillow": Image.MAX_IMAGE_PIXELS,
        **{
            f"logger {name}": (logger.level, list(logger.handlers), logger.propagate)
            for name, logger in loggers.items()
            if isinstance(logger, logging.Logger)
        },
    }


def changes(before: dict[str, Any]) -> list[str]:
    """What is no longer as it was."""
    after = global_state()
    return [name for name in before if before[name] != after[name]]


def imported() -> None:
    """Look up every public name."""
    import spatialvae

    for name in spatialvae.__all__:
        getattr(spatialvae, name)


def used(folder: Path) -> Iterator[str]:
    """Every public entry point once; yields the name of each when it is through."""
    from spatialvae import editing, load
    from spatialvae.comparison import ComparisonSettings, run_comparison
    from spatialvae.config import CompareConfig, EvaluationConfig, PriorConfig
    from spatialvae.data import prepare
    from spatialvae.fitting import fit_missing
    from spatialvae.metrics import evaluate
    from spatialvae.training import train
    from tests.training.tiny import settings, tiny_data

    imported()
    yield "import"
    prepare("digits", cache=folder / "cache")
    yield "prepare"
    data = tiny_data()
    train(settings(), data, folder / "run", progress=False)
    yield "train"
    model = load(folder / "run")
    yield "load"
    pair = torch.from_numpy(data.split("test").images[:2])
    model.decode(model.encode(pair).mean).log_mass(pair / 127.5 - 1)
    yield "encode and decode"
    model.sample(3, seed=0)
    yield "sample"
    model.reconstruct(pair)
    yield "reconstruct"
    short = PriorConfig(images=40, batch_size=20, warmup=0)
    for prior in ("mixture:components=2", "flow:couplings=2,width=16", "flow-matching:width=16,blocks=1,steps=2"):
        fit_missing(model, data, folder / "run", [prior], training=short)
        model.sample(3, seed=0, prior=prior)
        yield f"fit {prior}"
    measured = EvaluationConfig(generated=20, importance_samples=2, prior=["standard", "gaussian"])
    evaluate(model, data, measured)
    yield "evaluate"
    region = torch.zeros(3, 3, dtype=torch.bool)
    region[0] = True
    editing.transplant(model, pair[:1], pair[1:], region)
    editing.inpaint(model, pair[0], region, 2, seed=0)
    editing.influence(model, pair)
    editing.component_directions(editing.draws_of(model.prior()), [0])
    yield "editing"
    compared = CompareConfig(latent=["low-rank", "vector:maps=2"], seeds=1, prior=["standard"])
    few = measured.model_copy(update={"prior": ["standard"]})
    run_comparison(ComparisonSettings(compared, settings(), few), data, folder / "compared", progress=False)
    yield "compare"


def main() -> None:
    """Import and use, and print what each changed."""
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        before = global_state()
        for name in used(Path(folder)):
            results[name] = changes(before)
            before = global_state()
    print(json.dumps({name: changed for name, changed in results.items() if changed}))


if __name__ == "__main__":
    main()
