"""What a report says its intervals are over: of one seed that they are of this training only, and never who is best."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from spatialvae.estimate import ONE_TRAINING
from spatialvae.report import intervals, result_table, terminal_table
from spatialvae.report.pages.html import html_report
from spatialvae.report.pages.markdown import markdown_report
from spatialvae.report.pages.seeds import left_open
from spatialvae.report.pages.wording import verdict
from tests.report import made_up


def texts(comparison: dict[str, Any], folder: Path) -> dict[str, str]:
    """What the three forms say, on one line each, without their markup of names."""
    stream = io.StringIO()
    Console(file=stream, width=400).print(terminal_table(made_up.read(comparison)))
    results = {
        "terminal": stream.getvalue(),
        "markdown": markdown_report(made_up.read(comparison)).replace("\\", ""),
        "html": html_report(folder, made_up.read(comparison)),
    }
    return {name: " ".join(text.split()) for name, text in results.items()}


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_one_seed_is_called_this_training_only_and_marks_nothing(form: str, tmp_path: Path) -> None:
    text = texts(made_up.comparison(seeds=(0,)), tmp_path)[form]  # whose "best" a stale file may still name
    assert ONE_TRAINING == "over images, this training only"
    assert f"± {ONE_TRAINING}" in text and f"95 % interval, {ONE_TRAINING}" in text
    assert "A second seed of every model costs about 2.3 minutes of training" in text
    assert "spatialvae compare --data digits --out runs/demo --seeds 2" in text
    assert "has the best" not in text and "(best)" not in text
    assert not re.search(r"\d \*\s|\*\*−?[\d.,]+( ± [\d.,]+)?\*\*|<strong>−?\d", text)


@pytest.mark.parametrize("form", ["terminal", "markdown", "html"])
def test_several_seeds_are_what_the_intervals_are_over(form: str, tmp_path: Path) -> None:
    text = texts(made_up.comparison(seeds=(0, 1, 2)), tmp_path)[form]
    assert "± over 3 seeds" in text
    assert "this training only" not in text and "seed of every model costs" not in text
    marked = {"terminal": "−26.0 ± 0.4 *", "markdown": "**−26.0 ± 0.4**", "html": "<strong>−26.0 ± 0.4"}
    assert marked[form] in text


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_no_form_reads_a_wide_interval_as_equality(seeds: tuple[int, ...], tmp_path: Path) -> None:
    for text in texts(made_up.comparison(seeds=seeds), tmp_path).values():
        assert "no difference found" in text and "(−2.4 to 0.4)" in text
        assert not re.search(r"\b(level|free|equal|equally good|tied)\b", re.sub(r"<style>.*?</style>", "", text))


def test_the_first_sentence_names_nobody_with_one_seed() -> None:
    comparison = made_up.comparison(seeds=(0,))
    assert verdict(made_up.read(comparison), result_table(made_up.read(comparison))) == (
        f"No latent is called the best: every model was trained once, and its intervals are {ONE_TRAINING}."
    )


def test_plots_say_of_how_many_trainings_they_are(tmp_path: Path) -> None:
    one = texts(made_up.comparison(seeds=(0,), betas=(0.5, 1.0)), tmp_path)["html"]
    assert "A point is one training" in one and "A line is one training" in one
    several = texts(made_up.comparison(seeds=(0, 1), betas=(0.5, 1.0)), tmp_path)["html"]
    assert "A small dot is one seed" in several and "A thin line is one seed" in several
    assert "is one training" not in several


@pytest.mark.parametrize(
    ("seeds", "command", "words"),
    [
        ((0,), "spatialvae compare --seeds 1 --out a", "costs about 2.3 minutes of training, and its evaluation: "),
        ((0,), "spatialvae compare --out a --seeds=1", "spatialvae compare --out a --seeds 2"),
        ((0,), "", "spatialvae compare --seeds 2"),
        ((0, 1), "spatialvae compare --out a --seeds 2", "12.7 standard errors"),
        ((0, 1), "spatialvae compare --out a --seeds 2", "third seed of every model costs about 70 seconds"),
        ((0, 1), "spatialvae compare --out a --seeds 2", "spatialvae compare --out a --seeds 3"),
    ],
)
def test_another_seed_has_its_price_and_its_command(seeds: tuple[int, ...], command: str, words: str) -> None:
    assert words in left_open(made_up.read({**made_up.comparison(seeds=seeds), "command": command}))


def test_three_seeds_or_a_single_model_leave_nothing_to_compare_open() -> None:
    assert left_open(made_up.read(made_up.comparison(seeds=(0, 1, 2)))) == ""
    alone = made_up.comparison(seeds=(0,))
    assert left_open(made_up.read({**alone, "models": alone["models"][:1]})) == ""
    assert "as much training as the first" in left_open(made_up.read({**alone, "training_seconds": None}))
    assert intervals([]) == ONE_TRAINING


def test_another_seed_of_a_python_call_is_a_python_call() -> None:
    comparison = made_up.comparison()
    comparison |= {"command": "spatialvae.compare('digits', out='a', seeds=1, epochs=2)", "seeds": [0]}
    text = left_open(made_up.read(comparison))
    assert text.endswith("spatialvae.compare('digits', out='a', epochs=2, seeds=2)")
