"""What waits for what: a program starts as fast as the modules that it imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

LIBRARY = "import spatialvae; spatialvae.load; spatialvae.SpatialVAE; spatialvae.TrainConfig"
TRAINING = "import spatialvae.cli.train; from spatialvae import training; from spatialvae.data import prepare"
EVALUATION = "import spatialvae.cli.evaluate; from spatialvae import metrics"

NEVER = {"datasets", "huggingface_hub", "jinja2", "matplotlib", "pyarrow", "scipy", "sklearn", "tensorboard"}
NEVER |= {"torch._dynamo", "torch._inductor.compile_fx", "torchmetrics", "torchvision", "transformers"}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        (LIBRARY, NEVER | {"accelerate", "rich", "typer", "yaml"}),
        (TRAINING, NEVER | {"accelerate"}),
        (EVALUATION, NEVER | {"accelerate"}),
    ],
    ids=["library", "training", "evaluation"],
)
def test_it_imports_only_what_it_starts_with(code: str, unwanted: set[str]) -> None:
    script = (
        f"import json, sys, torch\nbefore = set(sys.modules)\n{code}\nprint(json.dumps([*set(sys.modules) - before]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    loaded = set(json.loads(done.stdout))
    assert not loaded & unwanted
    assert len(loaded) < 500
