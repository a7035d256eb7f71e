"""What is wrong with a model's codes, in sentences with the numbers and what to do."""

from __future__ import annotations

__all__ = ["alarms"]

LEAST_NATS = 0.1
"""Of KL an image: a code that says less than this (0.14 bits) says nothing."""
COLLAPSED, PARTLY_COLLAPSED = 0.01, 0.1
"""Shares of the code's numbers that are active; fewer are a collapse, or a partial one."""
HOLES = 0.5
"""Share of draws from the prior outside the codes from which on most samples come from where no image is."""
NARROW, WIDE = 0.5, 2.0
"""Median variances of the aggregate posterior, 1 for the prior: beyond these a typical number differs by a factor."""
FEWEST = 50
"""Images below which nothing that rests on a spread over images raises an alarm."""


def alarms(
    *,
    n: int,
    units: int,
    kl: float,
    active: int | None,
    outside: float | None,
    median_variance: float,
    prior: str = "N(0, I)",
    autoregressive: bool = False,
) -> tuple[str, ...]:
    """Sentences about posterior collapse, prior holes and codes of another width than the prior's; none if all is well.

    - collapse: a mean KL below 0.1 nats, or under 1 % of the numbers active; partial collapse: under 10 %.
    - holes: more than half of the draws from the prior lie outside the encoded images' codes.
    - width: the median variance of the aggregate posterior is below 1/2 or above 2.

    With fewer than 50 images the KL alone is judged: the rest is a spread over images.

    A setting stands between backquotes, by its name in Python: `spatialvae.errors.with_flags` gives its flag.

    Args:
        n: images.
        units: numbers of a code.
        kl: mean nats per image.
        active: numbers of the code that are active.
        outside: share of draws from the prior that lie outside the codes.
        median_variance: of the aggregate posterior; the prior's is 1.
        prior: what it is called.
        autoregressive: whether the likelihood describes pixels by the pixels before them, and can do without a code.

    >>> alarms(n=100, units=72, kl=40.0, active=60, outside=0.02, median_variance=0.97)
    ()
    >>> print(*alarms(n=100, units=72, kl=0.02, active=0, outside=0.01, median_variance=1.0))
    Posterior collapse: the KL is 0.02 nats an image, and 0 of its 72 numbers are active. ...
    """
    if n < FEWEST:
        active, outside, median_variance = None, None, 1.0
    sentences = (_collapse(units, kl, active, autoregressive), _holes(outside, prior), _width(median_variance, prior))
    return tuple(sentence for sentence in sentences if sentence)


def _collapse(units: int, kl: float, active: int | None, autoregressive: bool) -> str | None:
    counted = "" if active is None else f", and {active:,} of its {units:,} numbers are active"
    summary = f"the KL is {kl:.3g} nats an image{counted}."
    if kl < LEAST_NATS or (active is not None and active < COLLAPSED * units):
        if autoregressive:
            return (
                f"Posterior collapse: {summary} The likelihood knows pixels by those before them, without the code: "
                "a low number of bits per dim says nothing of the code. Train with a smaller `beta`, or with another "
                "`likelihood`, such as logistic-mixture."
            )
        return (
            f"Posterior collapse: {summary} The decoder ignores the code. Train with a smaller `beta`, or let the KL's "
            "weight rise slowly with `kl_warmup`."
        )
    if active is not None and active < PARTLY_COLLAPSED * units:
        return (
            f"Partial posterior collapse: {summary} The others stay at the prior and carry nothing. If the pictures "
            "lack detail, train with a smaller `beta`; if not, fewer `maps` would do."
        )
    return None


def _holes(outside: float | None, prior: str) -> str | None:
    if outside is None or outside <= HOLES:
        return None
    return (
        f"Prior holes: {outside:.0%} of the draws from {prior} lie farther out than 99 % of the images' codes, so that "
        f"samples from {prior} will not look like the data. Sample from a fitted prior: `prior` gaussian."
    )


def _width(median_variance: float, prior: str) -> str | None:
    if NARROW <= median_variance <= WIDE:
        return None
    word = "narrower" if median_variance < NARROW else "wider"
    return (
        f"The codes are {word} than the prior: the median variance of their numbers over all images is "
        f"{median_variance:.3g}, that of {prior} being 1. Sample from a fitted prior: `prior` gaussian."
    )
