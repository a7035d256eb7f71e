"""The commands of README.md and the documentation: each one parses, and those of the README run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image

from spatialvae.cli import app
from spatialvae.config import TrainConfig
from tests.cli.program import spatialvae
from tests.conftest import smooth_images

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The lines of a page's shell blocks that call the program, as their words."""
    joined = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
    lines = (shlex.split(line.strip().removeprefix("$ "), comments=True) for line in joined.splitlines())
    return [words[1:] for words in lines if words and words[0] == "spatialvae"]


def tiny(words: list[str]) -> list[str]:
    """The same command on embedded data, a minute's work made a second's."""
    words = ["digits" if word == "cifar10" else word for word in words]
    for flag, value in (("--images", "100"), ("--epochs", "1"), ("--count", "4")):
        if flag in words:
            words[words.index(flag) + 1] = value
    if words[0] == "compare":
        words += ["--importance-samples", "2", "--nll-images", "5"]
    return words


def test_the_readme_shows_commands() -> None:
    shown = {words[0] for words in commands(README)}
    assert shown >= {"data", "train", "sample", "reconstruct", "interpolate", "evaluate", "compare"}


@pytest.mark.parametrize("words", [words for page in PAGES for words in commands(page)], ids=" ".join)
def test_every_command_parses(words: list[str]) -> None:
    if "--plugin" in words:  # a file that this test has not got; tests/test_extending.py has it
        place = words.index("--plugin")
        words = words[:place] + words[place + 2 :]
    group: Any = typer.main.get_command(app)
    assert words[0] in group.commands
    context = group.commands[words[0]].make_context(words[0], words[1:])  # an unknown flag raises here
    fields = {name: value for name, value in context.params.items() if name in TrainConfig.flat_fields()}
    TrainConfig.parse({name: value for name, value in fields.items() if isinstance(value, str | int | float)}, "page")


def test_make_targets_exist() -> None:
    made = [
        line.split()[1] for block in blocks(README, "sh") for line in block.splitlines() if line.startswith("make ")
    ]
    assert made
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(made) <= set(targets)


@pytest.mark.parametrize("name", ["data", "evaluation", "extending", "training"])  # the others work on a run of before
def test_the_python_of_the_documents_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number, block in enumerate(blocks(ROOT / "docs" / f"{name}.md", "python")):
        exec(compile(block, f"{name}.md, block {number}", "exec"), {"__name__": "page"})


@pytest.mark.slow
def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-pictures").mkdir()
    names = ["a.png", "b.jpg", *(f"my-pictures/{index}.png" for index in range(30))]
    for name, image in zip(names, smooth_images(len(names), 3, 24, 30), strict=True):
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(tmp_path / name)
    for words in commands(README):
        done = spatialvae(*tiny(words))
        assert done.code == 0, (words, done.err)
        if "--out" in words:
            assert (tmp_path / words[words.index("--out") + 1]).exists()
    for block in blocks(README, "python"):
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
