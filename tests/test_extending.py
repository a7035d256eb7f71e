"""docs/extending.md: its parts, written into one file, work together through the command line and load again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from spatialvae import load
from tests.cli.plugin_files import forgotten
from tests.cli.program import spatialvae

PAGE = Path(__file__).resolve().parent.parent / "docs" / "extending.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All parts of the page in one file, beside which the commands run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts.py").write_text("\n\n".join(blocks("python parts")))
    return tmp_path / "parts.py"


def test_every_kind_of_part_at_once(plugin: Path) -> None:
    model = ("--latent", "isotropic:start=0.5", "--likelihood", "soft-gaussian:scale=0.3", "--network", "small:width=8")
    data = ("--data", "stripes:count=120", "--images", "200", "--batch-size", "50", "--threads", "1")
    with forgotten():
        trained = spatialvae("train", "--plugin", plugin, *data, *model, "--out", "run")
        assert trained.code == 0, trained.err
        fitted = spatialvae("fit-prior", "run", "--plugin", plugin, "--prior", "ball:width=0.5")
        assert fitted.code == 0, fitted.err
        drawn = spatialvae("sample", "run", "--plugin", plugin, "--prior", "ball", "--count", "4", "--out", "a.npz")
        assert drawn.code == 0, drawn.err
        metrics = ("--metrics", "absolute-error,mse", "--json")
        measured = spatialvae("evaluate", "run", "--plugin", plugin, *metrics)
        assert measured.code == 0, measured.err
        values = measured.json["metrics"]
        assert 0 < values["absolute-error"]["value"] < 1
        assert values["absolute-error"]["value"] ** 2 <= values["mse"]["value"] * 1.0001  # Jensen
        again = load("run")
        assert (again.config.latent.partition(":")[0], again.config.network) == ("isotropic", "small:width=8")
    refused = spatialvae("sample", "run", "--out", "b.png")
    assert refused.code == 2
    assert "--plugin" in refused.err
