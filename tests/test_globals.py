"""Importing and using the library leaves what the whole process shares as it was."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Distribution, Normal

from spatialvae.distributions import DiagonalFactor, MatrixNormal
from spatialvae.globals import globals_kept
from spatialvae.seeding import seeded
from spatialvae.store import load
from spatialvae.training import train
from tests.process import changes, global_state
from tests.training.tiny import settings, tiny_data

ROOT = Path(__file__).resolve().parent.parent


def changed_by(*program: str) -> dict[str, list[str]]:
    """What a program in a process of its own says that it changed."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *program], capture_output=True, text=True, check=True, env=environment, cwd=ROOT
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_changes_nothing() -> None:
    script = "import json; from tests.process import *; before = global_state(); imported()"
    assert changed_by("-c", f"{script}; print(json.dumps({{'import': changes(before)}}))") == {"import": []}


@pytest.mark.skipif(not hasattr(torch.backends.cudnn, "conv"), reason="needs torch's newer settings, from 2.9 on")
@pytest.mark.parametrize("setting", ["cudnn.conv.fp32_precision = 'ieee'", "cuda.matmul.fp32_precision = 'tf32'"])
def test_torchs_newer_settings_of_rounding_stay_as_they_are(setting: str) -> None:
    # Beside them torch refuses to read the older ones.
    script = (
        f"import json, torch; torch.backends.{setting}; from spatialvae.globals import globals_kept; "
        "from spatialvae.rounding import full_float32, rounding\n"
        "with globals_kept(), full_float32(): inside = rounding()\n"
        f"print(json.dumps({{'inside': inside, 'kept': torch.backends.{setting.replace('=', '==')}}}))"
    )
    assert changed_by("-c", script) == {"inside": None, "kept": True}


def test_compiling_changes_nothing() -> None:
    script = (
        "import json, torch; from tests.process import *; "
        "from spatialvae.runtime.compilation import compiled_or_eager; "
        "before = global_state(); compiled_or_eager(lambda x: x + 1, lambda f: f(torch.zeros(2)), backend='eager')"
    )
    result = changed_by("-c", f"{script}; print(json.dumps({{'compile': changes(before)}}))")["compile"]
    assert set(result) <= {"logger torch.__trace"}  # the compiler's own


def test_training_and_loading_change_nothing(tmp_path: Path) -> None:
    before = global_state()
    train(settings(), tiny_data(), tmp_path / "run", progress=False)
    assert changes(before) == []
    load(tmp_path / "run")
    assert changes(before) == []


@pytest.mark.slow
def test_every_use_changes_nothing() -> None:
    assert changed_by("tests/process.py") == {}


def test_distributions_still_check_their_arguments() -> None:
    import spatialvae.priors  # noqa: F401  (what brings zuko in)

    with pytest.raises(ValueError, match="scale"):
        Normal(0.0, -1.0)
    with pytest.raises(ValueError, match="row_scale holds -1, but a standard deviation is positive"):
        MatrixNormal(torch.zeros(2, 2), row_scale=-torch.ones(2), column_scale=torch.ones(2))
    assert DiagonalFactor(torch.ones(2)).size == 2


def test_what_is_changed_inside_is_put_back() -> None:
    before = global_state()
    with globals_kept():
        Distribution.set_default_validate_args(False)
        random.random()
        np.random.rand()
        torch.set_float32_matmul_precision("medium")
        torch.backends.cudnn.benchmark = True
        warnings.filterwarnings("ignore")
        assert len(changes(before)) == 6
    assert changes(before) == []


def test_random_numbers_go_on_after_a_seeded_block_and_after_an_error() -> None:
    before = global_state()
    with pytest.raises(RuntimeError), seeded(5):
        raise RuntimeError(torch.randn(3))
    assert changes(before) == []
