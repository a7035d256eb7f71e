"""The one table: its cells, its units, and when a value is marked as best."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from spatialvae.report import result_table, terminal_table
from spatialvae.report.spelling import MISSING, estimate
from spatialvae.report.table import RULE
from spatialvae.report.wording import verdict
from tests.report import made_up


def row(table, title):
    return next(row for row in table.rows if row.title == title)


def test_a_column_a_model_and_a_row_a_quantity_with_its_unit():
    table = result_table(made_up.comparison())
    assert table.header == ("quantity", "vector", "matrix-normal", "low-rank")
    assert all(len(row.cells) == 3 and row.unit and row.meaning for row in table.rows)
    assert row(table, "encoder outputs").cells == ("72", "71", "70")
    assert row(table, "decoder").heading == "decoder (parameters)"
    assert row(table, "decoder").cells[0] == "95,190"
    assert row(table, "bound").cells == ("−30.0 ± 0.4", "−28.0 ± 0.4", "−26.0 ± 0.4")
    assert row(table, "epoch time").cells == ("1.00", "1.01", "1.02")
    assert row(table, "epoch time").unit == "× vector"
    assert "KL weight" not in [row.title for row in table.rows]


def test_everything_asked_for_is_there():
    titles = {row.title for row in result_table(made_up.comparison()).rows}
    assert titles >= {"bound", "bits per dim", "KL", "squared error", "PSNR", "SSIM", "neg. log-likelihood"}
    assert titles >= {"encoder outputs", "encoder", "decoder", "epoch time", "10,000 images"}


def test_best_is_marked_in_the_direction_of_each_quantity():
    table = result_table(made_up.comparison())
    best = {row.title: row.best for row in table.rows}
    assert best["bound"] == best["bits per dim"] == best["PSNR"] == best["SSIM"] == 2
    assert best["squared error"] is None  # within the errors
    assert best["neg. log-likelihood"] is None  # ahead by less than the two errors together
    assert best["KL"] is best["reconstruction"] is best["encoder"] is best["epoch time"] is None


@pytest.mark.parametrize(("distance", "marked"), [(0.0, None), (0.75, None), (1.0, 1), (-1.0, 0)])
def test_best_is_marked_only_beyond_both_errors_together(distance, marked):
    comparison = made_up.comparison()
    comparison["models"] = comparison["models"][:2]
    for model, value in zip(comparison["models"], (-10.0, -10.0 + distance), strict=True):
        model["metrics"]["elbo"] = made_up.estimate(value, 0.375)
    assert row(result_table(comparison), "bound").best == marked


def test_without_a_standard_error_nothing_is_marked():
    comparison = made_up.comparison()
    comparison["models"][2]["metrics"]["elbo"]["standard_error"] = None
    table = result_table(comparison)
    assert row(table, "bound").cells[2] == "−26.00"
    assert row(table, "bound").best is None


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
def test_missing_values_are_a_dash_and_do_not_win(missing):
    comparison = made_up.comparison()
    comparison["models"][2]["metrics"]["elbo"] = made_up.estimate(missing, missing)
    comparison["models"][0]["metrics"]["kl"] = {}
    del comparison["models"][0]["metrics"]["nll"], comparison["models"][0]["cost"]
    table = result_table(comparison)
    assert row(table, "bound").cells[2] == MISSING
    assert row(table, "bound").best == 1
    assert row(table, "KL").cells[0] == row(table, "neg. log-likelihood").cells[0] == MISSING
    assert row(table, "epoch time").cells[0] == MISSING


def test_notes_say_the_rule_and_what_the_error_is_over():
    several, single = result_table(made_up.comparison()), result_table(made_up.comparison(seeds=(0,)))
    assert several.notes[0] == single.notes[0] == RULE
    assert "over 2 seeds" in several.notes[1]
    assert "over the images; with one seed" in single.notes[1]
    assert "1.250 s an epoch" in several.notes[2]


def test_the_papers_objective_adds_the_weight_of_the_kl():
    comparison = made_up.comparison()
    for model, weight in zip(comparison["models"], (75.9, 10.67, 10.67), strict=True):
        model["kl_weight"] = weight
    assert row(result_table(comparison), "KL weight").cells == ("75.90", "10.67", "10.67")


def test_latents_of_the_same_name_are_told_apart():
    comparison = made_up.comparison()
    for rank, model in enumerate(comparison["models"]):
        model.update(latent="low-rank", spec=f"low-rank:rank={rank + 1}")
    assert result_table(comparison).header[1:] == ("low-rank:rank=1", "low-rank:rank=2", "low-rank:rank=3")


def test_verdict_names_who_is_ahead_and_where_nobody_is():
    comparison = made_up.comparison()
    text = verdict(result_table(comparison))
    assert text == (
        "low-rank has the best bound and bits per dim; "
        "no latent leads in squared error by more than the standard errors."
    )
    for model in comparison["models"]:
        model["metrics"] = {"elbo": made_up.estimate(-3.0, 0.1)}
    assert verdict(result_table(comparison)) == "No latent leads in bound by more than the standard errors."
    comparison["models"] = comparison["models"][:1]
    assert verdict(result_table(comparison)) == ""


def test_terminal_table_shows_names_as_they_are():
    comparison = made_up.comparison()
    comparison["models"][2]["latent"] = "[red]low-rank[/red]"
    stream = io.StringIO()
    Console(file=stream, width=120).print(terminal_table(comparison))
    assert "[red]low-rank[/red]" in stream.getvalue()
    assert "−26.0 ± 0.4 *" in stream.getvalue()


@given(st.one_of(st.none(), st.floats()), st.one_of(st.none(), st.floats(min_value=0), st.just(float("nan"))))
def test_any_number_is_spelled(value, error):
    text = estimate(value, error)
    assert text and "nan" not in text and "inf" not in text and "-" not in text
