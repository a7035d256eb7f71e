"""`import spatialvae as sv`: every name is listed once, is there, and costs nothing before it is used."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import spatialvae as sv

ROOT = Path(__file__).resolve().parent.parent


def for_the_type_checker() -> dict[str, str]:
    """The names that pyright and notebooks complete, and the module that each comes from."""
    tree = ast.parse((ROOT / "src" / "spatialvae" / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    froms = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.asname or alias.name: node.module or "" for node in froms for alias in node.names}


def test_the_lists_agree() -> None:
    homes = {name: f"spatialvae.{home.partition(':')[0]}".rstrip(".") for name, home in sv._HOMES.items()}
    assert for_the_type_checker() == homes
    assert sorted([*homes, "__version__"]) == sorted(sv.__all__) == sorted(dir(sv))


@pytest.mark.parametrize("name", sv.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(sv, name) is not None


def test_a_wrong_name_has_a_hint() -> None:
    with pytest.raises(AttributeError, match="Did you mean 'train'"):
        sv.trian  # noqa: B018


def test_listing_them_imports_no_torch() -> None:
    script = "import spatialvae as sv, sys; assert 'train' in dir(sv); print('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "False"
