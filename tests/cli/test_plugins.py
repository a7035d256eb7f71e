"""`--plugin`: parts from files outside the package, used by a command, and the run opened again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spatialvae.config import TrainConfig
from tests.cli.plugin_files import LATENT, LIKELIHOOD, NETWORK, SOURCE, forgotten
from tests.cli.program import Outcome, spatialvae

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--images", 20, "--maps", 2, "--batch-size", 20, "--precision", "fp32")


def alone(*arguments: object) -> Outcome:
    """A command in a process of its own, as far as parts go: nothing that it registers is left."""
    with forgotten():
        return spatialvae(*arguments)


@pytest.fixture
def plugin(tmp_path: Path, text: str) -> Path:
    """A file of one's own."""
    path = tmp_path / "mine.py"
    path.write_text(text)
    return path


MODEL_PARTS = {
    "latent": (LATENT, "narrow:width_of_noise=0.5"),
    "likelihood": (LIKELIHOOD, "unit-gaussian:scale=0.5"),
    "network": (NETWORK, "small:width=3,stray=0"),
}


@pytest.mark.parametrize(("kind", "text", "spec"), [(kind, *part) for kind, part in MODEL_PARTS.items()])
def test_a_part_of_a_model(kind: str, text: str, spec: str, plugin: Path, images: Path, tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "a.npz"
    made = alone("train", "--data", images, *SMALL, f"--{kind}", spec, "--out", run, "--plugin", plugin)
    assert made.code == 0, made.err
    assert made.out.endswith(f"next: spatialvae sample {run} --plugin {plugin} --out samples.png\n")
    assert getattr(TrainConfig.read(run / "config.yaml").model, kind) == spec
    assert str(plugin) not in "".join(path.read_text() for path in run.glob("*.[jy]*") if path.is_file())
    missing = alone("sample", run, "--count", 2, "--out", out).complaint
    assert f"The {kind} '{spec}' of " in missing and "--plugin FILE.py" in missing
    assert not out.exists()
    assert alone("--plugin", plugin, "sample", run, "--count", 2, "--out", out).code == 0
    assert alone("evaluate", run, "--metrics", "bound", "--limit", 10, "--plugin", plugin).code == 0


@pytest.mark.parametrize("text", [NETWORK])
def test_a_network_whose_output_has_the_wrong_shape(plugin: Path, images: Path, tmp_path: Path) -> None:
    line = ("train", "--plugin", plugin, "--data", images, *SMALL, "--network", "small:stray=1")
    message = alone(*line, "--out", tmp_path / "run").complaint
    assert "[B, 1, 9, 8]" in message and "[B, 1, 8, 8]" in message and len(message.splitlines()) <= 2


@pytest.mark.parametrize("text", [SOURCE])
def test_a_source(plugin: Path, tmp_path: Path) -> None:
    run, line = tmp_path / "run", ("--plugin", plugin)
    shown = alone("data", "ramps:count=40", *line, "--json").json
    assert (sum(shown["splits"].values()), shown["height"], shown["channels"]) == (40, 8, 1)
    assert alone("train", "--data", "ramps:count=40", *SMALL, "--out", run, *line).code == 0
    missing = alone("evaluate", run, "--metrics", "psnr").complaint
    assert "'ramps:count=40'" in missing and "neither a known name nor a path" in missing
    assert alone("evaluate", run, "--metrics", "psnr", *line, "--json").json["metrics"]["psnr"]["value"] > 0


@pytest.mark.parametrize("text", [LATENT])
def test_it_stands_before_or_after_the_command_and_is_listed(plugin: Path) -> None:
    for line in (("--plugin", plugin, "latents"), ("latents", "--plugin", plugin), ("latents", f"--plugin={plugin}")):
        assert "narrow" in [row["name"] for row in alone(*line, "--json").json["latents"]]
    assert "narrow" not in [row["name"] for row in alone("latents", "--json").json["latents"]]


@pytest.mark.parametrize("text", [LATENT])
def test_an_option_of_the_wrong_type(plugin: Path, images: Path, tmp_path: Path) -> None:
    line = ("train", "--plugin", plugin, "--data", images, "--latent", "narrow:width_of_noise=wide")
    assert alone(*line, "--out", tmp_path / "run").complaint == (
        "Error: narrow:width_of_noise=wide is not possible: width_of_noise is a finite number, "
        "for instance narrow:width_of_noise=0.1.\n"
    ).removeprefix("Error: ")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LATENT.replace('"narrow"', '"naive"'), ["The latent 'naive' is registered already", "another name"]),
        ("import no_such_module", ["--plugin", "mine.py", "cannot be imported", "no_such_module"]),
        ("def broken(:", ["--plugin", "mine.py", "cannot be imported", "SyntaxError"]),
        ("1 / 0", ["--plugin", "mine.py", "ZeroDivisionError"]),
    ],
)
def test_a_plugin_that_does_not_import(plugin: Path, words: list[str]) -> None:
    message = alone("latents", "--plugin", plugin).complaint
    assert all(word in message for word in words), message
    assert len(message.splitlines()) == 1


@pytest.mark.filterwarnings("always:The plugin")
@pytest.mark.parametrize("text", ["import math"])
def test_a_plugin_that_registers_nothing(plugin: Path) -> None:
    outcome = alone("latents", "--plugin", plugin)
    assert outcome.code == 0
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"Warning: The plugin {plugin} registers no part")


@pytest.mark.parametrize("name", ["missing.py", "no_such_module", "no.such", "..", ""])
def test_a_plugin_that_is_not_there(name: str, tmp_path: Path) -> None:
    message = alone("latents", "--plugin", name).complaint
    assert message.startswith(f"--plugin {name}") and len(message.splitlines()) == 1


def test_the_help_runs_no_plugin_and_completion_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loud.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setenv("_SPATIALVAE_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"spatialvae train --plugin {tmp_path / 'loud.py'} --like")
    monkeypatch.setenv("COMP_CWORD", "4")
    assert "--likelihood" in spatialvae().out
    assert not (tmp_path / "ran").exists()


def test_an_installed_package_needs_no_flag(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "mylatents-1.0.dist-info").mkdir(parents=True)
    (site / "mylatents-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mylatents\nVersion: 1.0\n")
    (site / "mylatents-1.0.dist-info" / "entry_points.txt").write_text(
        "[spatialvae]\nmine = mylatents\nbroken = no_such_module\n"
    )
    (site / "mylatents.py").write_text(LATENT)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{site}", "OMP_NUM_THREADS": "1"}
    listed = subprocess.run(
        [sys.executable, "-m", "spatialvae", "latents", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert listed.returncode == 0
    assert '"narrow"' in listed.stdout
    assert listed.stderr.startswith("Warning: The plugin broken (no_such_module) cannot be imported")
    assert listed.stderr.count("\n") == 1
