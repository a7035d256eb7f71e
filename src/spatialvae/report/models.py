"""How each model of a comparison is named and coloured, the same in every figure and table."""

from __future__ import annotations

from spatialvae.results import Results

__all__ = ["LIGHT", "baseline_index", "baseline_label", "colour_rules", "colour_variable", "labels", "light_colour"]

# Pairs for a light and a dark page, told apart by hue and by lightness.
LIGHT = ("#1f6fb2", "#c4570b", "#18794e", "#8e4ec6", "#b3264f", "#6b6416")
DARK = ("#6cb2f0", "#f2a057", "#5cc796", "#c79bf2", "#f27fa0", "#cfc25a")
PAGE = {
    "page": "#fbfbf9",
    "card": "#ffffff",
    "ink": "#1d1f22",
    "muted": "#5c626a",
    "line": "#e1e1db",
    "accent": "#8a5a00",
}
PAGE_DARK = {
    "page": "#14161a",
    "card": "#1b1e24",
    "ink": "#e7e8ea",
    "muted": "#a3a9b2",
    "line": "#30353d",
    "accent": "#e9b44c",
}


def labels(results: Results) -> list[str]:
    """A name for each model: the latent, or its whole spelling where two latents share their name.

    >>> from spatialvae.results import ModelResult
    >>> labels(Results(models=(ModelResult("vector", "vector:maps=10"),)))
    ['vector']
    >>> ranks = tuple(ModelResult("low-rank", f"low-rank:rank={rank}") for rank in (1, 2))
    >>> labels(Results(models=ranks))
    ['low-rank:rank=1', 'low-rank:rank=2']
    """
    models = results.models
    latents = [model.latent for model in models]
    unique = len(set(latents)) == len(latents)
    return latents if unique else [model.spec or model.latent for model in models]


def baseline_index(results: Results) -> int | None:
    """Which model the others are compared with; None where it is not among them.

    >>> from spatialvae.results import ModelResult
    >>> baseline_index(Results(models=(ModelResult("naive"), ModelResult("vector")), baseline="vector"))
    1
    """
    baseline = results.baseline
    same = (index for index, model in enumerate(results.models) if baseline in (model.latent, model.spec))
    return None if baseline is None else next(same, None)


def baseline_label(results: Results) -> str:
    """The label of the model that the others are compared with, or what the comparison calls it."""
    index = baseline_index(results)
    return results.baseline or "" if index is None else labels(results)[index]


def light_colour(index: int) -> str:
    """The colour of the model at `index` on white."""
    return LIGHT[index % len(LIGHT)]


def colour_variable(index: int) -> str:
    """The CSS value of the model's colour, which follows a light or dark page.

    >>> colour_variable(1)
    'var(--model-1)'
    """
    return f"var(--model-{index % len(LIGHT)})"


def colour_rules() -> str:
    """CSS: the page's and the models' colours as variables, for light and for dark."""
    dark = f"@media (prefers-color-scheme:dark){{:root{{{_variables(PAGE_DARK, DARK)}}}}}"
    return f":root{{{_variables(PAGE, LIGHT)}}}{dark}"


def _variables(page: dict[str, str], models: tuple[str, ...]) -> str:
    named = page | {f"model-{index}": colour for index, colour in enumerate(models)}
    return "".join(f"--{name}:{colour};" for name, colour in named.items())
