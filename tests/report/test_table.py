"""The one table: its cells, its units, and when a value is marked as best."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from spatialvae.metrics.catalogue import quantities
from spatialvae.report import result_table, terminal_table
from spatialvae.report.pages.wording import verdict
from spatialvae.report.spelling import MISSING, difference, estimate
from spatialvae.report.tables.cost_note import cost_note
from spatialvae.report.tables.table import ONE_SEED, RULE
from tests.report import made_up


def table_of(comparison):
    return result_table(made_up.read(comparison))


def row(table, title, of=""):
    return next(row for row in table.rows if (row.title, row.of) == (title, of))


def test_a_column_a_model_and_a_row_a_quantity_with_its_unit():
    table = table_of(made_up.comparison())
    assert table.header == ("quantity", "vector", "matrix-normal", "low-rank")
    assert all(len(row.cells) == 3 and row.unit and row.meaning for row in table.rows)
    assert row(table, "encoder outputs").cells == ("72", "71", "70")
    assert row(table, "decoder").heading == "decoder (parameters)"
    assert row(table, "decoder").cells[0] == "95,190"
    assert row(table, "bound").cells == ("−30.0 ± 0.4", "−28.0 ± 0.4", "−26.0 ± 0.4")
    assert row(table, "epoch time").cells == ("1.00", "1.01", "1.02")
    assert row(table, "epoch time").unit == "× vector"
    assert "KL weight" not in [row.title for row in table.rows]


def test_rows_stand_in_the_order_of_their_groups_and_samples_by_what_they_are_of():
    table = table_of(made_up.comparison())
    groups = list(dict.fromkeys(row.group for row in table.rows))
    assert groups == ["samples", "reconstruction", "likelihood", "latent", "size", "cost"]
    of = list(dict.fromkeys(row.of for row in table.rows if row.group == "samples"))
    assert of == ["samples from N(0, I)", "samples from the fitted Gaussian", "reconstructions"]
    comparison = made_up.comparison()
    comparison["models"][0]["metrics"]["parzen/other"] = made_up.estimate(3.0, 1.0)
    assert row(table_of(comparison), "Parzen log-density", "samples from the prior other").cells[1] == MISSING


def test_every_row_of_a_metric_has_the_words_of_the_catalogue():
    comparison = made_up.comparison()
    comparison["models"][0]["metrics"] |= {name: made_up.estimate(1.0, 0.1) for name in quantities()}
    results = {row.metric: row for row in table_of(comparison).rows if row.metric in quantities()}
    assert set(results) == set(quantities())
    for name, metric in quantities().items():
        if name != "frechet":  # the features say what its distance is called
            assert results[name].title == metric.title
        assert results[name].unit.startswith(metric.unit) and results[name].meaning.startswith(metric.meaning)
        assert ("↑" in results[name].unit, "↓" in results[name].unit) == (
            metric.better == "higher",
            metric.better == "lower",
        )


@pytest.mark.parametrize("title", ["FID", "Fréchet distance, tiny"])
def test_the_frechet_distance_is_called_what_its_features_allow(title):
    comparison = made_up.comparison()
    comparison["evaluation"]["features"]["title"] = title
    result = row(table_of(comparison), title, "samples from the fitted Gaussian")
    assert result.heading == f"{title}, samples from the fitted Gaussian (squared, ↓)"
    assert result.cells == ("40.0 ± 0.7", "32.0 ± 0.7", MISSING)
    comparison["evaluation"]["features"] = None
    assert row(table_of(comparison), "Fréchet distance", "reconstructions")


def test_health_is_there_in_numbers():
    table = table_of(made_up.comparison())
    assert row(table, "active numbers").cells == ("36 of 36", "35 of 36", "34 of 36")
    comparison = made_up.comparison()
    comparison["models"][0]["metrics"]["active_units"] = made_up.estimate(0.0, 0.0)
    comparison["models"][1]["metrics"]["active_units"] = made_up.estimate(35.5, 0.5)
    assert row(table_of(comparison), "active numbers").cells == (
        "0 of 36",
        "35.5 ± 0.5 of 36",
        "34 of 36",
    )
    assert row(table, "informative maps").cells == ("4 of 4", "4 of 4", "4 of 4")
    assert row(table, "prior draws outside").cells[0] == "2.0 %"
    assert row(table, "variance of the codes").cells[0] == "0.710 / 0.980 / 1.31"
    assert row(table, "rank-1 share").cells[0] == MISSING


def test_a_comparison_without_health_has_no_rows_of_it():
    comparison = made_up.comparison()
    comparison["models"][1]["health"] = None
    assert row(table_of(comparison), "informative maps").cells[1] == MISSING
    for model in comparison["models"]:
        model["health"] = None
    assert "informative maps" not in [row.title for row in table_of(comparison).rows]


def test_best_is_what_the_comparison_says_and_nothing_else():
    comparison = made_up.comparison()
    best = {row.heading: row.best for row in table_of(comparison).rows}
    named = {heading for heading, index in best.items() if index is not None}
    assert best["bound (nats, ↑)"] == best["PSNR (dB, ↑)"] == best["SSIM (at most 1, ↑)"] == 2
    assert best["Fréchet distance, tiny, samples from the fitted Gaussian (squared, ↓)"] == 1
    assert len(named) == 5
    comparison["best"] = {"elbo": None, "kl": 1, "epoch time": 1}
    assert not [row.title for row in table_of(comparison).rows if row.best is not None]
    del comparison["best"]
    assert not [row.title for row in table_of(comparison).rows if row.best is not None]


def test_differences_have_a_sign_and_their_interval_and_a_tie_is_said():
    table = table_of(made_up.comparison())
    assert row(table, "bound").differences == ("", "+2.0 (1.5 to 2.5)", "+4.0 (3.5 to 4.5)")
    assert row(table, "neg. log-likelihood").differences[1] == "no difference found (−2.4 to 0.4)"
    frechet = row(table, "Fréchet distance, tiny", "samples from N(0, I)")
    assert frechet.differences == ("", "−8 (−10 to −6)", "")
    assert row(table, "KL").differences == ()  # neither more nor less is better
    assert row(table, "epoch time").differences == ()


def test_differences_are_to_the_baseline_wherever_it_stands():
    comparison = made_up.comparison()
    comparison["models"].reverse()
    assert row(table_of(comparison), "bound").differences == (
        "+4.0 (3.5 to 4.5)",
        "+2.0 (1.5 to 2.5)",
        "",
    )
    comparison["models"][0]["differences"]["elbo"] |= {"low": float("nan"), "high": float("nan")}
    comparison["models"][1]["differences"]["elbo"] |= {"value": float("nan")}
    assert row(table_of(comparison), "bound").differences == ("+4.000", "", "")


@pytest.mark.parametrize(
    ("parameters", "flops", "network", "words"),
    [
        ((100, 104, 101), (1000, 1090, 1000), "paper", ""),
        (
            (100, 107, 101),
            (1000, 1090, 1000),
            "paper",
            "matrix-normal has 7 % more parameters than vector. The network",
        ),
        ((100, 104, 98), (1000, 1090, 1200), "paper", "parameters than low-rank and low-rank has 20 % more FLOPs than"),
        ((100, 200, 100), (1000, None, 1000), "residual:width=8", "100 % more parameters than low-rank. Their layers"),
    ],
)
def test_decoders_that_differ_are_named(parameters, flops, network, words):
    comparison = made_up.comparison()
    comparison["settings"]["network"] = network
    for model, size, work in zip(comparison["models"], parameters, flops, strict=True):
        model["parameters"]["decoder"], model["decoder_flops"] = size, work
    notes = [note for note in table_of(comparison).notes if note.startswith("The decoders differ")]
    assert words in " ".join(notes) and bool(notes) == bool(words)
    written = Console(width=400, file=(stream := io.StringIO()))
    written.print(terminal_table(made_up.read(comparison)))
    assert words in " ".join(stream.getvalue().split())


@pytest.mark.parametrize("missing", [float("nan"), float("inf")])
def test_missing_values_are_a_dash(missing):
    comparison = made_up.comparison()
    comparison["models"][2]["metrics"]["elbo"] = made_up.estimate(missing, missing)
    del comparison["models"][0]["metrics"]["kl"], comparison["models"][0]["metrics"]["nll"]
    del comparison["models"][0]["cost"]
    table = table_of(comparison)
    assert row(table, "bound").cells[2] == MISSING
    assert row(table, "KL").cells[0] == row(table, "neg. log-likelihood").cells[0] == MISSING
    assert row(table, "epoch time").cells[0] == MISSING
    assert cost_note(made_up.read(comparison)) == ""


def test_notes_say_the_rule_what_the_error_is_over_and_how_differences_are_paired():
    several, single = (
        table_of(made_up.comparison()),
        table_of(made_up.comparison(seeds=(0,))),
    )
    assert (several.notes[0], single.notes[0]) == (RULE, ONE_SEED)
    assert "95 % intervals of the paired differences" in RULE
    assert "over 2 seeds" in several.notes[1]
    assert "over images, this training only (of a bootstrap" in single.notes[1]
    assert "difference to vector with the 95 % interval" in several.notes[2]
    assert "single images are paired by seed and image" in several.notes[2]
    assert "whole sets are paired by seed" in several.notes[2]
    assert "1.250 s an epoch" in cost_note(made_up.read(made_up.comparison()))
    comparison = made_up.comparison(seeds=(0,))
    for model in comparison["models"][1:]:
        for entry in model["differences"].values():
            entry["paired"] = "none"
    assert "not paired" in table_of(comparison).notes[2]
    comparison["models"] = comparison["models"][:1]
    assert len(table_of(comparison).notes) == 1


def test_the_papers_objective_adds_the_weight_of_the_kl():
    comparison = made_up.comparison()
    for model, weight in zip(comparison["models"], (75.9, 10.67, 10.67), strict=True):
        model["kl_weight"] = weight
    assert row(table_of(comparison), "KL weight").cells == ("75.90", "10.67", "10.67")


def test_latents_of_the_same_name_are_told_apart():
    comparison = made_up.comparison()
    for rank, model in enumerate(comparison["models"]):
        model.update(latent="low-rank", spec=f"low-rank:rank={rank + 1}")
    assert table_of(comparison).header[1:] == (
        "low-rank:rank=1",
        "low-rank:rank=2",
        "low-rank:rank=3",
    )


def test_verdict_names_who_is_ahead_and_where_nobody_is():
    comparison = made_up.comparison()
    text = verdict(made_up.read(comparison), table_of(comparison))
    assert text == (
        "matrix-normal has the best Fréchet distance of samples from the fitted Gaussian; low-rank has the best bound; "
        "no latent leads in Fréchet distance of samples from N(0, I) and squared error beyond the 95 % intervals."
    )
    comparison["best"] = {}
    for model in comparison["models"]:
        model["metrics"] = {"elbo": made_up.estimate(-3.0, 0.1)}
    assert (
        verdict(made_up.read(comparison), table_of(comparison)) == "No latent leads in bound beyond the 95 % intervals."
    )
    comparison["models"] = comparison["models"][:1]
    assert verdict(made_up.read(comparison), table_of(comparison)) == ""


def test_terminal_table_shows_names_as_they_are():
    comparison = made_up.comparison()
    comparison["models"][2]["latent"] = "[red]low-rank[/red]"
    stream = io.StringIO()
    Console(file=stream, width=120).print(terminal_table(made_up.read(comparison)))
    shown = stream.getvalue()
    assert "[red]low-rank[/red]" in shown
    assert "−26.0 ± 0.4 *" in shown
    assert "+4.0 (3.5 to 4.5)" in shown and "no difference found" in shown
    assert "informative maps" in shown
    assert "! [red]low-rank[/red]: Prior holes: 97 %" in shown and "! 85 images are few" in shown


@pytest.mark.parametrize(("low", "high"), [(0.0004, 0.02), (-0.02, -0.0004), (1e-7, 9.0)])
def test_an_interval_without_zero_does_not_read_as_if_it_held_it(low, high):
    ends = difference((low + high) / 2, low, high).partition("(")[2].rstrip(")").split(" to ")
    if high < 1:
        assert all(float(end.replace("−", "-")) != 0 for end in ends)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_any_difference_is_spelled(value, low, high):
    assert "nan" not in difference(value, low, high) and "-" not in difference(value, low, high)


@given(st.one_of(st.none(), st.floats()), st.one_of(st.none(), st.floats(min_value=0), st.just(float("nan"))))
def test_any_number_is_spelled(value, error):
    text = estimate(value, error)
    assert text and "nan" not in text and "inf" not in text and "-" not in text
